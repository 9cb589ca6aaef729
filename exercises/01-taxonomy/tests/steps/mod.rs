//! What the checks share: time that is passed in, and never read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

mod step_1_classify;
mod step_2_crash;
mod step_3_late;
mod step_4_response;
mod step_5_byzantine;
mod step_6_cascade;

/// When each check begins. Which moment that is makes no difference.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The moment so many milliseconds after the beginning.
fn at(millis: u64) -> Instant {
    *BEGINNING + ms(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Of a time in milliseconds: `1.500s`.
fn seconds(millis: u64) -> String {
    format!("{}.{:03}s", millis / 1000, millis % 1000)
}

/// What `code` gives. If it panics, the check fails with `why`; `verify` shows the panic below that.
#[track_caller]
fn without_panic<T>(why: &str, code: impl FnOnce() -> T) -> T {
    let Ok(value) = catch_unwind(AssertUnwindSafe(code)) else { panic!("{why}") };
    value
}
