use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use toml::{Table, Value};

/// One setting taken from the environment.
pub(crate) struct Setting {
    pub(crate) variable: String,
    /// The tables it lies in, outermost first.
    pub(crate) tables: Vec<String>,
    pub(crate) key: String,
    pub(crate) value: Value,
}

const PREFIX: &str = "TELEMETRY_";

/// Variables of the original system, and what they are called here.
const ORIGINAL: [(&str, &str); 3] = [
    ("TELEMETRY_ENABLED", "collector_enabled"),
    ("TELEMETRY_BUFFER_SIZE", "collector_queue_events"),
    ("TELEMETRY_STORAGE_TYPE", "storage_backend"),
];

/// Variables for other programs of this workspace, which are not settings.
const ELSEWHERE: [&str; 5] = [
    "TELEMETRY_CONFIG",
    "TELEMETRY_STORE",
    "TELEMETRY_LOG",
    "TELEMETRY_CORPORA",
    "TELEMETRY_PSEUDONYM_KEY",
];

/// The settings the environment holds, in the order of the variables' names. `defaults` is the
/// default configuration: it tells which tables there are, and the type each setting has.
///
/// # Errors
/// TEL-004 for a variable that begins with `TELEMETRY_` and names no table, or whose value is not
/// of its setting's type.
pub(crate) fn settings(
    defaults: &Table,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    for (variable, text) in variables {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        if ELSEWHERE.contains(&variable.as_str()) {
            continue;
        }
        let name = match ORIGINAL.iter().find(|(name, _)| *name == variable) {
            Some((_, name)) => (*name).to_owned(),
            None => rest.to_lowercase(),
        };
        let (tables, key, default) = resolve(defaults, &name);
        if tables.is_empty() && default.is_none() {
            return Err(unknown(&variable));
        }
        let value = typed(&text, default).map_err(|expected| wrong(&variable, expected))?;
        settings.push(Setting { variable, tables, key, value });
    }
    settings.sort_by(|a, b| a.variable.cmp(&b.variable));
    Ok(settings)
}

/// Sets a setting in a configuration, in whose tables it makes the ones that are missing.
pub(crate) fn set(config: &mut Table, setting: Setting) {
    let mut table = config;
    for name in setting.tables {
        let inner = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
        // What is no table is refused with the rest of the configuration.
        let Value::Table(inner) = inner else { return };
        table = inner;
    }
    table.insert(setting.key, setting.value);
}

/// The tables, the key and the default that `TABLE_SUB_KEY` in lower case means: of several
/// tables that fit, the one with the longest name.
fn resolve<'a>(defaults: &'a Table, name: &str) -> (Vec<String>, String, Option<&'a Value>) {
    let (mut table, mut rest, mut tables) = (defaults, name, Vec::new());
    loop {
        if let Some(default) = table.get(rest) {
            return (tables, rest.to_owned(), Some(default));
        }
        let inner = table
            .iter()
            .filter_map(|(key, value)| {
                let after = rest.strip_prefix(key.as_str())?.strip_prefix('_')?;
                Some((key, value.as_table()?, after))
            })
            .max_by_key(|(key, _, _)| key.len());
        let Some((key, inner, after)) = inner else {
            return (tables, rest.to_owned(), None);
        };
        tables.push(key.clone());
        (table, rest) = (inner, after);
    }
}

/// The text as a value of the default's type. Settings without a default are paths and durations,
/// hence text. The error is what was expected.
fn typed(text: &str, default: Option<&Value>) -> Result<Value, &'static str> {
    match default {
        Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).map_err(|_| "true or false"),
        Some(Value::Integer(_)) => text.parse().map(Value::Integer).map_err(|_| "a whole number"),
        Some(Value::Float(_)) => text.parse().map(Value::Float).map_err(|_| "a number"),
        Some(Value::Array(_)) if !text.trim_start().starts_with('[') => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        Some(Value::Array(_)) => {
            text.parse().map_err(|_| "a list, as in page,category or [\"page\", \"category\"]")
        }
        Some(Value::Table(_)) => {
            let value = text.parse().ok().filter(Value::is_table);
            value.ok_or("a table, as in { name = \"value\" }")
        }
        // A setting that may be a word or a table, as `back_pressure`.
        Some(Value::String(_)) if text.starts_with('{') => {
            Ok(text.parse().unwrap_or_else(|_| Value::String(text.to_owned())))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// The value is not shown: it may be a secret under a mistaken name.
fn wrong(variable: &str, expected: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!("the environment variable {variable} holds a wrong value, expected {expected}"),
    )
    .cure("correct or unset the variable")
}

fn unknown(variable: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!("the environment variable {variable} names no setting"),
    )
    .cure(
        "expected TELEMETRY_<TABLE>_<SETTING> with the table COLLECTOR, STORAGE, ALERTING or \
         REPORTING, as in TELEMETRY_STORAGE_PATH; unset it if it is none of ours",
    )
}
