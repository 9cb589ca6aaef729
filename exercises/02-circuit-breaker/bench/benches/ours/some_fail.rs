//! The same, but one call in a hundred fails, so that the window does change.

use std::sync::Arc;

use stopwatch::RowBuilder;

use super::subject::{CircuitBreaker, Config, Outcome};
use crate::ALLOWED;

pub fn row(row: RowBuilder<'_>) {
    row.case(ALLOWED, || {
        let breaker = Arc::new(CircuitBreaker::new(Config::default()).expect("valid"));
        move || {
            let (breaker, mut calls) = (Arc::clone(&breaker), 0_u32);
            move || {
                calls += 1;
                let fails = calls.is_multiple_of(100);
                let outcome = if fails { Outcome::Failure } else { Outcome::Success };
                breaker.try_acquire().map(|permit| permit.record(outcome)).is_ok()
            }
        }
    });
}
