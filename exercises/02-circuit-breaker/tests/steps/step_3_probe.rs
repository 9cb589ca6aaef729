//! Step 3: after the open time a few probes find out whether the dependency is well.

use std::collections::BTreeSet;

use circuit_breaker::{CircuitBreaker, Config, Outcome, Rejected, State};
use tokio::runtime::Handle;

use super::{
    Diary, MILLISECOND, OPEN_FOR, SECOND, admitted, fail, half_open, streak_only, succeed, tripped,
    wait,
};

#[tokio::test(start_paused = true)]
async fn half_open_begins_when_the_open_time_is_over() {
    let breaker = tripped(Config::default());
    let mut diary = Diary::of(&breaker);

    diary.note("just opened");
    wait(OPEN_FOR - MILLISECOND).await;
    diary.note("a millisecond early");
    wait(MILLISECOND).await;
    diary.note("open time over");

    insta::assert_snapshot!(
        diary.text,
        "half-open from 30.000 s on, not before and not after. If it never comes: only tokio's clock can be paused, not std's `Instant`",
        @"
        0.000s    just opened              open
        29.999s   a millisecond early      open
        30.000s   open time over           half-open
        "
    );
}

#[tokio::test(start_paused = true)]
async fn half_open_admits_no_more_than_the_probe_limit() {
    let breaker = half_open(Config { half_open_max_calls: 3, ..Config::default() }).await;

    let admitted = admitted(&breaker, 200);

    assert_eq!(
        admitted, 3,
        "half-open is a test with a few calls: while 3 probes are out, every other call is rejected"
    );
    assert_eq!(breaker.try_acquire().unwrap_err(), Rejected::ProbesOut, "and is told so");
}

#[tokio::test(start_paused = true)]
async fn the_probe_limit_holds_between_threads() {
    let breaker = half_open(Config { half_open_max_calls: 3, ..Config::default() }).await;
    let runtime = Handle::current();

    let counts: Vec<usize> = std::thread::scope(|scope| {
        let caller = || {
            let _paused_clock = runtime.enter();
            admitted(&breaker, 25)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(caller)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no caller panics")).collect()
    });

    assert_eq!(
        counts.iter().sum::<usize>(),
        3,
        "8 threads share 3 places: comparing the count and raising it must be one step"
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_ends_makes_room_for_the_next() {
    let breaker = half_open(Config { half_open_max_calls: 1, ..Config::default() }).await;

    let probe = breaker.try_acquire().expect("the first probe is admitted");
    assert!(breaker.try_acquire().is_err(), "the only place is taken");
    probe.record(Outcome::Success);

    assert!(
        breaker.try_acquire().is_ok(),
        "the limit is on probes that are out at once: a count that only goes up admits too few"
    );
}

#[tokio::test(start_paused = true)]
async fn enough_successes_close_it_and_one_failure_reopens_it() {
    let breaker = tripped(Config { success_threshold: 3, ..Config::default() });
    let mut diary = Diary::of(&breaker);

    wait(OPEN_FOR).await;
    succeed(&breaker, 2);
    diary.note("two probes succeed");
    fail(&breaker, 1);
    diary.note("the third fails");
    wait(OPEN_FOR - MILLISECOND).await;
    diary.note("a millisecond early");
    wait(MILLISECOND).await;
    succeed(&breaker, 2);
    diary.note("two probes succeed");
    succeed(&breaker, 1);
    diary.note("the third succeeds");

    insta::assert_snapshot!(
        diary.text,
        "the third success closes it at once; a failed probe opens it for the full open time, and the successes before it count no more",
        @"
        30.000s   two probes succeed       half-open
        30.000s   the third fails          open
        59.999s   a millisecond early      open
        60.000s   two probes succeed       half-open
        60.000s   the third succeeds       closed
        "
    );
}

#[tokio::test(start_paused = true)]
async fn closing_forgets_the_failures_from_before() {
    let breaker = half_open(streak_only()).await;
    succeed(&breaker, 3);

    fail(&breaker, 4);

    assert_eq!(breaker.state(), State::Closed, "a closed breaker starts with a clean slate");
}

#[tokio::test(start_paused = true)]
async fn rejected_calls_do_not_prolong_the_open_time() {
    let breaker = tripped(Config::default());

    for second in 1..30 {
        wait(SECOND).await;
        assert!(breaker.try_acquire().is_err(), "open after {second} s");
    }
    wait(SECOND).await;

    assert_eq!(
        breaker.state(),
        State::HalfOpen,
        "the open time runs from the failure that opened the breaker; clients that keep knocking \
         must not keep it open"
    );
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_the_open_times_of_many_instances() {
    let config = Config { failure_threshold: 1, open_jitter: 0.5, ..Config::default() };
    let instances: Vec<CircuitBreaker> =
        (0..50).map(|seed| CircuitBreaker::seeded(config.clone(), seed).unwrap()).collect();

    let mut open_times = BTreeSet::new();
    for _ in 0..2 {
        for breaker in &instances {
            fail(breaker, 1);
            match breaker.try_acquire().unwrap_err() {
                Rejected::Open { retry_after } => open_times.insert(retry_after),
                other => panic!("an instance that has just opened says: {other}"),
            };
        }
        wait(2 * OPEN_FOR).await;
    }

    let (shortest, longest) = (*open_times.first().unwrap(), *open_times.last().unwrap());
    assert!(
        shortest >= OPEN_FOR && longest <= OPEN_FOR.mul_f64(1.5),
        "a jitter of 0.5 lengthens 30 s to at most 45 s, but these are {shortest:?} to {longest:?}"
    );
    assert!(
        open_times.len() >= 99 && longest - shortest > 12 * SECOND,
        "50 instances open together, twice: each draws a time of its own, each time. There are only \
         {} different times in 100, from {shortest:?} to {longest:?}",
        open_times.len()
    );
}
