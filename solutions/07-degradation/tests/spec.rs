//! The solution, under the exercise's own spec.
extern crate degradation_solution as degradation;

#[path = "../../../exercises/07-degradation/tests/steps/mod.rs"]
mod steps;
