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

// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open degradation`). Add fields and functions as you
// need them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

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

/// The level that this health calls for: the first of [`Level::ALL`] whose [`Limit`] tolerates all three
/// figures. These are the number of unhealthy dependencies, the mean of the error rates and the mean of
/// the p99s.
///
/// A dependency is unhealthy if it says so, or if its error rate is [`UNHEALTHY_FROM`] or more. Both means
/// are those of all dependencies, healthy or not. An error rate outside 0 to 1, NaN included, comes from a
/// broken meter, and counts as 1. For its mean each rate is rounded to the nearest billionth, as each
/// limit is; a p99 counts to the nanosecond. Both means are exact, however long the times are. Without
/// dependencies the level is normal.
pub fn assess(health: &[DependencyHealth], limits: &[Limit; 3]) -> Level {
    todo!("step 1: find the first level whose limit puts up with this health")
}

// ---------------------------------------------------------------------------------------------
// Features

/// What is on at which level.
#[derive(Debug, Clone)]
pub struct Features {
    // step 2: the rows
}

impl Features {
    /// A table of these rows.
    ///
    /// # Errors
    /// When two rows have one name, or a feature is better at a level than at the level before. The
    /// first row, from the top, that is wrong; if it is wrong in both ways, [`TableError::Twice`].
    pub fn new(rows: &[Feature]) -> Result<Self, TableError> {
        todo!("step 2: check the rows and keep them")
    }

    /// How the feature works at this level.
    ///
    /// # Errors
    /// When there is no such feature.
    pub fn mode(&self, name: &str, level: Level) -> Result<Mode, UnknownFeature> {
        todo!("step 2: look it up")
    }

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
        todo!("step 5: the row's notice, where there is something to tell")
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
#[derive(Debug, Clone)]
pub struct Steady {
    // step 3: what it has to remember
}

impl Steady {
    /// Begins at [`Level::Normal`]. `now` is the first time seen.
    pub fn new(dwell: Duration, now: Instant) -> Self {
        todo!("step 3: begin at normal, with no change yet")
    }

    /// The level.
    pub fn level(&self) -> Level {
        todo!("step 3: the level")
    }

    /// Takes a look, and says how the level changed, if it did.
    ///
    /// The newest time seen, by `new` or by a look, is the time: an older `now` counts as that.
    pub fn observe(&mut self, assessed: Level, now: Instant) -> Option<Change> {
        todo!("step 3: go down at once, or up when it is time")
    }
}

// ---------------------------------------------------------------------------------------------
// Fallback

/// The way from a fresh answer to a cached one to a fixed one.
///
/// Reads of the cache have a limit and a timeout of their own, [`FallbackConfig`]: a fallback that fails as
/// well costs a request that time at most, and takes nothing from the calls that work.
pub struct Fallback {
    config: FallbackConfig,
    // step 4: what limits the reads of the cache
}

impl Fallback {
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: FallbackConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config })
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
        todo!("step 4: find the best answer that there is")
    }
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
        todo!("step 5: change the value and keep the source")
    }

    /// Two parts of one answer, which comes from the worse of their sources.
    pub fn join<U>(self, other: Sourced<U>) -> Sourced<(T, U)> {
        todo!("step 5: both values, and the worse source")
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
    pub fn headers(self, fresh_for: Duration) -> Vec<(&'static str, String)> {
        todo!("step 5: the fields of each source")
    }
}

// ---------------------------------------------------------------------------------------------
// Health: a core that is told the time, and a shell that reads the clock, locks and tells the listeners

/// The level of a service, derived from the calls of its dependencies. Share it by reference or in an
/// `Arc`.
///
/// Threads may read the clock in one order and come here in another: the newest time that `record`, `health`
/// or `evaluate` has seen is the time for all of them, and that of the change that follows.
pub struct Degradation {
    config: Config,
    // step 6: the calls of each dependency, the level and the listeners
}

impl Degradation {
    /// At [`Level::Normal`], with these dependencies. A name that is given twice is one dependency.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config, dependencies: &[&str]) -> Result<Self, ConfigError> {
        config.validate()?;
        todo!("step 6: begin at normal, with these dependencies")
    }

    /// Adds a listener. It is called after each change, on the thread whose [`evaluate`](Self::evaluate)
    /// caused it, and may call the controller. It must not panic or block.
    #[must_use]
    pub fn on_change(mut self, listener: impl Fn(&Change) + Send + Sync + 'static) -> Self {
        todo!("step 6: keep the listener")
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
        todo!("step 6: note the call")
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
        todo!("step 6: say what its calls come to")
    }

    /// Looks at all dependencies, changes the level if it is time, and returns it. Call it from a
    /// timer, once a second, say: the time between two calls is how late a change may come. Nothing else
    /// changes the level.
    ///
    /// Evaluations take effect one after another, each as if it were alone: threads that evaluate at the same
    /// time make one change, which is reported once.
    pub fn evaluate(&self) -> Level {
        todo!("step 6: assess, keep steady, tell")
    }

    /// The level, as it was evaluated last.
    pub fn level(&self) -> Level {
        todo!("step 6: the level")
    }
}

impl fmt::Debug for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Degradation")
    }
}
