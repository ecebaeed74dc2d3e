use crate::outcome::words;
use crate::{Invalid, SelectorName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

words! {
    /// What a check found.
    GateState, "gate" {
        /// In order.
        Passed = "passed",
        /// Not in order.
        Failed = "failed",
        /// Too little data to tell.
        Unknown = "unknown",
    }
}

/// A check of conditions, for continuous integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gate {
    /// Failed when one condition failed, else unknown when one is unknown.
    pub state: GateState,
    /// Each condition.
    pub conditions: Vec<GateCondition>,
}

/// One condition of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GateCondition {
    /// The condition as it was asked for, for instance `slower>30%`.
    pub condition: String,
    /// Failed when one case failed; unknown when no case could be judged.
    pub state: GateState,
    /// What was judged: selectors on sites, or one case for the whole.
    pub cases: Vec<GateCase>,
}

/// One judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GateCase {
    /// The selector; absent for what concerns the whole.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub selector: Option<SelectorName>,
    /// Host and port, when known.
    pub site: Option<String>,
    /// What was found.
    pub state: GateState,
    /// In words.
    pub what: String,
}
