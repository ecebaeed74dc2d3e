use crate::arguments::Arguments;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  telemetry completions bash > ~/.local/share/bash-completion/completions/telemetry")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, console: &mut Console) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "telemetry", &mut script);
    console.bytes(&script)?;
    Ok(Exit::Fine)
}
