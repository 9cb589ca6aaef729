//! What a trial tries: a budget by itself, and a budget around the tries of a call. There are two crates with the
//! same names, so the types here are the lab's own.

use std::sync::Arc;
use std::time::Duration;

use crate::policy::{Guard, NO_RETRIES, UNBOUNDED};

/// The parts, yours or the reference's.
#[derive(Clone, Copy)]
pub struct Code {
    /// Steps 3 and 4.
    pub budget: fn(Setting) -> Arc<dyn Budget>,
    /// Steps 5 and 6.
    pub guard: fn(Setting) -> Guard,
}

/// What a budget has beside the defaults of the book.
#[derive(Clone, Copy)]
pub struct Setting {
    pub ratio: f64,
    pub floor: u32,
    pub window: Duration,
    pub feed: Feed,
}

#[derive(Clone, Copy)]
pub enum Feed {
    Requests,
    Successes,
}

pub trait Budget: Send + Sync {
    fn record_request(&self);
    /// Whether a retry may be made.
    fn withdraw(&self) -> bool;
}

/// Nobody retries.
pub const NEVER: Code = Code { budget: |_| Arc::new(Says(false)), guard: |_| (NO_RETRIES.guard)() };
/// Everybody does.
pub const ALWAYS: Code = Code { budget: |_| Arc::new(Says(true)), guard: |_| (UNBOUNDED.guard)() };

struct Says(bool);

impl Budget for Says {
    fn record_request(&self) {}

    fn withdraw(&self) -> bool {
        self.0
    }
}
