//! `confine LIMITS PROGRAM [ARGUMENT…]`: runs a program with less than its owner may.
//!
//! `cargo xtask grade` begins rustc and every check of a submission by it. Limits of resources hold on Unix;
//! what may be opened, begun and reached is limited on Linux (Landlock, 5.13 or newer, seccomp, namespaces). What
//! the system does not offer is left out, but for a loopback of its own that is asked for. `confine --offers`
//! names what it does offer, a line each. Elsewhere, run the whole of `grade` in a container.

mod limits;
#[cfg(target_os = "linux")]
mod linux;

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::limits::Limits;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("confine: {error:#}");
            ExitCode::from(126)
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let limits = arguments.next().context("confine LIMITS PROGRAM [ARGUMENT…]")?;
    if limits == "--offers" {
        for offer in limits::offers() {
            println!("{offer}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let limits: Limits = serde_json::from_str(&limits.to_string_lossy()).context("LIMITS")?;
    let mut command = Command::new(arguments.next().context("no program to run")?);
    command.args(arguments);
    limits.hold()?;
    become_(command)
}

/// The same process, so that who began it sees the program's own end.
#[cfg(unix)]
fn become_(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).with_context(|| format!("cannot run {}", command.get_program().display()))
}

#[cfg(not(unix))]
fn become_(mut command: Command) -> Result<ExitCode> {
    let status = command.status().context("cannot run the program")?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}
