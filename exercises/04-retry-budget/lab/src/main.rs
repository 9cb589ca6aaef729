//! The lab of the retry budget: how retries multiply with the depth of a system, and which of them
//! let it recover from an outage. In virtual time.

mod amplification;
mod code;
mod figures;
mod policy;
mod recovery;
mod toys;
mod trials;

/// One text for two crates: `budget.rs` is compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use retry_budget as subject;
    pub mod budget;
}
#[path = "."]
mod reference {
    use retry_budget_solution as subject;
    pub mod budget;
}

use std::process::ExitCode;

use lab_kit::{Lab, Needs};

static LAB: Lab = Lab {
    name: "retry-budget",
    about: "Retries by depth, and recovery after an outage, with and without a budget",
    scenes: &[&amplification::SCENE, &recovery::SCENE, &trials::SCENE],
    figures: Some(figures::write),
    toys: &[&toys::BUDGET, &toys::AMPLIFICATION],
};

const NEEDS: Needs = Needs { step: 5, text: "The storms need `call` (step 5)." };

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
