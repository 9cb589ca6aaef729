use loom::sync::Arc;
use loom::thread;
use tokio::runtime::{Builder, Runtime};

// Of whichever budget the module that includes this is about.
use super::subject::{Config, RetryBudget};

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// Each request earns a retry.
fn budget() -> Arc<RetryBudget> {
    let config = Config { ratio: 1.0, min_retries_per_second: 0, ..Config::default() };
    Arc::new(RetryBudget::new(config).expect("a valid configuration"))
}

fn withdraw(budget: Arc<RetryBudget>) -> impl FnOnce() -> usize {
    move || usize::from(budget.try_withdraw().is_ok())
}

#[test]
fn two_callers_never_spend_one_token_twice() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let budget = budget();
        budget.record_request();
        let other = thread::spawn(withdraw(budget.clone()));
        let granted = withdraw(budget)() + other.join().unwrap();
        assert_eq!(granted, 1, "one token, one retry");
    });
}

#[test]
fn a_floor_of_one_is_spent_once() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let config = Config { ratio: 0.0, min_retries_per_second: 1, ..Config::default() };
        let budget = Arc::new(RetryBudget::new(config).expect("a valid configuration"));
        let other = thread::spawn(withdraw(budget.clone()));
        let granted = withdraw(budget)() + other.join().unwrap();
        assert_eq!(granted, 1, "one token, one retry");
    });
}

#[test]
fn a_deposit_and_a_withdrawal_at_once_lose_nothing() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let budget = budget();
        let other = thread::spawn({
            let budget = budget.clone();
            move || budget.record_request()
        });
        let granted = withdraw(budget.clone())();
        other.join().unwrap();
        assert_eq!(granted as u64 + budget.balance(), 1, "spent, or still there");
    });
}
