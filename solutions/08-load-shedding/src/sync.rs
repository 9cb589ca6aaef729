//! What threads share: under loom, loom's.

#[cfg(loom)]
pub use loom::sync::{Mutex, atomic};
#[cfg(not(loom))]
pub use std::sync::{Mutex, atomic};
