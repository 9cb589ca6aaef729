//! What a fallback adds to a fresh answer and to a fixed one, and what it costs to note a call and to evaluate
//! the level of a service with six busy dependencies.

use std::process::ExitCode;
use std::sync::Arc;
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

macro_rules! row {
    ($row:expr, $degradation:ident) => {{
        use $degradation::{
            Cached, Config, Degradation, Fallback, FallbackConfig, Fault, Level, MOST_CALLS, Mode,
            Source,
        };
        let fallback = || Arc::new(Fallback::new(FallbackConfig::default()).expect("valid"));
        // Every window is full, and nothing in it is too old while this runs.
        let busy = || {
            let config = Config { window: Config::LONGEST, ..Config::default() };
            let service = Degradation::new(config, &DEPENDENCIES).expect("valid");
            for name in DEPENDENCIES {
                (0..MOST_CALLS).for_each(|_| service.record(name, true, TOOK).expect("known"));
            }
            Arc::new(service)
        };
        $row.case(FRESH, || {
            let fallback = fallback();
            move || {
                let (fallback, clock) = (Arc::clone(&fallback), Clock::entered());
                move || {
                    let fresh = || async { Ok::<_, Fault<()>>(1) };
                    let cached = || async { None::<Cached<i32>> };
                    let answer = clock.run(fallback.get(Mode::Full, fresh, cached, Some(0)));
                    answer.is_ok_and(|answer| answer.source == Source::Fresh)
                }
            }
        })
        .case(FIXED, || {
            let fallback = fallback();
            move || {
                let (fallback, clock) = (Arc::clone(&fallback), Clock::entered());
                move || {
                    let fresh = || async { Err(Fault::Transient(())) };
                    let cached = || async { None::<Cached<i32>> };
                    let answer = clock.run(fallback.get(Mode::Full, fresh, cached, Some(0)));
                    answer.is_ok_and(|answer| answer.source == Source::Static)
                }
            }
        })
        .case(RECORD, || {
            let service = busy();
            move || {
                let service = Arc::clone(&service);
                move || service.record("search", true, TOOK).is_ok()
            }
        })
        .case(EVALUATE, || {
            let service = busy();
            move || {
                let service = Arc::clone(&service);
                move || service.evaluate() == Level::Normal
            }
        })
    }};
}

fn ours(table: &mut Table) {
    row!(table.yours(), degradation);
    row!(table.reference("reference"), degradation_solution);
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
