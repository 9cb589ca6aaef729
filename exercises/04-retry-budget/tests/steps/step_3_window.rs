//! Step 3: what counts is the last window: its requests, less its retries.

use std::fmt::Write as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use retry_budget::{Config, Exhausted, RetryBudget};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{MILLISECOND, NANOSECOND, SECOND, budget, granted, requests, share_only, wait};

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[tokio::test(start_paused = true)]
async fn a_deposit_counts_for_a_window_and_no_longer() {
    for into_the_run in [0, 50, 99, 650] {
        let budget = budget(share_only(0.1));
        wait(into_the_run * MILLISECOND).await;
        requests(&budget, 100);

        wait(899 * MILLISECOND).await;
        assert_eq!(
            budget.balance(),
            10,
            "0.899 s later: a deposit counts for at least 9/10 of 1 s"
        );
        wait(102 * MILLISECOND).await;
        assert_eq!(
            budget.balance(),
            0,
            "1.001 s later: it has no more to say about the load of now"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn deposits_age_at_the_same_speed_however_often_somebody_looks() {
    for every in [300, 700, 999, 1_000, 1_001, 1_050, 1_500, 1_900] {
        let budget = budget(Config { window: 10 * SECOND, ..share_only(0.1) });
        requests(&budget, 100);
        let deposited = Instant::now();

        while deposited.elapsed() < 20 * SECOND {
            wait(every * MILLISECOND).await;
            let (balance, age) = (budget.balance(), deposited.elapsed());
            if age < 9 * SECOND {
                assert_eq!(balance, 10, "a look every {every} ms: forgotten after {age:?} of 10 s");
            } else if age > 10 * SECOND {
                assert_eq!(
                    balance, 0,
                    "a look every {every} ms: still there after {age:?} of 10 s"
                );
            }
        }
    }
}

/// A thousand requests a second, and from `quiet` on somebody who asks for all that he can get.
async fn grants_after(quiet: u64) -> Vec<u64> {
    let budget = budget(share_only(0.1));
    let mut grants = Vec::new();
    for millisecond in 0..4_000 {
        requests(&budget, 1);
        let asked = if millisecond < quiet { 0 } else { 1_000 };
        grants.extend((0..granted(&budget, asked)).map(|_| millisecond));
        wait(MILLISECOND).await;
    }
    grants
}

#[tokio::test(start_paused = true)]
async fn nine_tenths_of_a_window_hold_at_most_the_share_of_a_whole_one() {
    for quiet in [0, 500, 900, 950, 990, 994, 999, 1_000, 1_010, 1_050, 1_500, 1_999] {
        let grants = grants_after(quiet).await;

        assert!(!grants.is_empty(), "somebody asks from {quiet} ms on, and is granted something");
        for (index, &last) in grants.iter().enumerate() {
            // A retry counts for at least 9/10 of a window, a request for no longer than one.
            let retries = grants.iter().filter(|at| **at <= last && **at + 900 > last).count();
            let requests = (last + 1).min(1_001);
            assert!(
                retries as u64 * 10 <= requests,
                "{retries} retries in the 0.9 s up to {last} ms, but only {requests} requests in the \
                 whole second: what was spent must count as long as what was earned, and no edge of \
                 a window may forget it"
            );
            let (retries, requests) = (index as u64 + 1, last + 1);
            assert!(
                retries * 10 <= requests,
                "{retries} retries in the first {last} ms, but only {requests} requests: whatever may \
                 be seen in one window, from the beginning on it is never more than the share"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_request_fails_a_tenth_is_retried() {
    let grants = grants_after(0).await;

    assert!(
        (396..=400).contains(&grants.len()),
        "4,000 requests in four windows, all of them in want of a retry: expected 400, less a part of a token \
         for each window at most, but {} were granted. Retries leave the window like the requests that paid \
         for them",
        grants.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_token_expires_with_its_window() {
    let mut table = String::new();

    for per_second in [5, 8, 15] {
        let budget = budget(share_only(0.1));
        let mut retries = 0;
        for _ in 0..60 * per_second {
            requests(&budget, 1);
            retries += granted(&budget, 1);
            wait(SECOND / per_second).await;
        }
        let rhythm = match retries {
            0 => "never".to_owned(),
            // One in each window, and a window is remembered for nine tenths at least.
            55..=67 => "about once a second".to_owned(),
            _ => format!("{retries} times"),
        };
        writeln!(table, "{per_second:>2} requests a second for 60 s: a retry {rhythm}").unwrap();
    }

    insta::assert_snapshot!(
        table,
        "each request wants a retry. A window of eight requests never holds a token, and one of fifteen holds one, \
         and a half that expires: 6.7 % of them are retried and not 10 %. What is over is not saved up",
        @"
        5 requests a second for 60 s: a retry never
        8 requests a second for 60 s: a retry never
       15 requests a second for 60 s: a retry about once a second
        "
    );
}

#[tokio::test(start_paused = true)]
async fn the_window_and_the_floor_do_not_pay_for_each_other() {
    let both = Config { ratio: 0.1, min_retries_per_second: 10, ..Config::default() };
    let (first, second) = (budget(both), budget(both));

    assert_eq!(granted(&first, 100), 10, "the floor is spent");
    requests(&first, 100);
    assert_eq!(
        granted(&first, 100),
        10,
        "a retry that the floor paid for leaves the window alone: 100 requests earn ten, as always"
    );

    requests(&second, 300);
    wait(950 * MILLISECOND).await;
    assert_eq!(granted(&second, 30), 30, "they are earned, and the floor is still full");
    wait(60 * MILLISECOND).await;
    assert_eq!(
        (second.balance(), granted(&second, 100)),
        (10, 10),
        "the deposits have left the window, and the retries that they paid for haven't: it is thirty tokens \
         below zero. It counts as 0 then, and the floor grants what it has"
    );
    requests(&second, 300);
    assert_eq!(
        (second.balance(), granted(&second, 100)),
        (0, 0),
        "what the window owes it pays first: 300 requests bring it back to zero, and the floor is empty"
    );
}

#[tokio::test(start_paused = true)]
async fn a_quiet_week_leaves_nothing_to_spend() {
    let budget = budget(share_only(0.1));
    requests(&budget, 100_000);

    wait(WEEK).await;

    assert_eq!(granted(&budget, 100_000), 0, "those requests were last week's");
    requests(&budget, 20);
    assert_eq!(granted(&budget, 100), 2, "and the budget works on");
}

/// What `act` returns, if it does so within two seconds of real time. Only what fails waits.
fn done_at_once<R: Send + 'static>(act: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (done, told) = mpsc::channel();
    let clock = Handle::current();
    thread::spawn(move || {
        let _paused = clock.enter();
        done.send(act())
    });
    told.recv_timeout(Duration::from_secs(2)).ok()
}

#[tokio::test(start_paused = true)]
async fn the_first_call_after_years_costs_what_any_other_does() {
    let shortest = Config { window: Config::SHORTEST, ..share_only(0.1) };
    for (config, idle) in [(share_only(0.1), 52 * WEEK), (shortest, 520 * WEEK)] {
        let budget: RetryBudget = budget(config);
        requests(&budget, 100);

        wait(idle).await;

        let answer = done_at_once(move || budget.try_withdraw());

        assert_ne!(
            answer, None,
            "no answer within 2 s (or a panic: see above). Catching up slot by slot takes ever longer the \
             longer nobody called, and holds the lock meanwhile: there is never more to forget than the \
             window holds"
        );
        assert_eq!(answer, Some(Err(Exhausted)), "the requests of {idle:?} ago pay for nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn it_works_in_a_process_that_runs_for_years() {
    for (window, unit) in [
        (Config::SHORTEST, Config::SHORTEST / 10),
        (Config::SHORTEST, MILLISECOND),
        (SECOND, SECOND / 10),
    ] {
        let budget = budget(Config { window, ..share_only(0.1) });
        let years = unit * (1 << 16) * (1 << 16);
        wait(years - window / 2).await;
        requests(&budget, 100);

        wait(4 * window / 5).await;
        let before = budget.balance();
        wait(window / 5 + NANOSECOND).await;

        assert_eq!(
            (before, budget.balance()),
            (10, 0),
            "a window of {window:?}, in a process that has run for 2³² × {unit:?}: deposits count for 9/10 of it, \
             and not for longer. A number of slots or of milliseconds in 32 bits begins again, and then nothing \
             expires"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_shortest_and_the_longest_window_work_like_any_other() {
    for window in [Config::SHORTEST, 15 * MILLISECOND, Config::LONGEST] {
        let tenth = window / 10;
        let budget = budget(Config { window, ..share_only(0.1) });
        requests(&budget, 100);

        wait(9 * tenth - NANOSECOND).await;
        assert_eq!(
            granted(&budget, 5),
            5,
            "nine tenths of {window:?} later the deposits still count: a slot may be shorter than a \
             millisecond, or no whole number of them"
        );
        wait(tenth + 2 * NANOSECOND).await;

        assert_eq!(granted(&budget, 5), 0, "but no longer after {window:?}, spent or not");
        requests(&budget, 100);
        assert_eq!(
            granted(&budget, 100),
            5,
            "the five retries of a tenth of {window:?} ago still count: 10 earned, 5 spent"
        );
    }
}
