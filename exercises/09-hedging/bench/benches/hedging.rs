//! What it costs to hedge a call that is in time, as nearly all are: with a fixed delay, and with one that
//! follows what calls take.

/// One text, compiled for yours and for the reference.
#[path = "ours"]
mod yours {
    use hedging as subject;
    pub mod row;
}
#[path = "ours"]
mod reference {
    use hedging_solution as subject;
    pub mod row;
}

use std::process::ExitCode;
use std::time::Duration;

use stopwatch::{Clock, Table};
use tower::ServiceExt as _;
use tower::hedge::{Hedge, Policy};

const FIXED: &str = "in time, fixed delay";
const FOLLOWED: &str = "in time, by percentile";
const DELAY: Duration = Duration::from_secs(10);

type Never = std::convert::Infallible;

fn main() -> ExitCode {
    stopwatch::main("hedging", |table| {
        table.column(FIXED);
        table.column(FOLLOWED);
        yours::row::row(table.yours());
        reference::row::row(table.reference("reference"));
        table.floors(FIXED);
        others(table);
    })
}

/// Every request may be sent twice.
#[derive(Clone, Copy)]
struct All;

impl Policy<()> for All {
    fn clone_request(&self, (): &()) -> Option<()> {
        Some(())
    }

    fn can_retry(&self, (): &()) -> bool {
        true
    }
}

fn others(table: &mut Table) {
    // What a call with a time limit costs anyway.
    table.published("tokio", "timeout").case(FIXED, || {
        || {
            let clock = Clock::entered();
            move || clock.run(tokio::time::timeout(DELAY, async { Ok::<_, Never>(()) })).is_ok()
        }
    });
    table.published("tower", "Hedge").case(FOLLOWED, || {
        || {
            let clock = Clock::entered();
            let service = tower::service_fn(|()| async { Ok::<_, tower::BoxError>(()) });
            let latencies = [10; 1_000];
            let hedge =
                Hedge::new_with_mock_latencies(service, All, 100, 0.95, DELAY * 360, &latencies);
            let mut hedge = hedge;
            move || {
                let answer = async {
                    tower::Service::call(hedge.ready().await.expect("it is ready"), ()).await
                };
                clock.run(answer).is_ok()
            }
        }
    });
}
