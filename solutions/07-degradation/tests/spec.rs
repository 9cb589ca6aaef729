//! The solution, under the exercise's own spec.
extern crate degradation_solution as degradation;

// These tell `cargo xtask verify` when a check has come to its end.
#[macro_use]
extern crate witness;
extern crate witness_tokio as tokio;

#[path = "../../../exercises/07-degradation/tests/steps/mod.rs"]
mod steps;
