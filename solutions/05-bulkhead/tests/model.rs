//! The readable bulkhead against the plain model.

use bulkhead_solution::{Bulkhead, Config, Counts, Permit, Rejected};

#[path = "shared/model.rs"]
mod model;
