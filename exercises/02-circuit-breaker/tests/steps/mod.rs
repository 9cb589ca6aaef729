//! What the checks share: ways to make a breaker, to drive it, and to write down what it does.
//!
//! Time is virtual: `#[tokio::test(start_paused = true)]` stops tokio's clock, and `wait` moves it.

use std::fmt::Write as _;
use std::time::Duration;

use circuit_breaker::{CircuitBreaker, Config, Outcome, Rejected};
use tokio::time::Instant;

mod step_1_trip;
mod step_2_fail_fast;
mod step_3_probe;
mod step_4_rate;
mod step_5_eras;
mod step_6_classify;
mod step_7_observe;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The open time of the default configuration.
const OPEN_FOR: Duration = Duration::from_secs(30);
/// The probe lease of the default configuration.
const LEASE: Duration = Duration::from_secs(60);

fn breaker(config: Config) -> CircuitBreaker {
    CircuitBreaker::new(config).expect("this configuration is valid")
}

/// Opens after `failure_threshold` failures in a row, and for no other reason.
fn streak_only() -> Config {
    Config { window_size: 10_000, min_calls: 10_000, ..Config::default() }
}

/// Opens by the failure rate over the last ten calls, from the fourth on, and for no other reason.
fn rate_only() -> Config {
    Config { failure_threshold: u32::MAX, window_size: 10, min_calls: 4, ..Config::default() }
}

/// Makes one call after the other, each with this outcome.
#[track_caller]
fn end(breaker: &CircuitBreaker, calls: usize, outcome: Outcome) {
    for call in 1..=calls {
        match breaker.try_acquire() {
            Ok(permit) => permit.record(outcome),
            Err(why) => panic!("call {call} of {calls} should have been let through, but: {why}"),
        }
    }
}

#[track_caller]
fn fail(breaker: &CircuitBreaker, calls: usize) {
    end(breaker, calls, Outcome::Failure);
}

#[track_caller]
fn succeed(breaker: &CircuitBreaker, calls: usize) {
    end(breaker, calls, Outcome::Success);
}

/// A breaker that has just opened.
fn tripped(config: Config) -> CircuitBreaker {
    let failures = config.failure_threshold as usize;
    let breaker = breaker(config);
    fail(&breaker, failures);
    breaker
}

/// A breaker whose open time has just ended.
async fn half_open(config: Config) -> CircuitBreaker {
    let open_for = config.open_for;
    let breaker = tripped(config);
    wait(open_for).await;
    breaker
}

/// How many of so many callers are let through at once. Their calls never end.
fn admitted(breaker: &CircuitBreaker, callers: usize) -> usize {
    (0..callers).filter_map(|_| breaker.try_acquire().ok()).map(std::mem::forget).count()
}

/// The open time that is left, as a caller is told it.
#[track_caller]
fn time_left(breaker: &CircuitBreaker) -> Duration {
    match breaker.try_acquire() {
        Err(Rejected::Open { retry_after }) => retry_after,
        Err(other) => panic!("the breaker should be open, but says: {other}"),
        Ok(_) => panic!("the breaker should be open, but let a call through"),
    }
}

/// Moves the clock.
async fn wait(time: Duration) {
    tokio::time::advance(time).await;
}

/// Writes down what happened, when, and the state that the breaker was in after it.
struct Diary<'a> {
    breaker: &'a CircuitBreaker,
    begun: Instant,
    text: String,
}

impl<'a> Diary<'a> {
    fn of(breaker: &'a CircuitBreaker) -> Self {
        Self { breaker, begun: Instant::now(), text: String::new() }
    }

    fn note(&mut self, what: &str) {
        let at = format!("{:.3}s", self.begun.elapsed().as_secs_f64());
        writeln!(self.text, "{at:<9} {what:<24} {}", self.breaker.state()).unwrap();
    }
}
