//! What it costs to run work that is ready under a deadline, to read one from a request's header at the
//! gate, and to write one into the header of a call.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderValue};
use stopwatch::{Clock, Table};
use tower::ServiceExt as _;

const RUN: &str = "ready work run";
const ADMIT: &str = "request admitted";
const CARRY: &str = "call sent";
const BUDGET: Duration = Duration::from_secs(5);
const BUFFER: Duration = Duration::from_millis(10);

type Never = std::convert::Infallible;

fn main() -> ExitCode {
    stopwatch::main("deadline", |table| {
        table.column(RUN);
        table.column(ADMIT);
        table.column(CARRY);
        ours(table);
        table.floors(ADMIT);
        timeouts(table);
    })
}

macro_rules! row {
    ($row:expr, $deadline:ident) => {
        $row.case(RUN, || {
            || {
                let clock = Clock::entered();
                let deadline = $deadline::Deadline::after(BUDGET);
                move || clock.run(deadline.run(|| async { Ok::<_, Never>(()) })).is_ok()
            }
        })
        .case(ADMIT, || {
            let gate = Arc::new($deadline::Gate::new($deadline::Limits::default()).expect("valid"));
            move || {
                let (gate, headers, wall) = (Arc::clone(&gate), five_seconds(), SystemTime::now());
                move || gate.admit(&headers, wall).is_ok()
            }
        })
        .case(CARRY, || {
            || {
                let clock = Clock::entered();
                let deadline = $deadline::Deadline::after(BUDGET);
                let send = |headers: HeaderMap| async move { Ok::<_, Never>(headers.len()) };
                move || clock.run(deadline.carry(BUDGET, BUFFER, send)).is_ok_and(|sent| sent == 1)
            }
        })
    };
}

fn ours(table: &mut Table) {
    row!(table.yours(), deadline);
    row!(table.reference("reference"), deadline_solution);
}

/// No published crate does the rest.
fn timeouts(table: &mut Table) {
    table.published("tokio", "timeout").case(RUN, || {
        || {
            let clock = Clock::entered();
            move || clock.run(tokio::time::timeout(BUDGET, async { Ok::<_, Never>(()) })).is_ok()
        }
    });
    table.published("tower", "Timeout").case(RUN, || {
        || {
            let clock = Clock::entered();
            let nothing = |(): ()| async { Ok::<_, Never>(()) };
            let service = tower::timeout::Timeout::new(tower::service_fn(nothing), BUDGET);
            move || clock.run(service.clone().oneshot(())).is_ok()
        }
    });
}

fn five_seconds() -> HeaderMap {
    HeaderMap::from_iter([(
        axum::http::HeaderName::from_static("grpc-timeout"),
        HeaderValue::from_static("5S"),
    )])
}
