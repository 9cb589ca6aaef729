//! Step 2: an open breaker rejects at once, without running the operation, and says when to come
//! back. A fallback takes the place of a rejected call.

use std::cell::Cell;

use circuit_breaker::{CallError, Config, Rejected, State};
use tokio::time::{Instant, sleep};

use super::{SECOND, breaker, fail, streak_only, tripped, wait};

#[tokio::test(start_paused = true)]
async fn open_rejects_without_running_the_operation() {
    let breaker = tripped(Config::default());
    let runs = Cell::new(0);

    let operation = || {
        runs.set(runs.get() + 1);
        async { Ok::<_, &str>("fine") }
    };

    for _ in 0..100 {
        let result = breaker.call(operation).await;
        assert!(matches!(result, Err(CallError::Rejected(_))), "got {result:?} while open");
        let result = breaker.call_or_else(operation, |_| "later").await;
        assert_eq!(result, Ok("later"), "with a fallback, a rejection is no error");
    }

    assert_eq!(
        runs.get(),
        0,
        "an open breaker spares the dependency: it doesn't even ask the operation for its future"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rejection_says_when_to_try_again() {
    let breaker = tripped(Config { open_for: 30 * SECOND, ..Config::default() });

    wait(12 * SECOND).await;

    assert_eq!(
        breaker.try_acquire().unwrap_err(),
        Rejected::Open { retry_after: 18 * SECOND },
        "30 s of open time less the 12 s that have passed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_returns_what_the_operation_returns() {
    let breaker = breaker(Config::default());

    let value = breaker.call(|| async { Ok::<_, &str>(42) }).await;
    let error = breaker.call(|| async { Err::<i32, _>("503") }).await;

    assert_eq!(value, Ok(42), "the value passes through");
    assert_eq!(error, Err(CallError::Operation("503")), "and so does the operation's own error");
}

#[tokio::test(start_paused = true)]
async fn call_counts_errors_as_failures_and_values_as_successes() {
    let breaker = breaker(streak_only());
    let run = async |results: &[Result<(), &'static str>]| {
        for result in results {
            let _ = breaker.call(|| async { *result }).await;
        }
    };

    run(&[Err("503"); 4]).await;
    run(&[Ok(())]).await;
    run(&[Err("503"); 4]).await;
    assert_eq!(breaker.state(), State::Closed, "four errors, a success, four errors");
    run(&[Err("503")]).await;

    assert_eq!(breaker.state(), State::Open, "the fifth error in a row");
}

#[tokio::test(start_paused = true)]
async fn the_breaker_is_asked_when_the_call_is_awaited() {
    let breaker = breaker(streak_only());
    let runs = Cell::new(0);
    let operation = || {
        runs.set(runs.get() + 1);
        async { Ok::<_, &str>("fine") }
    };

    let call = breaker.call(operation);
    let with_fallback = breaker.call_or_else(operation, |_| "later");
    fail(&breaker, 5);
    let results = (call.await, with_fallback.await);

    assert!(
        matches!(results, (Err(CallError::Rejected(_)), Ok("later"))) && runs.get() == 0,
        "two calls were made while the breaker was closed, and awaited when it was open. The operation ran \
         {} times, and they returned {results:?}: a future does nothing until it is awaited, and what the \
         breaker said before that is out of date",
        runs.get()
    );
}

#[tokio::test(start_paused = true)]
async fn calls_run_side_by_side() {
    let breaker = breaker(Config::default());
    let begun = Instant::now();
    let call = || {
        breaker.call(|| async {
            sleep(SECOND).await;
            Ok::<_, &str>(())
        })
    };

    let (one, two, three) = tokio::join!(call(), call(), call());

    assert_eq!((one, two, three), (Ok(()), Ok(()), Ok(())), "all three calls succeed");
    assert_eq!(
        begun.elapsed(),
        SECOND,
        "three calls of a second each take a second: no lock is held while an operation runs"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fallback_takes_the_place_of_a_rejected_call() {
    let breaker = tripped(Config::default());
    let fallback = |rejected| format!("queued, because: {rejected}");

    let answer = breaker.call_or_else(|| async { Err::<String, _>("503") }, fallback).await;

    let expected = "queued, because: circuit breaker is open: use a fallback, or try again in 30s";
    assert_eq!(answer, Ok(expected.to_owned()), "the fallback is told why, and its value is used");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_does_not_hide_a_failed_operation() {
    let breaker = breaker(streak_only());
    fail(&breaker, 3);

    let answer = breaker.call_or_else(|| async { Err("503") }, |_| "queued").await;

    assert_eq!(
        answer,
        Err("503"),
        "the operation ran and may have had an effect: only a call that was not made is replaced"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_with_a_fallback_counts_like_any_other() {
    let breaker = breaker(streak_only());
    let run = async |calls: usize, result: Result<&'static str, &'static str>| {
        for _ in 0..calls {
            let answer = breaker.call_or_else(|| async { result }, |_| "queued").await;
            assert_eq!(
                answer, result,
                "the breaker is closed: the operation's answer is the answer"
            );
        }
    };

    run(4, Err("503")).await;
    run(1, Ok("charged")).await;
    run(4, Err("503")).await;
    assert_eq!(
        breaker.state(),
        State::Closed,
        "four errors, a success, four errors: a success that passes through call_or_else ends the \
         streak as well"
    );
    run(1, Err("503")).await;

    assert_eq!(
        breaker.state(),
        State::Open,
        "five errors in a row passed through call_or_else: their results have to reach the breaker \
         too, or a caller with a fallback has no breaker"
    );
}
