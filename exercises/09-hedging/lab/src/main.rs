//! The lab of hedging: a service with a long tail, a slow instance of three, and what hedges do to an
//! overload. In virtual time.

mod code;
mod figures;
mod overload;
mod slow;
mod tail;
mod trials;

/// One text for two crates: `hedger.rs` is compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use hedging as subject;
    pub mod hedger;
}
#[path = "."]
mod reference {
    use hedging_solution as subject;
    pub mod hedger;
}

use std::process::ExitCode;

use lab_kit::Lab;

static LAB: Lab = Lab {
    name: "hedging",
    about: "A second request when the first is late: for a long tail, a slow instance, and in an overload",
    scenes: &[&tail::SCENE, &slow::SCENE, &overload::SCENE, &trials::SCENE],
    figures: Some(figures::write),
    toys: &[],
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
