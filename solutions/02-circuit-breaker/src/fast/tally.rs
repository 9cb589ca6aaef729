//! Counters that are cheap to raise.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// What one thread counts of the calls that the core doesn't see. No other thread writes here, so raising a
/// counter is a load, an addition and a store. A shared one would cost as much as all the rest of a call, and
/// several times that with two threads.
#[derive(Debug, Default)]
pub struct Tally {
    pub admitted: Counter,
    pub rejected: Counter,
    pub succeeded: Counter,
    pub ignored: Counter,
}

/// Written by one thread.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Not `fetch_add`: nobody writes between the load and the store but this thread. A later thread
    /// that takes the counter over has synchronised with the end of this one.
    ///
    /// Released, so that who reads the end of a call reads its admission too, though another thread
    /// may have counted that.
    #[inline]
    pub fn raise(&self) {
        self.0.store(self.0.load(Relaxed) + 1, Release);
    }

    pub fn read(&self) -> u64 {
        self.0.load(Acquire)
    }
}
