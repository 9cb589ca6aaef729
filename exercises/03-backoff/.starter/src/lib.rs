// Retries that wait longer each time, and whose waits differ from client to client.
//
// The parts, from the inside out:
//
// - `Backoff` and `Delays`: how long to wait, as plain numbers. No clock, no sleep.
// - `Retry`: the loop that runs an operation, sleeps and gives up. `pause` decides, `run` obeys.
// - `retry_after`, `client_rng`: what a server asks for, and randomness that clients don't share.
//
// Attempts are counted from 1, retries from 0: retry 0 is the wait between the first attempt and the
// second.

// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open backoff`). Add fields and functions as you need
// them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

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
        todo!("step 1: base times factor to the power of retry, or the cap if that is less")
    }

    /// The delays of one operation, one for each retry, without end. `rng` must be the caller's own:
    /// those who share a generator's state share their delays (see [`client_rng`]).
    pub fn delays<R: Rng>(&self, rng: R) -> Delays<R> {
        Delays { backoff: *self, rng }
    }
}

/// The delays of one operation. See [`Backoff::delays`].
#[derive(Debug)]
pub struct Delays<R> {
    backoff: Backoff,
    rng: R,
    // step 2: which retry is next, and what decorrelated jitter must remember
}

impl<R: Rng> Delays<R> {
    fn draw(&mut self) -> Duration {
        todo!("step 2: find the range of this retry by its jitter, and draw from it")
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
    /// When a server asks for time, the client waits that long and adds its own delay. When a server
    /// asks for longer than the cap, the retries end.
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
        todo!("step 3: attempt after attempt, with the pauses between them, until one succeeds")
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
        todo!("step 6: draw a key, and run")
    }

    /// What to do after a failed attempt: how long to sleep before the next one, or why there is none.
    fn pause(
        &self,
        attempts: u32,
        elapsed: Duration,
        verdict: Verdict,
        delays: &mut Delays<impl Rng>,
    ) -> Result<Duration, Why> {
        todo!("step 3: stop if the verdict says so, or after max_attempts; otherwise draw a delay")
        // step 4: add the time that the server asks for, unless it is longer than the cap
        // step 4: stop if the pause would not end before max_total
    }
}

// ---------------------------------------------------------------------------------------------
// The server, and the other clients

/// The value of a `Retry-After` header (RFC 9110, section 10.2.3): whole seconds, or an HTTP date,
/// which is compared with `now`. A date in the past asks for nothing. `None` for anything else: the
/// caller then uses its own delay.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    todo!("step 4: seconds, or an HTTP date (httpdate::parse_http_date)")
}

/// A generator for one of many clients, the same at every call: for simulations and tests. In
/// production seed each client's generator from the operating system.
pub fn client_rng(seed: u64, client: u64) -> Xoshiro256PlusPlus {
    todo!("step 5: derive a seed from both numbers, and make the generator from it")
}
