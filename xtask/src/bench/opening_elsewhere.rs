use std::path::PathBuf;

/// The arguments, for a build that hands the command line on.
#[derive(clap::Args)]
pub(crate) struct Child {
    store: PathBuf,
    #[arg(long)]
    abandon: bool,
    #[arg(long, conflicts_with = "abandon")]
    read: bool,
}
