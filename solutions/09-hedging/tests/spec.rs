//! The solution, under the exercise's own spec.
#![expect(clippy::large_futures, reason = "what a test awaits is not moved")]

extern crate hedging_solution as hedging;

// These tell `cargo xtask verify` when a check has come to its end.
#[macro_use]
extern crate witness;
extern crate witness_tokio as tokio;

#[path = "../../../exercises/09-hedging/tests/steps/mod.rs"]
mod steps;
