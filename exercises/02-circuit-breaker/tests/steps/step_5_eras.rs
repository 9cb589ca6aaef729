//! Step 5: a result counts only in the era in which its call began; no call keeps its place for ever.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use circuit_breaker::{Config, Outcome, State};
use tokio::time::timeout;

use super::{
    Diary, LEASE, MILLISECOND, OPEN_FOR, SECOND, admitted, breaker, fail, half_open, streak_only,
    succeed, wait,
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
async fn a_dropped_permit_gives_its_place_back() {
    let breaker = half_open(Config { half_open_max_calls: 1, ..Config::default() }).await;

    for attempt in 1..=10 {
        let permit = breaker.try_acquire();
        assert!(permit.is_ok(), "attempt {attempt}: the permit before this one was dropped");
    }

    assert_eq!(breaker.state(), State::HalfOpen, "a call that nobody heard of proves nothing");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_gives_its_place_back() {
    let breaker = half_open(Config { half_open_max_calls: 1, ..Config::default() }).await;

    let never = || std::future::pending::<Result<(), &str>>();
    let cancelled = timeout(SECOND, breaker.call(never)).await;

    assert!(cancelled.is_err(), "the caller gave up after a second");
    assert!(
        breaker.try_acquire().is_ok(),
        "its future was dropped: whatever gives the place back must run in `drop`, for the code \
         after an await may never run"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panicking_call_gives_its_place_back() {
    let breaker = half_open(Config { half_open_max_calls: 1, ..Config::default() }).await;

    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _permit = breaker.try_acquire().expect("the first probe is admitted");
        resume_unwind(Box::new("a bug in the caller's code"));
    }));

    assert!(caught.is_err(), "the call panicked");
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
async fn the_lease_runs_only_while_a_probe_is_out() {
    let breaker = half_open(Config { probe_lease: LEASE, ..Config::default() }).await;
    succeed(&breaker, 1);

    wait(Duration::from_secs(3600)).await;
    assert_eq!(
        breaker.state(),
        State::HalfOpen,
        "an hour without a caller is no failure: the next caller is a probe"
    );
    let _probe = breaker.try_acquire().expect("no probe is out");
    wait(LEASE - MILLISECOND).await;

    assert_eq!(
        breaker.state(),
        State::HalfOpen,
        "the lease runs from this probe, not from earlier"
    );
}
