//! The reference solution of the retry budget.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! use retry_budget_solution::{Config, RetryBudget};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let payments = RetryBudget::new(Config::default())?;
//! match payments.call(2, || async { Err::<(), _>("503") }).await {
//!     Ok(()) => println!("charged"),
//!     Err(error) => println!("failed, after as many tries as there were tokens for: {error}"),
//! }
//! # Ok(())
//! # }
//! ```

include!("lib.rs");

/// The same budget for those who count nanoseconds: a worked extension, not part of the exercise.
pub mod fast;

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
