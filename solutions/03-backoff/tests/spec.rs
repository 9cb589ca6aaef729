//! The solution, under the exercise's own spec.
extern crate backoff_solution as backoff;

#[path = "../../../exercises/03-backoff/tests/steps/mod.rs"]
mod steps;
