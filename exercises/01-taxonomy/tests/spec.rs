//! The spec of the detectors, a module a step.

// These tell `cargo xtask verify` when a check has come to its end.
#[macro_use]
extern crate witness;

mod steps;
