//! The reference solution of the circuit breaker.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! use circuit_breaker_solution::{CallError, CircuitBreaker, Config};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let payments = CircuitBreaker::new(Config::default())?;
//! match payments.call(|| async { Err::<(), _>("503") }).await {
//!     Ok(()) => println!("charged"),
//!     Err(CallError::Rejected(rejected)) => println!("queued for later: {rejected}"),
//!     Err(CallError::Operation(error)) => println!("failed: {error}"),
//! }
//! # Ok(())
//! # }
//! ```

include!("lib.rs");

/// The same breaker for those who count nanoseconds: a worked extension, not part of the exercise.
pub mod fast;

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
