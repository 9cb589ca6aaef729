//! Every interleaving of the controller's lock, under loom: `cargo xtask check` runs this with
//! `--cfg loom`. tokio's clock is paused, for loom wants the same run each time; its threads are
//! coroutines on one thread, so that one runtime serves them all.
#![cfg(loom)]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use degradation_solution::{Config, Degradation, Level};
use loom::sync::Arc;
use loom::thread;
use tokio::runtime::{Builder, Runtime};

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// One failed call is an emergency; the level goes up at the first better look.
fn shop() -> Degradation {
    let config = Config { min_calls: 1, dwell: Duration::ZERO, ..Config::default() };
    Degradation::new(config, &["search"]).expect("a valid configuration")
}

fn fail(shop: &Degradation) {
    shop.record("search", false, Duration::ZERO).expect("a dependency of this shop");
}

#[test]
fn two_threads_that_evaluate_tell_of_one_change() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let told = std::sync::Arc::new(AtomicUsize::new(0));
        let listener = told.clone();
        let shop = Arc::new(shop().on_change(move |_| {
            listener.fetch_add(1, Relaxed);
        }));
        fail(&shop);
        let other = thread::spawn({
            let shop = shop.clone();
            move || shop.evaluate()
        });
        let levels = (shop.evaluate(), other.join().unwrap());
        assert_eq!(levels, (Level::Emergency, Level::Emergency));
        assert_eq!(told.load(Relaxed), 1, "one change, told once");
    });
}

#[test]
fn no_call_is_lost_between_two_threads() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let shop = Arc::new(shop());
        let other = thread::spawn({
            let shop = shop.clone();
            move || fail(&shop)
        });
        shop.record("search", true, Duration::ZERO).expect("a dependency of this shop");
        other.join().unwrap();
        assert_eq!(shop.health("search").unwrap().error_rate.to_bits(), 0.5_f64.to_bits());
    });
}

#[test]
fn every_change_has_a_number_of_its_own() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let numbers = std::sync::Arc::new(AtomicU64::new(0));
        let listener = numbers.clone();
        let shop = Arc::new(shop().on_change(move |change| {
            listener.fetch_add(1 << (8 * (change.number - 1)), Relaxed);
        }));
        let other = thread::spawn({
            let shop = shop.clone();
            move || {
                fail(&shop);
                shop.evaluate()
            }
        });
        clock.block_on(tokio::time::advance(Config::default().window));
        shop.evaluate();
        other.join().unwrap();
        let told = numbers.load(Relaxed);
        assert!(matches!(told, 0x0001 | 0x0101), "the first, and perhaps a second: {told:#x}");
    });
}
