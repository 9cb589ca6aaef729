//! The solution, under the exercise's own spec.
extern crate retry_budget_solution as retry_budget;

#[path = "../../../exercises/04-retry-budget/tests/steps/mod.rs"]
mod steps;
