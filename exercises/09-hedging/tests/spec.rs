//! The spec of hedging, a module a step.

// These tell `cargo xtask verify` when a check has come to its end.
#[macro_use]
extern crate witness;
extern crate witness_tokio as tokio;

mod steps;
