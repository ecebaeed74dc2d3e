use crate::arguments::Global;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::plain::plain;
use crate::settings::{self, Settings};
use clap::Subcommand;
use serde::Serialize;
use std::path::PathBuf;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind};
use telemetry_runtime::{DEFAULT_FILE, TelemetryConfig};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration file, and the environment over it
    #[command(after_help = "\
Exit code 0: in order; 1: something is wrong, with file, line and key; 2: it cannot be read.

Example:
  telemetry config check deploy/telemetry.toml")]
    Check {
        /// The file [default: --config, or ./telemetry.toml]
        file: Option<PathBuf>,
    },
    /// Print the configuration in force, as TOML (with --json as JSON)
    #[command(after_help = "\
Flags, environment, file and defaults are merged, as every other command sees them.
Headers, secrets and keys of channels and the paths of their URLs are hidden, because they often are
secrets.

Examples:
  TELEMETRY_STORAGE_BACKEND=json telemetry config show
  telemetry config show --defaults")]
    Show {
        /// Every setting with its default, explained; reads no configuration
        #[arg(long, conflicts_with = "secrets")]
        defaults: bool,

        /// Show what is hidden
        #[arg(long)]
        secrets: bool,
    },
}

pub(crate) fn run(command: &ConfigCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        ConfigCommand::Check { file } => {
            check(file.clone().or_else(|| settings::file(global)), global, console)
        }
        ConfigCommand::Show { defaults: true, .. } => show_defaults(global, console),
        ConfigCommand::Show { secrets, .. } => show(*secrets, global, console),
    }
}

/// What `config check --json` says.
#[derive(Serialize)]
struct Checked {
    file: Option<String>,
    valid: bool,
    error: Option<String>,
}

pub(crate) fn check(file: Option<PathBuf>, global: &Global, console: &mut Console) -> Outcome {
    let name = file.as_ref().map(|file| file.display().to_string());
    let loaded = TelemetryConfig::load(file.as_deref(), settings::variables()?);
    let unreadable = |error: &Error| std::error::Error::source(error).is_some();
    match loaded {
        Ok(config) => {
            if global.json {
                console.json(&Checked { file: name, valid: true, error: None })?;
                return Ok(Exit::Fine);
            }
            let what = match &name {
                Some(name) => plain(name).into_owned(),
                None => "no telemetry.toml here; the defaults".to_owned(),
            };
            let rules = config.alerting.effective_rules().len() as u64;
            let webhooks = config.alerting.webhooks.len() as u64;
            let word = console.paint(Tone::Good, "ok");
            console.line(format_args!(
                "{word}  {what}: {} store at {}, {} in force, {}",
                config.storage.backend,
                plain(&config.storage.path.display().to_string()),
                figures::counted(rules, "rule"),
                figures::counted(webhooks, "webhook"),
            ))?;
            Ok(Exit::Fine)
        }
        // Only reading the file has a source; everything else is a verdict on its content.
        Err(error) if unreadable(&error) => Err(error.into()),
        Err(error) => {
            if global.json {
                let error = Some(error.to_string());
                console.json(&Checked { file: name, valid: false, error })?;
            } else {
                console.error(&error);
            }
            Ok(Exit::Failed)
        }
    }
}

fn show(secrets: bool, global: &Global, console: &mut Console) -> Outcome {
    let mut settings = Settings::load(global)?;
    if !secrets {
        hide_secrets(&mut settings.config);
    }
    if global.json {
        console.json(&settings.config)?;
        return Ok(Exit::Fine);
    }
    let text = toml::to_string_pretty(&settings.config).map_err(|error| {
        Error::new(ErrorKind::Internal, Code::Configuration, "the configuration has no TOML form")
            .source(error)
    })?;
    let origin = match &settings.file {
        Some(file) => plain(&file.display().to_string()).into_owned(),
        None => "no file".to_owned(),
    };
    console.line(format_args!("# In force: flags, environment, {origin}, defaults.\n{text}"))?;
    Ok(Exit::Fine)
}

fn show_defaults(global: &Global, console: &mut Console) -> Outcome {
    if global.json {
        console.json(&TelemetryConfig::default())?;
    } else {
        console.line(DEFAULT_FILE.trim_end())?;
    }
    Ok(Exit::Fine)
}

const HIDDEN: &str = "(hidden)";

fn hide_secrets(config: &mut TelemetryConfig) {
    for webhook in &mut config.alerting.webhooks {
        for value in webhook.headers.values_mut() {
            HIDDEN.clone_into(value);
        }
        if let Some(secret) = &mut webhook.secret {
            HIDDEN.clone_into(secret);
        }
        hide_path(&mut webhook.url);
    }
    let channels = &mut config.alerting.channels;
    for list in [
        &mut channels.slack,
        &mut channels.teams,
        &mut channels.discord,
        &mut channels.telegram,
        &mut channels.pagerduty,
        &mut channels.alertmanager,
    ] {
        for service in list {
            if let Some(key) = &mut service.key {
                HIDDEN.clone_into(key);
            }
            hide_path(&mut service.url);
        }
    }
    for email in &mut channels.email {
        if let Some(password) = &mut email.password {
            HIDDEN.clone_into(password);
        }
    }
    for command in &mut channels.command {
        command.arguments.iter_mut().for_each(|it| HIDDEN.clone_into(it));
    }
}

fn hide_path(url: &mut String) {
    let Some((scheme, rest)) = url.split_once("://") else { return };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if host != authority || path.len() > 1 {
        *url = format!("{scheme}://{host}/{HIDDEN}");
    }
}
