//! A permit taken, and its outcome recorded; and a call rejected.

use std::sync::Arc;

use stopwatch::RowBuilder;

use super::subject::{CircuitBreaker, Config, Outcome};
use crate::{A_DAY, ALLOWED, ENOUGH, REJECTED};

pub fn row(row: RowBuilder<'_>) {
    row.case(ALLOWED, || {
        let breaker = Arc::new(CircuitBreaker::new(Config::default()).expect("valid"));
        move || {
            let breaker = Arc::clone(&breaker);
            move || breaker.try_acquire().map(|permit| permit.record(Outcome::Success)).is_ok()
        }
    })
    .case(REJECTED, || {
        let config = Config { open_for: A_DAY, ..Config::default() };
        let breaker = Arc::new(CircuitBreaker::new(config).expect("valid"));
        for _ in 0..ENOUGH {
            if let Ok(permit) = breaker.try_acquire() {
                permit.record(Outcome::Failure);
            }
        }
        move || {
            let breaker = Arc::clone(&breaker);
            move || breaker.try_acquire().is_err()
        }
    });
}
