//! Summaries: what they say, and that merging is exact and order-free.
#![allow(clippy::unwrap_used)]

mod comparing;
mod events;
mod merging;
mod quantiles;
mod rollups;
mod summary;
