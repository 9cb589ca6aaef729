//! What a trial tries: a part of the pattern for each step from the third on. There are two crates with the same
//! names, so the types here are the lab's own.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Normal to emergency.
pub type Level = usize;

/// The parts, yours or the reference's.
#[derive(Clone, Copy)]
pub struct Code {
    /// Step 3: the level after each look, for a dwell.
    pub steady: fn(Duration) -> Look,
    /// Step 4: the way to an answer.
    pub fallback: fn() -> Get,
    /// Step 5: what is said of a page of two parts that may be stored so long while it is fresh.
    pub say: fn([Source; 2], Duration) -> Said,
    /// Step 6: the level of a service with these dependencies, for a dwell.
    pub health: fn(&[&str], Duration) -> Box<dyn Health>,
}

/// From the level that is called for to the level that is kept.
pub type Look = Box<dyn FnMut(Level) -> Level + Send>;

pub type Soon<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a dependency answers: nothing happens until it is polled.
pub type Fresh = Soon<Result<(), Fault>>;
/// How old the copy is that the cache has.
pub type CopyOf = Soon<Option<Duration>>;

pub enum Fault {
    Transient,
    Permanent,
}

/// An answer for a feature that is full, or reduced. There is a fixed one too.
pub type Get = Arc<dyn Fn(Mode, Fresh, CopyOf) -> Soon<Served> + Send + Sync>;

#[derive(Clone, Copy)]
pub enum Mode {
    Full,
    Reduced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    Fresh,
    Cached,
    Fixed,
    Error,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Fresh,
    Cached(Duration),
    Fixed,
}

/// What the users of a page and the caches before it are told.
pub struct Said {
    pub fields: Vec<(&'static str, String)>,
    pub notice: bool,
}

impl Said {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(its, _)| *its == name).map(|(_, value)| value.as_str())
    }
}

pub trait Health: Send {
    fn record(&mut self, dependency: &str, succeeded: bool, took: Duration);
    fn evaluate(&mut self) -> Level;
}

/// Without the pattern: each look is believed, the dependency's answer is the answer, nothing is said, and the last
/// call of each dependency is its health.
pub const NAIVE: Code = Code {
    steady: |_| Box::new(|look| look),
    fallback: || {
        Arc::new(|_, fresh, _| {
            Box::pin(async { if fresh.await.is_ok() { Served::Fresh } else { Served::Error } })
        })
    },
    say: |_, fresh_for| Said {
        fields: vec![("cache-control", format!("max-age={}", fresh_for.as_secs()))],
        notice: false,
    },
    health: |_, _| Box::new(LastCalls::default()),
};

/// The dependencies whose last call failed.
#[derive(Default)]
struct LastCalls(Vec<String>);

impl Health for LastCalls {
    fn record(&mut self, dependency: &str, succeeded: bool, _: Duration) {
        self.0.retain(|name| name != dependency);
        if !succeeded {
            self.0.push(dependency.to_owned());
        }
    }

    fn evaluate(&mut self) -> Level {
        self.0.len().min(3)
    }
}
