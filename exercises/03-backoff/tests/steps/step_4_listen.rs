//! Step 4: the server may ask for time, and the caller has only so much of it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use backoff::{Config, Jitter, Limits, Retry, Verdict, Why, retry_after};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::{Instant, timeout};

use super::{MS, SECOND, attempts, diary, jittered, retry, rng};

/// Sun, 06 Nov 1994 08:49:37 GMT: the example of RFC 9110.
fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

#[tokio::test(start_paused = true)]
async fn what_the_server_asks_for_is_added_to_the_own_delay_and_never_shortens_it() {
    let retry = retry(Limits::default());

    let five = diary(retry, 10 * MS, &[Err("429")], |_| Verdict::RetryAfter(5 * SECOND)).await;
    let short = diary(retry, 10 * MS, &[Err("429")], |_| Verdict::RetryAfter(50 * MS)).await;
    let none = diary(retry, 10 * MS, &[Err("429")], |_| Verdict::RetryAfter(Duration::ZERO)).await;

    insta::assert_snapshot!(
        five + &short + &none,
        "first 5 s each time because the server asks for them, and the own 100 and 200 ms on top; then 50 ms, \
         and the whole own delay on top; last, it asks for none, and what remains must be the own delay, not a \
         busy loop",
        @r#"
        0.000s   attempt 1
        5.110s   attempt 2
        10.320s  attempt 3
        10.330s  gave up after 3 in 10.33s on "429"
                 every attempt failed: use a fallback, or try much later
        0.000s   attempt 1
        0.160s   attempt 2
        0.420s   attempt 3
        0.430s   gave up after 3 in 430ms on "429"
                 every attempt failed: use a fallback, or try much later
        0.000s   attempt 1
        0.110s   attempt 2
        0.320s   attempt 3
        0.330s   gave up after 3 in 330ms on "429"
                 every attempt failed: use a fallback, or try much later
        "#
    );
}

#[tokio::test(start_paused = true)]
async fn those_who_are_told_the_same_time_do_not_come_back_together() {
    let retry = Retry::new(jittered(Jitter::Full), attempts(2)).unwrap();
    let mut rng = rng();
    let mut pauses = BTreeSet::new();
    for _ in 0..100 {
        let begun = Instant::now();
        let busy = async |_| Err::<(), _>("429");
        let _ = retry.run(&mut rng, busy, |_| Verdict::RetryAfter(2 * SECOND)).await;
        pauses.insert(begun.elapsed());
    }

    // Full jitter adds up to 100 ms, and tokio's timer rounds up to one of 100 milliseconds: 100
    // draws meet about 63 of them.
    let (first, last) = (*pauses.first().unwrap(), *pauses.last().unwrap());
    assert!(
        first >= 2 * SECOND && last <= 2_101 * MS,
        "not before the server says, and not long after it; these waited {first:?} to {last:?}"
    );
    assert!(
        pauses.len() > 40,
        "a server that tells all its clients \"2 s\" meets all of them after 2 s, unless each adds its \
         own delay; 100 clients came at {} different moments",
        pauses.len()
    );

    let retry = Retry::new(jittered(Jitter::Decorrelated), attempts(3)).unwrap();
    for _ in 0..100 {
        let begun = Instant::now();
        let busy = async |_| Err::<(), _>("429");
        let _ = retry.run(&mut rng, busy, |_| Verdict::RetryAfter(2 * SECOND)).await;
        let own = begun.elapsed().saturating_sub(4 * SECOND);
        assert!(
            own <= 1_202 * MS,
            "twice 2 s for the server, and own delays of up to 300 and 900 ms: these are {own:?}. With \
             decorrelated jitter a delay is up to three times the *delay* before it, and what the server asked for \
             was none"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_longer_than_the_cap_ends_it() {
    let classify = |error: &&str| match *error {
        "429" => Verdict::RetryAfter(30 * SECOND),
        _ => Verdict::RetryAfter(3_600 * SECOND),
    };

    let diary =
        diary(retry(attempts(5)), 10 * MS, &[Err("429"), Err("503"), Ok(())], classify).await;

    insta::assert_snapshot!(
        diary,
        "30 s are within the cap. But nobody sleeps for an hour because a header says so, and to come \
         earlier would be to not listen",
        @r#"
        0.000s   attempt 1
        30.110s  attempt 2
        30.120s  gave up after 2 in 30.12s on "503"
                 the server asks to wait 3600s: use a fallback, and come back then
        "#
    );

    let low = Config { cap: SECOND, jitter: Jitter::None, ..Config::default() };
    let retry = Retry::new(super::backoff(low), attempts(2)).unwrap();
    let wish = SECOND + MS;
    let busy = async |_| Err::<(), _>("429");
    let end = retry.run(rng(), busy, |_| Verdict::RetryAfter(wish)).await;
    assert_eq!(
        end.expect_err("the operation never succeeds").why,
        Why::AskedToWait { asked: wish },
        "here the cap is 1 s, and the wish a millisecond longer"
    );
}

#[tokio::test(start_paused = true)]
async fn no_sleep_crosses_the_total_limit() {
    let limits = Limits { max_attempts: 100, max_total: Some(SECOND) };

    let diary = diary(retry(limits), 10 * MS, &[Err("503")], |_| Verdict::Retry).await;

    insta::assert_snapshot!(
        diary,
        "the fourth pause, 800 ms, would end after 1 s: give up now rather than sleep first and then give up",
        @r#"
        0.000s   attempt 1
        0.110s   attempt 2
        0.320s   attempt 3
        0.730s   attempt 4
        0.740s   gave up after 4 in 740ms on "503"
                 there is no time for another attempt: use a fallback, or allow more than 1s
        "#
    );

    let (base, max_total) = (Duration::from_micros(100_400), Duration::from_micros(100_700));
    let odd = Config { base, jitter: Jitter::None, ..Config::default() };
    let limits = Limits { max_attempts: 2, max_total: Some(max_total) };
    let retry = Retry::new(super::backoff(odd), limits).unwrap();
    let end = retry.run(rng(), async |_| Err::<(), _>("503"), |_| Verdict::Retry).await;
    assert_eq!(
        end.expect_err("the operation never succeeds").why,
        Why::AttemptsUsed,
        "a pause of {base:?} would end before max_total, {max_total:?}: in whole milliseconds they are equal"
    );
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_compared_with_the_pause_that_was_drawn() {
    let backoff = jittered(Jitter::Additive(SECOND));
    let limits = Limits { max_attempts: 2, max_total: Some(600 * MS) };
    let retry = Retry::new(backoff, limits).unwrap();
    let (mut in_time, mut too_late) = (0, 0);

    for seed in 0..100 {
        let drawn = backoff.delays(seeded(seed)).next().unwrap();
        let end = retry
            .run(seeded(seed), async |_| Err::<(), _>("503"), |_| Verdict::Retry)
            .await
            .expect_err("the operation never succeeds");

        let expected = if drawn < 600 * MS {
            in_time += 1;
            (2, Why::AttemptsUsed)
        } else {
            too_late += 1;
            (1, Why::NoTimeLeft { max_total: 600 * MS })
        };
        assert_eq!(
            (end.attempts, end.why),
            expected,
            "the pause that was drawn is {drawn:?}, and max_total 600 ms. What counts is the pause that \
             would be slept, jitter and all: not the exponential delay, which is 100 ms"
        );
    }
    assert!(in_time > 0 && too_late > 0, "{in_time} and {too_late}: both must have been tried");
}

/// A generator for each number.
fn seeded(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

#[tokio::test(start_paused = true)]
async fn of_several_reasons_the_first_is_told() {
    let hour = 3_600 * SECOND;
    let why = async |max_attempts, verdict| {
        let limits = Limits { max_attempts, max_total: Some(100 * MS) };
        let end = retry(limits).run(rng(), async |_| Err::<(), _>("503"), |_| verdict).await;
        end.expect_err("the operation never succeeds").why
    };

    assert_eq!(
        [
            why(1, Verdict::Stop).await,
            why(1, Verdict::RetryAfter(hour)).await,
            why(2, Verdict::RetryAfter(hour)).await,
            why(2, Verdict::Retry).await,
        ],
        [
            Why::NotWorthIt,
            Why::AttemptsUsed,
            Why::AskedToWait { asked: hour },
            Why::NoTimeLeft { max_total: 100 * MS },
        ],
        "in each case all the later reasons hold as well: the verdict, the attempts, the wish, the time. \
         In the last, the pause of 100 ms ends exactly at max_total, which is too late"
    );
}

#[tokio::test(start_paused = true)]
async fn the_attempts_and_what_the_server_asks_for_count_towards_the_total_limit() {
    let limits = Limits { max_attempts: 100, max_total: Some(SECOND) };

    let slow = diary(retry(limits), 850 * MS, &[Err("timed out")], |_| Verdict::Retry).await;
    let told =
        diary(retry(limits), 10 * MS, &[Err("429")], |_| Verdict::RetryAfter(890 * MS)).await;

    insta::assert_snapshot!(
        slow + &told,
        "first 850 ms in the operation and 100 ms asleep, then 1,050 ms; below, 890 + 100 ms after 10 ms leave nothing",
        @r#"
        0.000s   attempt 1
        0.950s   attempt 2
        1.800s   gave up after 2 in 1.8s on "timed out"
                 there is no time for another attempt: use a fallback, or allow more than 1s
        0.000s   attempt 1
        0.010s   gave up after 1 in 10ms on "429"
                 there is no time for another attempt: use a fallback, or allow more than 1s
        "#
    );
}

#[tokio::test(start_paused = true)]
async fn the_longest_times_are_no_trouble() {
    let backoff = super::backoff(Config {
        base: Duration::MAX,
        cap: Duration::MAX,
        factor: 2,
        jitter: Jitter::None,
    });
    let limits = Limits { max_attempts: 2, max_total: Some(Duration::MAX) };
    let retry = Retry::new(backoff, limits).unwrap();

    let diary = diary(retry, MS, &[Err("503")], |_| Verdict::RetryAfter(Duration::MAX)).await;

    assert!(
        diary.contains("there is no time for another attempt"),
        "elapsed + asked + delay is more than a Duration holds: add with saturation. And a pause that ends \
         exactly at max_total leaves no time either.\n{diary}"
    );

    let retry = Retry::new(backoff, attempts(2)).unwrap();
    for verdict in [Verdict::Retry, Verdict::RetryAfter(Duration::MAX)] {
        let run = async move {
            let _ = retry.run(rng(), async |_| Err::<(), _>("503"), |_| verdict).await;
        };
        let in_a_day = timeout(86_400 * SECOND, tokio::spawn(run)).await;
        assert!(
            in_a_day.is_err(),
            "{verdict:?}: without max_total, a pause of {:?} is slept, and a day later it is not over. But \
             `run` returned or panicked: no sum of now and a pause may overflow",
            Duration::MAX
        );
    }
}

#[test]
fn retry_after_is_read_as_seconds_or_as_a_date() {
    assert_eq!(retry_after("120", then()), Some(120 * SECOND), "seconds");
    assert_eq!(
        (retry_after(" 0 ", then()), retry_after("\t007 ", then())),
        (Some(Duration::ZERO), Some(7 * SECOND)),
        "blanks around it are allowed, and zeros before it"
    );
    assert_eq!(
        (retry_after("4294967297", then()), retry_after(&format!("{:030}", 5), then())),
        (Some(Duration::from_secs((1 << 32) + 1)), Some(5 * SECOND)),
        "2³² + 1 seconds are too many for 32 bits, not for a Duration; and 5 is 5 behind any number of zeros"
    );
    assert_eq!(
        retry_after("9007199254740993", then()),
        Some(Duration::from_secs((1 << 53) + 1)),
        "2⁵³ + 1 seconds are a whole number, and the first that a float doesn't hold"
    );
    for date in [
        "Sun, 06 Nov 1994 08:51:37 GMT",
        "Sunday, 06-Nov-94 08:51:37 GMT",
        "Sun Nov  6 08:51:37 1994",
        " Sun, 06 Nov 1994 08:51:37 GMT\t",
    ] {
        assert_eq!(
            retry_after(date, then()),
            Some(120 * SECOND),
            "{date:?} is two minutes from now, in one of the three forms of an HTTP date"
        );
    }
    assert_eq!(
        retry_after("Sun, 06 Nov 1994 08:51:37 GMT", then() + 250 * MS),
        Some(119_750 * MS),
        "a quarter of a second later, that much less: 119 s would be sooner than the server asks"
    );
    assert_eq!(
        retry_after("Sun, 06 Nov 1994 08:49:00 GMT", then()),
        Some(Duration::ZERO),
        "37 s ago means now: the two clocks differ, or the answer was slow"
    );
    assert_eq!(
        retry_after("Thu, 01 Jan 1970 00:00:00 GMT", then()),
        Some(Duration::ZERO),
        "24 years ago means now as well: a server without a clock sends what its clock shows"
    );
}

#[test]
fn a_bad_retry_after_is_no_retry_after() {
    let bad = [
        "",
        " ",
        "soon",
        "1.5",
        "1e9",
        "-5",
        "+5",
        "inf",
        "NaN",
        "5 s",
        "5s",
        "0x10",
        "٣",
        "Sun, 06 Nov",
    ];
    for value in bad {
        assert_eq!(
            retry_after(value, then()),
            None,
            "{value:?} is neither a number of seconds (digits, nothing else) nor a date: the caller then \
             goes by its own delay"
        );
    }
    let endless = retry_after("99999999999999999999999", then());
    assert!(
        endless >= Some(Duration::from_secs(u64::MAX)),
        "23 digits are a number all the same, and not a small one: {endless:?}"
    );
}
