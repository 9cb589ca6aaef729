//! A breaker around the calls.

use std::sync::Arc;

use lab_kit::attempt;
use storm::{Failure, Timeline};

use super::subject::{CallError, CircuitBreaker, Config, Outcome, Transition};
use crate::{Fault, Guard, LANE, Setting, answer};

pub fn guard(setting: Setting, seed: u64, timeline: &Timeline) -> Guard {
    let breaker = || {
        let mut config = Config {
            open_for: setting.open_for,
            probe_lease: setting.probe_lease,
            slow_call_threshold: setting.slow_after,
            ..Config::default()
        };
        if setting.by_rate_alone {
            config.failure_threshold = u32::MAX;
        }
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
            let classify = |result: &Result<(), Fault>| match result {
                Ok(()) => Outcome::Success,
                Err(Fault::NotFound) => Outcome::Ignored,
                Err(Fault::Failed) => Outcome::Failure,
            };
            let result = if setting.ignores_not_found {
                breaker.call_classified(|| call, classify).await
            } else {
                breaker.call(|| call).await
            };
            match result {
                Ok(()) => Ok(()),
                Err(CallError::Operation(fault)) => answer(Err(fault)),
                Err(CallError::Rejected(_)) => Err(Failure::Shed),
            }
        })
    })
}
