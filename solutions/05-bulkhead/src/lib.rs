// A bulkhead: it limits the calls that run at once to one dependency, so that a slow dependency
// can't take what the others need.
//
// The parts, from the outside in:
//
// - `Bulkhead`, the shell: takes the lock, waits, wakes.
// - `Permit`, a place in use for as long as the permit lives.
// - `Core`, who is in and who waits: plain data and plain functions.
// - `Registry`, the bulkheads of a program by name; `size_for`, how large to make one.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::sync::{Mutex, MutexGuard};

mod config;
mod sync;
mod types;

pub use config::{Config, ConfigError};
pub use types::{Counts, RegistryError, Rejected, SizeError, Snapshot, Workload};

// ---------------------------------------------------------------------------------------------
// The shell: the lock, the waiting, the waking

/// Stands between the callers and one dependency. A handle: clones share the same places. Its limits are those
/// of its configuration for as long as it lives.
#[derive(Clone)]
pub struct Bulkhead {
    core: Arc<Mutex<Core>>,
}

impl Bulkhead {
    /// A bulkhead with nobody in it.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { core: Arc::new(Mutex::new(Core::new(config))) })
    }

    /// Takes a place if one is free, without waiting. Waiters come first: while anybody waits, no
    /// place is free.
    ///
    /// # Errors
    /// [`Rejected::Full`] when all places are taken.
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        self.with_core(Core::enter)?;
        Ok(Permit { bulkhead: self.clone() })
    }

    /// Takes a place, or waits for one: first come, first served, for `max_wait` at most. A caller
    /// arrives when its future is first polled. It needs tokio's timer only if it has to wait.
    ///
    /// A waiter that is granted a place is woken, by the waker of the last poll.
    ///
    /// Cancellation: dropping the future leaves the queue. A place that was granted to it meanwhile
    /// goes to the next.
    ///
    /// # Errors
    /// [`Rejected::Full`] at once when all places are taken and the queue is full;
    /// [`Rejected::WaitedTooLong`] when the time is over and no place has been granted.
    ///
    /// # Panics
    /// When it has to wait, outside of a tokio runtime with its time driver. It leaves the queue then as
    /// well.
    // ANCHOR: acquire
    pub async fn acquire(&self) -> Result<Permit, Rejected> {
        let (number, max_wait) = match self.with_core(Core::enter_or_queue)? {
            Entry::Entered => return Ok(Permit { bulkhead: self.clone() }),
            Entry::Queued { number, max_wait } => (number, max_wait),
        };
        let mut ticket = Ticket { bulkhead: self, number, settled: false };
        let _ = timeout(max_wait, poll_fn(|cx| ticket.poll(cx))).await;
        // Who woke us doesn't matter: the queue knows. A place may have been granted just as the time was over.
        ticket.settle(GaveUp::TimedOut).ok_or(Rejected::WaitedTooLong { max_wait })
    }
    // ANCHOR_END: acquire

    /// Runs `operation` while it holds a place. Without a place it is not called; how long it runs
    /// is not limited.
    ///
    /// Cancellation: dropping the future drops the operation, and then gives the place back. If the
    /// operation hands work to others (a task, a thread), that work goes on without a place: use
    /// [`spawn_blocking`](Self::spawn_blocking), or move a [`Permit`] into it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    // ANCHOR: call
    pub async fn call<T, F>(&self, operation: impl FnOnce() -> F) -> Result<T, Rejected>
    where
        F: Future<Output = T>,
    {
        let _permit = self.acquire().await?;
        Ok(operation().await)
    }
    // ANCHOR_END: call

    /// Runs `work` on tokio's threads for blocking work, in a place that it holds until it returns or
    /// panics. It is not handed to a thread without one.
    ///
    /// Cancellation: dropping this future before it returns leaves the queue. A thread can't be
    /// cancelled: when the handle is dropped or aborted, work that has begun goes on, and keeps its place.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// Outside of a tokio runtime, and as [`acquire`](Self::acquire).
    // ANCHOR: spawn_blocking
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
    // ANCHOR_END: spawn_blocking

    /// All numbers at one instant, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        self.with_core(|core| core.snapshot())
    }

    /// The one place where the lock is held. No foreign code runs under it: no operation, and no
    /// waker, whose `wake`, `clone` and `drop` belong to an executor.
    // ANCHOR: with_core
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut core)
    }
    // ANCHOR_END: with_core
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bulkhead")
    }
}

/// A place in use. Dropping the permit gives the place back, or passes it on to the first waiter.
///
/// It borrows nothing, and must live as long as the work: move it into the task or the closure that
/// does the work. A permit that is forgotten ([`std::mem::forget`]) is a place that is gone for good.
// ANCHOR: permit
#[must_use = "a permit that is dropped is a place given back: keep it as long as the work runs"]
pub struct Permit {
    bulkhead: Bulkhead,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(waker) = self.bulkhead.with_core(Core::give_back) {
            waker.wake();
        }
    }
}
// ANCHOR_END: permit

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// A place in the queue. A caller that is dropped while it waits drops its ticket.
// ANCHOR: ticket
struct Ticket<'a> {
    bulkhead: &'a Bulkhead,
    number: u64,
    settled: bool,
}

impl Ticket<'_> {
    /// Ready when this caller is no longer in the queue: then it has a place.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Cloned before the visit, and the one before is dropped after it.
        let mut waker = Some(cx.waker().clone());
        if self.bulkhead.with_core(|core| core.watch(self.number, &mut waker)) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Ends the wait, once: with the permit if a place was granted, else by leaving the queue.
    fn settle(&mut self, why: GaveUp) -> Option<Permit> {
        if mem::replace(&mut self.settled, true) {
            return None;
        }
        match self.bulkhead.with_core(|core| core.leave(self.number, why)) {
            // Its waker is dropped here, where the lock is free.
            Some(_waiter) => None,
            None => Some(Permit { bulkhead: self.bulkhead.clone() }),
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        // A place that was granted meanwhile comes as a permit, and dropping that passes it on.
        drop(self.settle(GaveUp::Cancelled));
    }
}
// ANCHOR_END: ticket

// ---------------------------------------------------------------------------------------------
// The core: who is in, and who waits

enum Entry {
    Entered,
    Queued { number: u64, max_wait: Duration },
}

#[derive(Clone, Copy)]
enum GaveUp {
    TimedOut,
    Cancelled,
}

/// A place that is given back goes from hand to hand: it is not free in between. So while somebody
/// waits all places are taken, and no newcomer can overtake.
// ANCHOR: core
struct Core {
    config: Config,
    active: usize,
    /// In order of their numbers.
    waiting: VecDeque<Waiter>,
    next_number: u64,
    counts: Counts,
}

impl Core {
    fn new(config: Config) -> Self {
        Self {
            config,
            active: 0,
            waiting: VecDeque::new(),
            next_number: 0,
            counts: Counts::default(),
        }
    }

    /// Takes a place if one is free.
    fn enter(&mut self) -> Result<(), Rejected> {
        if self.active < self.config.max_concurrent {
            self.active += 1;
            self.counts.admitted += 1;
            Ok(())
        } else {
            Err(self.reject())
        }
    }

    fn enter_or_queue(&mut self) -> Result<Entry, Rejected> {
        let Config { max_concurrent, max_waiting, max_wait } = self.config;
        if self.active < max_concurrent {
            self.enter().map(|()| Entry::Entered)
        } else if self.waiting.len() < max_waiting {
            let number = self.next_number;
            self.next_number += 1;
            self.waiting.push_back(Waiter { number, waker: None });
            Ok(Entry::Queued { number, max_wait })
        } else {
            Err(self.reject())
        }
    }

    /// Returns whom to wake.
    fn give_back(&mut self) -> Option<Waker> {
        self.counts.finished += 1;
        if let Some(first) = self.waiting.pop_front() {
            self.counts.admitted += 1;
            first.waker
        } else {
            self.active -= 1;
            None
        }
    }

    /// Whether this waiter is still in the queue. If so, exchanges its waker.
    fn watch(&mut self, number: u64, waker: &mut Option<Waker>) -> bool {
        let Some(index) = self.position(number) else { return false };
        mem::swap(&mut self.waiting[index].waker, waker);
        true
    }

    /// Takes this waiter out of the queue, if it is still there.
    fn leave(&mut self, number: u64, why: GaveUp) -> Option<Waiter> {
        let index = self.position(number)?;
        match why {
            GaveUp::TimedOut => self.counts.timed_out += 1,
            GaveUp::Cancelled => self.counts.cancelled += 1,
        }
        self.waiting.remove(index)
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&number, |waiter| waiter.number).ok()
    }

    fn reject(&mut self) -> Rejected {
        self.counts.rejected += 1;
        Rejected::Full {
            active: self.active,
            max_concurrent: self.config.max_concurrent,
            waiting: self.waiting.len(),
            max_waiting: self.config.max_waiting,
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            active: self.active,
            max_concurrent: self.config.max_concurrent,
            waiting: self.waiting.len(),
            max_waiting: self.config.max_waiting,
            counts: self.counts,
        }
    }
}
// ANCHOR_END: core

/// Somebody in the queue.
struct Waiter {
    number: u64,
    /// How to wake it. `None` until it has been polled in the queue.
    waker: Option<Waker>,
}

// ---------------------------------------------------------------------------------------------
// The registry

/// The bulkheads of a program by name: made once, listed together.
#[derive(Debug, Default)]
pub struct Registry {
    bulkheads: Mutex<BTreeMap<String, Bulkhead>>,
}

impl Registry {
    /// A registry with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bulkhead of that name. The first to ask makes it; all get handles to the same one. The
    /// registry keeps it, with its counts, even when nobody else has a handle any more.
    ///
    /// # Errors
    /// [`RegistryError::Config`] when it has to be made and `config` is out of range: nothing is kept
    /// then. [`RegistryError::Differs`] when it exists and any field of its configuration differs, even
    /// if `config` is out of range.
    // ANCHOR: registry
    pub fn get_or_create(&self, name: &str, config: Config) -> Result<Bulkhead, RegistryError> {
        let mut bulkheads = self.lock();
        if let Some(bulkhead) = bulkheads.get(name) {
            let existing = bulkhead.with_core(|core| core.config);
            return if existing == config {
                Ok(bulkhead.clone())
            } else {
                Err(RegistryError::Differs { name: name.to_owned(), existing, asked: config })
            };
        }
        let bulkhead = Bulkhead::new(config)
            .map_err(|source| RegistryError::Config { name: name.to_owned(), source })?;
        bulkheads.insert(name.to_owned(), bulkhead.clone());
        Ok(bulkhead)
    }

    /// The numbers of all, in order of their names. Each snapshot is of one instant; two of them are
    /// not of the same one.
    pub fn snapshots(&self) -> Vec<(String, Snapshot)> {
        self.lock().iter().map(|(name, bulkhead)| (name.clone(), bulkhead.snapshot())).collect()
    }
    // ANCHOR_END: registry

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bulkhead>> {
        self.bulkheads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// ---------------------------------------------------------------------------------------------
// The size

/// How many places this work needs. By Little's law the calls that run on average are the rate times
/// the time. This number is divided by the share that may be taken, and rounded up: once, at the end,
/// to 1 or more. An error in the last digits of a float is no part of a place: 100 × 0.14, in floats a
/// little more than 14, makes 14 places, and 14.0001 makes 15.
///
/// (John Little, 1961: L = λW. It holds for averages, whatever their distributions.)
///
/// # Errors
/// When a field of `workload` is out of its range.
// ANCHOR: size_for
pub fn size_for(workload: Workload) -> Result<usize, SizeError> {
    workload.validate()?;
    let running = workload.arrivals_per_second * workload.service_time.as_secs_f64();
    let places = running / workload.utilisation;
    // In floats 100 × 0.14 is a little more than 14, which is no reason for a fifteenth place. And the
    // smallest rate of all, of the shortest calls, comes to 0.
    let places = (places * (1.0 - 1e-12)).ceil().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1 to 360,000,000,000"
    )]
    Ok(places as usize)
}
// ANCHOR_END: size_for
