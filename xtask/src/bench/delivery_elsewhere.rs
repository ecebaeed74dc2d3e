use std::path::PathBuf;

/// The arguments, for a build that hands the command line on.
#[derive(clap::Args)]
pub(crate) struct Storm {
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    url: String,
    #[arg(long)]
    engine_only: bool,
}
