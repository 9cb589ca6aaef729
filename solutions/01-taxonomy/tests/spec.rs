//! The solution, under the exercise's own spec.
extern crate taxonomy_solution as taxonomy;

#[path = "../../../exercises/01-taxonomy/tests/steps/mod.rs"]
mod steps;
