//! The solution, under the exercise's own spec.
extern crate bulkhead_solution as bulkhead;

#[path = "../../../exercises/05-bulkhead/tests/steps/mod.rs"]
mod steps;
