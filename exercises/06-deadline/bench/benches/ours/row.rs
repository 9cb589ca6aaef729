//! Work run, a request admitted, and a call sent.

use std::sync::Arc;
use std::time::SystemTime;

use axum::http::HeaderMap;
use stopwatch::{Clock, RowBuilder};

use super::subject::{Deadline, Gate, Limits};
use crate::{ADMIT, BUDGET, BUFFER, CARRY, Never, RUN, five_seconds};

pub fn row(row: RowBuilder<'_>) {
    row.case(RUN, || {
        || {
            let clock = Clock::entered();
            let deadline = Deadline::after(BUDGET);
            move || clock.run(deadline.run(|| async { Ok::<_, Never>(()) })).is_ok()
        }
    })
    .case(ADMIT, || {
        let gate = Arc::new(Gate::new(Limits::default()).expect("valid"));
        move || {
            let (gate, headers, wall) = (Arc::clone(&gate), five_seconds(), SystemTime::now());
            move || gate.admit(&headers, wall).is_ok()
        }
    })
    .case(CARRY, || {
        || {
            let clock = Clock::entered();
            let deadline = Deadline::after(BUDGET);
            let send = |headers: HeaderMap| async move { Ok::<_, Never>(headers.len()) };
            move || clock.run(deadline.carry(BUDGET, BUFFER, send)).is_ok_and(|sent| sent == 1)
        }
    });
}
