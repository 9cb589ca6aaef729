//! Step 3: after the open time a few probes find out whether the dependency is well.

use std::collections::BTreeSet;

use std::time::Duration;

use circuit_breaker::{CallError, CircuitBreaker, Config, Outcome, Rejected, State};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{
    Diary, MILLISECOND, OPEN_FOR, SECOND, admitted, fail, half_open, streak_only, succeed,
    time_left, tripped, wait,
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
async fn a_call_that_finds_no_place_is_not_made_either() {
    let breaker = half_open(Config { half_open_max_calls: 2, ..Config::default() }).await;
    assert_eq!(admitted(&breaker, 5), 2, "two probes are out");
    let operation = || async { Ok::<_, &str>("the operation ran".to_owned()) };

    let call = breaker.call(operation).await;
    let with_fallback = breaker.call_or_else(operation, |why| format!("{why:?}")).await;

    assert_eq!(
        (call, with_fallback),
        (Err(CallError::Rejected(Rejected::ProbesOut)), Ok("ProbesOut".to_owned())),
        "`call` and `call_or_else` meet a half-open breaker whose places are taken: a rejection is a \
         rejection, whatever its reason. The operation isn't run, and the fallback is told why"
    );
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
    let config = Config { half_open_max_calls: 3, success_threshold: 5, ..Config::default() };
    let breaker = half_open(config).await;

    let probe = breaker.try_acquire().expect("the first probe is admitted");
    assert_eq!(admitted(&breaker, 10), 2, "with the first, three probes are out");
    probe.record(Outcome::Success);

    assert_eq!(
        admitted(&breaker, 10),
        1,
        "one of three probes ended, so there is room for one: the limit is on probes that are out at \
         once. A count that only goes up admits none, one that goes down twice admits two"
    );
}

#[tokio::test(start_paused = true)]
async fn the_open_time_is_exact_however_short() {
    let nano = Duration::from_nanos(1);
    for open_for in [Duration::from_nanos(1_500_700), SECOND + nano, nano] {
        let breaker = tripped(Config { open_for, ..Config::default() });

        let promised = time_left(&breaker);
        wait(open_for - nano).await;
        let early = breaker.state();
        wait(nano).await;

        assert_eq!(
            (promised, early, breaker.state()),
            (open_for, State::Open, State::HalfOpen),
            "an open time of {open_for:?}: what is promised when it begins, and the states one \
             nanosecond before its end and at its end. A `Duration` isn't whole milliseconds"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn enough_successes_close_it_and_one_failure_reopens_it() {
    let config = Config { half_open_max_calls: 2, success_threshold: 4, ..Config::default() };
    let breaker = tripped(config);
    let mut diary = Diary::of(&breaker);

    wait(OPEN_FOR).await;
    succeed(&breaker, 3);
    diary.note("three probes succeed");
    assert_eq!(admitted(&breaker, 1), 1, "another probe is let through, and is still out");
    fail(&breaker, 1);
    diary.note("the fourth fails");
    wait(OPEN_FOR - MILLISECOND).await;
    diary.note("a millisecond early");
    wait(MILLISECOND).await;
    succeed(&breaker, 3);
    diary.note("three probes succeed");
    succeed(&breaker, 1);
    diary.note("the fourth succeeds");

    insta::assert_snapshot!(
        diary.text,
        "success_threshold is 4 (half_open_max_calls is 2): the fourth success closes it at once; a failed probe opens it at once, whatever became of the others, for the same open time again, and the successes before it count no more",
        @"
        30.000s   three probes succeed     half-open
        30.000s   the fourth fails         open
        59.999s   a millisecond early      open
        60.000s   three probes succeed     half-open
        60.000s   the fourth succeeds      closed
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
async fn a_rejection_knows_the_open_time_that_was_drawn() {
    let config = Config { failure_threshold: 1, open_jitter: 1.0, ..Config::default() };
    for seed in 0..20 {
        let breaker = CircuitBreaker::seeded(config.clone(), seed).unwrap();
        fail(&breaker, 1);

        let promised = time_left(&breaker);
        wait(promised - MILLISECOND).await;
        let early = breaker.state();
        wait(2 * MILLISECOND).await;

        assert_eq!(
            (early, breaker.state()),
            (State::Open, State::HalfOpen),
            "the breaker said that it would probe in {promised:?}; this is its state a millisecond \
             before and after. retry_after counts down the open time that was drawn, not `open_for`"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_draws_the_same_open_times() {
    let config = Config { failure_threshold: 1, open_jitter: 1.0, ..Config::default() };
    let three_open_times = async |seed| {
        let breaker = CircuitBreaker::seeded(config.clone(), seed).unwrap();
        let mut times = Vec::new();
        for _ in 0..3 {
            fail(&breaker, 1);
            times.push(time_left(&breaker));
            wait(2 * OPEN_FOR).await;
        }
        times
    };

    let (first, again) = (three_open_times(7).await, three_open_times(7).await);

    assert_eq!(
        first, again,
        "two breakers that are seeded with 7: a simulation can be repeated only if all chance comes \
         from the generator that the seed made"
    );
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_the_open_times_of_many_instances() {
    let config = Config { failure_threshold: 1, open_jitter: 0.8, ..Config::default() };
    let instances: Vec<CircuitBreaker> =
        (0..50).map(|seed| CircuitBreaker::seeded(config.clone(), seed).unwrap()).collect();

    let mut open_times = open_together(&instances).await;
    open_times.extend(open_together(&instances).await);

    let (shortest, longest) = (*open_times.first().unwrap(), *open_times.last().unwrap());
    assert!(
        shortest >= OPEN_FOR && longest <= OPEN_FOR.mul_f64(1.8) + STEP,
        "a jitter of 0.8 lengthens 30 s to at most 54 s, but these breakers were open for \
         {shortest:?} to {longest:?}"
    );
    assert!(
        open_times.len() >= 85,
        "50 instances opened together, twice, and each opening draws a time of its own, but of the 100 \
         times only {} are different, from {shortest:?} to {longest:?}",
        open_times.len()
    );
    assert!(
        longest - shortest > 20 * SECOND,
        "with a jitter of 0.8, 100 open times spread over most of 30 to 54 s, but these are between \
         {shortest:?} and {longest:?}: the share is drawn from 0 to open_jitter"
    );

    let unseeded: BTreeSet<Duration> =
        (0..20).map(|_| time_left(&tripped(config.clone()))).collect();
    assert!(
        unseeded.len() >= 19,
        "20 breakers that `new` made drew only {} open times: its generator is seeded by the operating \
         system, or all instances of a service have the same luck",
        unseeded.len()
    );
}

const STEP: Duration = Duration::from_millis(10);

/// Opens all of them in one instant, and looks every 10 ms which have begun to probe.
async fn open_together(instances: &[CircuitBreaker]) -> BTreeSet<Duration> {
    let opened = Instant::now();
    for breaker in instances {
        fail(breaker, 1);
    }
    let mut open: Vec<_> = instances.iter().collect();
    let mut open_times = BTreeSet::new();
    while !open.is_empty() && opened.elapsed() < 2 * OPEN_FOR {
        wait(STEP).await;
        open.retain(|breaker| {
            let still_open = breaker.state() == State::Open;
            if !still_open {
                open_times.insert(opened.elapsed());
            }
            still_open
        });
    }
    open_times
}
