//! The lab of deadlines: a chain of five services whose database is slow for ten seconds, in virtual
//! time, with timeouts of its own at each link and with one deadline that travels along.

mod audit;
mod figures;
mod services;
mod storms;

/// One text for two crates: `carried.rs` is compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use deadline as subject;
    pub mod carried;
}
#[path = "."]
mod reference {
    use deadline_solution as subject;
    pub mod carried;
}

use std::process::ExitCode;

use lab_kit::Lab;

static LAB: Lab = Lab {
    name: "deadline",
    about: "Work done for users who have gone, with timeouts at each link and with a deadline that travels",
    scenes: &[&storms::SCENE, &audit::SCENE],
    figures: Some(figures::write),
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
