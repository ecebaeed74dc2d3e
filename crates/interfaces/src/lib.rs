#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alert;
mod clock;
mod component;
mod consumer;
mod continuation;
mod document;
mod engine;
mod error;
mod key;
mod ledger;
mod maintenance;
mod memory;
mod observer;
mod parts;
mod pattern;
mod query;
mod renderer;
mod rollup;
mod sink;
mod state;
mod store;
mod versions;

pub use alert::{
    AlertEngine, Learned, NoticeGroup, Notification, NotificationKind, Notifier, Receipt, Vitals,
};
pub use clock::{Clock, SystemClock};
pub use component::{Component, Health, HealthStatus};
pub use consumer::{EventConsumer, NoopConsumer};
pub use continuation::{Continuation, resume};
pub use document::{Courier, Document};
pub use engine::{AsyncSelectorEngine, AttemptObserver, Resolution, SelectorEngine};
pub use error::{Code, Error, ErrorKind, Result};
pub use key::{Key, KeyProvider};
pub use ledger::{DropReason, FlushReport, Ledger};
pub use maintenance::{
    CompactReport, Damage, Maintenance, QuarantineReport, Quarantined, Recovery, VerifyLevel,
    VerifyReport,
};
pub use memory::{MemoryState, MemoryStore};
pub use observer::{
    AttemptRecord, NoopObserver, NoopOperation, OperationObserver, PageHandle, Phase,
    SelectorHandle, SelectorObserver,
};
pub use parts::Parts;
pub use pattern::SelectorPattern;
pub use query::{Order, Query};
pub use renderer::ReportRenderer;
pub use rollup::{RollUpReport, RollupAnswer, RollupIter, RollupQuery, RollupStore};
pub use sink::{EventSink, NoopSink};
pub use state::{StateChange, StateStore};
pub use store::{
    Ack, Capabilities, DayStats, Divided, Durability, EventIter, EventStore, PartOf, StoreStats,
    TierStats,
};
pub use versions::{DefinitionVersions, MemoryVersions};

/// The future an asynchronous seam returns.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
