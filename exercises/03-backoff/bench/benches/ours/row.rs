//! One more delay at the cap, and the first five.

use stopwatch::RowBuilder;

use super::subject::{Backoff, Config, Jitter, client_rng};
use crate::{BASE, CAP, FIVE, NEXT, WAY_UP, all};

pub fn row(row: RowBuilder<'_>) {
    let config = Config { base: BASE, cap: CAP, jitter: Jitter::Full, ..Config::default() };
    row.case(NEXT, || {
        let backoff = Backoff::new(config).expect("valid");
        move || {
            let mut delays = backoff.delays(client_rng(7, 1));
            delays.by_ref().take(WAY_UP).for_each(drop);
            move || delays.next() <= Some(CAP)
        }
    })
    .case(FIVE, || {
        let backoff = Backoff::new(config).expect("valid");
        move || move || all(backoff.delays(client_rng(7, 1)).take(5))
    });
}
