//! Step 2: a service with little traffic may retry as well, a few times a second.

use std::fmt::Write as _;
use std::time::Duration;

use retry_budget::Config;

use super::{MILLISECOND, SECOND, budget, floor_only, granted, requests, wait};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test(start_paused = true)]
async fn a_service_without_traffic_may_retry() {
    let budget = budget(Config { min_retries_per_second: 10, ..Config::default() });

    requests(&budget, 1);

    assert_eq!(
        granted(&budget, 100),
        10,
        "10 % of one request is no retry, ever: the floor is for those who make few requests"
    );
}

#[tokio::test(start_paused = true)]
async fn the_floor_comes_on_top_of_the_share() {
    let budget = budget(Config { ratio: 0.1, min_retries_per_second: 10, ..Config::default() });

    requests(&budget, 200);

    assert_eq!(budget.balance(), 30, "20 are earned by 200 requests, 10 need no request");
    assert_eq!(granted(&budget, 5), 5, "and so many can be spent: five of them now");
    wait(500 * MILLISECOND).await;
    assert_eq!(
        granted(&budget, 100),
        25,
        "earned tokens are spent first, for they are the ones that will expire: the floor was still \
         full, so that half a second added nothing to it"
    );
}

#[tokio::test(start_paused = true)]
async fn two_halves_in_two_accounts_are_no_token() {
    let budget = budget(Config { ratio: 0.1, min_retries_per_second: 10, ..Config::default() });
    assert_eq!(granted(&budget, 100), 10, "the floor is spent");

    requests(&budget, 5);
    wait(50 * MILLISECOND).await;

    assert_eq!(
        (budget.balance(), granted(&budget, 100)),
        (0, 0),
        "half a token is earned and half a token is in the floor: a retry is paid from one account, \
         and the balance promises no more than can be withdrawn"
    );
}

#[tokio::test(start_paused = true)]
async fn the_floor_refills_evenly() {
    let budget = budget(floor_only(10));
    let mut table = String::new();

    for millis in [0, 99, 1, 50, 50, 200, 600] {
        wait(millis * MILLISECOND).await;
        writeln!(table, "after {millis:>3} ms  {:>2} granted", granted(&budget, 100)).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "10 a second are one every 100 ms, no matter who asks in between, not ten at the turn of a second. If \
         nothing comes back at all, look at the clock: std::time::Instant doesn't move in these checks, \
         tokio::time::Instant does",
        @"
        after   0 ms  10 granted
        after  99 ms   0 granted
        after   1 ms   1 granted
        after  50 ms   0 granted
        after  50 ms   1 granted
        after 200 ms   2 granted
        after 600 ms   6 granted
        "
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_saves_up_no_more_than_a_second() {
    for window in [Config::SHORTEST, SECOND, 10 * SECOND] {
        let budget = budget(Config { window, ..floor_only(10) });
        assert_eq!(
            granted(&budget, 100_000),
            10,
            "a new budget holds a second's worth, and not a window's, which is {window:?} here"
        );

        wait(HOUR).await;

        assert_eq!(
            granted(&budget, 100_000),
            10,
            "an hour of quiet is no credit for a burst: the bucket holds a second's worth and no more"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_looking_saves_up_no_more_than_a_second() {
    let budget = budget(floor_only(10));

    for _ in 0..HOUR.as_secs() {
        wait(SECOND).await;
        budget.balance();
    }

    assert_eq!(
        granted(&budget, 100_000),
        10,
        "nobody retried for an hour, but somebody looked each second: it is the level that is capped, \
         and not only the time that one refill adds"
    );
}

#[tokio::test(start_paused = true)]
async fn looking_often_loses_nothing() {
    let mut table = String::new();

    for (per_second, every, looks) in [
        (3, Duration::from_millis(7), 10_000),
        (10, Duration::from_millis(10), 7_000),
        (3, Duration::from_micros(500), 20_000),
    ] {
        let budget = budget(floor_only(per_second));
        let mut retries = granted(&budget, 100);
        for _ in 0..looks {
            wait(every).await;
            retries += granted(&budget, 100);
        }
        writeln!(
            table,
            "{per_second}/s for {:?}, a look every {every:?}: {retries}",
            every * looks
        )
        .unwrap();
    }

    insta::assert_snapshot!(
        table,
        "a second's worth at the beginning, and then the rate times the time: parts of a token, and of \
         a millisecond, must be kept from one look to the next. In floats ten times 0.1 is less than 1, \
         and the last token comes a look too late",
        @"
        3/s for 70s, a look every 7ms: 213
        10/s for 70s, a look every 10ms: 710
        3/s for 10s, a look every 500µs: 33
        "
    );
}

#[tokio::test(start_paused = true)]
async fn the_highest_floor_is_a_floor() {
    let budget = budget(floor_only(u32::MAX));
    assert_eq!(granted(&budget, 1_000), 1_000, "it is full");

    wait(HOUR).await;

    assert_eq!(
        budget.balance(),
        u64::from(u32::MAX),
        "any u32 is a rate: neither its level nor what an hour adds to it goes round"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_floor_nothing_is_given_away() {
    let budget = budget(floor_only(0));

    wait(10 * SECOND).await;

    assert_eq!(granted(&budget, 100), 0, "min_retries_per_second: 0 turns the floor off");
}
