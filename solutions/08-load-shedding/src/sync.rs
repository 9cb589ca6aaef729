//! Where the lock comes from.

pub use std::sync::Mutex;
