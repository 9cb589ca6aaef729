//! The solution, under the exercise's own spec.
extern crate __CRATE___solution as __CRATE__;

#[macro_use]
extern crate witness;

#[path = "../../../exercises/__FOLDER__/tests/steps/mod.rs"]
mod steps;
