//! The solution, under the exercise's own spec.
extern crate circuit_breaker_solution as circuit_breaker;

#[path = "../../../exercises/02-circuit-breaker/tests/steps/mod.rs"]
mod steps;
