//! The reference solution of the bulkhead.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! use bulkhead_solution::{Bulkhead, Config};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let payments = Bulkhead::new(Config { max_concurrent: 10, ..Config::default() })?;
//! match payments.call(|| async { "charged" }).await {
//!     Ok(receipt) => println!("{receipt}"),
//!     Err(rejected) => println!("try again later: {rejected}"),
//! }
//! # Ok(())
//! # }
//! ```

include!("lib.rs");

/// The same bulkhead for those who count nanoseconds: a worked extension, not part of the exercise.
pub mod fast;

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
