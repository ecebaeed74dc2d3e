use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A closed vocabulary with a text form, used for every enum that travels as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $field:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in a fixed order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its word in the JSON form.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(Invalid::new(
                        $field,
                        format!("{text:?}"),
                        concat!("one of", $(" ", $text),+),
                    )),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How an operation ended.
    Outcome, "outcome" {
        /// The element was found and accepted.
        Success = "success",
        /// No strategy matched anything.
        NotFound = "not_found",
        /// Something matched, but nothing was trusted enough.
        LowConfidence = "low_confidence",
        /// More elements matched than the caller can use.
        Ambiguous = "ambiguous",
        /// What matched did not hold the expected content.
        ValidationFailed = "validation_failed",
        /// The engine refused the selector's text.
        InvalidSelector = "invalid_selector",
        /// The engine gave up waiting.
        Timeout = "timeout",
        /// The page did not load.
        NavigationFailed = "navigation_failed",
        /// The site refused: captcha, 403, 429.
        Blocked = "blocked",
        /// Page, tab or browser went away.
        TargetClosed = "target_closed",
        /// The engine failed for a reason of its own.
        EngineError = "engine_error",
        /// The operation was given up unfinished.
        Cancelled = "cancelled",
        /// The observed program panicked during the operation.
        Panicked = "panicked",
        /// Nothing was found, and that is what was expected.
        ExpectedAbsent = "expected_absent",
    }
}

words! {
    /// Whom an outcome speaks of.
    OutcomeClass, "outcome class" {
        /// The selector worked.
        Success = "success",
        /// The selector is at fault: it needs the maintainer.
        SelectorFault = "selector_fault",
        /// Site, network, browser or engine is at fault: the selector was not put to the test.
        EnvironmentFault = "environment_fault",
        /// Nobody waited for the result.
        Cancelled = "cancelled",
        /// Absent, as expected.
        ExpectedAbsence = "expected_absence",
    }
}

impl Outcome {
    /// Whom the outcome speaks of.
    pub const fn class(self) -> OutcomeClass {
        match self {
            Self::Success => OutcomeClass::Success,
            Self::NotFound
            | Self::LowConfidence
            | Self::Ambiguous
            | Self::ValidationFailed
            | Self::InvalidSelector
            | Self::Timeout => OutcomeClass::SelectorFault,
            Self::NavigationFailed | Self::Blocked | Self::TargetClosed | Self::EngineError => {
                OutcomeClass::EnvironmentFault
            }
            Self::Cancelled | Self::Panicked => OutcomeClass::Cancelled,
            Self::ExpectedAbsent => OutcomeClass::ExpectedAbsence,
        }
    }

    /// Whether the element was found and accepted.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Success)
    }

    /// Whether the operation tested the selector at all: it succeeded, or the selector was at
    /// fault. Rates of success and error count only these.
    pub const fn is_verdict(self) -> bool {
        matches!(self.class(), OutcomeClass::Success | OutcomeClass::SelectorFault)
    }
}
