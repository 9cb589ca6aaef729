//! The lab of backoff: clients that contend for one row, and a herd that fails together, with your
//! delays and with the reference's.

mod contention;
mod figures;
mod herd;
mod occ;
mod requests;
mod strategy;
mod trials;

/// One text for two crates: `jittered.rs` and `retrying.rs` are compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use backoff as subject;
    pub mod jittered;
    pub mod retrying;
}
#[path = "."]
mod reference {
    use backoff_solution as subject;
    pub mod jittered;
    pub mod retrying;
}

use std::process::ExitCode;

use lab_kit::Lab;

static LAB: Lab = Lab {
    name: "backoff",
    about: "Contending clients and a herd, with each kind of jitter, under one seed; and trials of the retries",
    scenes: &[&contention::SCENE, &herd::SCENE, &trials::SCENE],
    figures: Some(figures::write),
    toys: &[],
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
