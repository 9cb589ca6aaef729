//! The solution, under the exercise's own spec.
extern crate deadline_solution as deadline;

#[path = "../../../exercises/06-deadline/tests/steps/mod.rs"]
mod steps;
