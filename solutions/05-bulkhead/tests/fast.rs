//! The fast bulkhead: under the exercise's own spec, against the plain model, and where it differs from the
//! readable one.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

// So that the spec's `bulkhead::Bulkhead` is the fast one.
extern crate self as bulkhead;
pub use bulkhead_solution::fast::*;

#[path = "../../../exercises/05-bulkhead/tests/steps/mod.rs"]
mod steps;

#[path = "shared/model.rs"]
mod model;

fn bulkhead(max_concurrent: usize) -> Bulkhead {
    Bulkhead::new(Config { max_concurrent, ..Config::default() }).expect("a valid configuration")
}

/// How often a place was taken is counted in 20 bits, and then by the core.
#[test]
fn more_are_counted_than_the_word_has_bits_for() {
    const CALLS: usize = 2 * (1 << 20) + 2;
    let bulkhead = bulkhead(1 << 30);
    let take = || bulkhead.try_acquire().expect("there are places without end");
    for _ in 0..CALLS {
        drop(take());
    }
    let permits: Vec<Permit> = std::iter::repeat_with(take).take(CALLS).collect();
    let Snapshot { active, counts: first, .. } = bulkhead.snapshot();
    drop(permits);
    let last = bulkhead.snapshot().counts;

    let calls = CALLS as u64;
    assert_eq!((active, first.admitted, first.finished), (CALLS, 2 * calls, calls));
    assert_eq!((last.admitted, last.finished), (2 * calls, 2 * calls), "all have gone");
}

/// The places are counted in 43 bits. What doesn't fit stays behind the lock.
#[cfg(target_pointer_width = "64")]
#[test]
fn places_without_number_are_places_all_the_same() {
    const MOST: usize = (1 << 43) - 1;
    for places in [MOST, MOST + 1, usize::MAX] {
        let bulkhead = bulkhead(places);
        let permits = [bulkhead.try_acquire(), bulkhead.try_acquire()];
        assert!(permits.iter().all(Result::is_ok), "{places} places");
        assert_eq!(bulkhead.snapshot().active, 2, "of {places}");
        drop(permits);

        let Snapshot { active, counts, .. } = bulkhead.snapshot();
        assert_eq!((active, counts.admitted, counts.finished), (0, 2, 2), "of {places}");
    }
}

#[test]
fn between_threads_and_dashboards_no_place_is_lost_and_the_numbers_agree() {
    const THREADS: usize = 4;
    const CALLS: u64 = 20_000;
    // One place less than there are threads: some are rejected.
    let bulkhead = bulkhead(THREADS - 1);
    let done = AtomicBool::new(false);
    let admitted: u64 = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Relaxed) {
                let now = bulkhead.snapshot();
                let out = now.counts.admitted - now.counts.finished;
                assert_eq!(out, now.active as u64, "{:?}", now.counts);
                assert!(now.active < THREADS, "{} are in", now.active);
            }
        });
        let callers = [(); THREADS].map(|()| {
            scope.spawn(|| {
                (0..CALLS).map(|_| u64::from(bulkhead.try_acquire().is_ok())).sum::<u64>()
            })
        });
        let admitted = callers.map(|caller| caller.join().expect("no panic")).iter().sum();
        done.store(true, Relaxed);
        watcher.join().expect("no panic");
        admitted
    });

    let Snapshot { active, counts, .. } = bulkhead.snapshot();
    let all = THREADS as u64 * CALLS;
    assert_eq!((active, counts.admitted, counts.finished), (0, admitted, admitted));
    assert_eq!(counts.rejected, all - admitted, "each caller is told one or the other");
}
