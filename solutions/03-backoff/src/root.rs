//! The reference solution of backoff, jitter and retries.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! use backoff_solution::{Backoff, Config, Jitter, client_rng};
//!
//! let backoff = Backoff::new(Config { jitter: Jitter::Full, ..Config::default() })?;
//! let delays: Vec<_> = backoff.delays(client_rng(7, 1)).take(5).collect();
//! assert!(delays.iter().all(|delay| delay.as_millis() <= 1_600));
//! # Ok::<(), backoff_solution::ConfigError>(())
//! ```

include!("lib.rs");

/// The same delays for those who count nanoseconds: a worked extension, not part of the exercise.
pub mod fast;

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
