//! `cargo xtask lab bulkhead`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab_kit::main(&bulkhead_lab::LAB)
}
