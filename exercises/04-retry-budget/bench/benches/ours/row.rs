//! One retry for each request, so that no withdrawal fails; or none, and no floor.

use std::sync::Arc;

use stopwatch::RowBuilder;

use super::subject::{Config, RetryBudget};
use crate::{DEPOSIT, PAIR, REFUSED, WINDOW};

pub fn row(row: RowBuilder<'_>) {
    let budget = |ratio| {
        let config =
            Config { ratio, min_retries_per_second: 0, window: WINDOW, ..Config::default() };
        Arc::new(RetryBudget::new(config).expect("valid"))
    };
    row.case(DEPOSIT, || {
        let budget = budget(1.0);
        move || {
            let budget = Arc::clone(&budget);
            move || {
                budget.record_request();
                true
            }
        }
    })
    .case(PAIR, || {
        let budget = budget(1.0);
        move || {
            let budget = Arc::clone(&budget);
            move || {
                budget.record_request();
                budget.try_withdraw().is_ok()
            }
        }
    })
    .case(REFUSED, || {
        let budget = budget(0.0);
        // What was not written yet shows here: a starter may refuse by chance.
        budget.record_request();
        move || {
            let budget = Arc::clone(&budget);
            move || budget.try_withdraw().is_err()
        }
    });
}
