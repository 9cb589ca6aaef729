//! `cargo xtask gameday`: builds the reader's shop and plays experiments with it. The harness is a package of its own,
//! fixtures/gameday; this hands it what was built.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use workbook::{Subject, Workbook};

use crate::cargo;
#[cfg(not(unix))]
use crate::output;
use crate::played;

#[derive(clap::Args)]
pub struct Args {
    /// kill, slow, partition, cpu, memory, disk, names, certificate; all eight if none is named
    experiments: Vec<String>,
    /// Whose patterns your shop is built of
    #[arg(long, value_name = "WHOSE", default_value = "yours")]
    with: Whose,
    /// Play the reference's shop instead
    #[arg(long, conflicts_with_all = ["with", "service"])]
    solutions: bool,
    /// Play a service in any language that keeps fixtures/gameday/CONTRACT.md: how to start an instance
    #[arg(long, value_name = "CMD", conflicts_with = "with")]
    service: Option<String>,
    /// What is expected beforehand [default: exercises/10-gameday/gameday.toml, and none for other services]
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Decides who sends what when
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Show every experiment in full, not the first that failed
    #[arg(long)]
    all: bool,
    /// Play so often, and count the verdicts; files are of the last play
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// The whole report as JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A test case an experiment, for a CI
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// One page with curves, orders and accounts
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Play nothing: write the shop and the same experiments for Kubernetes into this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["experiments", "json", "junit", "html"])]
    kubernetes: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whose {
    Yours,
    Reference,
}

const HARNESS: &str = "gameday-harness";

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let build = |package, features: &[&str], what| {
        // Without --release: what `verify` has compiled is not compiled again.
        cargo::build_program(workbook, package, features, what)
    };
    let harness = build(HARNESS, &[], "the harness of the GameDay")?;
    let mut command = Command::new(&harness);
    let exercise = workbook.exercise("gameday")?;
    let readers_plan = workbook.root.join(exercise.path(Subject::Reader)).join("gameday.toml");
    if let Some(folder) = &args.kubernetes {
        command.arg("--kubernetes").arg(folder);
        command.arg("--plan").arg(args.plan.as_ref().unwrap_or(&readers_plan));
        return play(command);
    }

    let is_readers = args.service.is_none() && !args.solutions;
    let service = match &args.service {
        Some(service) => service.clone(),
        None if args.solutions => start(&build("gameday-solution", &[], "the reference's shop")?),
        None if args.with == Whose::Reference => start(&build(
            "gameday",
            &["--no-default-features"],
            "your shop of the reference's patterns",
        )?),
        None => start(&build("gameday", &[], "your shop")?),
    };
    let plan = args.plan.clone().or_else(|| is_readers.then_some(readers_plan));
    command.args(&args.experiments).arg("--service").arg(service);
    command.arg("--seed").arg(args.seed.to_string()).args(args.all.then_some("--all"));
    command.arg("--repeat").arg(args.repeat.to_string());
    let record = is_readers.then(|| played::record(workbook));
    for (flag, file) in [
        ("--plan", &plan),
        ("--json", &args.json),
        ("--junit", &args.junit),
        ("--html", &args.html),
        ("--record", &record),
    ] {
        if let Some(file) = file {
            command.arg(flag).arg(file);
        }
    }
    play(command)
}

/// The program, for the shell by which the harness starts a service.
fn start(program: &std::path::Path) -> String {
    let program = program.display().to_string();
    if cfg!(windows) {
        format!("\"{program}\"")
    } else {
        // `exec`, so that no shell stays between the harness and the process that it kills.
        format!("exec '{}'", program.replace('\'', r"'\''"))
    }
}

/// The harness takes this process's place, so that Ctrl-C and SIGTERM reach it, and nobody returns to the prompt before
/// it has rolled back.
#[cfg(unix)]
fn play(mut command: Command) -> Result<bool> {
    use std::os::unix::process::CommandExt as _;

    Err(command.exec()).with_context(|| format!("cannot start {}", command.get_program().display()))
}

#[cfg(not(unix))]
fn play(mut command: Command) -> Result<bool> {
    let status = command.status().context("cannot start the harness")?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => {
            output::err("the GameDay did not come to its end: the reason is above");
            std::process::exit(status.code().unwrap_or(2))
        }
    }
}
