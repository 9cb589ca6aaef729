// Load shedding: a server that can't serve everybody says no early, and chooses to whom.
//
// The parts, from the outside in:
//
// - `Shedder`, the shell of a server: reads the clock, takes the lock, waits, tells who waits.
// - `Core`, who runs and who waits: plain data and plain functions that are told what time it is.
// - `Queue`, the line; `Limiter`, how many may run.
// - `Throttle`, a client that holds back; `Fair`, the shares of tenants. Each is on its own.

use std::array;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::mem;
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
    // ANCHOR: acquire
    pub async fn acquire(&self, request: Request) -> Result<Permit, Shed> {
        let (place, mut verdict) = match self.visit(|core, now| core.arrive(request, now))? {
            Entry::Begun(ticket) => return Ok(self.permit(ticket)),
            Entry::Waits(place, verdict) => (place, verdict),
        };
        let _leaves = InLine { shedder: self, place };
        match timeout_at(place.until, &mut verdict).await {
            Ok(verdict) => verdict.expect(TOLD),
            Err(_) => match self.visit(|core, now| core.give_up(place, now)) {
                Some(shed) => Err(shed),
                // It was decided just as the time was over.
                None => verdict.await.expect(TOLD),
            },
        }
    }
    // ANCHOR_END: acquire

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
        let permit = self.acquire(request).await?;
        let value = work().await;
        permit.finish(Outcome::Done);
        Ok(value)
    }

    /// All numbers at one instant.
    pub fn snapshot(&self) -> Snapshot {
        self.visit(|core, _| core.snapshot())
    }

    fn permit(&self, ticket: Ticket) -> Permit {
        Permit { shedder: self.clone(), ticket: Some(ticket) }
    }

    /// The one place where the lock is held. Who waits is told after it: that wakes a task, which is an
    /// executor's code.
    // ANCHOR: visit
    fn visit<R>(&self, act: impl FnOnce(&mut Core, Instant) -> R) -> R {
        let now = Instant::now();
        let (result, told) = {
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            core.tick(now);
            let result = act(&mut core, now);
            core.fill(now);
            (result, mem::take(&mut core.told))
        };
        for (waiter, verdict) in told {
            // If the caller has gone, the permit comes back, is dropped, and its place goes to the next.
            drop(waiter.send(verdict.map(|ticket| self.permit(ticket))));
        }
        result
    }
    // ANCHOR_END: visit
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

/// A place in the queue, which its caller leaves when it goes.
struct InLine<'a> {
    shedder: &'a Shedder,
    place: Place,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        // Dropped when the lock is free: it has a waker of its caller's.
        let _waiter = self.shedder.visit(|core, _| core.queue.leave(self.place));
    }
}

impl Shed {
    /// `retry_after` as the header `Retry-After` has it: in whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> u64 {
        self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0)
    }
}

// ---------------------------------------------------------------------------------------------
// Priorities

impl Priority {
    /// What the header says, in letters of any case; [`Priority::Critical`] if there is none, or if it says
    /// anything else.
    pub fn from_header(value: Option<&[u8]>) -> Self {
        let named = |priority: &Self| {
            value.is_some_and(|value| value.eq_ignore_ascii_case(priority.as_str().as_bytes()))
        };
        Self::ALL.into_iter().find(named).unwrap_or_default()
    }

    /// The priority of a call that is made for a request of this one, when the call alone would have `own`:
    /// the lower of the two.
    #[must_use]
    pub fn for_call(self, own: Self) -> Self {
        self.min(own)
    }
}

// ---------------------------------------------------------------------------------------------
// The core: who runs and who waits

const TOLD: &str = "who waits is told";

type Verdict = Result<Permit, Shed>;

/// Proof that a place was given. It is settled once.
struct Ticket {
    began: Instant,
    epoch: u64,
}

/// Where a request is in the queue, and until when it may be.
#[derive(Clone, Copy)]
struct Place {
    priority: Priority,
    number: u64,
    until: Instant,
}

/// What becomes of a request that is not refused when it comes.
enum Entry {
    Begun(Ticket),
    Waits(Place, oneshot::Receiver<Verdict>),
}

struct Core {
    config: Config,
    running: usize,
    queue: Queue,
    limiter: Limiter,
    rng: Xoshiro256PlusPlus,
    /// Who is to be told what, when the lock is free.
    told: Vec<(oneshot::Sender<Verdict>, Result<Ticket, Shed>)>,
}

impl Core {
    fn new(config: Config, rng: Xoshiro256PlusPlus) -> Self {
        let limiter = Limiter::new(&config.limit);
        Self { config, running: 0, queue: Queue::new(), limiter, rng, told: Vec::new() }
    }

    fn snapshot(&self) -> Snapshot {
        let (limit, waiting) = (self.limiter.limit(), self.queue.len());
        Snapshot { limit, running: self.running, waiting }
    }

    /// Lets time take effect. Called before anything else is done with the core.
    // ANCHOR: tick
    fn tick(&mut self, now: Instant) {
        self.limiter.tick(now);
        let Config { target, interval, .. } = self.config;
        let may_wait = if self.queue.is_standing(interval, now) { target } else { interval };
        while let Some(waiter) = self.queue.pop_as_old_as(may_wait, now) {
            self.refuse(waiter, Reason::TooOld, now);
        }
    }
    // ANCHOR_END: tick

    /// Begins a request, queues it, or refuses it.
    // ANCHOR: arrive
    fn arrive(&mut self, request: Request, now: Instant) -> Result<Entry, Shed> {
        if request.is_expired(now) {
            return Err(self.shed(Reason::Expired));
        }
        // A waiter has found no place for its class: so nobody of this class, or of a higher one, is overtaken.
        if self.has_place_for(request.priority) {
            return Ok(Entry::Begun(self.begin(now)));
        }
        if self.queue.len() >= self.config.max_waiting {
            let standing = self.queue.is_standing(self.config.interval, now);
            match self.queue.pop_last_turn(request.priority, standing) {
                Some(waiter) => self.refuse(waiter, Reason::Displaced, now),
                None => return Err(self.shed(Reason::Full)),
            }
        }
        let (tell, verdict) = oneshot::channel();
        let place = self.queue.push(request, self.config.interval, tell, now);
        Ok(Entry::Waits(place, verdict))
    }
    // ANCHOR_END: arrive

    /// Gives free places to those who wait: the highest class first.
    // ANCHOR: fill
    fn fill(&mut self, now: Instant) {
        let standing = self.queue.is_standing(self.config.interval, now);
        for priority in Priority::ALL {
            while self.has_place_for(priority) {
                let Some(waiter) = self.queue.pop_next(priority, standing) else { break };
                if waiter.request.is_expired(now) {
                    self.refuse(waiter, Reason::Expired, now);
                } else {
                    let ticket = self.begin(now);
                    self.told.push((waiter.tell, Ok(ticket)));
                }
            }
        }
    }
    // ANCHOR_END: fill

    /// The time of a request is over; `None` if it waits no more.
    fn give_up(&mut self, place: Place, now: Instant) -> Option<Shed> {
        let waiter = self.queue.leave(place)?;
        let expired = waiter.request.is_expired(now);
        Some(self.shed(if expired { Reason::Expired } else { Reason::TooOld }))
    }

    /// Takes a place back; `None` if nobody said how the work ended.
    fn settle(&mut self, ticket: &Ticket, outcome: Option<Outcome>, now: Instant) {
        if let Some(outcome) = outcome {
            self.limiter.learn(ticket, outcome, self.running, now, &mut self.rng);
        }
        self.running -= 1;
    }

    fn has_place_for(&self, priority: Priority) -> bool {
        let limit = self.limiter.limit();
        let for_all = limit.saturating_sub(self.config.reserve).max(1);
        self.running < if priority == Priority::CriticalPlus { limit } else { for_all }
    }

    fn begin(&mut self, now: Instant) -> Ticket {
        self.running += 1;
        Ticket { began: now, epoch: self.limiter.epoch }
    }

    fn refuse(&mut self, waiter: Waiter, reason: Reason, now: Instant) {
        // Who has waited to its deadline has not only waited for too long.
        let reason = if waiter.request.is_expired(now) { Reason::Expired } else { reason };
        let shed = self.shed(reason);
        self.told.push((waiter.tell, Err(shed)));
    }

    fn shed(&mut self, reason: Reason) -> Shed {
        // Spread, so that those who are refused together don't come back together.
        let stretch = 1.0 + self.rng.random::<f64>();
        Shed { reason, retry_after: self.config.retry_after.mul_f64(stretch) }
    }
}

// ---------------------------------------------------------------------------------------------
// The queue

struct Waiter {
    number: u64,
    request: Request,
    came: Instant,
    tell: oneshot::Sender<Verdict>,
}

/// Those who wait: a line for each class, in which they stand in the order in which they came.
struct Queue {
    lines: [VecDeque<Waiter>; Priority::ALL.len()],
    next_number: u64,
    /// Since when somebody has always been waiting; `None` if nobody waits.
    since: Option<Instant>,
}

impl Queue {
    fn new() -> Self {
        Self { lines: array::from_fn(|_| VecDeque::new()), next_number: 0, since: None }
    }

    fn len(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum()
    }

    // ANCHOR: standing
    /// Whether somebody has been waiting all the time for this long.
    fn is_standing(&self, interval: Duration, now: Instant) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) >= interval)
    }
    // ANCHOR_END: standing

    fn push(
        &mut self,
        request: Request,
        interval: Duration,
        tell: oneshot::Sender<Verdict>,
        now: Instant,
    ) -> Place {
        self.since.get_or_insert(now);
        let number = self.next_number;
        self.next_number += 1;
        let Request { priority, deadline } = request;
        let patient = now + interval;
        let until = deadline.map_or(patient, |deadline| deadline.min(patient));
        self.lines[priority as usize].push_back(Waiter { number, request, came: now, tell });
        Place { priority, number, until }
    }

    /// Whose turn it is in this class.
    fn pop_next(&mut self, priority: Priority, standing: bool) -> Option<Waiter> {
        let line = &mut self.lines[priority as usize];
        let waiter = if standing { line.pop_back() } else { line.pop_front() };
        self.note(waiter)
    }

    /// Whose turn would come last, if a newcomer of this class would have its turn before.
    fn pop_last_turn(&mut self, newcomer: Priority, standing: bool) -> Option<Waiter> {
        let lowest = Priority::ALL.into_iter().rev().find(|class| !self.line(*class).is_empty())?;
        let line = &mut self.lines[lowest as usize];
        let waiter = if standing && lowest <= newcomer {
            line.pop_front()
        } else if lowest < newcomer {
            line.pop_back()
        } else {
            None
        };
        self.note(waiter)
    }

    fn pop_as_old_as(&mut self, age: Duration, now: Instant) -> Option<Waiter> {
        let is_old = |waiter: &mut Waiter| now.duration_since(waiter.came) >= age;
        let waiter = self.lines.iter_mut().find_map(|line| line.pop_front_if(is_old));
        self.note(waiter)
    }

    fn leave(&mut self, place: Place) -> Option<Waiter> {
        let line = &mut self.lines[place.priority as usize];
        let index = line.binary_search_by_key(&place.number, |waiter| waiter.number).ok()?;
        let waiter = line.remove(index);
        self.note(waiter)
    }

    fn line(&self, priority: Priority) -> &VecDeque<Waiter> {
        &self.lines[priority as usize]
    }

    /// Notes that the queue is empty, if it is.
    fn note(&mut self, gone: Option<Waiter>) -> Option<Waiter> {
        if self.len() == 0 {
            self.since = None;
        }
        gone
    }
}

// ---------------------------------------------------------------------------------------------
// The limit

/// How many may run, and what has been learnt of that.
struct Limiter {
    /// A request that began in an earlier epoch says nothing about the present limit.
    epoch: u64,
    limit: f64,
    rule: Rule,
}

enum Rule {
    Fixed,
    /// And how many requests ended well since the limit changed.
    Aimd(Aimd, usize),
    Gradient(Gradient, Phase),
}

#[derive(Clone, Copy)]
enum Phase {
    /// The limit is at its lowest, to see what a request takes without load.
    Probe {
        calls: u32,
        sum: Duration,
        resume: f64,
    },
    Follow {
        no_load: Duration,
        probe_at: Instant,
        calls: u32,
        sum: Duration,
        used: bool,
    },
}

impl Limiter {
    fn new(limit: &Limit) -> Self {
        let (limit, rule) = match limit {
            Limit::Fixed(limit) => (*limit, Rule::Fixed),
            Limit::Aimd(aimd) => (aimd.initial, Rule::Aimd(aimd.clone(), 0)),
            Limit::Gradient(gradient) => {
                let phase = Phase::probe(gradient.initial as f64);
                (gradient.min, Rule::Gradient(gradient.clone(), phase))
            }
        };
        Self { epoch: 0, limit: limit as f64, rule }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to a `usize`")]
    fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Begins a probe when its time has come.
    fn tick(&mut self, now: Instant) {
        if let Rule::Gradient(config, phase) = &mut self.rule
            && let Phase::Follow { probe_at, .. } = *phase
            && probe_at <= now
        {
            *phase = Phase::probe(self.limit);
            self.limit = config.min as f64;
            self.epoch += 1;
        }
    }

    /// Learns from a request that ended when `running` were in progress, itself included.
    fn learn(
        &mut self,
        ticket: &Ticket,
        outcome: Outcome,
        running: usize,
        now: Instant,
        rng: &mut Xoshiro256PlusPlus,
    ) {
        if ticket.epoch != self.epoch {
            return;
        }
        // To use less than half of a limit says nothing about a higher one.
        let used = running * 2 >= self.limit();
        match &mut self.rule {
            Rule::Fixed => {}
            Rule::Aimd(config, good) => match outcome {
                // ANCHOR: aimd
                Outcome::Done if used => {
                    *good += 1;
                    if *good as f64 >= self.limit {
                        *good = 0;
                        self.limit = (self.limit + 1.0).min(config.max as f64);
                    }
                }
                Outcome::Done => {}
                Outcome::Overloaded => {
                    *good = 0;
                    self.limit = (self.limit * config.decrease).floor().max(config.min as f64);
                    // Those that run now met the same overload: one cut for all of them.
                    self.epoch += 1;
                } // ANCHOR_END: aimd
            },
            // A refusal is quick, and says nothing about the time that work takes.
            Rule::Gradient(..) if outcome == Outcome::Overloaded => {}
            Rule::Gradient(config, phase) => {
                let latency = now.duration_since(ticket.began);
                let (next, limit) = phase.after(latency, used, self.limit, config, now, rng);
                if matches!((*phase, next), (Phase::Probe { .. }, Phase::Follow { .. })) {
                    self.epoch += 1;
                }
                (*phase, self.limit) = (next, limit);
            }
        }
    }
}

impl Phase {
    fn probe(resume: f64) -> Self {
        Self::Probe { calls: 0, sum: Duration::ZERO, resume }
    }

    /// The phase and the limit after a request that took `latency`.
    fn after(
        self,
        latency: Duration,
        used: bool,
        limit: f64,
        config: &Gradient,
        now: Instant,
        rng: &mut Xoshiro256PlusPlus,
    ) -> (Self, f64) {
        match self {
            // ANCHOR: probe
            Self::Probe { calls, sum, resume } => {
                let (calls, sum) = (calls + 1, sum + latency);
                if calls < config.probe_calls {
                    return (Self::Probe { calls, sum, resume }, limit);
                }
                // Each instance by a time of its own, or all of them are slow at once.
                let stretch = 1.0 + config.probe_jitter * rng.random::<f64>();
                let probe_at = now + config.probe_every.mul_f64(stretch);
                (Self::follow(sum / calls, probe_at), resume)
            }
            // ANCHOR_END: probe
            // ANCHOR: gradient
            Self::Follow { no_load, probe_at, calls, sum, used: before } => {
                let (calls, sum, used) = (calls + 1, sum + latency, before || used);
                if calls < config.window {
                    return (Self::Follow { no_load, probe_at, calls, sum, used }, limit);
                }
                let mean = sum.as_secs_f64() / f64::from(calls);
                let tolerated = no_load.as_secs_f64() * config.tolerance;
                // Not clamped afterwards: with both at zero the ratio is no number, and the limit would be none.
                let gradient = if mean > tolerated { (tolerated / mean).max(0.5) } else { 1.0 };
                // The root is room to grow: without it, the limit could only fall.
                let next =
                    (limit * gradient + limit.sqrt()).clamp(config.min as f64, config.max as f64);
                let next = if used { next } else { next.min(limit) };
                (Self::follow(no_load, probe_at), next)
            } // ANCHOR_END: gradient
        }
    }

    fn follow(no_load: Duration, probe_at: Instant) -> Self {
        Self::Follow { no_load, probe_at, calls: 0, sum: Duration::ZERO, used: false }
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
    requests: Window,
    accepted: Window,
    rng: Xoshiro256PlusPlus,
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
        let window = || Window::new(config.window, now);
        let counts = Counts { k: config.k, requests: window(), accepted: window(), rng };
        Ok(Self { core: Mutex::new(counts) })
    }

    /// Asks for permission to make one request, and counts it, whatever the answer.
    ///
    /// # Errors
    /// With the probability of [`reject_probability`](Self::reject_probability) as it was before this request.
    // ANCHOR: throttle
    pub fn try_request(&self) -> Result<(), Throttled> {
        self.visit(|counts, now| {
            let reject = counts.reject_probability(now);
            counts.requests.count(now);
            if counts.rng.random::<f64>() < reject { Err(Throttled) } else { Ok(()) }
        })
    }
    // ANCHOR_END: throttle

    /// Notes that the server took a request on, however that ended.
    pub fn record_accepted(&self) {
        self.visit(|counts, now| counts.accepted.count(now));
    }

    /// With what probability the next request is held back: max(0, (requests − K × accepted) / (requests + 1)),
    /// both of the last window.
    pub fn reject_probability(&self) -> f64 {
        self.visit(Counts::reject_probability)
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
        self.try_request()?;
        let result = operation().await;
        if accepted(&result) {
            self.record_accepted();
        }
        result.map_err(CallError::Operation)
    }

    fn visit<R>(&self, act: impl FnOnce(&mut Counts, Instant) -> R) -> R {
        let now = Instant::now();
        act(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Throttle")
    }
}

impl Counts {
    fn reject_probability(&mut self, now: Instant) -> f64 {
        let (requests, accepted) = (self.requests.sum(now) as f64, self.accepted.sum(now) as f64);
        ((requests - self.k * accepted) / (requests + 1.0)).max(0.0)
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
        self.visit(|buckets, now| buckets.take(tenant, now))
    }

    /// How many tenants have a bucket of their own in memory: `max_tenants` at most.
    pub fn tenants(&self) -> usize {
        self.visit(|buckets, _| buckets.full_at.len())
    }

    fn visit<R>(&self, act: impl FnOnce(&mut Buckets, Instant) -> R) -> R {
        let now = Instant::now();
        act(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}

impl fmt::Debug for Fair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fair")
    }
}

/// A bucket is the moment at which it is full. So it fills without anybody looking, and one that is full is as
/// good as none.
struct Buckets {
    /// How long a token takes.
    each: Duration,
    /// How long all of them do.
    all: Duration,
    max_tenants: usize,
    full_at: HashMap<String, Instant>,
    /// No bucket is full before this.
    none_full_before: Instant,
    others: Instant,
}

impl Buckets {
    fn new(config: &FairConfig, now: Instant) -> Self {
        let each = Duration::from_secs(1) / config.per_second;
        Self {
            each,
            all: each * config.burst,
            max_tenants: config.max_tenants,
            full_at: HashMap::new(),
            none_full_before: now,
            others: now,
        }
    }

    // ANCHOR: take
    fn take(&mut self, tenant: &str, now: Instant) -> Result<(), OverShare> {
        if let Some(full_at) = self.full_at.get_mut(tenant) {
            return Self::take_from(full_at, self.each, self.all, now);
        }
        if self.full_at.len() >= self.max_tenants {
            self.forget_full(now);
        }
        if self.full_at.len() >= self.max_tenants {
            return Self::take_from(&mut self.others, self.each, self.all, now);
        }
        let mut full_at = now;
        Self::take_from(&mut full_at, self.each, self.all, now)?;
        self.full_at.insert(tenant.to_owned(), full_at);
        self.none_full_before = self.none_full_before.min(full_at);
        Ok(())
    }

    fn take_from(
        full_at: &mut Instant,
        each: Duration,
        all: Duration,
        now: Instant,
    ) -> Result<(), OverShare> {
        let then = (*full_at).max(now) + each;
        match then.checked_duration_since(now + all) {
            None | Some(Duration::ZERO) => {
                *full_at = then;
                Ok(())
            }
            Some(retry_after) => Err(OverShare { retry_after }),
        }
    }

    /// Makes room: what is full is as good as new. It looks only when there is something to find.
    fn forget_full(&mut self, now: Instant) {
        if self.none_full_before <= now {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.none_full_before = self.full_at.values().min().copied().unwrap_or(now);
        }
    }
    // ANCHOR_END: take
}
