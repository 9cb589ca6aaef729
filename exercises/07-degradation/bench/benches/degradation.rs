//! What a fallback adds to a fresh answer and to a fixed one, and what it costs to note a call and to evaluate
//! the level of a service with six busy dependencies.

/// One text, compiled for yours and for the reference.
#[path = "ours"]
mod yours {
    use degradation as subject;
    pub mod row;
}
#[path = "ours"]
mod reference {
    use degradation_solution as subject;
    pub mod row;
}

use std::process::ExitCode;
use std::time::Duration;

use stopwatch::{Clock, Table};
use tower::{Layer as _, ServiceExt as _};

const FRESH: &str = "fresh";
const FIXED: &str = "fixed";
const RECORD: &str = "call noted";
const EVALUATE: &str = "evaluated";
const DEPENDENCIES: [&str; 6] = ["database", "search", "stock", "prices", "reviews", "sign-in"];
const TOOK: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    stopwatch::main("degradation", |table| {
        for column in [FRESH, FIXED, RECORD, EVALUATE] {
            table.column(column);
        }
        ours(table);
        table.floors(RECORD);
        tower_resilience(table);
    })
}

fn ours(table: &mut Table) {
    yours::row::row(table.yours());
    reference::row::row(table.reference("reference"));
}

/// It doesn't say where an answer comes from, and has no levels.
fn tower_resilience(table: &mut Table) {
    use tower_resilience_fallback::FallbackLayer;

    table
        .published("tower-resilience-fallback", "")
        .case(FRESH, || {
            let layer = FallbackLayer::<(), i32, ()>::value(0);
            let service = layer.layer(tower::service_fn(|()| async { Ok::<_, ()>(1) }));
            move || {
                let (service, clock) = (service.clone(), Clock::entered());
                move || clock.run(service.clone().oneshot(())).is_ok_and(|answer| answer == 1)
            }
        })
        .case(FIXED, || {
            let layer = FallbackLayer::<(), i32, ()>::value(0);
            let service = layer.layer(tower::service_fn(|()| async { Err::<i32, _>(()) }));
            move || {
                let (service, clock) = (service.clone(), Clock::entered());
                move || clock.run(service.clone().oneshot(())).is_ok_and(|answer| answer == 0)
            }
        });
}
