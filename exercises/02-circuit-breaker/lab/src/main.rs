//! `cargo xtask lab circuit-breaker`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_kit::main(&circuit_breaker_lab::LAB)
}
