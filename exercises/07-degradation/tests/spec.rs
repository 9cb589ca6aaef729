//! The spec of graceful degradation, a module a step.
mod steps;
