//! The checks of the exercise, a module a step.
mod steps;
