//! The readable breaker against the plain model.

use circuit_breaker_solution::{CircuitBreaker, Config, Outcome, Permit, Rejected, State};

#[path = "shared/model.rs"]
mod model;
