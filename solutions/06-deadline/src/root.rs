//! The reference solution of deadlines.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! use std::time::Duration;
//! use deadline_solution::{Deadline, Expired, RunError};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let request = Deadline::after(Duration::from_secs(2));
//! let answer = request.run(|| std::future::pending::<Result<(), &str>>()).await;
//! assert_eq!(answer, Err(RunError::Expired(Expired::Cancelled)));
//! # }
//! ```

include!("lib.rs");

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
