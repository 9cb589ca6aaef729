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
    LEASE, OPEN_FOR, SECOND, admitted, breaker, end, fail, half_open, succeed, time_left, tripped,
    wait,
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
    let (breaker, told) = observed(Config { success_threshold: 4, ..Config::default() });

    fail(&breaker, 5);
    wait(OPEN_FOR).await;
    fail(&breaker, 1);
    wait(OPEN_FOR + 5 * SECOND).await;
    let _hung = admitted(&breaker, 3);
    wait(LEASE).await;
    assert!(breaker.try_acquire().is_err(), "the lease is over");
    wait(OPEN_FOR).await;
    succeed(&breaker, 4);
    for _ in 0..5 {
        succeed(&breaker, 1);
        fail(&breaker, 1);
    }

    insta::assert_snapshot!(
        told.lock().unwrap(),
        "an event a transition: what an operator reads at three in the morning. The second open time was over at 60 s, but nobody looked before 65 s",
        @"
        0.000s    era 1  closed → open (5 failures in a row)
        30.000s   era 2  open → half-open (open time over)
        30.000s   era 3  half-open → open (a probe failed)
        65.000s   era 4  open → half-open (open time over)
        125.000s  era 5  half-open → open (probe lease over)
        155.000s  era 6  open → half-open (open time over)
        155.000s  era 7  half-open → closed (4 probes succeeded)
        155.000s  era 8  closed → open (5 of the last 10 calls failed)
        "
    );
}

#[tokio::test(start_paused = true)]
async fn when_both_thresholds_are_reached_the_streak_is_the_cause() {
    let config = Config { failure_threshold: 4, min_calls: 6, window_size: 9, ..Config::default() };
    let (breaker, told) = observed(config);

    succeed(&breaker, 2);
    fail(&breaker, 4);

    insta::assert_snapshot!(
        told.lock().unwrap(),
        "the sixth result is the fourth failure in a row, and makes the rate 4 of 6: of two causes the event names the streak",
        @"0.000s    era 1  closed → open (4 failures in a row)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_transition_is_told_before_the_call_that_caused_it_returns() {
    let slow_call_threshold = Some(SECOND);
    let config = Config { failure_threshold: 1, slow_call_threshold, ..Config::default() };
    let (breaker, told) = observed(config);
    let lines = || told.lock().unwrap().lines().count();
    let mut seen = Vec::new();

    drop({
        let slow = breaker.try_acquire().unwrap();
        wait(SECOND).await;
        slow
    });
    seen.push(("a slow call is dropped", lines()));
    wait(OPEN_FOR).await;
    breaker.state();
    seen.push(("the open time is over, `state` notices", lines()));
    assert_eq!(admitted(&breaker, 1), 1, "a probe is let through, and hangs");
    wait(LEASE).await;
    breaker.snapshot();
    seen.push(("the lease is over, `snapshot` notices", lines()));
    wait(OPEN_FOR).await;
    assert_eq!(admitted(&breaker, 1), 1, "a probe is let through, and hangs");
    seen.push(("the open time is over, a call is let through", lines()));
    wait(LEASE).await;
    assert!(breaker.try_acquire().is_err(), "the lease is over");
    seen.push(("the lease is over, a call is rejected", lines()));

    for (expected, (what, told)) in (1..).zip(seen) {
        assert_eq!(
            told, expected,
            "{what}: {expected} transitions so far, and the listener has been told of {told}. Each way \
             into the breaker can cause a transition, and tells it before it returns"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_call_the_breaker() {
    let (answered, answers) = mpsc::channel();
    let breaker = Arc::new_cyclic(|weak: &std::sync::Weak<CircuitBreaker>| {
        let weak = weak.clone();
        breaker(Config::default()).on_transition(move |transition| {
            if transition.to != State::Open {
                return;
            }
            // On a thread of its own, so that a breaker that holds a lock can be told from one that
            // doesn't. Only in the first case does this wait.
            let breaker = weak.upgrade().expect("the breaker is alive");
            let (done, asked) = mpsc::channel();
            thread::spawn(move || {
                breaker.reset();
                done.send(())
            });
            let in_time = asked.recv_timeout(Duration::from_secs(2)).is_ok();
            answered.send((in_time, thread::current().id())).unwrap();
        })
    });

    fail(&breaker, 5);

    let (in_time, thread) = answers.try_recv().expect(
        "a transition is told before the call that caused it returns, on the caller's thread",
    );
    assert!(
        in_time,
        "the listener called reset, which is a transition and calls the listener again, and got no \
         answer: deliver events with no lock held, neither the core's nor one around the listeners"
    );
    assert_eq!(thread, thread::current().id(), "on the thread that caused the transition");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_all_numbers_of_one_instant() {
    let failure_rate_threshold = 0.9;
    let config =
        Config { window_size: 4, min_calls: 4, failure_rate_threshold, ..Config::default() };
    let breaker = breaker(config);
    fail(&breaker, 1);
    succeed(&breaker, 3);
    fail(&breaker, 2);
    let _running = breaker.try_acquire().unwrap();

    let counts = Counts { admitted: 7, succeeded: 3, failed: 3, ..Counts::default() };
    let expected = Snapshot {
        state: State::Closed,
        era: 0,
        failures_in_a_row: 2,
        window_calls: 4,
        window_failures: 2,
        probes_out: 0,
        retry_after: None,
        counts,
    };
    assert_eq!(
        breaker.snapshot(),
        expected,
        "a failure, three successes, two failures, one call running. The window holds the last four results"
    );
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_the_way_back() {
    let breaker = tripped(Config::default());
    let counts = Counts { admitted: 5, failed: 5, ..Counts::default() };
    let open = Snapshot {
        state: State::Open,
        era: 1,
        failures_in_a_row: 0,
        window_calls: 0,
        window_failures: 0,
        probes_out: 0,
        retry_after: Some(20 * SECOND),
        counts,
    };
    wait(10 * SECOND).await;
    assert_eq!(
        breaker.snapshot(),
        open,
        "open, with 20 s to go; the streak and the window are gone"
    );

    wait(20 * SECOND).await;
    succeed(&breaker, 1);
    let _probes = admitted(&breaker, 2);
    let half_open = Snapshot {
        state: State::HalfOpen,
        era: 2,
        probes_out: 2,
        retry_after: None,
        counts: Counts { admitted: 8, succeeded: 1, ..counts },
        ..open
    };
    assert_eq!(breaker.snapshot(), half_open, "half-open: a probe has succeeded, and two are out");

    breaker.force_open();
    let forced = Snapshot { state: State::ForcedOpen, era: 3, probes_out: 0, ..half_open };
    assert_eq!(breaker.snapshot(), forced, "forced open: nothing is out, and nothing will end it");

    let config = Config { open_jitter: 1.0, ..Config::default() };
    for seed in 0..5 {
        let breaker = CircuitBreaker::seeded(config.clone(), seed).unwrap();
        fail(&breaker, 5);
        assert_eq!(
            breaker.snapshot().retry_after,
            Some(time_left(&breaker)),
            "a snapshot and a rejection in the same instant: both say how much is left of the open time \
             that was drawn"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_a_look_and_time_takes_effect() {
    let breaker = tripped(Config::default());

    wait(OPEN_FOR).await;
    let after_the_open_time = breaker.snapshot();
    assert_eq!(admitted(&breaker, 1), 1, "a probe is let through, and hangs");
    wait(LEASE).await;
    let after_the_lease = breaker.snapshot();

    assert_eq!(
        (after_the_open_time.state, after_the_open_time.retry_after),
        (State::HalfOpen, None),
        "the open time is over. With no caller, a dashboard that reads old numbers shows \"open, 0 s \
         to go\" for hours"
    );
    assert_eq!(
        (after_the_lease.state, after_the_lease.retry_after),
        (State::Open, Some(OPEN_FOR)),
        "the lease of the probe is over, and a snapshot is the first to notice"
    );
}

#[tokio::test(start_paused = true)]
async fn every_call_is_counted_once() {
    const SLOW: Duration = Duration::from_secs(20);
    let breaker = breaker(Config { slow_call_threshold: Some(SLOW), ..Config::default() });
    let late = breaker.try_acquire().unwrap();
    let late_and_dropped = breaker.try_acquire().unwrap();
    let late_and_ignored = breaker.try_acquire().unwrap();
    succeed(&breaker, 2);
    end(&breaker, 3, Outcome::Ignored);
    drop(breaker.try_acquire());
    fail(&breaker, 5);
    assert!(breaker.try_acquire().is_err(), "open");
    let replaced = breaker.call_or_else(|| async { Err("not run") }, |_| "later").await;
    assert_eq!(replaced, Ok("later"), "open");
    wait(OPEN_FOR).await;
    late.record(Outcome::Success);
    drop(late_and_dropped);
    late_and_ignored.record(Outcome::Ignored);
    assert_eq!(admitted(&breaker, 5), 3, "three probes are let through, and two callers rejected");
    breaker.force_open();
    assert!(breaker.try_acquire().is_err(), "forced open");
    breaker.reset();
    let slow = breaker.try_acquire().unwrap();
    wait(SLOW).await;
    slow.record(Outcome::Success);

    let expected =
        Counts { admitted: 18, rejected: 5, succeeded: 2, failed: 6, ignored: 4, late: 3 };
    assert_eq!(
        breaker.snapshot().counts,
        expected,
        "2 succeeded, 5 failed and 1 was slow, 3 were ignored and 1 dropped, 3 came late (and slow; one \
         was dropped, one ignored: late all the same), 3 probes are still out: 18 admitted. 2 were \
         rejected while open (one of them has a fallback), 2 while the probes were out, 1 while forced \
         open. A reset leaves the counts"
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

    let (breaker, told) = observed(Config::default());
    fail(&breaker, 5);
    wait(OPEN_FOR).await;
    breaker.reset();
    insta::assert_snapshot!(
        told.lock().unwrap(),
        "a reset is a look as well: the open time was over, and that comes first",
        @"
        0.000s    era 1  closed → open (5 failures in a row)
        30.000s   era 2  open → half-open (open time over)
        30.000s   era 3  half-open → closed (reset)
        "
    );

    let breaker = tripped(Config::default());
    let late = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&late);
    let breaker = breaker.on_transition(move |told| heard.lock().unwrap().push(told.era));
    wait(OPEN_FOR).await;
    breaker.state();
    assert_eq!(
        *late.lock().unwrap(),
        [2],
        "a listener that was added when the breaker was open hears of era 2, and nothing of era 1: that \
         transition was over, even if there was nobody to tell"
    );
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

    let probing = half_open(Config::default()).await;
    assert_eq!(admitted(&probing, 1), 1, "a probe is let through, and hangs");
    for (state, breaker) in [("open", tripped(Config::default())), ("half-open", probing)] {
        breaker.force_open();
        wait(Duration::from_secs(600)).await;
        assert_eq!(
            breaker.state(),
            State::ForcedOpen,
            "forced open while {state}, ten minutes ago: the open time and the lease belong to the phase \
             that was left"
        );
    }

    insta::assert_snapshot!(told.lock().unwrap(), "both are transitions like any other", @"
        0.000s    era 1  closed → forced open (forced)
        600.000s  era 2  forced open → closed (reset)
        "
    );
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_is_a_transition_in_every_state() {
    let (breaker, told) = observed(Config { half_open_max_calls: 1, ..Config::default() });

    breaker.reset();
    fail(&breaker, 5);
    breaker.force_open();
    breaker.force_open();
    breaker.reset();
    fail(&breaker, 5);
    breaker.reset();

    insta::assert_snapshot!(
        told.lock().unwrap(),
        "an operator who resets or forces a breaker sees it happen, also when the state is the same before and after",
        @"
        0.000s    era 1  closed → closed (reset)
        0.000s    era 2  closed → open (5 failures in a row)
        0.000s    era 3  open → forced open (forced)
        0.000s    era 4  forced open → forced open (forced)
        0.000s    era 5  forced open → closed (reset)
        0.000s    era 6  closed → open (5 failures in a row)
        0.000s    era 7  open → closed (reset)
        "
    );
}

#[tokio::test(start_paused = true)]
async fn reset_closes_and_forgets() {
    let config = Config { min_calls: 6, window_size: 9, ..Config::default() };
    let probing = half_open(config.clone()).await;
    let closed = breaker(config);
    fail(&closed, 4);
    for (state, breaker) in [("half-open", probing), ("closed, with 4 failures", closed)] {
        let late = breaker.try_acquire().unwrap();

        breaker.reset();
        late.record(Outcome::Failure);
        fail(&breaker, 4);

        let now = breaker.snapshot();
        assert_eq!(
            (now.state, now.failures_in_a_row, now.window_calls),
            (State::Closed, 4, 4),
            "reset while {state}: a new era. Neither the old streak, nor the old window, nor a call \
             from before it counts: only the 4 failures since"
        );
    }

    let probing = half_open(Config::default()).await;
    assert_eq!(admitted(&probing, 1), 1, "a probe is let through, and hangs");
    for (state, breaker) in [("open", tripped(Config::default())), ("half-open", probing)] {
        breaker.reset();
        wait(Duration::from_secs(600)).await;
        assert_eq!(
            breaker.state(),
            State::Closed,
            "reset while {state}, ten minutes ago: the open time and the lease belong to the phase that \
             was left"
        );
    }

    let config = Config { open_jitter: 1.0, ..Config::default() };
    let breaker = CircuitBreaker::seeded(config, 7).unwrap();
    let open_times = [0; 2].map(|_| {
        fail(&breaker, 5);
        let open_time = time_left(&breaker);
        breaker.reset();
        open_time
    });
    assert_ne!(
        open_times[0], open_times[1],
        "a breaker opened, was reset, and opened again: each opening draws its own time, so a reset \
         forgets results, not where the generator was"
    );
}
