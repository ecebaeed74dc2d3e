use crate::arguments::Global;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::files;
use crate::plain::plain;
use crate::settings::DEFAULT_PATH;
use clap::Args;
use std::io;
use std::path::PathBuf;
use telemetry_runtime::DEFAULT_FILE;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind};

/// Write a commented telemetry.toml
#[derive(Args, Debug)]
#[command(after_help = "\
The file shows every setting with its default. An existing file is left alone (exit code 1) unless
--force is given. The store itself is made by the first program that records.

Example:
  telemetry init --path config/telemetry.toml")]
pub(crate) struct InitArgs {
    /// Where to write it
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    path: PathBuf,

    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &InitArgs, global: &Global, console: &mut Console) -> Outcome {
    let path = &args.path;
    let written = if args.force {
        files::replace(path, DEFAULT_FILE.as_bytes())
    } else {
        files::create(path, DEFAULT_FILE.as_bytes())
    };
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            console.error(
                &Error::new(ErrorKind::Invalid, Code::Configuration, "the file is already there")
                    .with("file", path.display())
                    .cure(
                        "edit it, write another with --path FILE, or replace it with --force; \
                         nothing was written",
                    ),
            );
            return Ok(Exit::Failed);
        }
        Err(error) => {
            return Err(Error::new(
                ErrorKind::Unavailable,
                Code::Configuration,
                "the configuration cannot be written",
            )
            .with("file", path.display())
            .source(error)
            .cure("name a directory that exists and that this user may write, with --path FILE")
            .into());
        }
    }
    if global.json {
        console.json_line(&serde_json::json!({ "written": path }))?;
        return Ok(Exit::Fine);
    }
    let shown = path.display().to_string();
    let shown = plain(&shown);
    let option = if shown == DEFAULT_PATH { String::new() } else { format!(" --config {shown}") };
    console.line(format_args!(
        "Wrote {shown}: every setting with its default, explained.\n\
         \n\
         Next:\n  \
           telemetry{option} config check    after editing it\n  \
           telemetry{option} doctor          once your program has recorded something\n  \
           telemetry{option} stats           how each selector does"
    ))?;
    Ok(Exit::Fine)
}
