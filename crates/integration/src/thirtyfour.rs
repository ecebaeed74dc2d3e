//! Observing `thirtyfour` through its `HttpClient` seam.

mod client;
mod command;
mod matches;
mod named;
mod reply;
mod scope;

pub use client::ObservedHttpClient;
pub use matches::Matches;
pub use named::NamedQuery;
