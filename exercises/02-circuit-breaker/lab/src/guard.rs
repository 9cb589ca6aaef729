//! A breaker around the calls.

use std::sync::Arc;
use std::time::Duration;

use lab_kit::attempt;
use storm::{Failure, Timeline};

use super::subject::{CallError, CircuitBreaker, Config, Transition};
use crate::{Guard, LANE};

pub fn guard(open_for: Duration, seed: u64, timeline: &Timeline) -> Guard {
    let breaker = || {
        let config = Config { open_for, ..Config::default() };
        CircuitBreaker::seeded(config, seed).expect("valid")
    };
    let marks = timeline.clone();
    let mark = move |transition: &Transition| marks.mark(LANE, &transition.to.to_string());
    // The listener is the last step, and the storm can be run long before it.
    let listening = attempt(|| breaker().on_transition(mark)).ok();
    if listening.is_some() {
        timeline.mark(LANE, "closed");
    }
    let breaker = Arc::new(listening.unwrap_or_else(breaker));
    Arc::new(move |call| {
        let breaker = Arc::clone(&breaker);
        Box::pin(async move {
            breaker.call(|| call).await.map_err(|error| match error {
                CallError::Rejected(_) => Failure::Shed,
                CallError::Operation(failure) => failure,
            })
        })
    })
}
