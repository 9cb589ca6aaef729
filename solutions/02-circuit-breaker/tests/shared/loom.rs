use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use tokio::runtime::{Builder, Runtime};

// Of whichever breaker the module that includes this is about.
use super::subject::{CircuitBreaker, Config, Outcome, State};

const OPEN_FOR: Duration = Duration::from_secs(1);

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

fn breaker(half_open_max_calls: u32) -> CircuitBreaker {
    let config = Config {
        failure_threshold: 1,
        success_threshold: 2,
        half_open_max_calls,
        open_for: OPEN_FOR,
        ..Config::default()
    };
    CircuitBreaker::seeded(config, 7).expect("a valid configuration")
}

/// Half-open, for a run of the model.
fn half_open(clock: &Runtime, half_open_max_calls: u32) -> Arc<CircuitBreaker> {
    let breaker = breaker(half_open_max_calls);
    breaker.try_acquire().expect("closed").record(Outcome::Failure);
    clock.block_on(tokio::time::advance(OPEN_FOR));
    Arc::new(breaker)
}

#[test]
fn two_callers_never_share_one_probe_place() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let breaker = half_open(&clock, 1);
        let ask = |breaker: Arc<CircuitBreaker>| {
            move || breaker.try_acquire().map(std::mem::forget).is_ok()
        };
        let other = thread::spawn(ask(breaker.clone()));
        let admitted = usize::from(ask(breaker)()) + usize::from(other.join().unwrap());
        assert_eq!(admitted, 1, "one place, one probe");
    });
}

#[test]
fn a_failing_and_a_succeeding_probe_always_end_open() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let breaker = half_open(&clock, 2);
        let probe = |breaker: Arc<CircuitBreaker>, outcome| {
            move || {
                if let Ok(permit) = breaker.try_acquire() {
                    permit.record(outcome);
                }
            }
        };
        let other = thread::spawn(probe(breaker.clone(), Outcome::Success));
        probe(breaker.clone(), Outcome::Failure)();
        other.join().unwrap();
        let snapshot = breaker.snapshot();
        let counts = snapshot.counts;
        assert_eq!(snapshot.state, State::Open, "one success of two closes nothing");
        assert_eq!(counts.admitted, counts.succeeded + counts.failed + counts.late);
    });
}

#[test]
fn two_failures_open_it_once() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let told = std::sync::Arc::new(AtomicUsize::new(0));
        let listener = told.clone();
        let breaker = Arc::new(breaker(1).on_transition(move |_| {
            listener.fetch_add(1, Relaxed);
        }));
        let call = |breaker: Arc<CircuitBreaker>| {
            move || {
                if let Ok(permit) = breaker.try_acquire() {
                    permit.record(Outcome::Failure);
                }
            }
        };
        let other = thread::spawn(call(breaker.clone()));
        call(breaker.clone())();
        other.join().unwrap();
        assert_eq!(breaker.snapshot().era, 1, "the second failure is late, or was rejected");
        assert_eq!(told.load(Relaxed), 1, "one transition, told once");
    });
}

#[test]
fn a_probe_dropped_while_another_asks_is_never_counted_twice() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let breaker = half_open(&clock, 1);
        let ask = |breaker: Arc<CircuitBreaker>| move || drop(breaker.try_acquire());
        let other = thread::spawn(ask(breaker.clone()));
        ask(breaker.clone())();
        other.join().unwrap();
        assert_eq!(breaker.snapshot().probes_out, 0, "every place is given back once");
        assert!(breaker.try_acquire().is_ok(), "and can be taken again");
    });
}
