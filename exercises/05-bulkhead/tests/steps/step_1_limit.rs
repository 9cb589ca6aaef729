//! Step 1: limit the calls in progress.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bulkhead::{Bulkhead, Config, ConfigError};

use super::between::{MOMENTS, between};
use super::{bulkhead, chase, free, full, sized, take};

#[test]
fn no_more_than_the_limit_are_let_in() {
    let bulkhead = sized(3, 0);

    let permits: Vec<_> = (0..10).filter_map(|_| bulkhead.try_acquire().ok()).collect();

    assert_eq!(
        permits.len(),
        3,
        "max_concurrent is 3: a fourth has to stay outside while three are in"
    );
}

#[test]
fn the_rejected_are_told_how_full_it_is() {
    let bulkhead = sized(2, 5);
    let _permits = take(&bulkhead, 2);

    let rejected = bulkhead.try_acquire().map(drop);

    assert_eq!(
        rejected,
        Err(full(2, 2, 0, 5)),
        "the person who reads this in a log wants to know what was full, and how large it is"
    );
}

#[test]
fn a_permit_that_is_dropped_makes_room_for_one() {
    let bulkhead = sized(3, 0);
    let mut permits = take(&bulkhead, 3);

    for round in 1..=10 {
        permits.pop();
        assert_eq!(free(&bulkhead), 1, "round {round}: one of three was given back, and one only");
        permits.extend(take(&bulkhead, 1));
    }

    drop(permits);
    assert_eq!(
        free(&bulkhead),
        3,
        "all have gone: all places are free, and no more than there are"
    );
}

#[test]
fn the_rejected_take_no_place() {
    let bulkhead = sized(2, 0);
    let permits = take(&bulkhead, 2);
    for _ in 0..10 {
        assert!(bulkhead.try_acquire().is_err(), "both places are taken");
    }

    drop(permits);

    assert_eq!(
        free(&bulkhead),
        2,
        "two came in and two went out: the ten who didn't get in don't count"
    );
}

#[test]
fn clones_share_the_places() {
    let first = sized(2, 0);
    let second = first.clone();
    let permit = take(&first, 1);

    assert_eq!(free(&second), 1, "a clone is another handle to the same places, not more places");
    drop(first);
    assert_eq!(free(&second), 1, "a handle that is dropped holds no place, the permit does");
    drop(permit);
    assert_eq!(free(&second), 2, "and gives it back, whichever handle it came from");
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let refused = Bulkhead::new(Config { max_concurrent: 0, ..Config::default() });

    assert_eq!(
        refused.map(drop),
        Err(ConfigError::NoPlaces),
        "0 would let nobody in, and somebody who writes it may well mean \"without a limit\": refuse it"
    );
    for max_wait in [Duration::ZERO, Duration::MAX] {
        assert_eq!(
            Bulkhead::new(Config { max_wait, ..Config::default() }).map(drop),
            Err(ConfigError::MaxWait(max_wait)),
            "validate() looks at all fields, also at those that no step has used yet"
        );
    }
    assert_eq!(free(&bulkhead(Config::default())), 10, "the default is ten places");
}

#[test]
fn the_largest_numbers_reserve_nothing() {
    let most =
        Config { max_concurrent: usize::MAX, max_waiting: usize::MAX, max_wait: Config::LONGEST };

    let made = catch_unwind(|| Bulkhead::new(most));

    let bulkhead = made.ok().and_then(Result::ok).expect(
        "any number of places and of waiters is a valid limit, and a limit is not a reservation: memory is \
         for those who are there",
    );
    assert!(bulkhead.try_acquire().is_ok(), "nobody is in, so a place is free");
}

#[test]
fn two_threads_never_share_the_last_place() {
    const ROUNDS: usize = 50_000;
    for moment in 0..MOMENTS {
        let bulkhead = sized(1, 0);
        let (other, admitted) = (bulkhead.clone(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&admitted);
        let ask = move |bulkhead: &Bulkhead| {
            // Nobody gives it back.
            let in_it = bulkhead.try_acquire().map(std::mem::forget).is_ok();
            count.fetch_add(usize::from(in_it), SeqCst);
        };
        let (ask_too, ask) = (ask.clone(), ask);
        let ((), in_between) = between(moment, move || ask_too(&other), || ask(&bulkhead));
        assert_eq!(
            admitted.load(SeqCst),
            1,
            "one place, and while one caller asks for it another one does: to see that a place is free and to take \
             it must be one step, in one visit to the core"
        );
        if !in_between {
            break;
        }
    }
    let bulkheads: Vec<_> = (0..ROUNDS).map(|_| sized(1, 0)).collect();
    let admitted = AtomicUsize::new(0);

    // In each round several threads ask for the one place of a new bulkhead, and nobody gives it back.
    chase(ROUNDS, |round| {
        if bulkheads[round].try_acquire().map(std::mem::forget).is_ok() {
            admitted.fetch_add(1, SeqCst);
        }
    });

    assert_eq!(
        admitted.load(SeqCst),
        ROUNDS,
        "so many bulkheads with one place each, and several threads that ask: to see that a place is free and to \
         take it must be one step"
    );
}
