//! The solution, under the exercise's own spec.
extern crate bulkhead_solution as bulkhead;

// These tell `cargo xtask verify` when a check has come to its end.
#[macro_use]
extern crate witness;
extern crate witness_tokio as tokio;

#[path = "../../../exercises/05-bulkhead/tests/steps/mod.rs"]
mod steps;
