//! The reference solution of hedging.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use hedging_solution::{Attempt, Budget, Delay, Hedger};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let budget = Arc::new(Budget::new(10, 100).expect("at most 100 %"));
//! let hedger = Hedger::new(Delay::Fixed(Duration::from_millis(10)), budget).expect("any delay");
//! let answer = hedger.call(async |attempt| match attempt {
//!     Attempt::Original => std::future::pending().await,
//!     Attempt::Hedge => Ok::<_, ()>("found"),
//! });
//! assert_eq!(answer.await, Ok("found"));
//! # }
//! ```

include!("lib.rs");

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
