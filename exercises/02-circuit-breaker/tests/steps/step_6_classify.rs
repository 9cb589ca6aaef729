//! Step 6: not every error speaks against the dependency, and not every success for it.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use circuit_breaker::{CallError, CircuitBreaker, Config, Outcome, State};
use tokio::time::{sleep, timeout};

use super::{
    MILLISECOND, SECOND, admitted, breaker, end, fail, half_open, rate_only, streak_only, tripped,
    wait,
};

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
async fn an_error_that_the_caller_caused_is_a_success_of_the_dependency() {
    let closed = breaker(streak_only());
    answer(&closed, 4, 503).await;
    answer(&closed, 1, 404).await;
    answer(&closed, 4, 503).await;
    assert_eq!(
        closed.state(),
        State::Closed,
        "a 404 is a good answer to a bad question: it ends the streak like any success"
    );

    let config = Config { half_open_max_calls: 2, success_threshold: 4, ..Config::default() };
    let probing = half_open(config).await;
    answer(&probing, 3, 404).await;
    assert_eq!(probing.state(), State::HalfOpen, "three of four successes");
    answer(&probing, 1, 404).await;
    assert_eq!(
        probing.state(),
        State::Closed,
        "four probes were answered, and the classifier calls each a success: the breaker counts what \
         the classifier says, not whether the result is `Ok`"
    );
}

#[tokio::test(start_paused = true)]
async fn the_classifier_can_call_an_error_or_a_value_a_failure() {
    let by_error = breaker(streak_only());
    answer(&by_error, 5, 503).await;
    assert_eq!(by_error.state(), State::Open, "five times 503, in a row");

    let by_value = breaker(streak_only());
    let is_stale = |page: &Result<&str, u16>| match page {
        Ok("stale") => Outcome::Failure,
        _ => Outcome::Success,
    };
    for _ in 0..5 {
        let page = by_value.call_classified(|| async { Ok("stale") }, is_stale).await;
        assert_eq!(page, Ok("stale"), "the caller gets the value, whatever it is taken for");
    }
    assert_eq!(
        by_value.state(),
        State::Open,
        "five values that the classifier calls failures: it judges values as well as errors"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rejected_call_is_neither_run_nor_classified() {
    let breaker = tripped(Config::default());
    let asked = Cell::new("");

    let result = breaker
        .call_classified(
            || {
                asked.set("the operation");
                async { Ok::<_, u16>("fine") }
            },
            |result| {
                asked.set("the classifier");
                classify(result)
            },
        )
        .await;

    assert!(matches!(result, Err(CallError::Rejected(_))), "got {result:?} while open");
    assert_eq!(
        asked.get(),
        "",
        "the breaker is open: there is nothing to run and no result to judge"
    );
}

#[tokio::test(start_paused = true)]
async fn operations_classifiers_and_fallbacks_may_call_the_breaker() {
    let breaker = Arc::new(breaker(streak_only()));
    // On a thread of its own, so that a breaker that holds its lock meanwhile can be told from one
    // that doesn't. Only in the first case does this wait.
    let ask = |who| {
        let (done, asked) = mpsc::channel();
        let breaker = Arc::clone(&breaker);
        thread::spawn(move || done.send(breaker.state()));
        assert!(
            asked.recv_timeout(2 * SECOND).is_ok(),
            "the {who} asked the breaker for its state, and got no answer: no caller's code runs while \
             the lock is held"
        );
    };

    let operation = || {
        ask("operation");
        async { Err(503) }
    };
    let classify = |_: &Result<(), u16>| {
        ask("classifier");
        Outcome::Failure
    };
    let result = breaker.call_classified(operation, classify).await;
    assert_eq!(result, Err(CallError::Operation(503)), "the operation's error");

    fail(&breaker, 4);
    let result = breaker.call_or_else(|| async { Err(503) }, |_| ask("fallback")).await;
    assert_eq!(result, Ok(()), "the breaker is open, and the fallback's value is used");
}

#[tokio::test(start_paused = true)]
async fn a_classified_call_that_panics_or_is_cancelled_gives_its_place_back() {
    let breaker = half_open(Config { half_open_max_calls: 1, ..Config::default() }).await;
    let breaker = Arc::new(breaker);

    let caller = Arc::clone(&breaker);
    let call = async move {
        let bug = |_: &Result<(), u16>| resume_unwind(Box::new("a bug in the classifier"));
        caller.call_classified(|| async { Ok(()) }, bug).await
    };
    let died = tokio::spawn(call).await.is_err();

    assert!(died, "the classifier panics, and so does the call");
    assert!(
        breaker.try_acquire().is_ok(),
        "the permit must be alive until the classifier has spoken, so that unwinding gives its place back"
    );

    let never = || std::future::pending::<Result<&str, u16>>();
    let cancelled = timeout(SECOND, breaker.call_classified(never, classify)).await.is_err();
    assert!(
        cancelled && breaker.try_acquire().is_ok(),
        "a caller gave up on `call_classified` after a second: its place must be free again, as after `call`"
    );
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
    let config = Config { half_open_max_calls: 3, success_threshold: 2, ..Config::default() };
    let breaker = half_open(config.clone()).await;
    answer(&breaker, 10, 429).await;
    assert_eq!(breaker.state(), State::HalfOpen, "ten probes, and nothing learned");
    assert_eq!(admitted(&breaker, 10), 3, "all three places are free again");

    let breaker = half_open(config).await;
    answer(&breaker, 1, 404).await;
    answer(&breaker, 1, 429).await;
    drop(breaker.try_acquire().expect("there is a place"));
    answer(&breaker, 1, 404).await;
    assert_eq!(
        breaker.state(),
        State::Closed,
        "two probes succeeded. Between them one was ignored and one cancelled: that gives two places \
         back, and is all. The first success still counts"
    );
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

    let nano = Duration::from_nanos(1);
    for slow in [Duration::from_nanos(1_500_700), SECOND + nano, nano] {
        let slow_call_threshold = Some(slow);
        let config = Config { failure_threshold: 1, slow_call_threshold, ..streak_only() };
        let mut seen = Vec::new();
        for time in [slow - nano, slow] {
            let breaker = super::breaker(config.clone());
            let call = breaker.try_acquire().expect("closed");
            wait(time).await;
            call.record(Outcome::Success);
            seen.push(breaker.state());
        }
        assert_eq!(
            seen,
            [State::Closed, State::Open],
            "a threshold of {slow:?}: the states after a call that took a nanosecond less, and after one \
             that took so long. A `Duration` isn't whole milliseconds, nor a float of seconds"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn slow_calls_enter_the_window_as_failures() {
    let slow = Config { slow_call_threshold: Some(2 * SECOND), ..rate_only() };
    let after_four_calls_of_an_hour = async |config, outcome: Option<Outcome>| {
        let breaker = breaker(config);
        for _ in 0..4 {
            let permit = breaker.try_acquire().expect("fewer than min_calls results so far");
            wait(3600 * SECOND).await;
            match outcome {
                Some(outcome) => permit.record(outcome),
                None => drop(permit),
            }
        }
        breaker.state()
    };

    assert_eq!(
        after_four_calls_of_an_hour(slow.clone(), Some(Outcome::Success)).await,
        State::Open,
        "4 of 4 calls were slow: they are failures in the window as well as in the streak"
    );
    assert_eq!(
        after_four_calls_of_an_hour(slow, None).await,
        State::Open,
        "4 of 4 calls were given up when they were slow already: the same"
    );
    assert_eq!(
        after_four_calls_of_an_hour(rate_only(), Some(Outcome::Success)).await,
        State::Closed,
        "without a slow_call_threshold no call is slow, however long it takes"
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
    let config = Config { slow_call_threshold: Some(SECOND), ..streak_only() };
    let ignore_slowly = async |breaker: &CircuitBreaker| {
        let permit = breaker.try_acquire().expect("this call is let through");
        wait(10 * SECOND).await;
        permit.record(Outcome::Ignored);
        breaker.state()
    };

    let closed = breaker(config.clone());
    fail(&closed, 4);
    assert_eq!(ignore_slowly(&closed).await, State::Closed, "the classifier has the last word");
    let probing = half_open(config).await;
    assert_eq!(ignore_slowly(&probing).await, State::HalfOpen, "on a probe as well");
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_is_a_failed_one() {
    let config = Config { slow_call_threshold: Some(2 * SECOND), ..Config::default() };
    for outcome in [Some(Outcome::Success), None] {
        let breaker = half_open(config.clone()).await;
        let probe = breaker.try_acquire().expect("the first probe is admitted");
        wait(2 * SECOND).await;
        match outcome {
            Some(outcome) => probe.record(outcome),
            None => drop(probe),
        }

        assert_eq!(
            breaker.state(),
            State::Open,
            "a probe took 2 s, and then ended with {outcome:?} (None: it was dropped). Slow is slow in \
             every state: callers that time out must not keep a breaker half-open for ever"
        );
    }

    let breaker = Arc::new(half_open(config).await);
    let caller = Arc::clone(&breaker);
    let call = async move {
        let bug = || async {
            sleep(2 * SECOND).await;
            resume_unwind(Box::new("a bug in the caller's code"))
        };
        caller.call(bug).await as Result<(), CallError<u16>>
    };
    let died = tokio::spawn(call).await.is_err();
    assert_eq!(
        (died, breaker.state()),
        (true, State::Open),
        "a probe took 2 s, and then panicked: dropped by unwinding is dropped, and slow is slow"
    );
}
