//! The lab of deadlines: a chain of five services whose database is slow for ten seconds, in virtual
//! time, with timeouts of its own at each link and with one deadline that travels along.

mod audit;
mod code;
mod figures;
mod services;
mod storms;
mod toy;
mod trials;

/// One text for two crates: `carried.rs` and `parts.rs` are compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use deadline as subject;
    pub mod carried;
    pub mod parts;
}
#[path = "."]
mod reference {
    use deadline_solution as subject;
    pub mod carried;
    pub mod parts;
}

use std::process::ExitCode;

use lab_kit::Lab;

static LAB: Lab = Lab {
    name: "deadline",
    about: "Work done for users who have gone, with timeouts at each link and with a deadline that travels",
    scenes: &[&storms::SCENE, &audit::SCENE, &trials::SCENE],
    figures: Some(figures::write),
    toys: &[&toy::TOY],
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
