//! The checks of the exercise, a module a step.

// It tells `cargo xtask verify` when a check has come to its end. For a `#[tokio::test]` there is
// `extern crate witness_tokio as tokio;`, with `witness-tokio` among the dev-dependencies.
#[macro_use]
extern crate witness;

mod steps;
