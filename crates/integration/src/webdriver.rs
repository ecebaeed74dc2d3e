//! What the WebDriver clients have in common: W3C WebDriver's location strategies and error codes,
//! and how one operation is concluded from its tries.

mod conclusion;
mod failure;
mod place;
mod strategy;
mod watch;

pub(crate) use conclusion::{Expectation, Try, conclude};
pub(crate) use failure::{Answer, Failure};
pub(crate) use place::Place;
pub(crate) use strategy::strategy;
pub(crate) use watch::Watch;
