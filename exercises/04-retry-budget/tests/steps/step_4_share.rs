//! Step 4: many threads, one budget.

use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use retry_budget::Config;
use tokio::runtime::{Builder, Runtime};
use tokio::time::advance;

use super::{MILLISECOND, SECOND, budget, floor_only, granted, requests, share_only};

const THREADS: usize = 4;

/// A paused clock of its own, which is so much ahead.
///
/// A thread reads the clock, is put off the processor, and takes the lock after another thread that
/// read the clock later. With two clocks that happens when the check says so.
fn clock(ahead: Duration) -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(advance(ahead));
    runtime
}

/// Does `act` under another clock.
fn at<R>(clock: &Runtime, act: impl FnOnce() -> R) -> R {
    let _entered = clock.enter();
    act()
}

#[test]
fn two_threads_never_spend_the_same_token() {
    let clock = clock(Duration::ZERO);
    // Each deposit is a token. It is put on this account before the budget knows of it, and taken off
    // after a retry was granted: so the account is never below what the budget may hold.
    let budget = budget(Config { window: Config::LONGEST, ..share_only(1.0) });
    let account = AtomicI64::new(0);
    at(&clock, || requests(&budget, 1));
    assert_eq!(at(&clock, || granted(&budget, 2)), 1, "a token, which can be spent once");

    let lowest = thread::scope(|scope| {
        let caller = || {
            let _paused = clock.enter();
            let mut lowest = 0;
            for _ in 0..200_000 {
                account.fetch_add(1, SeqCst);
                budget.record_request();
                for _ in 0..2 {
                    if budget.try_withdraw().is_ok() {
                        lowest = lowest.min(account.fetch_sub(1, SeqCst) - 1);
                    }
                }
            }
            lowest
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(caller)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no caller panics")).min()
    });

    assert_eq!(
        lowest,
        Some(0),
        "at one time more retries had been granted than requests made: to see that there is a token \
         and to take it must be one step, under one lock"
    );
}

#[test]
fn no_deposit_is_lost_between_threads() {
    let clock = clock(Duration::ZERO);
    let budget = budget(share_only(0.1));
    at(&clock, || requests(&budget, 10_000));
    let begin = Barrier::new(THREADS);

    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let _paused = clock.enter();
                begin.wait();
                requests(&budget, 50_000);
            });
        }
    });

    assert_eq!(
        at(&clock, || budget.balance()),
        21_000,
        "10,000 requests, and 200,000 more of 4 threads: reading a balance and writing it back must be one step, \
         and a thread that finds the budget in use must wait for it"
    );
}

#[test]
fn nobody_is_refused_while_there_are_tokens() {
    const EACH: usize = 50_000;
    let clock = clock(Duration::ZERO);
    let budget = budget(Config { window: Config::LONGEST, ..share_only(1.0) });
    at(&clock, || requests(&budget, THREADS * EACH));
    let begin = Barrier::new(THREADS);

    let refused: usize = thread::scope(|scope| {
        let caller = || {
            begin.wait();
            at(&clock, || (0..EACH).filter(|_| budget.try_withdraw().is_err()).count())
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(caller)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no caller panics")).sum()
    });

    assert_eq!(
        refused, 0,
        "there was a token for each of them: a lock that somebody else holds is no empty budget, but a \
         reason to wait some nanoseconds"
    );
}

#[test]
fn an_older_reading_of_the_clock_does_not_refill_the_floor_again() {
    let (early, late) = (clock(Duration::ZERO), clock(500 * MILLISECOND));
    let budget = at(&early, || budget(floor_only(10)));
    assert_eq!(at(&early, || granted(&budget, 100)), 10, "a second's worth");
    assert_eq!(at(&late, || granted(&budget, 100)), 5, "half a second later");

    let again: usize = (0..10)
        .map(|_| at(&early, || granted(&budget, 100)) + at(&late, || granted(&budget, 100)))
        .sum();

    assert_eq!(
        again, 0,
        "a thread came late with an earlier time, and the time that was credited already was \
         credited again: the time of the last refill must never go back"
    );
}

#[test]
fn an_older_reading_of_the_clock_does_not_turn_the_window_back() {
    let (early, late) = (clock(Duration::ZERO), clock(5 * SECOND));
    let budget = at(&early, || budget(share_only(0.1)));
    at(&late, || requests(&budget, 100));

    at(&early, || requests(&budget, 100));

    assert_eq!(
        at(&late, || granted(&budget, 100)),
        20,
        "a thread came late with a time of 5 s ago: its requests count, and those of the others \
         stay; the newest time seen is the time"
    );
}
