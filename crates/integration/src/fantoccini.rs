//! Observing `fantoccini` through an extension trait.

mod client;
mod failure;
mod named;
mod root;

pub use client::{ObserveClient, ObservedClient};
pub use named::NamedLocator;
pub use root::ObservedRoot;
