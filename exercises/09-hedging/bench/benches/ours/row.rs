//! A call that is in time, with a fixed delay and with one that follows.

use std::sync::Arc;

use stopwatch::{Clock, RowBuilder};

use super::subject::{Budget, Delay, Hedger};
use crate::{DELAY, FIXED, FOLLOWED, Never};

fn hedger(delay: Delay) -> Arc<Hedger> {
    let budget = Arc::new(Budget::new(10, 100).expect("valid"));
    Arc::new(Hedger::new(delay, budget).expect("valid"))
}

pub fn row(row: RowBuilder<'_>) {
    row.case(FIXED, || {
        let hedger = hedger(Delay::Fixed(DELAY));
        move || {
            let (clock, hedger) = (Clock::entered(), Arc::clone(&hedger));
            move || clock.run(hedger.call(|_| async { Ok::<_, Never>(()) })).is_ok()
        }
    })
    .case(FOLLOWED, || {
        let hedger = hedger(Delay::default());
        move || {
            let (clock, hedger) = (Clock::entered(), Arc::clone(&hedger));
            move || clock.run(hedger.call(|_| async { Ok::<_, Never>(()) })).is_ok()
        }
    });
}
