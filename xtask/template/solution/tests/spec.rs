//! The solution, under the exercise's own spec.
extern crate __CRATE___solution as __CRATE__;

#[path = "../../../exercises/__FOLDER__/tests/steps/mod.rs"]
mod steps;
