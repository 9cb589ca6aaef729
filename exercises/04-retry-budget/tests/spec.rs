//! The spec of the retry budget, a module a step.
mod steps;
