//! In which order strategies are best tried, from what operations and shadow probes tell.
//!
//! Ordinary operations are censored: nobody sees what the strategies behind the first match would
//! have done. A shadow probe tells, for a known share of the operations, so that what it shows can
//! be weighted. Estimates are made stratum by stratum (which strategies an operation itself tried,
//! and which of them matched): where the operation alone tells what another order would have done,
//! all operations count; where it does not, those with probes stand for the stratum, weighted by
//! one over their probability. With the stratum's mean as the model this is the doubly robust
//! estimator (M. Dudík, J. Langford, L. Li, “Doubly Robust Policy Evaluation and Learning”, ICML
//! 2011) with a saturated model. A stratum without enough probes is taken at its worst.

mod evidence;
mod plan;

pub use evidence::{OrderEvidence, Part};
pub use plan::OrderEstimate;

#[cfg(test)]
mod tests;
