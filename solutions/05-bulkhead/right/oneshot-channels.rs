//! right: each waiter has a oneshot channel, through which its permit comes

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

mod config;
mod types;

pub use config::{Config, ConfigError};
pub use types::{Counts, RegistryError, Rejected, SizeError, Snapshot, Workload};

// ---------------------------------------------------------------------------------------------
// The shell: the lock, the waiting, the waking

/// Stands between the callers and one dependency. A handle: clones share the same places.
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
    pub async fn acquire(&self) -> Result<Permit, Rejected> {
        let (tell, turn) = oneshot::channel();
        let ticket = match self.with_core(|core| core.enter_or_queue(tell))? {
            Arrival::Entered => return Ok(Permit { bulkhead: self.clone() }),
            Arrival::Queued(ticket) => ticket,
        };
        let seat = Seat { bulkhead: self, ticket };
        let max_wait = self.with_core(|core| core.config.max_wait);
        match timeout(max_wait, turn).await {
            Ok(Ok(permit)) => {
                std::mem::forget(seat);
                Ok(permit)
            }
            _ => {
                let waiter = self.with_core(|core| core.leave_queue(ticket, Leaving::TimedOut));
                std::mem::forget(seat);
                drop(waiter);
                Err(Rejected::WaitedTooLong { max_wait })
            }
        }
    }

    /// Runs `operation` in a place. It is not begun without one, and may run as long as it likes.
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
    pub async fn call<T, F>(&self, operation: impl FnOnce() -> F) -> Result<T, Rejected>
    where
        F: Future<Output = T>,
    {
        let _permit = self.acquire().await?;
        Ok(operation().await)
    }

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

    /// All numbers at one instant, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        self.with_core(|core| Snapshot {
            active: core.active,
            max_concurrent: core.config.max_concurrent,
            waiting: core.queue.len(),
            max_waiting: core.config.max_waiting,
            counts: core.counts,
        })
    }

    /// The one place where the lock is held. No foreign code runs under it: no operation, and no
    /// waker, whose `wake`, `clone` and `drop` belong to an executor.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut core)
    }
}

struct Seat<'a> {
    bulkhead: &'a Bulkhead,
    ticket: u64,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let waiter = self.bulkhead.with_core(|core| core.leave_queue(self.ticket, Leaving::Dropped));
        drop(waiter);
    }
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
#[must_use = "a permit that is dropped is a place given back: keep it as long as the work runs"]
pub struct Permit {
    bulkhead: Bulkhead,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = self.bulkhead.with_core(Core::give_back);
        if let Some(tell) = next {
            // If nobody is there any more, the permit comes back, and is dropped: it goes on.
            drop(tell.send(Permit { bulkhead: self.bulkhead.clone() }));
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

// ---------------------------------------------------------------------------------------------
// The core: who is in, and who waits

struct Core {
    config: Config,
    active: usize,
    /// Those who wait, in order of arrival, so their tickets ascend. A waiter that is granted a
    /// place is taken out: one that doesn't find itself here has one.
    queue: VecDeque<Waiter>,
    next_ticket: u64,
    counts: Counts,
}

impl Core {
    fn new(config: Config) -> Self {
        Self { config, active: 0, queue: VecDeque::new(), next_ticket: 0, counts: Counts::default() }
    }

    /// Takes a place if one is free.
    fn enter(&mut self) -> Result<(), Rejected> {
        if self.take_free() { Ok(()) } else { Err(self.reject()) }
    }

    /// Takes a place if one is free, or a place in the queue.
    fn enter_or_queue(&mut self, tell: oneshot::Sender<Permit>) -> Result<Arrival, Rejected> {
        if self.take_free() {
            return Ok(Arrival::Entered);
        }
        if self.queue.len() >= self.config.max_waiting {
            return Err(self.reject());
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queue.push_back(Waiter { ticket, tell });
        Ok(Arrival::Queued(ticket))
    }

    fn take_free(&mut self) -> bool {
        let free = self.active < self.config.max_concurrent;
        if free {
            self.active += 1;
            self.counts.admitted += 1;
        }
        free
    }

    fn reject(&mut self) -> Rejected {
        self.counts.rejected += 1;
        Rejected::Full {
            active: self.active,
            max_concurrent: self.config.max_concurrent,
            waiting: self.queue.len(),
            max_waiting: self.config.max_waiting,
        }
    }

    /// Out of the queue. `None` if it isn't in it any more: it was granted a place.
    fn leave_queue(&mut self, ticket: u64, why: Leaving) -> Option<Waiter> {
        let waiter = self.position(ticket).and_then(|at| self.queue.remove(at))?;
        match why {
            Leaving::TimedOut => self.counts.timed_out += 1,
            Leaving::Dropped => self.counts.cancelled += 1,
        }
        Some(waiter)
    }

    /// Gives a place back, or on to the first who waits, who is then to be woken.
    fn give_back(&mut self) -> Option<oneshot::Sender<Permit>> {
        self.counts.finished += 1;
        match self.queue.pop_front() {
            Some(next) => {
                self.counts.admitted += 1;
                Some(next.tell)
            }
            None => {
                self.active -= 1;
                None
            }
        }
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }
}

#[derive(Clone, Copy)]
enum Leaving {
    TimedOut,
    Dropped,
}

enum Arrival {
    Entered,
    Queued(u64),
}

/// Somebody in the queue.
struct Waiter {
    ticket: u64,
    tell: oneshot::Sender<Permit>,
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
    pub fn get_or_create(&self, name: &str, config: Config) -> Result<Bulkhead, RegistryError> {
        let mut bulkheads = self.bulkheads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bulkhead) = bulkheads.get(name) {
            let existing = bulkhead.with_core(|core| core.config);
            if existing != config {
                return Err(RegistryError::Differs { name: name.to_owned(), existing, asked: config });
            }
            return Ok(bulkhead.clone());
        }
        let bulkhead = Bulkhead::new(config)
            .map_err(|source| RegistryError::Config { name: name.to_owned(), source })?;
        bulkheads.insert(name.to_owned(), bulkhead.clone());
        Ok(bulkhead)
    }

    /// The numbers of all, in order of their names. Each snapshot is of one instant; two of them are
    /// not of the same one.
    pub fn snapshots(&self) -> Vec<(String, Snapshot)> {
        let bulkheads = self.bulkheads.lock().unwrap_or_else(PoisonError::into_inner);
        bulkheads.iter().map(|(name, bulkhead)| (name.clone(), bulkhead.snapshot())).collect()
    }
}

// ---------------------------------------------------------------------------------------------
// The size

/// How many places this work needs: by Little's law as many as calls run on average, which is the rate
/// times the time, divided by the share that may be taken, and rounded up: once, at the end, and never to
/// 0. What is less than a trillionth above a whole number is taken for the rounding of floats.
///
/// # Errors
/// When a field of `workload` is out of its range.
pub fn size_for(workload: Workload) -> Result<usize, SizeError> {
    workload.validate()?;
    let on_average = workload.arrivals_per_second * workload.service_time.as_secs_f64();
    let places = on_average / workload.utilisation;
    let whole = places.floor();
    let rounded = if places - whole < 1e-12 { whole } else { whole + 1.0 };
    Ok((rounded as usize).max(1))
}
