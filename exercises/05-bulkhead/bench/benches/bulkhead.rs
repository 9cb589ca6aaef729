//! What a place in a bulkhead costs, taken and given back, and what it costs to be turned away.

/// One text, compiled for yours and for the reference.
#[path = "ours"]
mod yours {
    use bulkhead as subject;
    pub mod row;
}
#[path = "ours"]
mod reference {
    use bulkhead_solution as subject;
    pub mod row;
}
#[path = "ours"]
mod fast {
    use bulkhead_solution::fast as subject;
    pub mod row;
}

use std::process::ExitCode;
use std::sync::Arc;

use stopwatch::{Table, now};
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt as _, service_fn};

const TAKEN: &str = "taken and given back";
const FULL: &str = "full";
const PLACES: usize = 100;

fn main() -> ExitCode {
    stopwatch::main("bulkhead", |table| {
        table.column(TAKEN);
        table.column(FULL);
        ours(table);
        table.floors(TAKEN);
        semaphore(table);
        services(table);
        table.promise("reference, fast", TAKEN, 1.2, "tokio");
    })
}

fn ours(table: &mut Table) {
    yours::row::row(table.yours());
    reference::row::row(table.reference("reference"));
    fast::row::row(table.reference("reference, fast"));
}

fn semaphore(table: &mut Table) {
    table
        .published("tokio", "Semaphore")
        .case(TAKEN, || {
            let semaphore = Arc::new(Semaphore::new(PLACES));
            move || {
                let semaphore = Arc::clone(&semaphore);
                move || semaphore.try_acquire().is_ok()
            }
        })
        .case(FULL, || {
            let semaphore = Arc::new(Semaphore::new(0));
            move || {
                let semaphore = Arc::clone(&semaphore);
                move || semaphore.try_acquire().is_err()
            }
        });
    table.published("tokio", "Semaphore, owned").case(TAKEN, || {
        let semaphore = Arc::new(Semaphore::new(PLACES));
        move || {
            let semaphore = Arc::clone(&semaphore);
            move || Arc::clone(&semaphore).try_acquire_owned().is_ok()
        }
    });
}

fn services(table: &mut Table) {
    let nothing = |(): ()| async { Ok::<_, std::convert::Infallible>(()) };
    table.published("tower", "ConcurrencyLimit").case(TAKEN, || {
        let service = tower::limit::ConcurrencyLimit::new(service_fn(nothing), PLACES);
        move || {
            let mut service = service.clone();
            move || call(&mut service)
        }
    });
    table.published("tower-resilience-bulkhead", "").case(TAKEN, || {
        use tower_resilience_bulkhead::BulkheadLayer;
        let layer = BulkheadLayer::builder().max_concurrent_calls(PLACES).build();
        let layer = layer.expect("a valid configuration");
        let service = tower::Layer::layer(&layer, service_fn(nothing));
        move || {
            let mut service = service.clone();
            move || call(&mut service)
        }
    });
}

fn call<S: Service<()>>(service: &mut S) -> bool {
    now(service.ready()).is_ok_and(|service| now(service.call(())).is_ok())
}
