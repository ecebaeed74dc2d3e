#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod catalogue;
mod pages;
mod server;

pub use catalogue::{Check, Fate, ShopSelector, catalogue};
pub use pages::{PATHS, Version, page};
pub use server::SiteServer;
