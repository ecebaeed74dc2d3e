use super::shop::expected_signals;
use shop_site::{Fate, ShopSelector};
use telemetry_runtime::models::{Alert, Timestamp};

/// What was to be found, and what was.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// What had to raise an alert.
    pub(crate) problems: Vec<Problem>,
    /// Selectors that may be absent, by name.
    pub(crate) absent: Vec<&'static str>,
    /// Number of selectors nothing happened to.
    pub(crate) healthy: usize,
    /// Alerts that had no reason.
    pub(crate) false_alarms: Vec<Alert>,
}

/// Something the change did that had to raise an alert.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The selector.
    pub(crate) selector: &'static str,
    /// What the change did to it.
    pub(crate) fate: Fate,
    /// The first alert that said so.
    pub(crate) alert: Option<Alert>,
}

impl Judgement {
    /// Problems that raised an alert.
    pub(crate) fn found(&self) -> usize {
        self.problems.iter().filter(|it| it.alert.is_some()).count()
    }
}

/// Holds the alerts that fired against what the catalogue says: an alert is right when its selector
/// was changed before it fired, and it watched what the change did.
pub(crate) fn judge(
    catalogue: &[ShopSelector],
    fired: &[Alert],
    changed_at: Option<Timestamp>,
) -> Judgement {
    let is_right = |alert: &Alert, shop: &ShopSelector| {
        alert.selector.as_str() == shop.name
            && expected_signals(shop.fate).contains(&alert.signal)
            && changed_at.is_some_and(|changed| alert.fired_at >= Some(changed))
    };
    let of = |fate| catalogue.iter().filter(move |shop| shop.fate == fate);
    let problems = catalogue.iter().filter(|shop| !expected_signals(shop.fate).is_empty());
    Judgement {
        problems: problems
            .map(|shop| Problem {
                selector: shop.name,
                fate: shop.fate,
                alert: fired.iter().find(|alert| is_right(alert, shop)).cloned(),
            })
            .collect(),
        absent: of(Fate::Absent).map(|shop| shop.name).collect(),
        healthy: of(Fate::Healthy).count(),
        false_alarms: fired
            .iter()
            .filter(|alert| !catalogue.iter().any(|shop| is_right(alert, shop)))
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::judge;
    use shop_site::catalogue;
    use telemetry_runtime::models::{
        Alert, AlertId, AlertState, SelectorName, Severity, Signal, Timestamp,
    };

    /// Milliseconds since the Unix epoch at which the tests' shop opens.
    const OPENED: i64 = 1_700_000_000_000;

    /// When, so many milliseconds after the opening.
    pub(crate) fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(OPENED + ms)
    }

    /// An alert that fired so many milliseconds after the opening.
    pub(crate) fn alert(selector: &str, signal: Signal, fired_ms: i64) -> Alert {
        Alert {
            fingerprint: selector.into(),
            severity: Severity::High,
            state: AlertState::Firing,
            fired_at: Some(at(fired_ms)),
            value: 1.0,
            threshold: 0.8,
            samples: 4,
            summary: format!("{selector} is not what it was"),
            ..Alert::new(
                AlertId::new(format!("{selector}-{fired_ms}")).unwrap(),
                &format!("rule-on-{signal}"),
                SelectorName::new(selector).unwrap(),
                signal,
                at(fired_ms),
            )
        }
    }

    #[test]
    fn right_wrong_early_and_missing() {
        let fired = [
            alert("shop.product.stock", Signal::ErrorRate, 9_000),
            alert("shop.product.stock", Signal::ErrorRate, 11_000),
            alert("shop.product.rating", Signal::DurationMs, 12_000),
            alert("shop.product.title", Signal::ErrorRate, 13_000),
        ];
        let judgement = judge(&catalogue(), &fired, Some(at(10_000)));
        assert_eq!((judgement.problems.len(), judgement.found()), (4, 1));
        let wrong: Vec<_> =
            judgement.false_alarms.iter().map(|it| it.id.as_str().to_owned()).collect();
        assert_eq!(
            wrong,
            ["shop.product.stock-9000", "shop.product.rating-12000", "shop.product.title-13000"]
        );
        assert_eq!((judgement.absent.len(), judgement.healthy), (1, 9));
    }

    #[test]
    fn before_the_change_every_alert_is_false() {
        let fired = [alert("shop.product.stock", Signal::ErrorRate, 9_000)];
        let judgement = judge(&catalogue(), &fired, None);
        assert_eq!((judgement.found(), judgement.false_alarms.len()), (0, 1));
    }
}
