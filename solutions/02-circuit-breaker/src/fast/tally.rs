//! Counters that are cheap to raise.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crossbeam_utils::CachePadded;
use thread_local::ThreadLocal;

use crate::Counts;

/// Counts what the core doesn't see. Each thread has counters of its own, in a cache line that no
/// other thread writes, so raising one is a load, an addition and a store. A shared counter would cost
/// as much as all the rest of a call, and several times that with two threads.
///
/// The counters of a thread outlive it, and a later thread goes on with them: there are as many as
/// threads that call at the same time.
#[derive(Debug, Default)]
pub struct Tally {
    threads: ThreadLocal<CachePadded<Counters>>,
}

#[derive(Debug, Default)]
struct Counters {
    admitted: Counter,
    rejected: Counter,
    succeeded: Counter,
    failed: Counter,
    ignored: Counter,
}

impl Tally {
    #[inline]
    pub fn admitted(&self) {
        self.mine().admitted.raise();
    }

    #[inline]
    pub fn rejected(&self) {
        self.mine().rejected.raise();
    }

    #[inline]
    pub fn succeeded(&self) {
        self.mine().succeeded.raise();
    }

    #[inline]
    pub fn failed(&self) {
        self.mine().failed.raise();
    }

    #[inline]
    pub fn ignored(&self) {
        self.mine().ignored.raise();
    }

    /// The calls that ended. Exact when none is being counted.
    pub fn ended(&self) -> Counts {
        self.threads.iter().fold(Counts::default(), |counts, mine| Counts {
            succeeded: counts.succeeded + mine.succeeded.read(),
            failed: counts.failed + mine.failed.read(),
            ignored: counts.ignored + mine.ignored.read(),
            ..counts
        })
    }

    /// The calls that were let through and turned away. Exact when none is being counted.
    pub fn begun(&self) -> Counts {
        self.threads.iter().fold(Counts::default(), |counts, mine| Counts {
            admitted: counts.admitted + mine.admitted.read(),
            rejected: counts.rejected + mine.rejected.read(),
            ..counts
        })
    }

    #[inline]
    fn mine(&self) -> &Counters {
        self.threads.get_or_default()
    }
}

/// Written by one thread.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    /// Not `fetch_add`: nobody writes between the load and the store but this thread. A later thread
    /// that takes the counter over has synchronised with the end of this one.
    ///
    /// Released, so that who reads the end of a call reads its admission too, though another thread
    /// may have counted that.
    #[inline]
    fn raise(&self) {
        self.0.store(self.0.load(Relaxed) + 1, Release);
    }

    fn read(&self) -> u64 {
        self.0.load(Acquire)
    }
}
