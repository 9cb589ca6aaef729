//! The reference solution of __ID__.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! assert!(__CRATE___solution::admits(2, 3));
//! ```

include!("lib.rs");

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
