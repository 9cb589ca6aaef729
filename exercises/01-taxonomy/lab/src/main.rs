//! The lab of the taxonomy: each kind of failure that the flaky server can inject, over real
//! sockets, and which class the detectors recognise in it; and the cascade, in virtual time.

mod cascade;
#[cfg(test)]
mod expected;
mod figures;
mod kinds;
mod observed;
mod scene;
mod toy;

/// One text for two crates: `diagnosis.rs` is compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use taxonomy as subject;
    pub mod diagnosis;
}
#[path = "."]
mod reference {
    use taxonomy_solution as subject;
    pub mod diagnosis;
}

use std::process::ExitCode;

use lab_kit::Lab;

static LAB: Lab = Lab {
    name: "taxonomy",
    about: "Each kind of failure for real, and what your detectors say of it; and a cascade",
    scenes: &[&observed::SCENE, &cascade::SCENE],
    figures: Some(figures::write),
    toys: &[&toy::TOY],
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
