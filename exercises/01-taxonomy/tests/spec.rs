//! The spec of the detectors, a module a step.
mod steps;
