//! right: written from the page and the starter alone: seconds and nanoseconds put together by hand, only blanks and tabs trimmed

// Retries that wait longer each time, and whose waits differ from client to client.
//
// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open backoff`). Add fields and functions as you need
// them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
//
// - [`Backoff`] and [`Delays`]: how long to wait, as plain numbers. No clock, no sleep.
// - [`Retry`]: the loop that runs an operation, sleeps and gives up. `pause` decides, `run` obeys.
// - [`retry_after`], [`client_rng`]: what a server asks for, and randomness that clients don't
//   share.
//
// Attempts are counted from 1, retries from 0: retry 0 is the wait between the first attempt and the
// second.

use std::time::{Duration, SystemTime};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

mod config;
mod types;

pub use config::{Config, ConfigError, Jitter, Limits};
pub use types::{GaveUp, IdempotencyKey, Verdict, Why};

// ---------------------------------------------------------------------------------------------
// How long to wait

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// Delays that grow from a base to a cap.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    config: Config,
}

impl Backoff {
    /// Delays as configured.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config })
    }

    /// The delay before retry number `retry`, counted from 0, without jitter: min(cap, base ×
    /// factorʳᵉᵗʳʸ), exact to the nanosecond.
    pub fn exponential(&self, retry: u32) -> Duration {
        let Config { base, factor, cap, .. } = self.config;
        let nanos = u128::from(factor)
            .saturating_pow(retry)
            .saturating_mul(base.as_nanos())
            .min(cap.as_nanos());
        // At most `cap`, so both parts fit.
        Duration::new((nanos / NANOS_PER_SEC) as u64, (nanos % NANOS_PER_SEC) as u32)
    }

    /// The delays of one operation, one for each retry, without end. `rng` must be the caller's own:
    /// those who share a generator's state share their delays (see [`client_rng`]).
    pub fn delays<R: Rng>(&self, rng: R) -> Delays<R> {
        Delays { backoff: *self, rng, retry: 0, previous: self.config.base }
    }
}

/// The delays of one operation. See [`Backoff::delays`].
#[derive(Debug)]
pub struct Delays<R> {
    backoff: Backoff,
    rng: R,
    /// The next one.
    retry: u32,
    /// The delay drawn last; `base` before the first.
    previous: Duration,
}

impl<R: Rng> Delays<R> {
    fn draw(&mut self) -> Duration {
        let Config { base, cap, jitter, .. } = self.backoff.config;
        let d = self.backoff.exponential(self.retry);
        let (low, high) = match jitter {
            Jitter::None => (d, d),
            Jitter::Additive(width) => {
                let low = d.min(cap - width);
                (low, low + width)
            }
            Jitter::Full => (Duration::ZERO, d),
            Jitter::Equal => (d / 2, d),
            Jitter::Decorrelated => (base, self.previous.saturating_mul(3).min(cap)),
        };
        let delay = self.rng.random_range(low..=high);
        self.retry = self.retry.saturating_add(1);
        self.previous = delay;
        delay
    }
}

impl<R: Rng> Iterator for Delays<R> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.draw())
    }
}

// ---------------------------------------------------------------------------------------------
// The loop

/// Runs an operation until it succeeds, or until there is a reason to stop.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    backoff: Backoff,
    limits: Limits,
}

impl Retry {
    /// Retries with the delays of `backoff`, within `limits`.
    ///
    /// # Errors
    /// When a field of `limits` is out of its range.
    pub fn new(backoff: Backoff, limits: Limits) -> Result<Self, ConfigError> {
        limits.validate()?;
        Ok(Self { backoff, limits })
    }

    /// Runs `operation`, which is given the number of the attempt, and asks `classify` about each
    /// error. `operation` is called when its attempt begins, not earlier. Needs a tokio runtime with
    /// its timer.
    ///
    /// A server that asks for time is given it, and the client's own delay on top: the own delay alone
    /// would be too soon, and the server's alone would be the same for all clients. No request to wait
    /// shortens a delay, and one for longer than the cap ends the retries.
    ///
    /// Cancellation: dropping the future drops the operation or the sleep; nothing keeps running.
    ///
    /// # Errors
    /// [`GaveUp`], with the operation's last error.
    pub async fn run<T, E, F>(
        &self,
        rng: impl Rng,
        mut operation: impl FnMut(u32) -> F,
        mut classify: impl FnMut(&E) -> Verdict,
    ) -> Result<T, GaveUp<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut delays = self.backoff.delays(rng);
        let begun = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match operation(attempts).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let elapsed = begun.elapsed();
            match self.pause(attempts, elapsed, classify(&error), &mut delays) {
                Ok(pause) => sleep(pause).await,
                Err(why) => return Err(GaveUp { error, attempts, elapsed, why }),
            }
        }
    }

    /// As [`run`](Self::run), for an operation whose effect must not happen twice: all attempts are
    /// given the same new key, for a server that does at most one operation a key.
    ///
    /// The key is forgotten in the end. To try again after giving up, or after a crash, make an
    /// [`IdempotencyKey`] when the order is made, store it with the order, and give it to `run`'s
    /// operation.
    ///
    /// # Errors
    /// As [`run`](Self::run). The effect may have happened all the same.
    pub async fn run_once<T, E, F>(
        &self,
        mut rng: impl Rng,
        mut operation: impl FnMut(u32, IdempotencyKey) -> F,
        classify: impl FnMut(&E) -> Verdict,
    ) -> Result<T, GaveUp<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let key = IdempotencyKey::new(&mut rng);
        self.run(rng, |attempt| operation(attempt, key), classify).await
    }

    /// What to do after a failed attempt: how long to sleep before the next one, or why there is none.
    fn pause(
        &self,
        attempts: u32,
        elapsed: Duration,
        verdict: Verdict,
        delays: &mut Delays<impl Rng>,
    ) -> Result<Duration, Why> {
        let asked = match verdict {
            Verdict::Stop => return Err(Why::NotWorthIt),
            Verdict::Retry => Duration::ZERO,
            Verdict::RetryAfter(asked) => asked,
        };
        if attempts >= self.limits.max_attempts {
            return Err(Why::AttemptsUsed);
        }
        if asked > self.backoff.config.cap {
            return Err(Why::AskedToWait { asked });
        }
        let pause = asked.saturating_add(delays.draw());
        match self.limits.max_total {
            Some(max_total) if elapsed.saturating_add(pause) >= max_total => {
                Err(Why::NoTimeLeft { max_total })
            }
            _ => Ok(pause),
        }
    }
}

// ---------------------------------------------------------------------------------------------
// The server, and the other clients

/// The value of a `Retry-After` header (RFC 9110, section 10.2.3): whole seconds, or an HTTP date,
/// which is compared with `now`. A date in the past asks for nothing. `None` for anything else: the
/// caller then uses its own delay.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // All that can go wrong with digits is that there are too many of them.
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

/// A generator for one of many clients, the same at every call: for simulations and tests. In
/// production seed each client's generator from the operating system.
pub fn client_rng(seed: u64, client: u64) -> Xoshiro256PlusPlus {
    // The seed is mixed before the client is added, so that neighbouring seeds don't share clients.
    let stream = Xoshiro256PlusPlus::seed_from_u64(seed).next_u64();
    Xoshiro256PlusPlus::seed_from_u64(stream.wrapping_add(client))
}
