//! A place taken and given back, borrowed and owned, and a refusal.

use stopwatch::{RowBuilder, now};

use super::subject::{Config, Limit, Request, Shedder};
use crate::{FULL, OWNED, PLACES, TAKEN};

fn shedder(places: usize) -> Shedder {
    let config = Config { limit: Limit::Fixed(places), max_waiting: 0, ..Config::default() };
    Shedder::seeded(config, 7).expect("valid")
}

pub fn row(row: RowBuilder<'_>) -> RowBuilder<'_> {
    row.case(TAKEN, || {
        let shedder = shedder(PLACES);
        move || {
            let shedder = shedder.clone();
            move || now(shedder.call(Request::default(), || async {})).is_ok()
        }
    })
    .case(OWNED, || {
        let shedder = shedder(PLACES);
        move || {
            let shedder = shedder.clone();
            move || now(shedder.acquire(Request::default())).is_ok()
        }
    })
    .case(FULL, || {
        let shedder = shedder(1);
        std::mem::forget(now(shedder.acquire(Request::default())).expect("one place"));
        move || {
            let shedder = shedder.clone();
            move || now(shedder.call(Request::default(), || async {})).is_err()
        }
    })
}
