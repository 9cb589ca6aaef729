//! Step 6: not every error speaks against the dependency, and not every success for it.

use std::time::Duration;

use circuit_breaker::{CallError, CircuitBreaker, Config, Outcome, State};
use tokio::time::{sleep, timeout};

use super::{MILLISECOND, SECOND, admitted, breaker, end, fail, half_open, rate_only, streak_only};

/// As one would for HTTP: the server's fault, the caller's fault, and neither's.
fn classify(result: &Result<&str, u16>) -> Outcome {
    match result {
        Err(429) => Outcome::Ignored,
        Ok(_) | Err(400..=499) => Outcome::Success,
        Err(_) => Outcome::Failure,
    }
}

async fn answer(breaker: &CircuitBreaker, calls: usize, status: u16) {
    for _ in 0..calls {
        let result = breaker.call_classified(|| async { Err(status) }, classify).await;
        assert_eq!(result, Err(CallError::Operation(status)), "the error reaches the caller");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_the_callers_fault_is_a_success_of_the_dependency() {
    let breaker = breaker(streak_only());

    answer(&breaker, 4, 503).await;
    answer(&breaker, 1, 404).await;
    answer(&breaker, 4, 503).await;

    assert_eq!(
        breaker.state(),
        State::Closed,
        "a 404 is a good answer to a bad question: it ends the streak like any success"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_dependency_is_a_failure() {
    let breaker = breaker(streak_only());

    answer(&breaker, 5, 503).await;

    assert_eq!(breaker.state(), State::Open, "five times 503, in a row");
}

#[tokio::test(start_paused = true)]
async fn an_ignored_result_neither_breaks_a_streak_nor_dilutes_the_rate() {
    let by_streak = breaker(streak_only());
    answer(&by_streak, 4, 503).await;
    answer(&by_streak, 100, 429).await;
    fail(&by_streak, 1);
    assert_eq!(by_streak.state(), State::Open, "the streak goes on over results that are ignored");

    let by_rate = breaker(rate_only());
    end(&by_rate, 5, Outcome::Success);
    answer(&by_rate, 100, 429).await;
    fail(&by_rate, 5);
    assert_eq!(by_rate.state(), State::Open, "5 of the 10 results that count are failures");
}

#[tokio::test(start_paused = true)]
async fn an_ignored_probe_gives_its_place_back_and_proves_nothing() {
    let breaker = half_open(Config { half_open_max_calls: 3, ..Config::default() }).await;

    answer(&breaker, 10, 429).await;

    assert_eq!(breaker.state(), State::HalfOpen, "ten probes, and nothing learned");
    assert_eq!(admitted(&breaker, 10), 3, "all three places are free again");
}

#[tokio::test(start_paused = true)]
async fn a_slow_success_counts_as_a_failure() {
    let slow = 2 * SECOND;
    let breaker = breaker(Config { slow_call_threshold: Some(slow), ..streak_only() });
    let answer_in = async |time: Duration| {
        let operation = || async {
            sleep(time).await;
            Ok::<_, u16>("at last")
        };
        assert_eq!(breaker.call(operation).await, Ok("at last"), "the caller gets its value");
    };

    for _ in 0..10 {
        answer_in(slow - MILLISECOND).await;
    }
    assert_eq!(breaker.state(), State::Closed, "1.999 s is not slow when 2 s is");
    for _ in 0..5 {
        answer_in(slow).await;
    }

    assert_eq!(
        breaker.state(),
        State::Open,
        "five answers took 2 s each: callers that wait are callers that pile up"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_that_the_caller_gave_up_counts_as_a_failure() {
    let slow = 2 * SECOND;
    let breaker = breaker(Config { slow_call_threshold: Some(slow), ..streak_only() });
    let give_up_after = async |time: Duration| {
        let never = || std::future::pending::<Result<(), u16>>();
        assert!(timeout(time, breaker.call(never)).await.is_err(), "nothing comes, ever");
    };

    for _ in 0..10 {
        give_up_after(slow - MILLISECOND).await;
    }
    assert_eq!(breaker.state(), State::Closed, "giving up early says nothing about the dependency");
    for _ in 0..5 {
        give_up_after(slow).await;
    }

    assert_eq!(
        breaker.state(),
        State::Open,
        "behind callers that time out or hedge, a dead dependency yields nothing but cancellations: \
         a breaker that ignores them all never opens"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_ignored_in_so_many_words_is_ignored_even_when_slow() {
    let breaker = breaker(Config { slow_call_threshold: Some(SECOND), ..streak_only() });
    fail(&breaker, 4);

    let permit = breaker.try_acquire().expect("closed");
    super::wait(10 * SECOND).await;
    permit.record(Outcome::Ignored);

    assert_eq!(breaker.state(), State::Closed, "the classifier has the last word");
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_is_a_failed_one() {
    let config = Config { slow_call_threshold: Some(2 * SECOND), ..Config::default() };
    let breaker = half_open(config).await;

    let probe = breaker.try_acquire().expect("the first probe is admitted");
    super::wait(2 * SECOND).await;
    probe.record(Outcome::Success);

    assert_eq!(breaker.state(), State::Open, "slow is slow, whatever state the breaker is in");
}
