//! The spec of the circuit breaker, a module a step.
mod steps;
