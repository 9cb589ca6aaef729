//! What one call through a closed breaker costs, and one rejection by an open one. Every breaker is
//! closed by default and has seen nothing but successes, if its row says nothing else, or is open for a day.

/// One text, compiled for yours and for the reference.
#[path = "ours"]
mod yours {
    use circuit_breaker as subject;
    pub mod row;
}
#[path = "ours"]
mod reference {
    use circuit_breaker_solution as subject;
    pub mod row;
    pub mod some_fail;
}
#[path = "ours"]
mod fast {
    use circuit_breaker_solution::fast as subject;
    pub mod row;
    pub mod some_fail;
}

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use stopwatch::{Clock, Table, now, runtime};

const ALLOWED: &str = "allowed";
const REJECTED: &str = "rejected";
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Enough failures to open any of them.
const ENOUGH: usize = 200;

#[derive(Debug, thiserror::Error)]
#[error("the service is down")]
struct Down;

/// The operation behind the breaker costs nothing.
const WELL: Result<(), Down> = Ok(());
const ILL: Result<(), Down> = Err(Down);

fn main() -> ExitCode {
    stopwatch::main("circuit-breaker", |table| {
        table.column(ALLOWED);
        table.column(REJECTED);
        ours(table);
        table.floors(ALLOWED);
        closures(table);
        futures(table);
        services(table);
        table.promise("reference, fast", ALLOWED, 1.0, "");
        table.promise("reference, fast", REJECTED, 0.7, "");
    })
}

/// A permit, and its outcome.
fn ours(table: &mut Table) {
    yours::row::row(table.yours());
    reference::row::row(table.reference("reference"));
    fast::row::row(table.reference("reference, fast"));
    reference::some_fail::row(table.reference("reference, 1 % fail"));
    fast::some_fail::row(table.reference("reference, fast, 1 % fail"));
    table.reference("reference, fast, async").case(ALLOWED, || {
        use circuit_breaker_solution::fast::{CircuitBreaker, Config};
        let breaker = Arc::new(CircuitBreaker::new(Config::default()).expect("valid"));
        move || {
            let breaker = Arc::clone(&breaker);
            move || now(breaker.call(|| async { WELL })).is_ok()
        }
    });
}

/// Breakers around a closure.
fn closures(table: &mut Table) {
    use circuitbreaker_rs::{CircuitBreaker as Rs, DefaultPolicy};
    use failsafe::failure_policy::consecutive_failures;
    use failsafe::{CircuitBreaker as _, Config, backoff};
    use recloser::Recloser;

    let recloser = || Arc::new(Recloser::custom().open_wait(A_DAY).build());
    table
        .published("recloser", "")
        .case(ALLOWED, || {
            let breaker = recloser();
            move || {
                let breaker = Arc::clone(&breaker);
                move || breaker.call(|| WELL).is_ok()
            }
        })
        .case(REJECTED, || {
            let breaker = recloser();
            (0..ENOUGH).for_each(|_| drop(breaker.call(|| ILL)));
            move || {
                let breaker = Arc::clone(&breaker);
                move || matches!(breaker.call(|| WELL), Err(recloser::Error::Rejected))
            }
        });

    let failsafe = || {
        let policy = consecutive_failures(5, backoff::constant(A_DAY));
        Arc::new(Config::new().failure_policy(policy).build())
    };
    table
        .published("failsafe", "")
        .case(ALLOWED, || {
            let breaker = failsafe();
            move || {
                let breaker = Arc::clone(&breaker);
                move || breaker.call(|| WELL).is_ok()
            }
        })
        .case(REJECTED, || {
            let breaker = failsafe();
            (0..ENOUGH).for_each(|_| drop(breaker.call(|| ILL)));
            move || {
                let breaker = Arc::clone(&breaker);
                move || matches!(breaker.call(|| WELL), Err(failsafe::Error::Rejected))
            }
        });

    let rs = || Rs::<DefaultPolicy, Down>::builder().cooldown(A_DAY).build();
    table
        .published("circuitbreaker-rs", "")
        .case(ALLOWED, || {
            let breaker = rs();
            move || {
                let breaker = breaker.clone();
                move || breaker.call(|| WELL).is_ok()
            }
        })
        .case(REJECTED, || {
            let breaker = rs();
            (0..ENOUGH).for_each(|_| drop(breaker.call(|| ILL)));
            move || {
                let breaker = breaker.clone();
                move || breaker.call(|| WELL).is_err()
            }
        });
}

/// Breakers around a future.
fn futures(table: &mut Table) {
    use breaker::{CircuitBreaker, CircuitBreakerConfig};

    let breaker = || {
        let config = CircuitBreakerConfig::builder().consecutive_failures(5).wait_duration(A_DAY);
        CircuitBreaker::new(config.build())
    };
    table
        .published("breaker", "")
        .case(ALLOWED, || {
            let breaker = Arc::new(breaker());
            move || {
                let breaker = Arc::clone(&breaker);
                move || now(breaker.call(|| async { WELL })).is_ok()
            }
        })
        .case(REJECTED, || {
            let breaker = Arc::new(breaker());
            (0..ENOUGH).for_each(|_| drop(now(breaker.call(|| async { ILL }))));
            move || {
                let breaker = Arc::clone(&breaker);
                move || now(breaker.call(|| async { WELL })).is_err()
            }
        });
}

/// Breakers around a service. A request says whether the service is well. tower-resilience's may sleep: it
/// waits a millisecond when its lock is taken.
fn services(table: &mut Table) {
    table
        .published("seatbelt", "")
        .case(ALLOWED, || {
            let service = Arc::new(seatbelt());
            move || {
                let service = Arc::clone(&service);
                move || now(layered::Service::execute(&*service, true)).is_ok()
            }
        })
        .case(REJECTED, || {
            let service = Arc::new(seatbelt());
            (0..ENOUGH).for_each(|_| drop(now(layered::Service::execute(&*service, false))));
            move || {
                let service = Arc::clone(&service);
                move || now(layered::Service::execute(&*service, true)).is_err()
            }
        });

    table
        .published("tower-resilience-circuitbreaker", "")
        .case(ALLOWED, || {
            let service = tower_resilience();
            move || {
                let (mut service, clock) = (service.clone(), Clock::entered());
                move || clock.run(tower_call(&mut service, true))
            }
        })
        .case(REJECTED, || {
            let service = tower_resilience();
            let (mut failing, clock) = (service.clone(), Clock::entered());
            for _ in 0..ENOUGH {
                clock.run(tower_call(&mut failing, false));
            }
            move || {
                let (mut service, clock) = (service.clone(), Clock::entered());
                move || !clock.run(tower_call(&mut service, true))
            }
        });
}

fn seatbelt() -> impl layered::Service<bool, Out = Result<(), Down>> {
    use layered::{Execute, Stack as _};
    use seatbelt::breaker::{Breaker, BreakerConfig};
    use seatbelt::{RecoveryInfo, ResilienceContext};

    // tokio's clock wants a runtime to be entered while it is made.
    let runtime = runtime();
    let clock = {
        let _entered = runtime.enter();
        tick::Clock::new_tokio()
    };
    let mut config = BreakerConfig::default();
    config.break_duration = A_DAY;
    config.min_throughput = 5;
    let layer = Breaker::layer("breaker", &ResilienceContext::new(clock))
        .recovery_with(|answer: &Result<(), Down>, _| match answer {
            Ok(()) => RecoveryInfo::never(),
            Err(Down) => RecoveryInfo::retry(),
        })
        .rejected_input_error(|_, _| Down)
        .config(&config);
    let service = (layer, Execute::new(|is_well| async move { if is_well { WELL } else { ILL } }));
    service.into_service()
}

fn tower_resilience()
-> impl tower::Service<bool, Response = (), Error = impl Send> + Clone + Sync + 'static {
    use tower_resilience_circuitbreaker::CircuitBreakerLayer;

    let layer = CircuitBreakerLayer::builder().wait_duration_in_open(A_DAY).build();
    let layer = layer.expect("a valid configuration");
    let serve = |is_well| async move { if is_well { WELL } else { ILL } };
    layer.layer_fn(tower::service_fn(serve))
}

async fn tower_call<S: tower::Service<bool>>(service: &mut S, is_well: bool) -> bool {
    use tower::ServiceExt as _;
    match service.ready().await {
        Ok(service) => service.call(is_well).await.is_ok(),
        Err(_) => false,
    }
}
