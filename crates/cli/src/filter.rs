use crate::moment::Moment;
use clap::Args;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Query, Result, SelectorPattern};
use telemetry_runtime::models::Timestamp;

/// Which events, for the commands that summarise them.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Selectors: a name, * for any text, ? for one character, as in 'shop.*'
    #[arg(long, value_name = "PATTERN")]
    pub(crate) selector: Option<SelectorPattern>,

    /// Host and port, without www.
    #[arg(long, value_name = "HOST")]
    pub(crate) site: Option<String>,

    /// From this time on: -2h, 2026-11-01, RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<Moment>,

    /// Before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<Moment>,
}

impl Filter {
    /// The query, with times made absolute.
    ///
    /// # Errors
    /// TEL-003 when the period ends before it begins.
    pub(crate) fn query(&self, now: Timestamp) -> Result<Query> {
        let from = self.since.map(|since| since.resolve(now));
        let to = self.until.map(|until| until.resolve(now));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(Error::new(
                ErrorKind::Invalid,
                Code::InvalidEvent,
                "the period is empty: it ends before it begins",
            )
            .with("since", from)
            .with("until", to)
            .cure("give --since a time before --until"));
        }
        Ok(Query {
            selector: self.selector.clone(),
            site: self.site.as_deref().map(|site| site.strip_prefix("www.").unwrap_or(site).into()),
            from,
            to,
            ..Query::all()
        })
    }
}
