//! The same bulkhead, fast: while nobody waits, its lock is rarely taken.
//!
//! Each call of the readable bulkhead takes the lock twice, for a number that goes up by one and down by one.
//! So while nobody waits, the core *lends out* its free places, as one atomic word: a compare-exchange takes a
//! place out of it, another puts it back. The word also counts how many were taken, so that it tells
//! how many came and went since it was lent.
//!
//! Whatever is not so simple takes the lock, takes the word back, lets the readable core do it (reject, queue,
//! hand a place on, leave, tell the numbers), and lends the places out again if nobody waits then.
//!
//! So while somebody waits there is no place in the word, and no way to put one there: nobody overtakes, and
//! a place still goes from hand to hand.
//!
//! What remains are four atomic steps a call, two on the word and two on the count of handles, for a permit
//! owns one. What is given up: a rejection is for the core to count, and takes the word back for that. So a
//! bulkhead that is full, or has a queue, is slower than the readable one.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
pub use crate::{
    Config, ConfigError, Counts, RegistryError, Rejected, SizeError, Snapshot, Workload, size_for,
};
use crate::{Core, Entry, GaveUp};

/// As the readable [`Bulkhead`](crate::Bulkhead), and to the same spec.
#[derive(Clone)]
pub struct Bulkhead {
    shared: Arc<Shared>,
}

struct Shared {
    /// What the core has lent out, or [`NOT_LENT`]: the free places, and above them how many were taken
    /// since it was lent.
    word: AtomicU64,
    readable: crate::Bulkhead,
}

// ANCHOR: bits
/// The lower 43 bits are the free places. A bulkhead of more than these hold, 8,796,093,022,207, stays behind
/// the lock.
const FREE: u64 = TAKEN - 1;
const TAKEN_SHIFT: u32 = 43;
/// One that was taken: the next 20 bits count them, so that one call in a million has to take the lock.
const TAKEN: u64 = 1 << TAKEN_SHIFT;
/// From here on the core decides: nothing is lent, or 2^20 were taken since. That overflows into this bit and no
/// further: the next caller takes the word back, and lends it with a count of 0.
const ASK_THE_CORE: u64 = 1 << 63;
/// No word that was lent becomes this: when its highest bit is set, the 20 below are 0.
const NOT_LENT: u64 = u64::MAX;
// ANCHOR_END: bits

impl Bulkhead {
    /// As [`Bulkhead::new`](crate::Bulkhead::new).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        crate::Bulkhead::new(config).map(Self::around)
    }

    fn around(readable: crate::Bulkhead) -> Self {
        let word = AtomicU64::new(readable.with_core(|core| lend(core)));
        Self { shared: Arc::new(Shared { word, readable }) }
    }

    /// As [`Bulkhead::try_acquire`](crate::Bulkhead::try_acquire).
    ///
    /// # Errors
    /// [`Rejected::Full`] when all places are taken.
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        if !self.take() {
            self.with_core(Core::enter)?;
        }
        Ok(self.permit())
    }

    /// As [`Bulkhead::acquire`](crate::Bulkhead::acquire).
    ///
    /// # Errors
    /// [`Rejected::Full`] or [`Rejected::WaitedTooLong`].
    ///
    /// # Panics
    /// When it has to wait, outside of a tokio runtime with its time driver.
    pub async fn acquire(&self) -> Result<Permit, Rejected> {
        if self.take() {
            return Ok(self.permit());
        }
        let (number, max_wait) = match self.with_core(Core::enter_or_queue)? {
            Entry::Entered => return Ok(self.permit()),
            Entry::Queued { number, max_wait } => (number, max_wait),
        };
        let mut ticket = Ticket { bulkhead: self, number, settled: false };
        let _ = timeout(max_wait, poll_fn(|cx| ticket.poll(cx))).await;
        ticket.settle(GaveUp::TimedOut).ok_or(Rejected::WaitedTooLong { max_wait })
    }

    /// As [`Bulkhead::call`](crate::Bulkhead::call).
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub async fn call<T, F>(&self, operation: impl FnOnce() -> F) -> Result<T, Rejected>
    where
        F: Future<Output = T>,
    {
        let _permit = self.acquire().await?;
        Ok(operation().await)
    }

    /// As [`Bulkhead::spawn_blocking`](crate::Bulkhead::spawn_blocking).
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, Rejected> {
        let permit = self.acquire().await?;
        Ok(tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        }))
    }

    /// As [`Bulkhead::snapshot`](crate::Bulkhead::snapshot).
    pub fn snapshot(&self) -> Snapshot {
        self.with_core(|core| core.snapshot())
    }

    fn permit(&self) -> Permit {
        Permit { bulkhead: self.clone() }
    }

    // ANCHOR: word
    /// Takes a place out of the word; `false`, with nothing done, if that is for the core to do.
    fn take(&self) -> bool {
        let taken = |word| (word < ASK_THE_CORE && word & FREE > 0).then(|| word + TAKEN - 1);
        // Acquires what the last holder of the place released: whatever he did in it is done and seen. Who
        // fails acquires nothing; the lock does that.
        self.shared.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, taken).is_ok()
    }

    /// Puts a place into the word; `false`, with nothing done, if that is for the core to do.
    fn put_back(&self) -> bool {
        let put_back = |word| (word < ASK_THE_CORE).then(|| word + 1);
        self.shared.word.fetch_update(Ordering::Release, Ordering::Relaxed, put_back).is_ok()
    }

    /// As the readable one, but the word is taken back before, and lent out again after. In between, those
    /// who look into it find nothing lent and come for the lock: no place comes or goes while the core decides
    /// who waits.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let Shared { word, readable } = &*self.shared;
        readable.with_core(|core| {
            // Acquired from those who put places back, and released to those who take them then.
            take_back(word.swap(NOT_LENT, Ordering::Acquire), core);
            let result = act(core);
            word.store(lend(core), Ordering::Release);
            result
        })
    }
    // ANCHOR_END: word
}

/// The core has what was true when the word was lent. All that happened since is in the word.
// ANCHOR: loan
fn take_back(word: u64, core: &mut Core) {
    if word != NOT_LENT {
        core.active = core.config.max_concurrent - (word & FREE) as usize;
        core.counts.admitted += word >> TAKEN_SHIFT;
        core.counts.finished = core.counts.admitted - core.active as u64;
    }
}

/// The word to lend.
fn lend(core: &Core) -> u64 {
    let fits = core.config.max_concurrent as u64 <= FREE;
    if fits && core.waiting.is_empty() {
        (core.config.max_concurrent - core.active) as u64
    } else {
        NOT_LENT
    }
}
// ANCHOR_END: loan

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bulkhead")
    }
}

/// As the readable [`Permit`](crate::Permit).
#[must_use = "a permit that is dropped is a place given back: keep it as long as the work runs"]
pub struct Permit {
    bulkhead: Bulkhead,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.bulkhead.put_back()
            && let Some(waker) = self.bulkhead.with_core(Core::give_back)
        {
            waker.wake();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// As the readable one.
struct Ticket<'a> {
    bulkhead: &'a Bulkhead,
    number: u64,
    settled: bool,
}

impl Ticket<'_> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waker = Some(cx.waker().clone());
        if self.bulkhead.with_core(|core| core.watch(self.number, &mut waker)) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn settle(&mut self, why: GaveUp) -> Option<Permit> {
        if mem::replace(&mut self.settled, true) {
            return None;
        }
        match self.bulkhead.with_core(|core| core.leave(self.number, why)) {
            Some(_waiter) => None,
            None => Some(self.bulkhead.permit()),
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        drop(self.settle(GaveUp::Cancelled));
    }
}

/// As the readable [`Registry`](crate::Registry), of fast ones.
#[derive(Debug, Default)]
pub struct Registry {
    readable: crate::Registry,
    bulkheads: Mutex<BTreeMap<String, Bulkhead>>,
}

impl Registry {
    /// A registry with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Registry::get_or_create`](crate::Registry::get_or_create).
    ///
    /// # Errors
    /// [`RegistryError::Config`] or [`RegistryError::Differs`].
    pub fn get_or_create(&self, name: &str, config: Config) -> Result<Bulkhead, RegistryError> {
        let readable = self.readable.get_or_create(name, config)?;
        let mut bulkheads = self.lock();
        let bulkhead =
            bulkheads.entry(name.to_owned()).or_insert_with(|| Bulkhead::around(readable));
        Ok(bulkhead.clone())
    }

    /// As [`Registry::snapshots`](crate::Registry::snapshots).
    pub fn snapshots(&self) -> Vec<(String, Snapshot)> {
        self.lock().iter().map(|(name, bulkhead)| (name.clone(), bulkhead.snapshot())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bulkhead>> {
        self.bulkheads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
