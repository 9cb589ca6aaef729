//! The spec of backoff and retries, a module a step.
mod steps;
