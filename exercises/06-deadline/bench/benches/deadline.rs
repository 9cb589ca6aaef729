//! What it costs to run work that is ready under a deadline, to read one from a request's header at the
//! gate, and to write one into the header of a call.

/// One text, compiled for yours and for the reference.
#[path = "ours"]
mod yours {
    use deadline as subject;
    pub mod row;
}
#[path = "ours"]
mod reference {
    use deadline_solution as subject;
    pub mod row;
}

use std::process::ExitCode;
use std::time::Duration;

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

fn ours(table: &mut Table) {
    yours::row::row(table.yours());
    reference::row::row(table.reference("reference"));
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
