use crate::channels::connect_email;
use crate::{AlertingConfig, webhook};
use std::sync::Arc;
use telemetry_interfaces::{Code, Courier, Error, ErrorKind, Result};

/// The channels of a configuration that carry documents, by name: webhooks and e-mail.
///
/// # Errors
/// TEL-004 for a name that no such channel has, and for settings that cannot be used; kind
/// `Unsupported` when what a channel needs is not compiled in.
pub fn couriers(config: &AlertingConfig, names: &[String]) -> Result<Vec<Arc<dyn Courier>>> {
    names.iter().map(|name| courier(config, name)).collect()
}

fn courier(config: &AlertingConfig, name: &str) -> Result<Arc<dyn Courier>> {
    if let Some(found) = config.webhooks.iter().find(|it| it.name == name) {
        return Ok(Arc::new(webhook::connect(found)?));
    }
    if let Some(found) = config.channels.email.iter().find(|it| it.name == name) {
        return Ok(Arc::new(connect_email(found)?));
    }
    let known: Vec<&str> = (config.webhooks.iter().map(|it| it.name.as_str()))
        .chain(config.channels.email.iter().map(|it| it.name.as_str()))
        .collect();
    let known = if known.is_empty() { "there is none".into() } else { known.join(", ") };
    let message =
        format!("found {name:?}, expected the name of a webhook or an e-mail channel: {known}");
    Err(Error::new(ErrorKind::Invalid, Code::Configuration, message)
        .cure("add [[alerting.webhooks]] or [[alerting.channels.email]] with that name"))
}
