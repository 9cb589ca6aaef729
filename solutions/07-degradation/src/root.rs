//! The reference solution of graceful degradation.
//!
//! `lib.rs` is what a reader would have written, to the letter. It is included here, and finds the
//! given files beside it.
//!
//! ```
//! use degradation_solution::{Config, Degradation, Fallback, FallbackConfig, Fault, Features, SHOP};
//! # use degradation_solution::{Cached, Source, Unavailable};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let features = Features::new(&SHOP)?;
//! let reviews = Fallback::new(FallbackConfig::default())?;
//! let shop = Degradation::new(Config::default(), &["reviews"])?
//!     .on_change(|change| println!("the shop is {change}"));
//!
//! let mode = features.mode("reviews", shop.level())?;
//! let answer: Result<_, Unavailable<&str>> = reviews
//!     .get(
//!         mode,
//!         || async { Err(Fault::Transient("503")) },
//!         || async { None::<Cached<Vec<String>>> },
//!         Some(Vec::new()),
//!     )
//!     .await;
//! assert_eq!(answer?.source, Source::Static);
//! # Ok(())
//! # }
//! ```

include!("lib.rs");

// `cargo fmt` doesn't follow an `include!`.
#[cfg(false)]
#[path = "lib.rs"]
mod formatted;
