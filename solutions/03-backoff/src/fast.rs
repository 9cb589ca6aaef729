//! The same delays, fast: what doesn't change is not computed again.
//!
//! For each delay the readable one raises the factor to a power, in 128 bits, and `random_range` makes a
//! [`Uniform`](rand::distr::Uniform) of the range, which costs a division, draws from it once and throws it away. Here the
//! ceiling is the one before times the factor, and the `Uniform` is kept until the ceiling
//! changes: at the cap, never again.
//!
//! So the draws are the readable one's, bit by bit, from a generator in the same state.
//!
//! There is no fast [`Retry`](crate::Retry): a loop that sleeps between attempts needs none.

use std::time::Duration;

use rand::Rng;
use rand::distr::{Distribution, Uniform};

pub use crate::{Config, ConfigError, Jitter, client_rng};

/// As the readable [`Backoff`](crate::Backoff), and with the same delays.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    readable: crate::Backoff,
}

impl Backoff {
    /// As [`Backoff::new`](crate::Backoff::new).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self { readable: crate::Backoff::new(config)? })
    }

    /// As [`Backoff::exponential`](crate::Backoff::exponential).
    pub fn exponential(&self, retry: u32) -> Duration {
        self.readable.exponential(retry)
    }

    /// As [`Backoff::delays`](crate::Backoff::delays).
    pub fn delays<R: Rng>(&self, rng: R) -> Delays<R> {
        let config = self.readable.config;
        let ceiling = match config.jitter {
            Jitter::Decorrelated => tripled(config.base, &config),
            _ => config.base,
        };
        Delays { config, rng, ceiling, range: None }
    }
}

/// The delays of one operation. See [`Backoff::delays`].
#[derive(Debug)]
pub struct Delays<R> {
    config: Config,
    rng: R,
    /// What bounds the next delay: its exponential, or what its jitter has instead.
    ceiling: Duration,
    /// Made for this ceiling, if it was made.
    range: Option<Uniform<Duration>>,
}

impl<R: Rng> Iterator for Delays<R> {
    type Item = Duration;

    // ANCHOR: next
    #[inline]
    fn next(&mut self) -> Option<Duration> {
        let Self { config, rng, ceiling, range } = self;
        let delay = range.get_or_insert_with(|| spread(*ceiling, config)).sample(rng);
        let next = match config.jitter {
            Jitter::Decorrelated => tripled(delay, config),
            // A product of two words is cheap, but not having to ask is cheaper.
            _ if *ceiling == config.cap => config.cap,
            // Nothing is lost by cutting each product: what is past the cap stays there.
            _ => ceiling.saturating_mul(config.factor).min(config.cap),
        };
        if next != *ceiling {
            (*ceiling, *range) = (next, None);
        }
        Some(delay)
    }
    // ANCHOR_END: next
}

fn tripled(previous: Duration, config: &Config) -> Duration {
    previous.saturating_mul(3).min(config.cap)
}

fn spread(ceiling: Duration, config: &Config) -> Uniform<Duration> {
    let (low, high) = match config.jitter {
        Jitter::None => (ceiling, ceiling),
        Jitter::Additive(jitter) => {
            let low = ceiling.min(config.cap - jitter);
            (low, low + jitter)
        }
        Jitter::Full => (Duration::ZERO, ceiling),
        Jitter::Equal => (ceiling / 2, ceiling),
        Jitter::Decorrelated => (config.base, ceiling),
    };
    Uniform::new_inclusive(low, high).expect("a valid configuration has no empty range")
}
