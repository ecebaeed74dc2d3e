//! The arguments of `bench store` in a build that hands the command line on.

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,

    /// Also ask one hour out of 20 million events (about 4 minutes and 2 GB more)
    #[arg(long)]
    large: bool,
}
