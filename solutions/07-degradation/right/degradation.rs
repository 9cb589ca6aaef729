//! right: written from the page and the starter alone; rates stay in whole billionths once they are cleaned

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

mod config;
mod features;
mod types;

pub use config::{Config, ConfigError, FallbackConfig, LIMITS, Limit, MOST_CALLS, UNHEALTHY_FROM};
pub use features::{Feature, Mode, SHOP, TableError};
pub use types::{
    Cached, Change, DependencyHealth, Fault, Level, Source, Sourced, Unavailable,
    UnknownDependency, UnknownFeature,
};

// ---------------------------------------------------------------------------------------------
// Levels

pub fn assess(health: &[DependencyHealth], limits: &[Limit; 3]) -> Level {
    if health.is_empty() {
        return Level::Normal;
    }
    let count = health.len() as u128;
    let rates = || health.iter().map(|dependency| error_rate(dependency.error_rate));
    let unhealthy = health.iter().zip(rates()).filter(|(dependency, rate)| {
        !dependency.healthy || *rate >= billionths(UNHEALTHY_FROM)
    });
    let unhealthy = unhealthy.count();
    let errors: u128 = rates().sum();
    let p99s: u128 = health.iter().map(|dependency| dependency.p99.as_nanos()).sum();

    let tolerates = |limit: &Limit| {
        unhealthy <= limit.unhealthy
            && errors < billionths(limit.error_rate) * count
            && limit.p99.is_none_or(|p99| p99s < p99.as_nanos() * count)
    };
    let within = Level::ALL.into_iter().zip(limits).find(|(_, limit)| tolerates(limit));
    within.map_or(Level::Emergency, |(level, _)| level)
}

fn error_rate(rate: f64) -> u128 {
    billionths(if (0.0..=1.0).contains(&rate) { rate } else { 1.0 })
}

fn billionths(rate: f64) -> u128 {
    (rate * 1e9).round() as u128
}

// ---------------------------------------------------------------------------------------------
// Features

#[derive(Debug, Clone)]
pub struct Features {
    rows: Vec<Feature>,
}

impl Features {
    pub fn new(rows: &[Feature]) -> Result<Self, TableError> {
        for (at, row) in rows.iter().enumerate() {
            if rows[..at].iter().any(|earlier| earlier.name == row.name) {
                return Err(TableError::Twice(row.name));
            }
            let steps = row.modes.windows(2).zip(&Level::ALL[1..]);
            if let Some((_, &worse)) = steps.into_iter().find(|(modes, _)| modes[1] < modes[0]) {
                return Err(TableError::Improves { name: row.name, worse });
            }
        }
        Ok(Self { rows: rows.to_vec() })
    }

    pub fn mode(&self, name: &str, level: Level) -> Result<Mode, UnknownFeature> {
        // The levels are numbered in the order of Level::ALL.
        Ok(self.row(name)?.modes[level as usize])
    }

    fn row(&self, name: &str) -> Result<&Feature, UnknownFeature> {
        self.rows.iter().find(|row| row.name == name).ok_or_else(|| UnknownFeature {
            name: name.to_owned(),
            known: self.rows.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
        })
    }

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

#[derive(Debug, Clone)]
pub struct Steady {
    dwell: Duration,
    level: Level,
    better_since: Option<Instant>,
    newest: Instant,
    changes: u64,
}

impl Steady {
    pub fn new(dwell: Duration, now: Instant) -> Self {
        Self { dwell, level: Level::Normal, better_since: None, newest: now, changes: 0 }
    }

    pub fn level(&self) -> Level {
        self.level
    }

    pub fn observe(&mut self, assessed: Level, now: Instant) -> Option<Change> {
        self.newest = self.newest.max(now);
        let now = self.newest;
        match assessed.cmp(&self.level) {
            Ordering::Greater => {
                self.better_since = None;
                Some(self.change_to(assessed))
            }
            Ordering::Equal => {
                self.better_since = None;
                None
            }
            Ordering::Less => {
                let since = *self.better_since.get_or_insert(now);
                if now.duration_since(since) < self.dwell {
                    return None;
                }
                let up = Level::ALL[self.level as usize - 1];
                self.better_since = (assessed < up).then_some(now);
                Some(self.change_to(up))
            }
        }
    }

    fn change_to(&mut self, to: Level) -> Change {
        self.changes += 1;
        let from = std::mem::replace(&mut self.level, to);
        Change { from, to, at: self.newest, number: self.changes }
    }
}

// ---------------------------------------------------------------------------------------------
// Fallback

pub struct Fallback {
    config: FallbackConfig,
    places: Semaphore,
}

impl Fallback {
    pub fn new(config: FallbackConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config, places: Semaphore::new(config.limit) })
    }

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
        let why = match mode {
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
        fixed.map(|value| Sourced { value, source: Source::Static }).ok_or(why)
    }

    async fn read<T, C>(&self, cached: impl FnOnce() -> C) -> Option<Cached<T>>
    where
        C: Future<Output = Option<Cached<T>>>,
    {
        let _place = self.places.try_acquire().ok()?;
        let copy = timeout(self.config.timeout, cached()).await.ok()??;
        (copy.age <= self.config.max_age).then_some(copy)
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
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: f(self.value), source: self.source }
    }

    pub fn join<U>(self, other: Sourced<U>) -> Sourced<(T, U)> {
        Sourced { value: (self.value, other.value), source: self.source.max(other.source) }
    }
}

impl Source {
    pub fn headers(self, fresh_for: Duration) -> Vec<(&'static str, String)> {
        match self {
            Self::Fresh => vec![("cache-control", format!("max-age={}", fresh_for.as_secs()))],
            Self::Cached { age } => {
                let seconds = age.as_secs().saturating_add(u64::from(age.subsec_nanos() > 0));
                vec![
                    ("cache-control", "no-store".to_owned()),
                    ("age", seconds.to_string()),
                    ("degraded", "cached".to_owned()),
                ]
            }
            Self::Static => vec![
                ("cache-control", "no-store".to_owned()),
                ("degraded", "static".to_owned()),
            ],
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Health: windows that are told the time

#[derive(Debug, Default)]
struct Window {
    calls: VecDeque<Call>,
}

#[derive(Debug)]
struct Call {
    ended: Instant,
    succeeded: bool,
    took: Duration,
}

impl Window {
    fn push(&mut self, call: Call) {
        if self.calls.len() == MOST_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    fn health(&mut self, config: &Config, now: Instant) -> DependencyHealth {
        while self.calls.front().is_some_and(|call| now - call.ended >= config.window) {
            self.calls.pop_front();
        }
        let count = self.calls.len();
        if count < config.min_calls {
            return DependencyHealth { healthy: true, error_rate: 0.0, p99: Duration::ZERO };
        }
        let failed = self.calls.iter().filter(|call| !call.succeeded).count();
        let error_rate = failed as f64 / count as f64;
        let mut times: Vec<_> = self.calls.iter().map(|call| call.took).collect();
        let place = (99 * count).div_ceil(100);
        let (_, &mut p99, _) = times.select_nth_unstable(place - 1);
        DependencyHealth { healthy: error_rate < UNHEALTHY_FROM, error_rate, p99 }
    }
}

struct Core {
    config: Config,
    windows: BTreeMap<String, Window>,
    steady: Steady,
    now: Instant,
}

impl Core {
    fn new(config: Config, dependencies: &[&str], now: Instant) -> Self {
        let steady = Steady::new(config.dwell, now);
        let windows = dependencies.iter().map(|&name| (name.to_owned(), Window::default()));
        Self { config, windows: windows.collect(), steady, now }
    }

    fn window(&mut self, dependency: &str) -> Result<&mut Window, UnknownDependency> {
        self.windows.get_mut(dependency).ok_or_else(|| UnknownDependency(dependency.to_owned()))
    }

    fn evaluate(&mut self) -> Option<Change> {
        let windows = self.windows.values_mut();
        let health: Vec<_> =
            windows.map(|window| window.health(&self.config, self.now)).collect();
        self.steady.observe(assess(&health, &self.config.limits), self.now)
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

// ---------------------------------------------------------------------------------------------
// The shell: the clock, the lock, the listeners

type Listener = Box<dyn Fn(&Change) + Send + Sync>;

pub struct Degradation {
    core: Mutex<Core>,
    listeners: Vec<Listener>,
}

impl Degradation {
    pub fn new(config: Config, dependencies: &[&str]) -> Result<Self, ConfigError> {
        config.validate()?;
        let core = Core::new(config, dependencies, Instant::now());
        Ok(Self { core: Mutex::new(core), listeners: Vec::new() })
    }

    #[must_use]
    pub fn on_change(mut self, listener: impl Fn(&Change) + Send + Sync + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    pub fn record(
        &self,
        dependency: &str,
        succeeded: bool,
        took: Duration,
    ) -> Result<(), UnknownDependency> {
        self.with_core(|core| {
            let ended = core.now;
            core.window(dependency)?.push(Call { ended, succeeded, took });
            Ok(())
        })
    }

    pub fn health(&self, dependency: &str) -> Result<DependencyHealth, UnknownDependency> {
        self.with_core(|core| {
            let (config, now) = (core.config, core.now);
            Ok(core.window(dependency)?.health(&config, now))
        })
    }

    pub fn evaluate(&self) -> Level {
        let (level, change) = self.with_core(|core| {
            let change = core.evaluate();
            (core.steady.level(), change)
        });
        if let Some(change) = change {
            self.listeners.iter().for_each(|listener| listener(&change));
        }
        level
    }

    pub fn level(&self) -> Level {
        self.with_core(|core| core.steady.level())
    }

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
