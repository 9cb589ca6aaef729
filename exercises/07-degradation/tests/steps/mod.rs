//! What the checks share.
//!
//! Time is virtual: `#[tokio::test(start_paused = true)]` stops tokio's clock, and `wait` moves it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

mod step_1_levels;
mod step_2_features;
mod step_3_steady;
mod step_4_fall_back;
mod step_5_say_so;
mod step_6_health;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

/// Moves the clock.
async fn wait(time: Duration) {
    tokio::time::advance(time).await;
}

/// What `code` gives. If it panics, the check fails with `why`; `verify` shows the panic below that.
#[track_caller]
fn without_panic<T>(why: &str, code: impl FnOnce() -> T) -> T {
    let Ok(value) = catch_unwind(AssertUnwindSafe(code)) else { panic!("{why}") };
    value
}
