//! The spec of the deadlines, a module a step.
mod steps;
