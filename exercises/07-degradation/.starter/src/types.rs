// What a caller sees and handles. Given: nothing to write here.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// How much the service still does. A greater level is a worse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Normal,
    /// Everything that matters, some of it simplified.
    Degraded,
    /// What the service is for.
    Minimal,
    /// Pages that need nobody.
    Emergency,
}

impl Level {
    /// From the best to the worst.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Degraded, Self::Minimal, Self::Emergency];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Normal => "normal",
            Self::Degraded => "degraded",
            Self::Minimal => "minimal",
            Self::Emergency => "emergency",
        })
    }
}

/// What is known of one dependency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DependencyHealth {
    /// What its health check says.
    pub healthy: bool,
    /// The share of its calls that failed, 0 to 1. Anything else, NaN included, is a broken meter.
    pub error_rate: f64,
    /// The 99th percentile of what its calls took.
    pub p99: Duration,
}

/// A change of the level, as listeners are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The level before it.
    pub from: Level,
    /// The level after it.
    pub to: Level,
    /// When it happened.
    pub at: Instant,
    /// 1 for the first change. Two threads may deliver two changes in either order; this tells it.
    pub number: u64,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.from, self.to)
    }
}

/// How the fresh answer failed. The caller knows its errors, and says which kind one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault<E> {
    /// It may work another time: a timeout, a refused connection, 503. An older answer is better
    /// than none.
    Transient(E),
    /// It is an answer: 404, 403, 400. An older answer would be a lie.
    Permanent(E),
}

/// What a cache has, and how old that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cached<T> {
    /// The value.
    pub value: T,
    /// The time since it was fresh, when the cache answers.
    pub age: Duration,
}

/// Where a value comes from. A greater source is a worse one: an older copy is worse than a newer one,
/// and a fixed value is worse than any copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// From the dependency, now.
    Fresh,
    /// From a cache, so old.
    Cached {
        /// The time since it was fresh.
        age: Duration,
    },
    /// Fixed when the service was built: an empty list, the price list of the quarter.
    Static,
}

/// A value that says where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub source: Source,
}

/// Why there is no value at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable<E> {
    /// The answer is an error, and was not papered over.
    #[error("{0}")]
    Permanent(E),
    /// It failed, the cache had nothing recent in time, and there is no fixed value.
    #[error("{0}, and there is nothing to fall back on")]
    Transient(E),
    /// The feature is reduced: it was not tried, and there is nothing to fall back on.
    #[error("the feature is reduced at this level, and there is nothing to fall back on")]
    Reduced,
    /// The feature is off.
    #[error("the feature is off at this level")]
    Off,
}

/// A feature that no table has: a slip of the pen, not a feature that is off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no feature \"{name}\": the table has {known}")]
pub struct UnknownFeature {
    /// The name that was asked for.
    pub name: String,
    /// The names that there are, in the order of the table, with a comma and a space between.
    pub known: String,
}

/// A dependency that was not named when the controller was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no dependency \"{0}\": name it when you make the controller")]
pub struct UnknownDependency(pub String);
