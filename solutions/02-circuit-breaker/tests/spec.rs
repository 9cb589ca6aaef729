//! The solution, under the exercise's own spec.
extern crate circuit_breaker_solution as circuit_breaker;

// These tell `cargo xtask verify` when a check has come to its end.
#[macro_use]
extern crate witness;
extern crate witness_tokio as tokio;

#[path = "../../../exercises/02-circuit-breaker/tests/steps/mod.rs"]
mod steps;
