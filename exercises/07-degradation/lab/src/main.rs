//! The lab of graceful degradation: a shop's product page through three storms, without a fallback,
//! with fallbacks, and with fallbacks and levels. In virtual time.

mod code;
mod figures;
mod outage;
mod page;
mod scenes;
mod show;
mod trials;

/// One text for two crates: `shop.rs` and `parts.rs` are compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use degradation as subject;
    pub mod parts;
    pub mod shop;
}
#[path = "."]
mod reference {
    use degradation_solution as subject;
    pub mod parts;
    pub mod shop;
}

use std::process::ExitCode;

use lab_kit::Lab;

static LAB: Lab = Lab {
    name: "degradation",
    about: "A product page through three storms: without fallbacks, with them, and with levels as well",
    scenes: &scenes::SCENES,
    figures: Some(figures::write),
    toys: &[],
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
