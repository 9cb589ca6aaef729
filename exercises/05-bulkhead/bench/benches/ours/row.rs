//! A place taken and given back, and a full bulkhead.

use stopwatch::RowBuilder;

use super::subject::{Bulkhead, Config};
use crate::{FULL, PLACES, TAKEN};

pub fn row(row: RowBuilder<'_>) {
    let bulkhead = |max_concurrent| {
        Bulkhead::new(Config { max_concurrent, ..Config::default() }).expect("valid")
    };
    row.case(TAKEN, || {
        let bulkhead = bulkhead(PLACES);
        move || {
            let bulkhead = bulkhead.clone();
            move || bulkhead.try_acquire().is_ok()
        }
    })
    .case(FULL, || {
        let bulkhead = bulkhead(1);
        std::mem::forget(bulkhead.try_acquire().expect("one place"));
        move || {
            let bulkhead = bulkhead.clone();
            move || bulkhead.try_acquire().is_err()
        }
    });
}
