//! What the reference's detectors say, by the same code.

use taxonomy_solution as subject;

#[allow(clippy::duplicate_mod, reason = "the same code, on two sets of detectors")]
#[path = "diagnosis.rs"]
mod diagnosis;

pub use diagnosis::diagnose;
