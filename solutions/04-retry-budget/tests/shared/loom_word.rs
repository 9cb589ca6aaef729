//! What only the fast budget can get wrong: the sum in the word, taken back and lent out while others add to
//! it and take from it.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use tokio::runtime::{Builder, Runtime};
use tokio::time::advance;

use super::subject::{Config, RetryBudget};

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// Runs both, the first on a thread of its own, in every interleaving. Both say how many retries they were
/// granted, and `after` is told.
fn race(
    floor: u32,
    setup: impl Fn(&RetryBudget, &Runtime) + Send + Sync + 'static,
    one: impl Fn(&RetryBudget) -> u64 + Copy + Send + Sync + 'static,
    other: impl Fn(&RetryBudget) -> u64 + Send + Sync + 'static,
    after: impl Fn(&RetryBudget, &Runtime, u64) + Send + Sync + 'static,
) {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let config = Config { ratio: 1.0, min_retries_per_second: floor, ..Config::default() };
        let budget = Arc::new(RetryBudget::new(config).expect("a valid configuration"));
        setup(&budget, &clock);
        let shared = budget.clone();
        let thread = thread::spawn(move || one(&shared));
        let granted = other(&budget) + thread.join().unwrap();
        after(&budget, &clock, granted);
    });
}

fn deposit(budget: &RetryBudget) -> u64 {
    budget.record_request();
    0
}

fn withdraw(budget: &RetryBudget) -> u64 {
    u64::from(budget.try_withdraw().is_ok())
}

fn look(budget: &RetryBudget) -> u64 {
    budget.balance();
    0
}

#[test]
fn a_deposit_while_somebody_looks_is_not_lost() {
    race(
        0,
        |_, _| {},
        deposit,
        look,
        |budget, _, _| {
            assert_eq!(budget.balance(), 1);
        },
    );
}

#[test]
fn a_withdrawal_while_somebody_looks_is_granted_and_paid() {
    race(
        0,
        |budget, _| {
            budget.record_request();
            budget.record_request();
        },
        withdraw,
        look,
        |budget, _, granted| assert_eq!((granted, budget.balance()), (1, 1)),
    );
}

#[test]
fn an_earned_token_and_one_of_the_floor_are_two() {
    race(
        1,
        |budget, _| budget.record_request(),
        withdraw,
        withdraw,
        |budget, _, granted| assert_eq!((granted, budget.balance()), (2, 0)),
    );
}

#[test]
fn whoever_moves_the_window_on_a_deposit_counts_in_its_own_slot_and_an_old_one_no_more() {
    race(
        0,
        |budget, clock| {
            budget.record_request();
            clock.block_on(advance(Duration::from_secs(1)));
        },
        look,
        deposit,
        |budget, clock, _| {
            assert_eq!(budget.balance(), 1, "the first is a second old");
            clock.block_on(advance(Duration::from_millis(999)));
            assert_eq!(budget.balance(), 1, "this one is not");
            clock.block_on(advance(Duration::from_millis(1)));
            assert_eq!(budget.balance(), 0);
        },
    );
}
