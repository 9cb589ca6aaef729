//! What threads share: under loom, loom's.

#[cfg(loom)]
pub use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub use std::sync::atomic;

#[cfg(not(loom))]
include!("../../../exercises/05-bulkhead/src/sync.rs");
