//! The spec of the bulkhead, a module a step.
mod steps;
