//! Behaviour of the engine as a caller sees it.

mod kinds;
mod resolving;
mod robustness;
