//! What the reader's detectors say.

use taxonomy as subject;

#[allow(clippy::duplicate_mod, reason = "the same code, on two sets of detectors")]
#[path = "diagnosis.rs"]
mod diagnosis;

pub use diagnosis::diagnose;
