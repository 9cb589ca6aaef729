//! What a place costs, taken and given back, and what a refusal costs; and a client's throttle and a tenant's bucket.
//!
//! Like with like: a call in a borrowed place is compared with the semaphore's `acquire`, which borrows as well and
//! would wait as well; a permit of its own with `acquire_owned`. `try_acquire` never waits: it is the least that a
//! semaphore can cost, and the promise is measured by it, the harder of the two.

/// One text, compiled for yours and for the reference.
#[path = "ours"]
mod yours {
    use load_shedding as subject;
    pub mod others;
    pub mod row;
}
#[path = "ours"]
mod reference {
    use load_shedding_solution as subject;
    pub mod others;
    pub mod row;
}
#[path = "ours"]
mod fast {
    use load_shedding_solution::fast as subject;
    pub mod row;
}

use std::hint::black_box;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use governor::{Quota, RateLimiter};
use stopwatch::{Table, now};
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt as _, service_fn};

const TAKEN: &str = "a call in a place";
const OWNED: &str = "an owned permit, taken and dropped";
const FULL: &str = "refused";
const THROTTLE: &str = "asked and accepted";
const BUCKET: &str = "a tenant's bucket asked";
const PLACES: usize = 100;

fn main() -> ExitCode {
    stopwatch::main("load-shedding", |table| {
        for column in [TAKEN, OWNED, FULL, THROTTLE, BUCKET] {
            table.column(column);
        }
        yours::others::add(yours::row::row(table.yours()));
        reference::others::add(reference::row::row(table.reference("reference")));
        fast::row::row(table.reference("reference, fast"));
        table.floors(TAKEN);
        semaphore(table);
        services(table);
        buckets(table);
        table.promise("reference, fast", TAKEN, 1.2, "tokio");
        table.promise("reference, fast", OWNED, 1.2, "tokio");
        // A semaphore that is full says `false`. The promise is about those that refuse a request.
        table.promise("reference, fast", FULL, 1.0, "tower");
    })
}

fn semaphore(table: &mut Table) {
    let semaphore = |places| Arc::new(Semaphore::new(places));
    table
        .published("tokio", "Semaphore, acquire")
        .case(TAKEN, move || {
            let semaphore = semaphore(PLACES);
            move || on(&semaphore, |semaphore| now(semaphore.acquire()).is_ok())
        })
        .case(OWNED, move || {
            let semaphore = semaphore(PLACES);
            move || on(&semaphore, |semaphore| now(Arc::clone(semaphore).acquire_owned()).is_ok())
        });
    table
        .published("tokio", "Semaphore, try_acquire")
        .case(TAKEN, move || {
            let semaphore = semaphore(PLACES);
            move || on(&semaphore, |semaphore| semaphore.try_acquire().is_ok())
        })
        .case(OWNED, move || {
            let semaphore = semaphore(PLACES);
            move || on(&semaphore, |semaphore| Arc::clone(semaphore).try_acquire_owned().is_ok())
        })
        .case(FULL, move || {
            let semaphore = semaphore(0);
            move || on(&semaphore, |semaphore| semaphore.try_acquire().is_err())
        });
}

fn on<F>(semaphore: &Arc<Semaphore>, operation: F) -> impl FnMut() -> bool + use<F>
where
    F: Fn(&Arc<Semaphore>) -> bool,
{
    let semaphore = Arc::clone(semaphore);
    move || operation(&semaphore)
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
    let shedding = move |places| {
        move || {
            let limit = tower::limit::ConcurrencyLimit::new(service_fn(nothing), places);
            let service = tower::load_shed::LoadShed::new(limit);
            move || {
                let mut service = service.clone();
                move || call(&mut service) == (places > 0)
            }
        }
    };
    table
        .published("tower", "LoadShed over a limit")
        .case(TAKEN, shedding(PLACES))
        .case(FULL, shedding(0));
    table.published("tower-resilience-adaptive", "AIMD").case(TAKEN, || {
        use tower_resilience_adaptive::{AdaptiveLimiterLayer, Aimd};
        let aimd = Aimd::builder().initial_limit(PLACES).latency_threshold(Duration::from_secs(1));
        let layer = AdaptiveLimiterLayer::new(aimd.build().expect("a valid configuration"));
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

/// A bucket of a million a second is soon empty here. A refusal is an answer as well.
fn asked<T, E>(answer: &Result<T, E>) -> bool {
    black_box(answer);
    true
}

fn buckets(table: &mut Table) {
    table.published("governor", "by key").case(BUCKET, || {
        let million = NonZeroU32::new(1_000_000).expect("not zero");
        let limiter = Arc::new(RateLimiter::hashmap(Quota::per_second(million)));
        move || {
            let limiter = Arc::clone(&limiter);
            move || asked(&limiter.check_key(&"tenant"))
        }
    });
}
