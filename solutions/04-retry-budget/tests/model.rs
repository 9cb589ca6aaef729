//! The readable budget against the plain model.

use retry_budget_solution::{Config, Exhausted, Feed, RetryBudget};

#[path = "shared/model.rs"]
mod model;
