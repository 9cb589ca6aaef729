//! What only the fast breaker can get wrong: the words of the threads, taken back and lent out while successes
//! are counted in them.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use tokio::runtime::{Builder, Runtime};

use super::subject::{CircuitBreaker, Config, Outcome, Permit, Rejected, State};

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// Opens at the third failure in a row, or when all results are failures and there are four of them.
fn breaker() -> Arc<CircuitBreaker> {
    rated_from(4)
}

fn rated_from(min_calls: usize) -> Arc<CircuitBreaker> {
    let config = Config {
        failure_threshold: 3,
        failure_rate_threshold: 1.0,
        window_size: 4,
        min_calls,
        ..Config::default()
    };
    Arc::new(CircuitBreaker::seeded(config, 7).expect("a valid configuration"))
}

fn end(breaker: &CircuitBreaker, outcome: Outcome) {
    breaker.try_acquire().expect("closed").record(outcome);
}

/// Runs both, the first on a thread of its own, in every interleaving.
fn race(
    setup: impl Fn(&CircuitBreaker) + Send + Sync + 'static,
    one: impl Fn(&CircuitBreaker) + Copy + Send + Sync + 'static,
    other: impl Fn(&CircuitBreaker) + Send + Sync + 'static,
    after: impl Fn(&CircuitBreaker) + Send + Sync + 'static,
) {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let breaker = breaker();
        setup(&breaker);
        let shared = breaker.clone();
        let thread = thread::spawn(move || one(&shared));
        other(&breaker);
        thread.join().unwrap();
        after(&breaker);
    });
}

#[test]
fn two_results_both_move_the_window() {
    race(
        |_| {},
        |breaker| end(breaker, Outcome::Failure),
        |breaker| end(breaker, Outcome::Failure),
        |breaker| {
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.window_calls, snapshot.window_failures), (2, 2));
            assert_eq!((snapshot.counts.admitted, snapshot.counts.failed), (2, 2));
        },
    );
}

#[test]
fn a_result_that_arrives_while_somebody_looks_is_not_lost() {
    race(
        |breaker| end(breaker, Outcome::Success),
        |breaker| end(breaker, Outcome::Failure),
        |breaker| assert_eq!(breaker.snapshot().state, State::Closed),
        |breaker| {
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.window_calls, snapshot.failures_in_a_row), (2, 1));
        },
    );
}

#[test]
fn the_last_failure_opens_it_however_the_two_arrive() {
    race(
        |breaker| end(breaker, Outcome::Failure),
        |breaker| end(breaker, Outcome::Failure),
        |breaker| end(breaker, Outcome::Failure),
        |breaker| {
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.state, snapshot.era), (State::Open, 1));
            assert_eq!(snapshot.counts.failed, 3, "the last of them opened it, so none was late");
        },
    );
}

#[test]
fn a_success_beside_the_last_failure_comes_before_it_or_late() {
    race(
        |breaker| {
            end(breaker, Outcome::Failure);
            end(breaker, Outcome::Failure);
        },
        |breaker| end(breaker, Outcome::Failure),
        |breaker| {
            if let Ok(permit) = breaker.try_acquire() {
                permit.record(Outcome::Success);
            }
        },
        |breaker| {
            let snapshot = breaker.snapshot();
            let counts = snapshot.counts;
            // A success that counts came first, and ended the streak of two.
            let expected =
                if counts.succeeded == 1 { (State::Closed, 1) } else { (State::Open, 0) };
            assert_eq!((snapshot.state, snapshot.failures_in_a_row), expected);
            assert_eq!(counts.admitted, counts.succeeded + counts.failed + counts.late);
            assert_eq!(counts.succeeded + counts.late + counts.rejected, 1);
        },
    );
}

#[test]
fn a_failure_beside_a_reset_never_counts_in_the_new_era() {
    race(
        |_| {},
        |breaker| {
            let permit = breaker.try_acquire().expect("closed before and after");
            let is_new = breaker.snapshot().era == 1;
            permit.record(if is_new { Outcome::Ignored } else { Outcome::Failure });
        },
        CircuitBreaker::reset,
        |breaker| {
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.era, snapshot.window_calls), (1, 0));
        },
    );
}

#[test]
fn who_was_let_through_after_a_reset_is_not_rejected_by_the_deadline_from_before() {
    race(
        |breaker| (0..3).for_each(|_| end(breaker, Outcome::Failure)),
        |breaker| {
            breaker.reset();
            // Takes the window back for a moment: the other then looks at the deadline.
            breaker.snapshot();
        },
        |breaker| {
            let (first, second) = (breaker.try_acquire(), breaker.try_acquire());
            let is_in = Result::<Permit, Rejected>::is_ok;
            assert!(is_in(&second) || !is_in(&first), "{second:?}");
        },
        |breaker| assert!(breaker.try_acquire().is_ok()),
    );
}

/// A window that holds a failure, and is lent all the same.
#[test]
fn a_success_on_another_thread_is_in_the_window_when_a_failure_comes() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let breaker = rated_from(2);
        end(&breaker, Outcome::Success);
        end(&breaker, Outcome::Failure);
        let shared = breaker.clone();
        let fails = thread::spawn(move || end(&shared, Outcome::Failure));
        end(&breaker, Outcome::Success);
        fails.join().unwrap();
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.window_calls, snapshot.window_failures), (4, 2));
        assert_eq!((snapshot.counts.succeeded, snapshot.counts.failed), (2, 2));
    });
}

#[test]
fn a_permit_from_before_is_late_for_whom_a_rejected_one_has_told() {
    let clock = paused();
    let mut three_threads = loom::model::Builder::new();
    three_threads.preemption_bound = Some(2);
    three_threads.check(move || {
        let _entered = clock.enter();
        let breaker = rated_from(2);
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Failure] {
            end(&breaker, outcome);
        }
        let permit = breaker.try_acquire().expect("closed");
        let opens = thread::spawn({
            let breaker = breaker.clone();
            move || end(&breaker, Outcome::Failure)
        });
        let told = Arc::new(AtomicBool::new(false));
        let asks = thread::spawn({
            let (breaker, told) = (breaker.clone(), told.clone());
            move || told.store(breaker.try_acquire().is_err(), Ordering::Release)
        });
        let is_over = told.load(Ordering::Acquire);
        // Of all results the one that writes nothing, and so could be counted by an old word.
        permit.record(Outcome::Ignored);
        opens.join().unwrap();
        asks.join().unwrap();
        let counts = breaker.snapshot().counts;
        assert!(!is_over || counts.late == 1, "it was over: {counts:?}");
    });
}
