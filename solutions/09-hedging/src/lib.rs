// Hedging: a call that is late sends a second request, and takes the first good answer. It pays for
// that with little more load, and never with a worse answer.
//
// The parts, from the outside in:
//
// - `Hedger`, the shell: sends, waits, drops the loser.
// - `Watched`, an attempt that is out: says how it ended, however that is.
// - `Pool`, the instances that calls go to, and `Place`, a call that is out at one of them.
// - `Core`, what the hedger knows: plain data and plain functions that are told what time it is.
// - `Window`, the latencies of the newest originals.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::caught::caught;

mod budget;
mod caught;
mod config;
mod types;

pub use budget::Budget;
pub use config::{ConfigError, Delay};
pub use types::{Attempt, Ended, Report, Request, Snapshot};

// ---------------------------------------------------------------------------------------------
// The shell: the clock, the lock, the race

/// Hedges the calls to one dependency. Share it by reference or in an `Arc`.
pub struct Hedger {
    core: Mutex<Core>,
    budget: Arc<Budget>,
    listener: Option<Listener>,
}

type Listener = Box<dyn Fn(&Report) + Send + Sync>;

impl Hedger {
    /// A hedger that has seen no call. `budget` pays for its hedges, and may pay for retries as well.
    ///
    /// # Errors
    /// When a field of `delay` is out of its range.
    pub fn new(delay: Delay, budget: Arc<Budget>) -> Result<Self, ConfigError> {
        delay.validate()?;
        Ok(Self { core: Mutex::new(Core::new(delay)), budget, listener: None })
    }

    /// The same with a listener, in the place of the one before. It is told of each attempt when that has ended
    /// and been dropped, on the thread that ended it, and may call the hedger. It must not panic.
    #[must_use]
    pub fn on_attempt(mut self, listener: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Calls `operation` for the original. If there is no answer when the delay has passed, the call is late, and
    /// `operation` is called for one hedge. The first good answer is that of the call, and of two at the same time
    /// the original's. The other attempt is dropped before this returns.
    ///
    /// The caller vouches that two requests do no more than one: see [`call_among`](Self::call_among).
    /// tokio's timers tick in milliseconds, so the hedge may be sent one millisecond late.
    ///
    /// Cancellation: dropping the future drops both attempts.
    ///
    /// # Errors
    /// The original's own: when it fails before the hedge is out, or when both fail.
    ///
    /// # Panics
    /// With the original's panic, in the same two cases. A hedge's panic is a failure of the hedge. A panic while
    /// `operation` makes a request is a panic of that attempt.
    // ANCHOR: call
    pub async fn call<T, E, F>(&self, mut operation: impl FnMut(Attempt) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let original = catch_unwind(AssertUnwindSafe(|| operation(Attempt::Original)));
        let original = Sent { instance: None, answer: run(original) };
        // It is called when the hedge is polled, and so where its panic is caught.
        let hedge = async move { operation(Attempt::Hedge).await };
        let hedge = || Some(Sent { instance: None, answer: hedge });
        self.race(self.delay(), original, hedge).await
    }
    // ANCHOR_END: call

    /// As [`call`](Self::call), to the instances of a pool: `operation` is given the number of an instance. The
    /// original goes to the next one in turn, free or not. The hedge goes to another one that has a free place: of
    /// these, to the one with the fewest calls out, and of equals to the first. If none has, there is no hedge. An
    /// attempt has its place until it has ended, however that is.
    ///
    /// A request that may not be repeated is sent once. It is counted as a call, and never as a late one.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Panics
    /// As [`call`](Self::call).
    // ANCHOR: call_among
    pub async fn call_among<T, E, F>(
        &self,
        request: Request<'_>,
        pool: &Pool,
        mut operation: impl FnMut(usize) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let delay = if request.may_be_repeated() { self.delay() } else { None };
        let place = pool.in_turn();
        let instance = place.instance;
        let answer = catch_unwind(AssertUnwindSafe(|| operation(instance)));
        let original = Sent { instance: Some(instance), answer: place.hold(run(answer)) };
        let hedge = move || {
            let place = pool.other_than(instance)?;
            let instance = place.instance;
            let answer = place.hold(async move { operation(instance).await });
            Some(Sent { instance: Some(instance), answer })
        };
        self.race(delay, original, hedge).await
    }
    // ANCHOR_END: call_among

    /// How long a call that begins now waits before it is late; `None` if it is never late, for want of samples.
    pub fn delay(&self) -> Option<Duration> {
        self.with_core(|core| core.delay())
    }

    /// Sends no hedges until `pause` is over: what a server asks for that answers with a pushback. Of several
    /// pauses the one that ends last counts. Calls that are late meanwhile wait for their originals.
    pub fn hold(&self, pause: Duration) {
        let now = Instant::now();
        self.with_core(|core| core.hold(now + pause.min(LONGEST)));
    }

    /// All numbers at one instant, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        self.with_core(|core| Snapshot { delay: core.delay(), ..core.counts })
    }

    // ANCHOR: race
    async fn race<T, E, H>(
        &self,
        delay: Option<Duration>,
        original: Sent<impl Future<Output = Result<T, E>>>,
        hedge: impl FnOnce() -> Option<Sent<H>>,
    ) -> Result<T, E>
    where
        H: Future<Output = Result<T, E>>,
    {
        self.with_core(|core| core.counts.calls += 1);
        let call = Call { hedger: self, delay, answered: AtomicBool::new(false) };
        let mut original = pin!(call.watch(Attempt::Original, original));
        let in_time = match delay {
            // It polls the original first and the timer after it.
            Some(delay) => timeout(delay, &mut original).await.ok(),
            None => Some(original.as_mut().await),
        };
        let outcome = if let Some(outcome) = in_time {
            outcome
        } else if let Some(hedge) = self.hedge_for_late(hedge) {
            let mut hedge = pin!(call.watch(Attempt::Hedge, hedge));
            let outcome = tokio::select! {
                biased;
                outcome = &mut original => match outcome {
                    Ok(Ok(_)) => outcome,
                    failed => hedge.await.ok().filter(Result::is_ok).map_or(failed, Ok),
                },
                outcome = &mut hedge => match outcome {
                    Ok(Ok(_)) => outcome,
                    _ => original.await,
                },
            };
            // Said before the loser is dropped, at the end of this block or of the next.
            call.answered.store(matches!(outcome, Ok(Ok(_))), Ordering::Relaxed);
            outcome
        } else {
            original.await
        };
        if let Ok(Ok(_)) = outcome {
            self.budget.record_success();
        }
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }
    // ANCHOR_END: race

    /// The hedge of a call that is late, if it may be sent: paid for last, when nothing else is in its way.
    // ANCHOR: late
    fn hedge_for_late<H>(&self, hedge: impl FnOnce() -> Option<H>) -> Option<H> {
        let now = Instant::now();
        let (hedge, count): (_, fn(&mut Snapshot) -> &mut u64) =
            if self.with_core(|core| core.is_held(now)) {
                (None, |counts| &mut counts.held)
            } else {
                match hedge() {
                    None => (None, |counts| &mut counts.nowhere),
                    Some(_) if !self.budget.try_withdraw() => (None, |counts| &mut counts.unpaid),
                    hedge => (hedge, |counts| &mut counts.sent),
                }
            };
        self.with_core(|core| {
            core.counts.late += 1;
            *count(&mut core.counts) += 1;
        });
        hedge
    }
    // ANCHOR_END: late

    /// The one place where the lock is held. Nobody else's code runs under it.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut core)
    }
}

impl fmt::Debug for Hedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hedger")
    }
}

/// A request that is on its way, or about to be.
struct Sent<F> {
    instance: Option<usize>,
    answer: F,
}

/// A request that was made just now. A panic while it was made goes on when it is polled: there it is caught, and
/// the attempt is counted and told.
async fn run<F: Future>(made: thread::Result<F>) -> F::Output {
    made.unwrap_or_else(|panic| resume_unwind(panic)).await
}

/// One call, as its attempts know it.
struct Call<'a> {
    hedger: &'a Hedger,
    delay: Option<Duration>,
    /// Whether one of two attempts had a good answer.
    answered: AtomicBool,
}

impl Call<'_> {
    /// Runs an attempt, and says how it ended, also when it is dropped.
    async fn watch<T, E>(
        &self,
        attempt: Attempt,
        sent: Sent<impl Future<Output = Result<T, E>>>,
    ) -> thread::Result<Result<T, E>> {
        let (instance, begun) = (sent.instance, Instant::now());
        let mut watched = Watched { call: self, attempt, instance, begun, ended: None };
        let outcome = caught(sent.answer).await;
        watched.ended = Some(match outcome {
            Ok(Ok(_)) => Ended::Good,
            Ok(Err(_)) => Ended::Failed,
            Err(_) => Ended::Panicked,
        });
        outcome
    }
}

/// Lives as long as an attempt.
// ANCHOR: watched
struct Watched<'a> {
    call: &'a Call<'a>,
    attempt: Attempt,
    instance: Option<usize>,
    begun: Instant,
    /// `None` if it is dropped.
    ended: Option<Ended>,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let Call { hedger, delay, answered } = self.call;
        let overtaken = answered.load(Ordering::Relaxed);
        let dropped = if overtaken { Ended::Overtaken } else { Ended::Abandoned };
        let report = Report {
            attempt: self.attempt,
            instance: self.instance,
            ended: self.ended.unwrap_or(dropped),
            after: self.begun.elapsed(),
        };
        let was_late = delay.is_some_and(|delay| report.after >= delay);
        hedger.with_core(|core| core.end(&report, was_late));
        if let Some(listener) = &hedger.listener {
            listener(&report);
        }
    }
}
// ANCHOR_END: watched

// ---------------------------------------------------------------------------------------------
// Who may be sent twice, and where to

impl Request<'_> {
    /// Whether two such requests do no more than one: by its method (RFC 9110: GET, HEAD, OPTIONS, TRACE, PUT and
    /// DELETE), or by a key, by which the server knows the second as the first. An empty key is none.
    pub fn may_be_repeated(self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
            || self.key.is_some_and(|key| !key.is_empty())
    }
}

/// The instances of a dependency, with the calls that are out at each. Share it by reference or in an `Arc`.
#[derive(Debug)]
pub struct Pool {
    places: usize,
    turns: Mutex<Turns>,
}

#[derive(Debug)]
struct Turns {
    next: usize,
    /// How many calls are out, by instance.
    out: Vec<usize>,
}

impl Pool {
    /// A pool of `instances`, each of which works on `places` calls at a time; further calls wait in its
    /// queue.
    ///
    /// # Errors
    /// When one of the two is 0.
    pub fn new(instances: usize, places: usize) -> Result<Self, ConfigError> {
        if instances == 0 || places == 0 {
            return Err(ConfigError::Pool { instances, places });
        }
        Ok(Self { places, turns: Mutex::new(Turns { next: 0, out: vec![0; instances] }) })
    }

    /// How many calls are out, by instance.
    pub fn out(&self) -> Vec<usize> {
        self.with_turns(|turns| turns.out.clone())
    }

    /// A place at the next instance in turn, free or not.
    fn in_turn(&self) -> Place<'_> {
        self.with_turns(|turns| {
            let instance = turns.next;
            turns.next = (instance + 1) % turns.out.len();
            turns.out[instance] += 1;
            Place { pool: self, instance }
        })
    }

    /// A free place at another instance, the one with the fewest calls out.
    // ANCHOR: other_than
    fn other_than(&self, instance: usize) -> Option<Place<'_>> {
        self.with_turns(|turns| {
            let others = (0..turns.out.len()).filter(|other| *other != instance);
            let free = others.filter(|other| turns.out[*other] < self.places);
            let instance = free.min_by_key(|other| turns.out[*other])?;
            turns.out[instance] += 1;
            Some(Place { pool: self, instance })
        })
    }
    // ANCHOR_END: other_than

    fn with_turns<R>(&self, act: impl FnOnce(&mut Turns) -> R) -> R {
        act(&mut self.turns.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A call that is out at an instance, for as long as it lives.
struct Place<'a> {
    pool: &'a Pool,
    instance: usize,
}

impl Place<'_> {
    /// Keeps the place until the answer is there, or nobody waits for it any more.
    async fn hold<F: Future>(self, answer: F) -> F::Output {
        answer.await
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pool.with_turns(|turns| turns.out[self.instance] -= 1);
    }
}

// ---------------------------------------------------------------------------------------------
// The core: what the hedger knows

/// A pause is cut to 30 years: clocks of some systems end after a century.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

struct Core {
    delay: Delay,
    window: Window,
    /// No hedges before that.
    held_until: Option<Instant>,
    /// But for the delay.
    counts: Snapshot,
}

impl Core {
    fn new(delay: Delay) -> Self {
        let counts = Snapshot::default();
        Self { delay, window: Window::default(), held_until: None, counts }
    }

    fn delay(&self) -> Option<Duration> {
        match self.delay {
            Delay::Fixed(delay) => Some(delay),
            Delay::Percentile { percent, min_samples, .. } => {
                self.window.percentile(percent, min_samples)
            }
        }
    }

    fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(Some(until));
    }

    fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// Notes how an attempt ended. `was_late` says that it was out for as long as its call's delay.
    // ANCHOR: end
    fn end(&mut self, report: &Report, was_late: bool) {
        match (report.attempt, report.ended) {
            (Attempt::Hedge, Ended::Good) => self.counts.won += 1,
            (Attempt::Hedge, _) => self.counts.wasted += 1,
            (Attempt::Original, Ended::Good) => self.sample(report.after),
            // It took at least that long. Left out, the slowest would be missing in the window, and its
            // percentile, and with it the delay, would fall again and again.
            (Attempt::Original, Ended::Overtaken | Ended::Abandoned) if was_late => {
                self.sample(report.after);
            }
            (Attempt::Original, _) => {}
        }
    }
    // ANCHOR_END: end

    fn sample(&mut self, latency: Duration) {
        if let Delay::Percentile { window, .. } = self.delay {
            self.window.add(latency, window);
        }
    }
}

/// The latencies of the newest originals, in two orders.
// ANCHOR: window
#[derive(Default)]
struct Window {
    by_age: VecDeque<Duration>,
    by_length: Vec<Duration>,
}

impl Window {
    fn add(&mut self, latency: Duration, most: usize) {
        if self.by_age.len() == most
            && let Some(oldest) = self.by_age.pop_front()
        {
            let index = self.by_length.partition_point(|other| *other < oldest);
            self.by_length.remove(index);
        }
        self.by_age.push_back(latency);
        let index = self.by_length.partition_point(|other| *other < latency);
        self.by_length.insert(index, latency);
    }

    /// The shortest latency that at least `percent` in a hundred don't exceed, if there are enough
    /// samples.
    fn percentile(&self, percent: usize, min_samples: usize) -> Option<Duration> {
        let samples = self.by_length.len();
        if samples < min_samples {
            return None;
        }
        // Whole numbers: in floats 0.07 × 100 is a little more than 7.
        self.by_length.get((samples * percent).div_ceil(100) - 1).copied()
    }
}
// ANCHOR_END: window
