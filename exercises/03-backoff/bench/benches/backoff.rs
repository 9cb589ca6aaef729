//! What one more delay costs, when the delays have reached the cap, and what the first five of an
//! operation cost, generator included. Full jitter where there is a choice. Nothing sleeps.

/// One text, compiled for yours and for the reference.
#[path = "ours"]
mod yours {
    use ::yours as subject;
    pub mod row;
}
#[path = "ours"]
mod reference {
    use backoff_solution as subject;
    pub mod row;
}
#[path = "ours"]
mod fast {
    use backoff_solution::fast as subject;
    pub mod row;
}

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use stopwatch::Table;

const NEXT: &str = "next at the cap";
const FIVE: &str = "first five";
const BASE: Duration = Duration::from_millis(100);
const CAP: Duration = Duration::from_secs(30);
/// Delays before the cap is reached.
const WAY_UP: usize = 20;

fn main() -> ExitCode {
    stopwatch::main("backoff", |table| {
        table.column(NEXT);
        table.column(FIVE);
        // Each caller draws its own delays: nothing is shared.
        table.one_thread_only();
        ours(table);
        floors(table);
        iterators(table);
        retry_policies(table);
        table.promise("reference, fast", NEXT, 0.5, "backon");
    })
}

fn ours(table: &mut Table) {
    yours::row::row(table.yours());
    reference::row::row(table.reference("reference"));
    fast::row::row(table.reference("reference, fast"));
}

fn floors(table: &mut Table) {
    table.floor("a number up to the cap").case(NEXT, || {
        || {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
            move || rng.random_range(0..=30_000_000_000_u64) <= 30_000_000_000
        }
    });
    table.floor("Instant::now").case(NEXT, || {
        || {
            || {
                std::hint::black_box(std::time::Instant::now());
                true
            }
        }
    });
}

fn iterators(table: &mut Table) {
    use ::backoff::backoff::Backoff as _;
    use backon::BackoffBuilder as _;
    use tokio_retry::strategy as old;
    use tokio_retry2::strategy as new;

    let backon = || {
        let builder = backon::ExponentialBuilder::new().with_min_delay(BASE).with_max_delay(CAP);
        builder.with_jitter().without_max_times()
    };
    iterator(table.published("backon", ""), move || backon().build());
    // Both read `from_millis` as the base of a power; `factor` is what it is multiplied by.
    let tokio_retry = || old::ExponentialBackoff::from_millis(2).factor(50).max_delay(CAP);
    iterator(table.published("tokio-retry", ""), move || tokio_retry().map(old::jitter));
    let tokio_retry2 = || new::ExponentialBackoff::from_millis(2).factor(50).max_delay(CAP);
    iterator(table.published("tokio-retry2", ""), move || tokio_retry2().map(new::jitter));
    iterator(table.published("backoff", ""), || {
        let mut delays = ::backoff::ExponentialBackoffBuilder::new()
            .with_initial_interval(BASE)
            .with_multiplier(2.0)
            .with_max_interval(CAP)
            .with_max_elapsed_time(None)
            .build();
        std::iter::from_fn(move || delays.next_backoff())
    });
}

fn iterator<I>(row: stopwatch::RowBuilder<'_>, delays: impl Fn() -> I + Copy + Sync + 'static)
where
    I: Iterator<Item = Duration> + 'static,
{
    row.case(NEXT, || {
        move || {
            let mut delays = delays();
            delays.by_ref().take(WAY_UP).for_each(drop);
            move || delays.next().is_some()
        }
    })
    .case(FIVE, || move || move || all(delays().take(5)));
}

fn retry_policies(table: &mut Table) {
    use retry_policies::policies::ExponentialBackoff;
    use retry_policies::{Jitter, RetryDecision, RetryPolicy as _};

    let policy = || {
        let builder = ExponentialBackoff::builder().retry_bounds(BASE, CAP).jitter(Jitter::Full);
        builder.build_with_max_retries(u32::MAX)
    };
    // It answers with the moment of the retry, so it reads the clock.
    let asks = |policy: &ExponentialBackoff, retries: std::ops::Range<u32>| {
        let begun = SystemTime::UNIX_EPOCH;
        retries.fold(true, |all, retry| {
            all & matches!(policy.should_retry(begun, retry), RetryDecision::Retry { .. })
        })
    };
    table
        .published("retry-policies", "")
        .case(NEXT, || {
            move || {
                let policy = policy();
                move || asks(&policy, 20..21)
            }
        })
        .case(FIVE, || {
            move || {
                let policy = policy();
                move || asks(&policy, 0..5)
            }
        });
}

/// Looks at each of five delays.
fn all(delays: impl Iterator<Item = Duration>) -> bool {
    delays.map(std::hint::black_box).count() == 5
}
