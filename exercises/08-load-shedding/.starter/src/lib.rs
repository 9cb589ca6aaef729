// Load shedding: a server that can't serve everybody says no early, and chooses to whom.
//
// The parts, from the outside in:
//
// - `Shedder`, the shell of a server: reads the clock, takes the lock, waits, tells who waits.
// - `Core`, who runs and who waits: plain data and plain functions that are told what time it is.
// - `Queue`, the line; `Limiter`, how many may run.
// - `Throttle`, a client that holds back; `Fair`, the shares of tenants. Each is on its own.

// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open load-shedding`). Add fields and functions as you
// need them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::sync::Mutex;
use crate::window::Window;

mod config;
mod sync;
mod types;
mod window;

pub use config::{Aimd, Config, ConfigError, FairConfig, Gradient, Limit, ThrottleConfig};
pub use types::{
    CallError, Outcome, OverShare, Priority, Reason, Request, Shed, Snapshot, Throttled,
};

// ---------------------------------------------------------------------------------------------
// The shell: the clock, the lock, the waiting

/// Stands in front of a server's work. A handle: clones share the same places.
#[derive(Clone)]
pub struct Shedder {
    core: Arc<Mutex<Core>>,
}

impl Shedder {
    /// A shedder with nobody in it, seeded by the operating system.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_rng(config, rand::make_rng())
    }

    /// As [`new`](Self::new), seeded by hand: for tests and simulations.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: Config, seed: u64) -> Result<Self, ConfigError> {
        Self::with_rng(config, Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn with_rng(config: Config, rng: Xoshiro256PlusPlus) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { core: Arc::new(Mutex::new(Core::new(config, rng))) })
    }

    /// Takes a place, or waits for one. A request arrives when its future is first polled; one that can be
    /// neither served nor queued is refused at that poll.
    ///
    /// Cancellation: dropping the future leaves the queue. A place that was given to it meanwhile goes to the next.
    ///
    /// # Errors
    /// When the request is refused; says why.
    ///
    /// # Panics
    /// When it has to wait, outside of a tokio runtime with its time driver.
    pub async fn acquire(&self, request: Request) -> Result<Permit, Shed> {
        todo!("step 1: take a place, or wait until somebody tells you")
        // step 2: no longer than a request may
    }

    /// Runs `work` in a place. It is not called without one.
    ///
    /// Cancellation: dropping the future drops the work, and then gives the place back.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub async fn call<T, F>(&self, request: Request, work: impl FnOnce() -> F) -> Result<T, Shed>
    where
        F: Future<Output = T>,
    {
        todo!("step 1: the work, with a permit that lives as long as it does")
        // step 4: which ends as `Outcome::Done`
    }

    /// All numbers at one instant.
    pub fn snapshot(&self) -> Snapshot {
        self.visit(|core, _| core.snapshot())
    }

    /// The one place where the lock is held.
    fn visit<R>(&self, act: impl FnOnce(&mut Core, Instant) -> R) -> R {
        let now = Instant::now();
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        // step 2: let time take effect
        act(&mut core, now)
        // step 1: give free places to those who wait, and tell them when the lock is free
    }
}

impl fmt::Debug for Shedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shedder")
    }
}

/// Permission to serve one request, for as long as the permit lives. Dropped without an outcome (an early
/// return, a cancelled future, a panic) it gives the place back, and says nothing about what is below.
#[must_use = "a permit that is dropped is a place given back: keep it as long as the work runs"]
pub struct Permit {
    shedder: Shedder,
    ticket: Option<Ticket>,
}

impl Permit {
    /// Gives the place back, and says how the work ended.
    pub fn finish(mut self, outcome: Outcome) {
        self.settle(Some(outcome));
    }

    fn settle(&mut self, outcome: Option<Outcome>) {
        if let Some(ticket) = self.ticket.take() {
            self.shedder.visit(|core, now| core.settle(&ticket, outcome, now));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle(None);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

impl Shed {
    /// `retry_after` as the header `Retry-After` has it: in whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> u64 {
        todo!("step 1: whole seconds, rounded up")
    }
}

// ---------------------------------------------------------------------------------------------
// Priorities

impl Priority {
    /// What the header says, in letters of any case; [`Priority::Critical`] if there is none, or if it says
    /// anything else.
    pub fn from_header(value: Option<&[u8]>) -> Self {
        todo!("step 3: the priority that `as_str` writes so")
    }

    /// The priority of a call that is made for a request of this one, when the call alone would have `own`:
    /// the lower of the two.
    #[must_use]
    pub fn for_call(self, own: Self) -> Self {
        todo!("step 3: the lower of the two")
    }
}

// ---------------------------------------------------------------------------------------------
// The core: who runs and who waits

/// What a request that waits is told.
type Verdict = Result<Permit, Shed>;

/// Proof that a place was given. It is settled once.
struct Ticket {
    began: Instant,
    // step 4: in which epoch?
}

struct Core {
    config: Config,
    running: usize,
    queue: Queue,
    limiter: Limiter,
    rng: Xoshiro256PlusPlus,
    // step 1: who is to be told what, when the lock is free
}

impl Core {
    fn new(config: Config, rng: Xoshiro256PlusPlus) -> Self {
        let limiter = Limiter::new(&config.limit);
        Self { config, running: 0, queue: Queue {}, limiter, rng }
    }

    fn snapshot(&self) -> Snapshot {
        todo!("step 1: the limit, who runs and who waits")
    }

    /// Lets time take effect. Called before anything else is done with the core.
    fn tick(&mut self, now: Instant) {
        // step 2: who has waited for too long?
        // step 4: is it time for a probe?
    }

    /// Begins a request, queues it, or refuses it.
    fn arrive(&mut self, request: Request, now: Instant) {
        // step 2: or it has expired
        todo!("step 1: a place, or a place in the queue, or a refusal; return which")
        // step 3: or it takes the place of one in the queue
    }

    /// Gives free places to those who wait.
    fn fill(&mut self, now: Instant) {
        todo!("step 1: first come, first served")
        // step 2: the newest first, in a standing queue; and nobody whose deadline has passed
        // step 3: the highest class first
    }

    /// Takes a place back; `None` if nobody said how the work ended.
    fn settle(&mut self, ticket: &Ticket, outcome: Option<Outcome>, now: Instant) {
        todo!("step 1: one less is running")
        // step 4: and the limiter learns from it
    }

    /// What a refused request is told.
    fn shed(&mut self, reason: Reason) -> Shed {
        todo!(
            "step 1: `retry_after`, stretched by a random share of it, so that they don't come back together"
        )
    }
}

// ---------------------------------------------------------------------------------------------
// The queue

/// Those who wait.
struct Queue {
    // step 1: in the order in which they came: a `oneshot::Sender<Verdict>` for each
    // step 2: and since when somebody has always been waiting
    // step 3: in a line for each class
}

// ---------------------------------------------------------------------------------------------
// The limit

/// How many may run, and what has been learnt of that.
struct Limiter {
    limit: f64,
    // step 4: the epoch, the rule, and what the rule has to remember
}

impl Limiter {
    fn new(limit: &Limit) -> Self {
        match limit {
            Limit::Fixed(limit) => Self { limit: *limit as f64 },
            Limit::Aimd(aimd) => todo!("step 4: begin at `initial`"),
            Limit::Gradient(gradient) => todo!("step 4: begin with a probe"),
        }
    }

    fn limit(&self) -> usize {
        self.limit as usize
    }
}

// ---------------------------------------------------------------------------------------------
// The client

/// Holds requests back at the client when the server refuses too many. Share it by reference or in an `Arc`; one
/// for each server that is called.
///
/// The rule is that of Google's clients (*Site Reliability Engineering*, 2016, chapter 21).
pub struct Throttle {
    core: Mutex<Counts>,
}

struct Counts {
    k: f64,
    rng: Xoshiro256PlusPlus,
    // step 5: two windows
}

impl Throttle {
    /// A throttle that has seen no request, seeded by the operating system.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: &ThrottleConfig) -> Result<Self, ConfigError> {
        Self::with_rng(config, rand::make_rng())
    }

    /// As [`new`](Self::new), seeded by hand: for tests and simulations.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: &ThrottleConfig, seed: u64) -> Result<Self, ConfigError> {
        Self::with_rng(config, Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn with_rng(config: &ThrottleConfig, rng: Xoshiro256PlusPlus) -> Result<Self, ConfigError> {
        config.validate()?;
        let now = Instant::now();
        Ok(Self { core: Mutex::new(Counts { k: config.k, rng }) })
    }

    /// Asks for permission to make one request, and counts it, whatever the answer.
    ///
    /// # Errors
    /// With the probability of [`reject_probability`](Self::reject_probability) as it was before this request.
    pub fn try_request(&self) -> Result<(), Throttled> {
        todo!("step 5: draw, and count")
    }

    /// Notes that the server took a request on, however that ended.
    pub fn record_accepted(&self) {
        todo!("step 5: count it")
    }

    /// With what probability the next request is held back: max(0, (requests − K × accepted) / (requests + 1)),
    /// both of the last window.
    pub fn reject_probability(&self) -> f64 {
        todo!("step 5: the formula")
    }

    /// Runs `operation`, unless it is held back. `accepted` says whether the server took it on.
    ///
    /// Cancellation: dropping the future drops the operation. The request stays counted, as one that was not
    /// accepted: an overloaded server is known by its silence, too.
    ///
    /// # Errors
    /// [`CallError::Throttled`] if the operation was not run, [`CallError::Operation`] if it failed.
    pub async fn call<T, E, F>(
        &self,
        operation: impl FnOnce() -> F,
        accepted: impl FnOnce(&Result<T, E>) -> bool,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        todo!("step 5: ask, run, count")
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Throttle")
    }
}

// ---------------------------------------------------------------------------------------------
// The tenants

/// A token bucket for each tenant, in bounded memory. Ask it before the queue.
pub struct Fair {
    core: Mutex<Buckets>,
}

impl Fair {
    /// All buckets full.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: &FairConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { core: Mutex::new(Buckets::new(config, Instant::now())) })
    }

    /// Takes a token of this tenant's. A tenant has a bucket of its own, full at first; when `max_tenants` have
    /// one that isn't full, all others share one bucket of the same size.
    ///
    /// # Errors
    /// When there is no token, and when there is one again. Nothing is taken then.
    pub fn try_admit(&self, tenant: &str) -> Result<(), OverShare> {
        todo!("step 6: a token of this tenant's bucket")
    }

    /// How many tenants have a bucket of their own in memory: `max_tenants` at most.
    pub fn tenants(&self) -> usize {
        todo!("step 6: how many buckets are in memory")
    }
}

impl fmt::Debug for Fair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fair")
    }
}

struct Buckets {
    /// How long a token takes.
    each: Duration,
    /// How long all of them do.
    all: Duration,
    max_tenants: usize,
    // step 6: the buckets, and the one that the others share
}

impl Buckets {
    fn new(config: &FairConfig, now: Instant) -> Self {
        let each = Duration::from_secs(1) / config.per_second;
        Self { each, all: each * config.burst, max_tenants: config.max_tenants }
    }
}
