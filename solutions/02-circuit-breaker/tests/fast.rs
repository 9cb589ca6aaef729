//! The fast breaker: under the exercise's own spec, against the plain model, and where it differs from
//! the readable one.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use tokio::time::advance;

// So that the spec's `circuit_breaker::CircuitBreaker` is the fast one.
extern crate self as circuit_breaker;
pub use circuit_breaker_solution::fast::*;

#[path = "../../../exercises/02-circuit-breaker/tests/steps/mod.rs"]
mod steps;

#[path = "shared/model.rs"]
mod model;

const SECOND: Duration = Duration::from_secs(1);

fn breaker(config: Config) -> CircuitBreaker {
    CircuitBreaker::seeded(config, 7).expect("a valid configuration")
}

fn end(breaker: &CircuitBreaker, outcome: Outcome) {
    breaker.try_acquire().expect("closed, or half-open with a place").record(outcome);
}

#[tokio::test(start_paused = true)]
async fn every_width_of_the_window_slides_by_one() {
    for size in [1, 2, 50, 51] {
        let config = Config {
            failure_threshold: u32::MAX,
            failure_rate_threshold: 1.0,
            window_size: size,
            min_calls: size,
            ..Config::default()
        };
        let breaker = breaker(config);
        for _ in 0..3 * size {
            end(&breaker, Outcome::Success);
        }
        for failure in 1..size {
            end(&breaker, Outcome::Failure);
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.window_calls, snapshot.window_failures), (size, failure));
            assert_eq!(snapshot.failures_in_a_row as usize, failure, "size {size}");
        }
        end(&breaker, Outcome::Failure);
        assert_eq!(breaker.state(), State::Open, "{size} of {size} failed");
    }
}

#[tokio::test(start_paused = true)]
async fn results_come_back_from_the_words_in_their_order() {
    for size in [7, 50] {
        let config = Config {
            failure_threshold: u32::MAX,
            failure_rate_threshold: 1.0,
            window_size: size,
            min_calls: size,
            ..Config::default()
        };
        let (looked_at, alone) = (breaker(config.clone()), breaker(config));
        // A failure every third call: code that mixes up old and new lets the wrong one slide out.
        for call in 0..200 {
            let outcome = if call % 3 == 0 { Outcome::Failure } else { Outcome::Success };
            for breaker in [&looked_at, &alone] {
                end(breaker, outcome);
            }
            looked_at.snapshot();
        }
        assert_eq!(looked_at.snapshot(), alone.snapshot(), "looking changes nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_opens_it_when_it_is_the_last_of_min_calls() {
    let breaker = breaker(Config {
        failure_threshold: u32::MAX,
        failure_rate_threshold: 0.5,
        window_size: 10,
        min_calls: 4,
        ..Config::default()
    });
    for outcome in [Outcome::Failure, Outcome::Success, Outcome::Failure] {
        end(&breaker, outcome);
        assert_eq!(breaker.state(), State::Closed);
    }
    end(&breaker, Outcome::Success);
    assert_eq!(breaker.state(), State::Open, "two of four");
}

#[test]
fn a_success_on_another_thread_ends_a_streak() {
    let breaker = breaker(Config { failure_threshold: 3, ..Config::default() });
    let on_its_own_thread = |outcome| {
        thread::scope(|scope| {
            scope.spawn(|| end(&breaker, outcome)).join().expect("closed");
        });
    };
    // Twice, so that the other thread's share is there before.
    for _ in 0..2 {
        end(&breaker, Outcome::Failure);
        end(&breaker, Outcome::Failure);
        on_its_own_thread(Outcome::Success);
    }
    assert_eq!((breaker.snapshot().failures_in_a_row, breaker.state()), (0, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_fails_though_nothing_else_reads_the_clock() {
    let slow_call_threshold = Some(SECOND);
    let breaker =
        breaker(Config { slow_call_threshold, failure_threshold: 2, ..Config::default() });

    for took in [SECOND - Duration::from_nanos(1), SECOND] {
        let (answered, silent) = (breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap());
        advance(took).await;
        answered.record(Outcome::Success);
        drop(silent);
    }

    let counts = breaker.snapshot().counts;
    assert_eq!((counts.succeeded, counts.ignored, counts.failed), (1, 1, 2));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn no_result_is_lost_between_threads_and_dashboards() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 20_000;
    let breaker = breaker(Config {
        failure_threshold: u32::MAX,
        failure_rate_threshold: 1.0,
        window_size: 50,
        min_calls: 50,
        ..Config::default()
    });
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Relaxed) {
                let counts = breaker.snapshot().counts;
                let ended = counts.succeeded + counts.failed + counts.ignored + counts.late;
                assert!(ended <= counts.admitted, "no call ends that didn't begin: {counts:?}");
            }
        });
        let callers = (0..THREADS).map(|caller| {
            let breaker = &breaker;
            scope.spawn(move || {
                for call in 0..CALLS {
                    // Every fifth fails: too few for a window of failures.
                    let failed = (call + caller) % 5 == 0;
                    end(breaker, if failed { Outcome::Failure } else { Outcome::Success });
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.join().expect("no call is rejected");
        }
        done.store(true, Relaxed);
        watcher.join().expect("the counts hold at every moment");
    });

    let snapshot = breaker.snapshot();
    let counts = snapshot.counts;
    assert_eq!(counts.admitted, THREADS * CALLS);
    assert_eq!((counts.succeeded, counts.failed), (THREADS * CALLS * 4 / 5, THREADS * CALLS / 5));
    assert_eq!((snapshot.window_calls, snapshot.era), (50, 0));
}

#[test]
fn of_failures_on_many_threads_each_moves_the_window() {
    for _ in 0..200 {
        let breaker = breaker(Config {
            failure_threshold: u32::MAX,
            failure_rate_threshold: 1.0,
            window_size: 40,
            min_calls: 40,
            ..Config::default()
        });
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..13).for_each(|_| end(&breaker, Outcome::Failure)));
            }
        });
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.window_failures), (State::Closed, 39));
        end(&breaker, Outcome::Failure);
        assert_eq!(breaker.state(), State::Open, "the fortieth of 40");
    }
}
