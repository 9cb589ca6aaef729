//! Step 2: a service with little traffic may retry as well, a few times a second.

use std::fmt::Write as _;
use std::time::Duration;

use retry_budget::Config;

use super::{MILLISECOND, SECOND, budget, floor_only, granted, requests, wait};

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
    assert_eq!(granted(&budget, 100), 30, "and so many are granted");
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
        "10 a second are one every 100 ms, whoever asks in between, not ten at the turn of a second",
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
    let budget = budget(floor_only(10));
    assert_eq!(granted(&budget, 100), 10, "a new budget holds a second's worth");

    wait(Duration::from_secs(3600)).await;

    assert_eq!(
        granted(&budget, 100_000),
        10,
        "an hour of quiet is no credit for a burst: the bucket holds a second's worth and no more"
    );
}

#[tokio::test(start_paused = true)]
async fn looking_often_loses_nothing() {
    let budget = budget(floor_only(3));
    let mut retries = granted(&budget, 100);

    for _ in 0..10_000 {
        wait(7 * MILLISECOND).await;
        retries += granted(&budget, 100);
    }

    assert_eq!(
        retries,
        3 + 70 * 3,
        "70 s at 3 a second, after the 3 of the beginning: parts of a token must be kept from one \
         look to the next, and add up exactly"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_floor_nothing_is_given_away() {
    let budget = budget(floor_only(0));

    wait(10 * SECOND).await;

    assert_eq!(granted(&budget, 100), 0, "min_retries_per_second: 0 turns the floor off");
}
