//! Step 3: run, wait, run again, and know when to stop.

use std::cell::Cell;

use backoff::{Limits, Verdict};
use tokio::time::{Instant, timeout};

use super::{MS, SECOND, attempts, diary, retry, rng};

#[tokio::test(start_paused = true)]
async fn a_success_is_returned_and_ends_it() {
    let diary =
        diary(retry(attempts(5)), 10 * MS, &[Err("503"), Err("503"), Ok(())], |_| Verdict::Retry)
            .await;

    insta::assert_snapshot!(
        diary,
        "attempts are counted from 1, each begins when the delay after the failure of the one before is over",
        @"
        0.000s   attempt 1
        0.110s   attempt 2
        0.320s   attempt 3
        0.330s   success
        "
    );
}

#[tokio::test(start_paused = true)]
async fn there_is_no_sleep_after_the_last_attempt() {
    let diary = diary(retry(Limits::default()), 10 * MS, &[Err("503")], |_| Verdict::Retry).await;

    insta::assert_snapshot!(
        diary,
        "three attempts have two pauses between them: a third pause makes the caller wait for nothing",
        @r#"
        0.000s   attempt 1
        0.110s   attempt 2
        0.320s   attempt 3
        0.330s   gave up after 3 in 330ms on "503"
                 every attempt failed: use a fallback, or try much later
        "#
    );
}

#[tokio::test(start_paused = true)]
async fn max_attempts_of_one_means_no_retry() {
    let diary = diary(retry(attempts(1)), 10 * MS, &[Err("503"), Ok(())], |_| Verdict::Retry).await;

    insta::assert_snapshot!(
        diary,
        "max_attempts counts attempts, the first included, and not retries",
        @r#"
        0.000s   attempt 1
        0.010s   gave up after 1 in 10ms on "503"
                 every attempt failed: use a fallback, or try much later
        "#
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_not_worth_it_is_returned_at_once() {
    let classify = |error: &&str| if *error == "503" { Verdict::Retry } else { Verdict::Stop };

    let diary =
        diary(retry(attempts(5)), 10 * MS, &[Err("503"), Err("404"), Ok(())], classify).await;

    insta::assert_snapshot!(
        diary,
        "a 404 is a 404 the next time as well: a retry costs the server a call and the caller its time",
        @r#"
        0.000s   attempt 1
        0.110s   attempt 2
        0.120s   gave up after 2 in 120ms on "404"
                 the error is not worth a retry: handle it
        "#
    );
}

#[tokio::test(start_paused = true)]
async fn the_message_says_what_happened_and_what_to_do() {
    let error = retry(Limits::default())
        .run(rng(), async |_| Err::<(), _>("connection refused"), |_| Verdict::Retry)
        .await
        .expect_err("the operation never succeeds");

    insta::assert_snapshot!(
        error,
        "a log line must tell three failures from one, and a slow end from a quick one",
        @"every attempt failed: use a fallback, or try much later (attempts: 3, in 300ms; the last error: connection refused)"
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_it_stops_the_retries() {
    let begun = Cell::new(0);
    let operation = async |attempt| {
        begun.set(attempt);
        Err::<(), _>("503")
    };
    let retry = retry(attempts(1_000));

    let cancelled = timeout(500 * MS, retry.run(rng(), operation, |_| Verdict::Retry)).await;
    tokio::time::sleep(600 * SECOND).await;

    assert!(cancelled.is_err(), "1,000 attempts are not over after 500 ms");
    assert_eq!(
        begun.get(),
        3,
        "attempts begin at 0, 100 and 300 ms; the caller left at 500 ms, and whoever leaves wants no more of them"
    );
}

#[tokio::test(start_paused = true)]
async fn each_run_begins_with_the_first_delay() {
    let retry = retry(Limits::default());
    let down = async |_| Err::<(), _>("503");
    let begun = Instant::now();

    for _ in 0..2 {
        let _ = retry.run(rng(), down, |_| Verdict::Retry).await;
    }

    assert_eq!(
        begun.elapsed(),
        600 * MS,
        "twice 100 + 200 ms: the delays belong to one operation, and the next begins afresh"
    );
}
