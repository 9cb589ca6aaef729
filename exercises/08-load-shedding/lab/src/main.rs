//! The lab of load shedding: overloads of a server, what each way to say no makes of them, and clients that hold back.
//! In virtual time.

mod classes;
mod code;
mod figures;
mod line;
mod overload;
mod recovery;
mod slow;
mod throttle;
mod trials;

/// One text for two crates: `parts.rs` is compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use load_shedding as subject;
    pub mod parts;
}
#[path = "."]
mod reference {
    use load_shedding_solution as subject;
    pub mod parts;
}

use std::process::ExitCode;

use lab_kit::Lab;

static LAB: Lab = Lab {
    name: "load-shedding",
    about: "Overloads, and what each way to refuse requests makes of them, under one seed",
    scenes: &[
        &overload::SCENE,
        &recovery::SCENE,
        &classes::SCENE,
        &slow::SCENE,
        &throttle::SCENE,
        &trials::SCENE,
    ],
    figures: Some(figures::write),
    toys: &[],
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
