//! Step 5: a result counts only in the era in which its call began; no call keeps its place for ever.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use circuit_breaker::{CallError, CircuitBreaker, Config, Outcome, State};
use tokio::time::timeout;

use super::{
    Diary, LEASE, MILLISECOND, OPEN_FOR, SECOND, admitted, breaker, fail, half_open, streak_only,
    succeed, time_left, wait,
};

#[tokio::test(start_paused = true)]
async fn a_result_from_an_older_era_changes_nothing() {
    let breaker = breaker(Config::default());
    let late: Vec<_> = (0..4).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker, 5);
    let mut diary = Diary::of(&breaker);

    wait(OPEN_FOR).await;
    diary.note("open time over");
    let probe = breaker.try_acquire().expect("the first probe is admitted");
    let mut late = late.into_iter();
    for call in late.by_ref().take(3) {
        call.record(Outcome::Success);
        diary.note("late success");
    }
    for call in late {
        call.record(Outcome::Failure);
        diary.note("late failure");
    }
    probe.record(Outcome::Failure);
    diary.note("the probe fails");

    insta::assert_snapshot!(
        diary.text,
        "these calls began before the breaker opened: what they saw says nothing about now, only the probe does",
        @"
        30.000s   open time over           half-open
        30.000s   late success             half-open
        30.000s   late success             half-open
        30.000s   late success             half-open
        30.000s   late failure             half-open
        30.000s   the probe fails          open
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_result_does_not_free_a_probes_place() {
    let breaker = breaker(Config { half_open_max_calls: 3, ..Config::default() });
    let late: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker, 5);
    wait(OPEN_FOR).await;
    assert_eq!(admitted(&breaker, 10), 3, "three probes are out");

    drop(late);

    assert_eq!(
        admitted(&breaker, 10),
        0,
        "three calls from before the outage ended, but they held no probe's place: the three probes \
         are still out"
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_result_does_not_touch_the_open_time() {
    let breaker = breaker(Config::default());
    let mut late: Vec<_> = (0..2).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker, 5);
    let mut diary = Diary::of(&breaker);

    wait(10 * SECOND).await;
    late.pop().unwrap().record(Outcome::Failure);
    diary.note("late failure");
    late.pop().unwrap().record(Outcome::Success);
    diary.note("late success");
    wait(20 * SECOND).await;
    let mut probes: Vec<_> = (0..3).filter_map(|_| breaker.try_acquire().ok()).collect();
    diary.note(&format!("{} probes are out", probes.len()));
    let mut end_one = |outcome| probes.pop().into_iter().for_each(|probe| probe.record(outcome));
    end_one(Outcome::Failure);
    diary.note("one fails");
    wait(10 * SECOND).await;
    end_one(Outcome::Success);
    diary.note("another succeeds");
    end_one(Outcome::Failure);
    diary.note("the third fails");
    wait(20 * SECOND).await;
    diary.note("open time over");

    insta::assert_snapshot!(
        diary.text,
        "an open breaker waits for its open time and for nothing else: a result that arrives meanwhile belongs to an earlier era, and neither prolongs the open time nor ends it",
        @"
        10.000s   late failure             open
        10.000s   late success             open
        30.000s   3 probes are out         half-open
        30.000s   one fails                open
        40.000s   another succeeds         open
        40.000s   the third fails          open
        60.000s   open time over           half-open
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_failure_does_not_count_in_the_next_closed_era() {
    let breaker = breaker(Config { failure_threshold: 1, ..streak_only() });
    let late = breaker.try_acquire().expect("closed");
    fail(&breaker, 1);
    wait(OPEN_FOR).await;
    let probe = breaker.try_acquire().expect("the first probe is admitted");
    succeed(&breaker, 3);

    late.record(Outcome::Failure);
    assert_eq!(
        breaker.state(),
        State::Closed,
        "closed then and closed now, but not the same era: compare eras, not states"
    );
    probe.record(Outcome::Failure);
    assert_eq!(
        breaker.state(),
        State::Closed,
        "this probe began half-open, and that era ended when three others closed the breaker"
    );
}

#[tokio::test(start_paused = true)]
async fn an_era_never_comes_back() {
    let open_for = Duration::from_nanos(1);
    let config = Config { failure_threshold: 1, open_for, success_threshold: 1, ..streak_only() };
    let breaker = breaker(config);
    let mut late: Vec<_> = (0..2).map(|_| breaker.try_acquire().unwrap()).collect();

    // Each half-open era begins two transitions after the one before.
    let mut transitions = 0;
    for era in [1 << 8, 1 << 16] {
        while transitions < era {
            fail(&breaker, 1);
            wait(open_for).await;
            transitions += 2;
        }
        let _probe = breaker.try_acquire().expect("there is a place for a probe");
        late.pop().unwrap().record(Outcome::Success);

        assert_eq!(
            breaker.state(),
            State::HalfOpen,
            "a call from the first era ended in half-open, after {era} transitions: a number of so few \
             bits begins again, and then this success is a probe's"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_gives_its_place_back() {
    let breaker = half_open(Config { half_open_max_calls: 1, ..Config::default() }).await;
    let never = || std::future::pending::<Result<&str, &str>>();

    drop(breaker.try_acquire().expect("the first probe is admitted"));
    let dropped = admitted_and_given_back(&breaker);
    let cancelled = timeout(SECOND, breaker.call(never)).await.is_err();
    let after_call = admitted_and_given_back(&breaker);
    let with_fallback = timeout(SECOND, breaker.call_or_else(never, |_| "rejected")).await;
    let after_fallback = admitted_and_given_back(&breaker);

    assert!(dropped, "a permit was dropped without a result: its place must be free again");
    assert!(
        cancelled && after_call,
        "a caller gave up on `call` after a second, and its place is not free: what gives the place \
         back must run when the future is dropped, for the code after an await may never run"
    );
    assert!(
        with_fallback.is_err() && after_fallback,
        "the same with `call_or_else`, which got {with_fallback:?}"
    );
    assert_eq!(breaker.state(), State::HalfOpen, "a call that nobody heard of proves nothing");
}

/// Whether there is a place for a probe, which is given back at once.
fn admitted_and_given_back(breaker: &CircuitBreaker) -> bool {
    breaker.try_acquire().is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_panicking_call_gives_its_place_back() {
    let breaker = half_open(Config { half_open_max_calls: 1, ..Config::default() }).await;
    let breaker = Arc::new(breaker);

    for attempt in ["its first call", "its second call"] {
        let breaker = Arc::clone(&breaker);
        let buggy = async move {
            let bug = || async { resume_unwind(Box::new("a bug in the caller's code")) };
            breaker.call(bug).await as Result<(), CallError<&str>>
        };
        match tokio::spawn(buggy).await {
            Err(died) => assert!(died.is_panic(), "the operation panics, and so does {attempt}"),
            Ok(result) => panic!(
                "{attempt} should run the operation, which panics, but returned {result:?}: the \
                 unwinding of the call before it left its place taken"
            ),
        }
    }

    assert!(breaker.try_acquire().is_ok(), "unwinding dropped the permit: its place is free");
}

#[tokio::test(start_paused = true)]
async fn probes_that_never_return_lose_their_lease() {
    let breaker = half_open(Config { probe_lease: LEASE, ..Config::default() }).await;
    let mut diary = Diary::of(&breaker);

    diary.note(&format!("{} probes hang", admitted(&breaker, 10)));
    for _ in 1..60 {
        wait(SECOND).await;
        assert!(breaker.try_acquire().is_err(), "all places are taken");
    }
    wait(SECOND - MILLISECOND).await;
    diary.note("a millisecond early");
    wait(MILLISECOND).await;
    diary.note("lease over");
    wait(OPEN_FOR).await;
    diary.note(&format!("{} probes hang", admitted(&breaker, 10)));

    insta::assert_snapshot!(
        diary.text,
        "60 s after the last probe was let through, silence is a failure, however many callers were rejected meanwhile",
        @"
        0.000s    3 probes hang            half-open
        59.999s   a millisecond early      half-open
        60.000s   lease over               open
        90.000s   3 probes hang            half-open
        "
    );
}

#[tokio::test(start_paused = true)]
async fn the_lease_runs_from_the_last_probe_while_one_is_out() {
    let config = Config { probe_lease: LEASE, success_threshold: 9, ..Config::default() };
    let breaker = half_open(config).await;
    let mut diary = Diary::of(&breaker);

    succeed(&breaker, 1);
    wait(3600 * SECOND).await;
    diary.note("an hour without probes");
    let _hung = breaker.try_acquire().expect("no probe is out");
    diary.note("a probe");
    wait(40 * SECOND).await;
    let second = breaker.try_acquire().expect("one probe is out");
    let third = breaker.try_acquire().expect("two probes are out");
    diary.note("two more");
    wait(30 * SECOND).await;
    second.record(Outcome::Success);
    diary.note("one succeeds");
    wait(10 * SECOND).await;
    drop(third);
    diary.note("one is cancelled");
    wait(20 * SECOND - MILLISECOND).await;
    diary.note("a millisecond early");
    wait(MILLISECOND).await;
    diary.note("lease over");

    insta::assert_snapshot!(
        diary.text,
        "60 s after the last probe was let through, with one still out, the lease is over. It doesn't run while none is out, a new probe begins it again, and the end of a probe doesn't, however it ends",
        @"
        3600.000s an hour without probes   half-open
        3600.000s a probe                  half-open
        3640.000s two more                 half-open
        3670.000s one succeeds             half-open
        3680.000s one is cancelled         half-open
        3699.999s a millisecond early      half-open
        3700.000s lease over               open
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_after_the_lease_comes_too_late() {
    let config = Config { probe_lease: 7 * SECOND, success_threshold: 1, ..Config::default() };
    let breaker = half_open(config).await;
    let probe = breaker.try_acquire().expect("the first probe is admitted");

    wait(27 * SECOND).await;
    probe.record(Outcome::Success);

    assert_eq!(
        breaker.state(),
        State::Open,
        "the lease, 7 s here, was over when this success arrived, though nobody had looked: time takes effect \
         before the result does"
    );
    assert_eq!(
        time_left(&breaker),
        OPEN_FOR,
        "the lease was over 20 s ago, but the breaker opens now, when it is noticed, and for a whole open \
         time: it has no timer, and nothing happened while nobody looked"
    );
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_exact_however_short() {
    let nano = Duration::from_nanos(1);
    for probe_lease in [Duration::from_nanos(1_500_700), SECOND + nano, nano] {
        let breaker = half_open(Config { probe_lease, ..Config::default() }).await;
        assert_eq!(admitted(&breaker, 1), 1, "a probe is let through, and hangs");

        wait(probe_lease - nano).await;
        let early = breaker.state();
        wait(nano).await;

        assert_eq!(
            (early, breaker.state()),
            (State::HalfOpen, State::Open),
            "a lease of {probe_lease:?}: the states one nanosecond before its end and at its end. A \
             `Duration` isn't whole milliseconds"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_time_after_a_lease_has_its_jitter_too() {
    let config = Config { open_jitter: 0.5, probe_lease: LEASE, ..Config::default() };
    let mut open_times = BTreeSet::new();
    for seed in 0..20 {
        let breaker = CircuitBreaker::seeded(config.clone(), seed).unwrap();
        fail(&breaker, 5);
        wait(2 * OPEN_FOR).await;
        assert_eq!(admitted(&breaker, 1), 1, "a probe is out");
        wait(LEASE).await;
        open_times.insert(time_left(&breaker));
    }

    assert!(
        open_times.len() >= 19 && *open_times.first().unwrap() >= OPEN_FOR,
        "20 instances lost their probes together, and would probe again at only {} different times: \
         each opening draws its time, whatever caused it ({open_times:?})",
        open_times.len()
    );
}
