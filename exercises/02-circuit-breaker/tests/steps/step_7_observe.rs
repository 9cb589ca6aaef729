//! Step 7: a breaker that nobody can see into, or switch by hand, makes an incident longer.

use std::fmt::Write as _;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use circuit_breaker::{
    CircuitBreaker, Config, Counts, Outcome, Rejected, Snapshot, State, Transition,
};
use tokio::time::Instant;

use super::{
    LEASE, OPEN_FOR, SECOND, admitted, breaker, end, fail, half_open, succeed, tripped, wait,
};

/// A breaker, and the transitions that its listener was told of, one a line.
fn observed(config: Config) -> (CircuitBreaker, Arc<Mutex<String>>) {
    let told = Arc::new(Mutex::new(String::new()));
    let begun = Instant::now();
    let listener = {
        let told = Arc::clone(&told);
        move |transition: &Transition| {
            let at = format!("{:.3}s", transition.at.duration_since(begun).as_secs_f64());
            let mut told = told.lock().unwrap();
            writeln!(told, "{at:<9} era {}  {transition}", transition.era).unwrap();
        }
    };
    (breaker(config).on_transition(listener), told)
}

#[tokio::test(start_paused = true)]
async fn each_transition_is_told_once_with_its_cause() {
    let (breaker, told) = observed(Config::default());

    fail(&breaker, 5);
    wait(OPEN_FOR).await;
    fail(&breaker, 1);
    wait(OPEN_FOR).await;
    let _hung = admitted(&breaker, 3);
    wait(LEASE).await;
    assert!(breaker.try_acquire().is_err(), "the lease is over");
    wait(OPEN_FOR).await;
    succeed(&breaker, 3);
    for _ in 0..5 {
        succeed(&breaker, 1);
        fail(&breaker, 1);
    }

    insta::assert_snapshot!(
        told.lock().unwrap(),
        "an event a transition: what an operator reads at three in the morning",
        @"
        0.000s    era 1  closed → open (5 failures in a row)
        30.000s   era 2  open → half-open (open time over)
        30.000s   era 3  half-open → open (a probe failed)
        60.000s   era 4  open → half-open (open time over)
        120.000s  era 5  half-open → open (probe lease over)
        150.000s  era 6  open → half-open (open time over)
        150.000s  era 7  half-open → closed (3 probes succeeded)
        150.000s  era 8  closed → open (5 of the last 10 calls failed)
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_call_the_breaker() {
    let (answered, answers) = mpsc::channel();
    let breaker = Arc::new_cyclic(|weak: &std::sync::Weak<CircuitBreaker>| {
        let weak = weak.clone();
        breaker(Config::default()).on_transition(move |_| {
            // On a thread of its own, so that a breaker that holds its lock can be told from one
            // that doesn't. Only in the first case does this wait.
            let breaker = weak.upgrade().expect("the breaker is alive");
            let (done, asked) = mpsc::channel();
            thread::spawn(move || done.send(breaker.state()));
            answered.send(asked.recv_timeout(Duration::from_secs(2)).is_ok()).unwrap();
        })
    });

    fail(&breaker, 5);

    assert_eq!(
        answers.try_recv(),
        Ok(true),
        "a listener that asks for the state gets an answer: deliver events after the lock is released"
    );
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_all_numbers_of_one_instant() {
    let breaker = breaker(Config::default());
    succeed(&breaker, 3);
    fail(&breaker, 2);
    let _running = breaker.try_acquire().unwrap();

    let counts = Counts { admitted: 6, succeeded: 3, failed: 2, ..Counts::default() };
    let expected = Snapshot {
        state: State::Closed,
        era: 0,
        failures_in_a_row: 2,
        window_calls: 5,
        window_failures: 2,
        probes_out: 0,
        retry_after: None,
        counts,
    };
    assert_eq!(breaker.snapshot(), expected, "three successes, two failures, one call running");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_the_way_back() {
    let breaker = tripped(Config::default());
    wait(10 * SECOND).await;
    let open = breaker.snapshot();
    wait(20 * SECOND).await;
    let _probes = admitted(&breaker, 2);
    let half_open = breaker.snapshot();

    assert_eq!(open.retry_after, Some(20 * SECOND), "open: 20 s to go");
    assert_eq!(
        (half_open.state, half_open.probes_out, half_open.retry_after),
        (State::HalfOpen, 2, None),
        "half-open: two probes are out"
    );
}

#[tokio::test(start_paused = true)]
async fn every_call_is_counted_once() {
    let breaker = breaker(Config::default());
    let late = breaker.try_acquire().unwrap();
    let late_and_dropped = breaker.try_acquire().unwrap();
    succeed(&breaker, 2);
    end(&breaker, 3, Outcome::Ignored);
    drop(breaker.try_acquire());
    fail(&breaker, 5);
    assert!(breaker.try_acquire().is_err(), "open");
    late.record(Outcome::Success);
    drop(late_and_dropped);
    wait(OPEN_FOR).await;
    assert_eq!(admitted(&breaker, 5), 3, "three probes are let through, and two callers rejected");
    breaker.reset();

    let expected =
        Counts { admitted: 16, rejected: 3, succeeded: 2, failed: 5, ignored: 4, late: 2 };
    assert_eq!(
        breaker.snapshot().counts,
        expected,
        "2 succeeded, 5 failed, 3 were ignored and 1 dropped, 2 came late (one of them by a drop), 3 \
         probes are still out: 16 admitted. One was rejected while open and 2 while the probes were \
         out. A reset leaves the counts"
    );
}

#[tokio::test(start_paused = true)]
async fn every_listener_hears_every_transition() {
    let (breaker, first) = observed(Config::default());
    let second = Arc::new(Mutex::new(0));
    let count = Arc::clone(&second);
    let breaker = breaker.on_transition(move |_| *count.lock().unwrap() += 1);
    fail(&breaker, 5);
    wait(OPEN_FOR).await;

    breaker.force_open();

    insta::assert_snapshot!(
        first.lock().unwrap(),
        "at 30 s two things happen in one call: the open time is over, and the breaker is forced open",
        @"
        0.000s    era 1  closed → open (5 failures in a row)
        30.000s   era 2  open → half-open (open time over)
        30.000s   era 3  half-open → forced open (forced)
        "
    );
    assert_eq!(*second.lock().unwrap(), 3, "a second listener hears as much as the first");
}

#[tokio::test(start_paused = true)]
async fn forced_open_stays_open_until_it_is_reset() {
    let (breaker, told) = observed(Config::default());
    let running = breaker.try_acquire().unwrap();

    breaker.force_open();
    running.record(Outcome::Success);
    wait(Duration::from_secs(600)).await;
    assert_eq!(
        breaker.try_acquire().unwrap_err(),
        Rejected::ForcedOpen,
        "ten minutes later: no open time ends what an operator has decided"
    );
    breaker.reset();
    succeed(&breaker, 1);

    insta::assert_snapshot!(told.lock().unwrap(), "both are transitions like any other", @"
        0.000s    era 1  closed → forced open (forced)
        600.000s  era 2  forced open → closed (reset)
        "
    );
}

#[tokio::test(start_paused = true)]
async fn reset_closes_and_forgets() {
    let breaker = half_open(super::streak_only()).await;
    let late = breaker.try_acquire().unwrap();

    breaker.reset();
    late.record(Outcome::Failure);
    fail(&breaker, 4);

    assert_eq!(
        breaker.state(),
        State::Closed,
        "a reset is a new era: neither the old streak nor a probe from before it counts"
    );
}
