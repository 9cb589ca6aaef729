//! Step 3: run, wait, run again, and know when to stop.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use backoff::{Config, Jitter, Limits, Retry, Verdict};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::{Instant, timeout};

use super::{MS, SECOND, attempts, backoff, diary, retry, rng};

#[tokio::test(start_paused = true)]
async fn a_success_is_returned_and_ends_it() {
    let answers = [Err("503"), Err("503"), Ok(())];

    let of_five = diary(retry(attempts(5)), 10 * MS, &answers, |_| Verdict::Retry).await;
    let of_any = diary(retry(attempts(u32::MAX)), 10 * MS, &answers, |_| Verdict::Retry).await;

    insta::assert_snapshot!(
        of_five + &of_any,
        "attempts are counted from 1, each begins when the delay after the failure of the one before is over. \
         Below, max_attempts is the largest number that there is, for who wants no limit: it is not below zero, and \
         one more is no panic",
        @"
        0.000s   attempt 1
        0.110s   attempt 2
        0.320s   attempt 3
        0.330s   success
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
        "three attempts have two pauses between them: a third pause makes the caller wait for nothing. (If they took a few microseconds in all: only tokio's clock can be paused, std's `Instant` goes on)",
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

    let answers = [Err("503"), Err("404"), Ok(())];

    let early = diary(retry(attempts(5)), 10 * MS, &answers, classify).await;
    let last = diary(retry(attempts(2)), 10 * MS, &answers, classify).await;

    insta::assert_snapshot!(
        early + &last,
        "a 404 is a 404 the next time as well: a retry costs the server a call and the caller its time. \
         Below, it is the last attempt that meets it, and that is still the reason",
        @r#"
        0.000s   attempt 1
        0.110s   attempt 2
        0.120s   gave up after 2 in 120ms on "404"
                 the error is not worth a retry: handle it
        0.000s   attempt 1
        0.110s   attempt 2
        0.120s   gave up after 2 in 120ms on "404"
                 the error is not worth a retry: handle it
        "#
    );
}

#[tokio::test(start_paused = true)]
async fn classify_is_asked_once_about_each_error() {
    let asked = RefCell::new(Vec::new());
    let answers = [Err("503"), Err("reset"), Err("404")];

    let _ = diary(retry(attempts(3)), MS, &answers, |error| {
        asked.borrow_mut().push(*error);
        Verdict::Retry
    })
    .await;

    assert_eq!(
        asked.into_inner(),
        ["503", "reset", "404"],
        "a classifier may count, or note a Retry-After: it hears of every error once, of the last one too"
    );
}

/// A quarter of the range gets 25 ± 4.3 of 100 pauses (one standard deviation): five of these below
/// are 3.
#[tokio::test(start_paused = true)]
async fn the_pauses_are_drawn_from_the_generator_of_the_caller() {
    let full = Config { base: SECOND, factor: 1, jitter: Jitter::Full, ..Config::default() };
    let retry = Retry::new(backoff(full), attempts(101)).unwrap();
    let pauses = async |seed| {
        let begins = RefCell::new(Vec::new());
        let down = async |_| {
            begins.borrow_mut().push(Instant::now());
            Err::<(), _>("503")
        };
        let _ = retry.run(Xoshiro256PlusPlus::seed_from_u64(seed), down, |_| Verdict::Retry).await;
        let begins = begins.into_inner();
        begins.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };

    let (one, other) = (pauses(1).await, pauses(2).await);

    let quarters = [0, 250, 500, 750].map(|low| {
        one.iter().filter(|pause| (low..low + 250).contains(&pause.as_millis())).count()
    });
    assert!(
        quarters.iter().all(|count| *count >= 3),
        "`run` must sleep for what `Delays` draws: 100 pauses with full jitter up to 1 s should be \
         about 25 in each quarter of it, and are {quarters:?}"
    );
    assert_ne!(
        one, other,
        "another generator, other pauses: `run` must draw from the one it is given"
    );
}

#[tokio::test(start_paused = true)]
async fn the_pauses_of_a_run_are_one_row_of_delays() {
    let (jitter, cap) = (Jitter::Decorrelated, 3_600 * SECOND);
    let decorrelated = Config { base: SECOND, factor: 1, cap, jitter };
    let retry = Retry::new(backoff(decorrelated), attempts(101)).unwrap();
    let begins = RefCell::new(Vec::new());
    let down = async |_| {
        begins.borrow_mut().push(Instant::now());
        Err::<(), _>("503")
    };

    let _ = retry.run(rng(), down, |_| Verdict::Retry).await;

    let mut before = SECOND;
    for pair in begins.into_inner().windows(2) {
        let pause = pair[1] - pair[0];
        assert!(
            (SECOND..=3 * before + MS).contains(&pause),
            "a pause of {pause:?} came after one of {before:?}. With decorrelated jitter each is up to \
             three times the one before, so all pauses of a run come from one `Delays`"
        );
        before = pause;
    }
}

#[tokio::test(start_paused = true)]
async fn no_pause_is_cut_short() {
    let base = Duration::from_micros(100_400);
    let odd = Config { base, factor: 1, jitter: Jitter::None, ..Config::default() };
    let retry = Retry::new(backoff(odd), attempts(2)).unwrap();
    let begun = Instant::now();

    let _ = retry.run(rng(), async |_| Err::<(), _>("503"), |_| Verdict::Retry).await;

    let pause = begun.elapsed();
    assert!(
        (base..=base + MS).contains(&pause),
        "the delay is {base:?}, and the second attempt came after {pause:?}. tokio rounds a sleep up to \
         whole milliseconds; down would be sooner than a server may have asked for"
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_runs_from_the_first_attempt() {
    let limits = Limits { max_attempts: 3, max_total: Some(SECOND) };
    let retry = retry(limits);
    let run = retry.run(rng(), async |_| Err::<(), _>("503"), |_| Verdict::Retry);

    tokio::time::sleep(5 * SECOND).await;
    let end = run.await.expect_err("the operation never succeeds");

    assert_eq!(
        (end.attempts, end.elapsed),
        (3, 300 * MS),
        "the future of `run` was awaited 5 s after it was made. Neither `elapsed` nor `max_total` (1 s) \
         counts the time before the first attempt"
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
        "attempts begin at 0, 100 and 300 ms; the caller left at 500 ms, and a caller that leaves wants no more of them"
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
