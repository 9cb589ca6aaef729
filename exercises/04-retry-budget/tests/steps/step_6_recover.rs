//! Step 6: after an outage the dependency has a backlog, and what is granted then decides whether it
//! ever works it off.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::Write as _;

use retry_budget::{Config, Feed, RetryBudget};

use super::{MILLISECOND, budget, granted, requests, share_only, wait};

fn fed_by_successes(ratio: f64) -> Config {
    Config { feed: Feed::Successes, ..share_only(ratio) }
}

fn successes(budget: &RetryBudget, count: usize) {
    for _ in 0..count {
        budget.record_success();
    }
}

#[tokio::test(start_paused = true)]
async fn fed_by_requests_a_success_earns_nothing() {
    let budget = budget(share_only(0.1));

    requests(&budget, 100);
    successes(&budget, 100);

    assert_eq!(granted(&budget, 100), 10, "the requests have earned 10, their successes no more");

    for _ in 0..100 {
        let answer = budget.call(0, || async { Ok::<_, &str>(()) }).await;
        assert_eq!(answer, Ok(()), "a success");
    }
    assert_eq!(granted(&budget, 100), 10, "nor does the success of a call");
}

#[tokio::test(start_paused = true)]
async fn fed_by_successes_a_request_earns_nothing() {
    let budget = budget(fed_by_successes(1.0));

    requests(&budget, 100);
    assert_eq!(granted(&budget, 100), 0, "nobody knows yet how these requests end");
    successes(&budget, 5);

    assert_eq!(granted(&budget, 100), 5, "five ended well, and each of them pays for a retry");

    wait(3_600_000 * MILLISECOND).await;
    successes(&budget, 5);
    wait(899 * MILLISECOND).await;
    assert_eq!(
        granted(&budget, 100),
        5,
        "after a quiet hour five more, and they count for 9/10 of a window: to note a success is a look at the \
         clock as well, or it is noted with what was an hour ago"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_records_how_it_ended() {
    let budget = budget(fed_by_successes(0.5));

    for _ in 0..10 {
        let answer = budget.call(0, || async { Err::<(), _>("503") }).await;
        assert_eq!(answer, Err("503"), "a failure");
    }
    assert_eq!(budget.balance(), 0, "ten failures earn nothing");
    for _ in 0..10 {
        let answer = budget.call(0, || async { Ok::<_, &str>(()) }).await;
        assert_eq!(answer, Ok(()), "a success");
    }

    assert_eq!(budget.balance(), 5, "ten successes earn five retries");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_succeeds_earns_as_well() {
    let budget = budget(fed_by_successes(1.0));
    successes(&budget, 1);
    let tries = Cell::new(0);

    let answer = budget
        .call(1, || async {
            tries.set(tries.get() + 1);
            if tries.get() == 1 { Err("503") } else { Ok(()) }
        })
        .await;

    assert_eq!(answer, Ok(()), "the retry succeeds");
    assert_eq!(
        budget.balance(),
        1,
        "it cost a token and its success earned one: the dependency answered, and which try it \
         answered doesn't matter"
    );
}

/// A tick is 10 ms.
const TICKS_PER_SECOND: usize = 100;
/// A client gives up on a try after a second.
const PATIENCE: usize = TICKS_PER_SECOND;
const OUTAGE: std::ops::Range<usize> = 20 * TICKS_PER_SECOND..30 * TICKS_PER_SECOND;

/// One try that a client makes.
struct Try {
    sent: usize,
    is_retry: bool,
    answered: bool,
}

/// Four minutes of 280 requests a second against a dependency that serves 300 a second, first in, first
/// out, and hangs from 20 s to 30 s. Each request is retried once if its client gives up on it and
/// the budget pays. The dependency doesn't know that a client has given up, and serves its call in turn.
///
/// Returns how many calls were answered in time in each second.
async fn storm(budget: &RetryBudget) -> Vec<usize> {
    let (mut tries, mut queue, mut given_up) = (Vec::<Try>::new(), VecDeque::new(), 0);
    let mut good = vec![0; 240];
    for tick in 0..240 * TICKS_PER_SECOND {
        // 2.8 requests a tick: 3, 3, 3, 3, 2.
        let fresh = if tick % 5 == 4 { 2 } else { 3 };
        requests(budget, fresh);
        let mut arriving = vec![false; fresh];
        while tries.get(given_up).is_some_and(|first| first.sent + PATIENCE <= tick) {
            let over = &tries[given_up];
            if !over.answered && !over.is_retry && budget.try_withdraw().is_ok() {
                arriving.push(true);
            }
            given_up += 1;
        }
        for is_retry in arriving {
            queue.push_back(tries.len());
            tries.push(Try { sent: tick, is_retry, answered: false });
        }
        let served = if OUTAGE.contains(&tick) { 0 } else { 3 };
        for index in queue.drain(..served.min(queue.len())) {
            if tick - tries[index].sent < PATIENCE {
                tries[index].answered = true;
                budget.record_success();
                good[tick / TICKS_PER_SECOND] += 1;
            }
        }
        wait(10 * MILLISECOND).await;
    }
    good
}

/// The second after the outage from which all went well.
fn recovery(good: &[usize]) -> Option<usize> {
    let last_bad = good.iter().rposition(|good| *good < 270)?;
    (last_bad + 1 < good.len())
        .then(|| (last_bad + 1).saturating_sub(OUTAGE.end / TICKS_PER_SECOND))
}

#[tokio::test(start_paused = true)]
async fn a_share_of_requests_can_keep_an_outage_going_for_ever() {
    let (none, tenth) = (budget(share_only(0.0)), budget(share_only(0.1)));
    let (all, earned) = (budget(share_only(1.0)), budget(fed_by_successes(0.1)));

    let runs = [storm(&none).await, storm(&all).await, storm(&tenth).await, storm(&earned).await];

    let mut table = String::from("answered in time, 1/s\n");
    writeln!(table, "at      none  all   10 % of requests  10 % of successes").unwrap();
    for second in [10, 25, 60, 120, 160, 200, 239] {
        let [none, all, tenth, earned] = runs.each_ref().map(|good| good[second]);
        writeln!(table, "{second:>3} s   {none:>4} {all:>4} {tenth:>18} {earned:>18}").unwrap();
    }
    insta::assert_snapshot!(
        table,
        "the outage ends at 30 s, with a backlog that is older than any client's patience. 280 new \
         calls a second leave room for 20 more: 28 retries a second don't fit, and the backlog grows. \
         Nothing succeeds, so a budget fed by successes grants nothing, until all is well",
        @"
        answered in time, 1/s
        at      none  all   10 % of requests  10 % of successes
         10 s    280  280                280                280
         25 s      0    0                  0                  0
         60 s      0    0                  0                  0
        120 s      0    0                  0                  0
        160 s    300    0                  0                300
        200 s    280    0                  0                280
        239 s    280    0                  0                280
        "
    );
}

#[tokio::test(start_paused = true)]
async fn fed_by_successes_it_recovers_as_fast_as_without_retries() {
    let none = recovery(&storm(&budget(share_only(0.0))).await);
    let earned = recovery(&storm(&budget(fed_by_successes(0.1))).await);

    let (Some(none), Some(earned)) = (none, earned) else {
        panic!(
            "both recover: without retries after {none:?} s, fed by successes after {earned:?} s"
        );
    };
    assert!(
        earned <= none + 3,
        "what was earned before the outage is spent in its first second; from then on it is as if \
         nobody retried: {none} s without retries, but {earned} s with a share of the successes"
    );
}
