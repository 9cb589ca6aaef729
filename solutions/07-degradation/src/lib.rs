// Graceful degradation: a service that does less when its dependencies fail, goes on working, and
// says so.
//
// The parts; all but the last are independent of each other:
//
// - `assess`, from the health of the dependencies to a level.
// - `Features`, what is on at which level: a table.
// - `Steady`, which goes down fast and up slowly.
// - `Fallback`, from the fresh answer to a cached one to a fixed one.
// - `Sourced` and `Source::headers`, which say where an answer comes from.
// - `Degradation`, the shell: windows over the calls of each dependency feed all this.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::sync::Mutex;

mod config;
mod features;
mod sync;
mod types;

pub use config::{Config, ConfigError, FallbackConfig, LIMITS, Limit, MOST_CALLS, UNHEALTHY_FROM};
pub use features::{Feature, Mode, SHOP, TableError};
pub use types::{
    Cached, Change, DependencyHealth, Fault, Level, Source, Sourced, Unavailable,
    UnknownDependency, UnknownFeature,
};

// ---------------------------------------------------------------------------------------------
// Levels

/// One, in the unit of error rates: whole numbers add up exactly, and ten times 1 % is 10 %.
const ONE: f64 = 1e9;

/// The level that this health calls for: the first of [`Level::ALL`] whose [`Limit`] tolerates all three
/// figures. These are the number of unhealthy dependencies, the mean of the error rates and the mean of
/// the p99s.
///
/// A dependency is unhealthy if it says so, or if its error rate is [`UNHEALTHY_FROM`] or more. Both means
/// are those of all dependencies, healthy or not. An error rate outside 0 to 1, NaN included, comes from a
/// broken meter, and counts as 1. For its mean each rate is rounded to the nearest billionth, as each
/// limit is; a p99 counts to the nanosecond. Both means are exact, however long the times are. Without
/// dependencies the level is normal.
// ANCHOR: assess
pub fn assess(health: &[DependencyHealth], limits: &[Limit; 3]) -> Level {
    if health.is_empty() {
        return Level::Normal;
    }
    let count = health.len() as u128;
    let unhealthy = health.iter().filter(|one| is_unhealthy(one)).count();
    let errors: u128 = health.iter().map(|one| billionths(error_rate(one))).sum();
    let nanos: u128 = health.iter().map(|one| one.p99.as_nanos()).sum();
    let within = |limit: &Limit| {
        // A mean is below its limit if the sum is below `count` limits: no division, so no
        // rounding.
        unhealthy <= limit.unhealthy
            && errors < billionths(limit.error_rate) * count
            && limit.p99.is_none_or(|p99| nanos < p99.as_nanos() * count)
    };
    limits.iter().position(within).map_or(Level::Emergency, |index| Level::ALL[index])
}

fn is_unhealthy(health: &DependencyHealth) -> bool {
    !health.healthy || error_rate(health) >= UNHEALTHY_FROM
}

fn error_rate(health: &DependencyHealth) -> f64 {
    if (0.0..=1.0).contains(&health.error_rate) { health.error_rate } else { 1.0 }
}
// ANCHOR_END: assess

fn billionths(share: f64) -> u128 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is 0 to 1"
    )]
    let whole = (share * ONE).round() as u128;
    whole
}

// ---------------------------------------------------------------------------------------------
// Features

/// What is on at which level.
#[derive(Debug, Clone)]
pub struct Features {
    rows: Vec<Feature>,
}

impl Features {
    /// A table of these rows.
    ///
    /// # Errors
    /// When two rows have one name, or a feature is better at a level than at the level before. The
    /// first row, from the top, that is wrong; if it is wrong in both ways, [`TableError::Twice`].
    // ANCHOR: features
    pub fn new(rows: &[Feature]) -> Result<Self, TableError> {
        for (index, row) in rows.iter().enumerate() {
            let name = row.name;
            if rows[..index].iter().any(|earlier| earlier.name == name) {
                return Err(TableError::Twice(name));
            }
            if let Some(at) = row.modes.windows(2).position(|pair| pair[1] < pair[0]) {
                return Err(TableError::Improves { name, worse: Level::ALL[at + 1] });
            }
        }
        Ok(Self { rows: rows.to_vec() })
    }

    /// How the feature works at this level.
    ///
    /// # Errors
    /// When there is no such feature.
    pub fn mode(&self, name: &str, level: Level) -> Result<Mode, UnknownFeature> {
        Ok(self.row(name)?.modes[level as usize])
    }

    fn row(&self, name: &str) -> Result<&Feature, UnknownFeature> {
        self.rows.iter().find(|row| row.name == name).ok_or_else(|| {
            let known: Vec<_> = self.rows.iter().map(|row| row.name).collect();
            UnknownFeature { name: name.to_owned(), known: known.join(", ") }
        })
    }
    // ANCHOR_END: features

    /// What to tell the user about an answer of this feature, or about a missing answer (`None`): nothing
    /// if the answer is fresh.
    ///
    /// # Errors
    /// When there is no such feature.
    pub fn notice(
        &self,
        name: &str,
        source: Option<Source>,
    ) -> Result<Option<&'static str>, UnknownFeature> {
        let notice = self.row(name)?.notice;
        Ok((source != Some(Source::Fresh)).then_some(notice))
    }
}

// ---------------------------------------------------------------------------------------------
// Steady

/// A level that goes down at once, and up one step at a time.
///
/// Down: at the first look that is worse, all the way. Up: one step, at the first look at which it has
/// been better for `dwell`. It has been better since the first of the looks that, up to this one, were all
/// better than the level. After a step up that count begins with the look that made the step, if this look
/// is better than the new level as well.
///
/// So there is no step up within a dwell of any other change; and looks that alternate between normal and
/// one worse level faster than the dwell cause one change in all.
// ANCHOR: steady
#[derive(Debug, Clone)]
pub struct Steady {
    dwell: Duration,
    level: Level,
    /// The first of the looks, up to the last one, that were all better than the level.
    better_since: Option<Instant>,
    /// The newest time seen.
    newest: Instant,
    changes: u64,
}

impl Steady {
    /// Begins at [`Level::Normal`]. `now` is the first time seen.
    pub fn new(dwell: Duration, now: Instant) -> Self {
        Self { dwell, level: Level::Normal, better_since: None, newest: now, changes: 0 }
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Takes a look, and says how the level changed, if it did.
    ///
    /// The newest time seen, by `new` or by a look, is the time: an older `now` counts as that.
    pub fn observe(&mut self, assessed: Level, now: Instant) -> Option<Change> {
        // Two threads may read the clock in one order and come here in the other.
        self.newest = self.newest.max(now);
        if assessed >= self.level {
            self.better_since = None;
            return (assessed > self.level).then(|| self.change(assessed));
        }
        let since = *self.better_since.get_or_insert(self.newest);
        if self.newest.duration_since(since) < self.dwell {
            return None;
        }
        // One step: what it turns on is load, and the next step waits to see what comes of it.
        let change = self.change(Level::ALL[self.level as usize - 1]);
        self.better_since = (assessed < self.level).then_some(self.newest);
        Some(change)
    }

    fn change(&mut self, to: Level) -> Change {
        self.changes += 1;
        let from = std::mem::replace(&mut self.level, to);
        Change { from, to, at: self.newest, number: self.changes }
    }
}
// ANCHOR_END: steady

// ---------------------------------------------------------------------------------------------
// Fallback

/// The way from a fresh answer to a cached one to a fixed one.
///
/// Reads of the cache have a limit and a timeout of their own, [`FallbackConfig`]: a fallback that fails as
/// well costs a request that time at most, and takes nothing from the calls that work.
pub struct Fallback {
    config: FallbackConfig,
    permits: Semaphore,
}

impl Fallback {
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: FallbackConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config, permits: Semaphore::new(config.limit) })
    }

    /// The best answer that there is.
    ///
    /// - [`Mode::Full`]: `fresh`; if its fault is transient, then as [`Mode::Reduced`].
    /// - [`Mode::Reduced`]: `cached`, if it may be read now, answers in time, and is not too old; else `fixed`.
    /// - [`Mode::Off`]: nothing is called.
    ///
    /// `fresh` brings its own timeout. A place at the cache is held for the read and no longer, and the
    /// timeout is the read's alone. The future of `fresh` is dropped before the read: what it held (a
    /// connection, a place at a bulkhead) is free by then.
    ///
    /// Cancellation: dropping the future drops what is running, and gives the place at the cache back. So
    /// does a panic of `cached`.
    ///
    /// # Errors
    /// A permanent fault, at once. Otherwise, when there is nothing to fall back on, the reason why a
    /// fallback was needed.
    // ANCHOR: get
    pub async fn get<T, E, F, C>(
        &self,
        mode: Mode,
        fresh: impl FnOnce() -> F,
        cached: impl FnOnce() -> C,
        fixed: Option<T>,
    ) -> Result<Sourced<T>, Unavailable<E>>
    where
        F: Future<Output = Result<T, Fault<E>>>,
        C: Future<Output = Option<Cached<T>>>,
    {
        let reason = match mode {
            Mode::Off => return Err(Unavailable::Off),
            Mode::Reduced => Unavailable::Reduced,
            Mode::Full => match fresh().await {
                Ok(value) => return Ok(Sourced { value, source: Source::Fresh }),
                Err(Fault::Permanent(error)) => return Err(Unavailable::Permanent(error)),
                Err(Fault::Transient(error)) => Unavailable::Transient(error),
            },
        };
        if let Some(Cached { value, age }) = self.read(cached).await {
            return Ok(Sourced { value, source: Source::Cached { age } });
        }
        fixed.map(|value| Sourced { value, source: Source::Static }).ok_or(reason)
    }

    async fn read<T, C>(&self, cached: impl FnOnce() -> C) -> Option<Cached<T>>
    where
        C: Future<Output = Option<Cached<T>>>,
    {
        // Nobody waits for a place: if all are taken, the cache is slow already.
        let _place = self.permits.try_acquire().ok()?;
        let copy = timeout(self.config.timeout, cached()).await.ok()??;
        (copy.age <= self.config.max_age).then_some(copy)
    }
    // ANCHOR_END: get
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fallback")
    }
}

// ---------------------------------------------------------------------------------------------
// Saying so

impl<T> Sourced<T> {
    /// Maps the value; its source stays the same.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: f(self.value), source: self.source }
    }

    /// Two parts of one answer, which comes from the worse of their sources.
    pub fn join<U>(self, other: Sourced<U>) -> Sourced<(T, U)> {
        Sourced { value: (self.value, other.value), source: self.source.max(other.source) }
    }
}

impl Source {
    /// The fields for the HTTP response, in this order, as far as they apply:
    ///
    /// - `cache-control`: a fresh answer may be stored for `fresh_for`, in whole seconds, rounded down
    ///   (`max-age=60`); any other is not to be stored (`no-store`).
    /// - `age`: of a cached answer, in whole seconds, rounded up. A copy is at most a day old, the most that
    ///   [`FallbackConfig::max_age`] allows.
    /// - `degraded`: `cached` or `static`.
    // ANCHOR: headers
    pub fn headers(self, fresh_for: Duration) -> Vec<(&'static str, String)> {
        let no_store = ("cache-control", "no-store".to_owned());
        match self {
            Source::Fresh => {
                vec![("cache-control", format!("max-age={}", fresh_for.as_secs()))]
            }
            Source::Cached { age } => {
                let seconds = age.as_secs().saturating_add(u64::from(age.subsec_nanos() > 0));
                vec![no_store, ("age", seconds.to_string()), ("degraded", "cached".to_owned())]
            }
            Source::Static => vec![no_store, ("degraded", "static".to_owned())],
        }
    }
    // ANCHOR_END: headers
}

// ---------------------------------------------------------------------------------------------
// Health: windows that are told the time

#[derive(Debug, Clone, Copy)]
struct Call {
    at: Instant,
    succeeded: bool,
    took: Duration,
}

/// The last calls of one dependency, the oldest first.
// ANCHOR: window
#[derive(Debug, Default)]
struct Window {
    calls: VecDeque<Call>,
}

impl Window {
    fn push(&mut self, call: Call) {
        if self.calls.len() == MOST_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    /// What the calls of the last `config.window` say.
    fn health(&mut self, config: &Config, now: Instant) -> DependencyHealth {
        while self.calls.front().is_some_and(|call| now.duration_since(call.at) >= config.window) {
            self.calls.pop_front();
        }
        let count = self.calls.len();
        if count < config.min_calls {
            return DependencyHealth { healthy: true, error_rate: 0.0, p99: Duration::ZERO };
        }
        let failed = self.calls.iter().filter(|call| !call.succeeded).count();
        let error_rate = failed as f64 / count as f64;
        let mut took: Vec<Duration> = self.calls.iter().map(|call| call.took).collect();
        // The nearest rank: the shortest time that 99 of 100 calls did not exceed.
        let rank = (count * 99).div_ceil(100);
        let (_, p99, _) = took.select_nth_unstable(rank - 1);
        DependencyHealth { healthy: error_rate < UNHEALTHY_FROM, error_rate, p99: *p99 }
    }
}
// ANCHOR_END: window

struct Core {
    config: Config,
    /// By name, so that the order is always the same.
    windows: BTreeMap<String, Window>,
    steady: Steady,
    /// The newest time seen. `Steady` keeps its own, for it is a part by itself and hears of looks only.
    newest: Instant,
}

impl Core {
    fn new(config: Config, dependencies: &[&str], now: Instant) -> Self {
        let windows = dependencies.iter().map(|name| ((*name).to_owned(), Window::default()));
        Self {
            config,
            windows: windows.collect(),
            steady: Steady::new(config.dwell, now),
            newest: now,
        }
    }

    /// Takes note of the time. Called before anything else is done with the core.
    fn tick(&mut self, now: Instant) {
        self.newest = self.newest.max(now);
    }

    fn window(&mut self, dependency: &str) -> Result<&mut Window, UnknownDependency> {
        self.windows.get_mut(dependency).ok_or_else(|| UnknownDependency(dependency.to_owned()))
    }

    fn record(
        &mut self,
        dependency: &str,
        succeeded: bool,
        took: Duration,
    ) -> Result<(), UnknownDependency> {
        let call = Call { at: self.newest, succeeded, took };
        self.window(dependency)?.push(call);
        Ok(())
    }

    fn health(&mut self, dependency: &str) -> Result<DependencyHealth, UnknownDependency> {
        let (config, now) = (self.config, self.newest);
        Ok(self.window(dependency)?.health(&config, now))
    }

    fn evaluate(&mut self) -> Option<Change> {
        let (config, now) = (self.config, self.newest);
        let health: Vec<_> =
            self.windows.values_mut().map(|window| window.health(&config, now)).collect();
        self.steady.observe(assess(&health, &config.limits), now)
    }
}

// ---------------------------------------------------------------------------------------------
// The shell: the clock, the lock, the listeners

type Listener = Box<dyn Fn(&Change) + Send + Sync>;

/// The level of a service, derived from the calls of its dependencies. Share it by reference or in an
/// `Arc`.
///
/// Threads may read the clock in one order and come here in another: the newest time that `record`, `health`
/// or `evaluate` has seen is the time for all of them, and that of the change that follows.
pub struct Degradation {
    core: Mutex<Core>,
    listeners: Vec<Listener>,
}

impl Degradation {
    /// At [`Level::Normal`], with these dependencies. A name that is given twice is one dependency.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config, dependencies: &[&str]) -> Result<Self, ConfigError> {
        config.validate()?;
        let core = Core::new(config, dependencies, Instant::now());
        Ok(Self { core: Mutex::new(core), listeners: Vec::new() })
    }

    /// Adds a listener. It is called after each change, on the thread whose [`evaluate`](Self::evaluate)
    /// caused it, and may call the controller. It must not panic or block.
    #[must_use]
    pub fn on_change(mut self, listener: impl Fn(&Change) + Send + Sync + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Notes a call that has just ended, and how long it took. A permanent fault (404) is a success
    /// here: the dependency has answered. The level stays until somebody evaluates.
    ///
    /// A call whose future is dropped has no end, and isn't noted: record your own timeout as a failure,
    /// or a dependency that hangs looks like one that nobody calls.
    ///
    /// # Errors
    /// When there is no such dependency.
    pub fn record(
        &self,
        dependency: &str,
        succeeded: bool,
        took: Duration,
    ) -> Result<(), UnknownDependency> {
        self.with_core(|core| core.record(dependency, succeeded, took))
    }

    /// What the calls of the last [`Config::window`] say of a dependency. A call counts until it is
    /// exactly that old, or until [`MOST_CALLS`] newer ones of this dependency have come. Fewer calls
    /// than [`Config::min_calls`] say nothing: healthy, no errors, no time.
    ///
    /// The p99 is the nearest rank, of calls that failed too: of *n* times in order, the one in place
    /// 0.99 *n*, rounded up, counted from 1.
    ///
    /// `healthy` is whether the error rate is below [`UNHEALTHY_FROM`]: there is no health check here.
    ///
    /// # Errors
    /// When there is no such dependency.
    pub fn health(&self, dependency: &str) -> Result<DependencyHealth, UnknownDependency> {
        self.with_core(|core| core.health(dependency))
    }

    /// Looks at all dependencies, changes the level if it is time, and returns it. Call it from a
    /// timer, once a second, say: the time between two calls is how late a change may come. Nothing else
    /// changes the level.
    ///
    /// Evaluations take effect one after another, each as if it were alone: threads that evaluate at the same
    /// time make one change, which is reported once.
    // ANCHOR: evaluate
    pub fn evaluate(&self) -> Level {
        let (change, level) = self.with_core(|core| (core.evaluate(), core.steady.level()));
        // The lock is free again.
        if let Some(change) = change {
            for listener in &self.listeners {
                listener(&change);
            }
        }
        level
    }
    // ANCHOR_END: evaluate

    /// The level, as it was evaluated last.
    pub fn level(&self) -> Level {
        self.with_core(|core| core.steady.level())
    }

    /// The one place where the lock is held: no caller's code runs under it, and no await.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let now = Instant::now();
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.tick(now);
        act(&mut core)
    }
}

impl fmt::Debug for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Degradation")
    }
}
