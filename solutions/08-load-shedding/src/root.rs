//! The reference solution of load shedding.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! use load_shedding_solution::{Config, Request, Shedder};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Shedder::new(Config::default())?;
//! match server.call(Request::default(), || async { "served" }).await {
//!     Ok(answer) => println!("200: {answer}"),
//!     Err(shed) => println!("503, Retry-After: {}: {shed}", shed.retry_after_seconds()),
//! }
//! # Ok(())
//! # }
//! ```

include!("lib.rs");

/// The same shedder for those who count nanoseconds: a worked extension, not part of the exercise.
pub mod fast;

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
