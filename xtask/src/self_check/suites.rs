//! Suites that cargo runs by itself: loom, what `cargo test` leaves out, the book's own check.

use std::time::Duration;

use anyhow::Result;
use workbook::{Exercise, Subject, Workbook};

use super::findings::Findings;
use crate::cargo::{self, Metadata};
use crate::process::{self, End, Outcome};

/// Loom tries every interleaving; a model that has grown too large shows here.
const LOOM_LIMIT: Duration = Duration::from_secs(600);
const SUITE_LIMIT: Duration = Duration::from_secs(3600);

/// The solution's loom tests. `--cfg loom` changes every crate, hence the target directory.
pub fn loom(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let package = exercise.package(Subject::Solution);
    if !copy.root.join(exercise.path(Subject::Solution)).join("tests").join("loom.rs").is_file() {
        found.tell(format!("{package}: no tests/loom.rs"));
        return Ok(found);
    }
    let cargo = |flag: &[&str]| {
        let mut command = cargo::cargo(copy);
        command.args(["test", "--release", "--package", &package, "--test", "loom"]).args(flag);
        command
            .env("RUSTFLAGS", "--cfg loom")
            .env("CARGO_TARGET_DIR", copy.scratch_dir().join("loom-target"));
        command
    };
    // The limit is for the tests; what keeps it from compiling, the next turn tells.
    process::run(cargo(&["--no-run"]), SUITE_LIMIT)?;
    let outcome = process::run(cargo(&[]), LOOM_LIMIT)?;
    let seconds = outcome.took.as_secs();
    match outcome.end {
        End::Exited(status) if status.success() => found.tell(format!("{package}: {seconds} s")),
        End::Exited(_) => found
            .wrong(format!("{package} fails under loom:\n{}{}", outcome.stderr, outcome.stdout)),
        End::TimedOut { .. } => {
            found.wrong(format!("{package}: loom was ended after {seconds} s: make the model smaller (threads, calls, preemption bound)"));
        }
    }
    Ok(found)
}

/// The packages that are no default members, but for the exercises: field notes, labs, the book.
pub fn left_out(workbook: &Workbook) -> Result<Findings> {
    let exercises = workbook.exercises()?;
    let is_exercise = |name: &str| exercises.iter().any(|exercise| exercise.id == name);
    let metadata = Metadata::load(workbook)?;
    let packages = metadata.packages.iter().filter(|package| {
        !metadata.workspace_default_members.contains(&package.id) && !is_exercise(&package.name)
    });
    let names: Vec<_> = packages.map(|package| package.name.as_str()).collect();
    let mut found = Findings::default();
    if names.is_empty() {
        found.tell("every package is a default member");
        return Ok(found);
    }
    found.tell(names.join(", "));
    let packages = names.iter().flat_map(|name| ["--package", name]);
    let args: Vec<_> = ["test", "--quiet"].into_iter().chain(packages).collect();
    cargo_suite(workbook, &args, &mut found)?;
    Ok(found)
}

pub fn book(workbook: &Workbook) -> Result<Findings> {
    let mut found = Findings::default();
    if !workbook.root.join("book").join("builder").is_dir() {
        found.tell("there is no book/builder: nothing to run");
        return Ok(found);
    }
    let args = ["run", "--quiet", "--package", "book-builder", "--", "check"];
    let said = cargo_suite(workbook, &args, &mut found)?;
    found.told.extend(said.lines().map(str::to_owned));
    Ok(found)
}

/// Runs cargo to its end; what it printed, if that is a failure.
fn cargo_suite(workbook: &Workbook, args: &[&str], found: &mut Findings) -> Result<String> {
    let mut command = cargo::cargo(workbook);
    command.args(args);
    let Outcome { end, stdout, stderr, .. } = process::run(command, SUITE_LIMIT)?;
    let args = args.join(" ");
    match end {
        End::Exited(status) if status.success() => return Ok(stdout),
        End::Exited(_) => found.wrong(format!("`cargo {args}` failed:\n{stdout}{stderr}")),
        End::TimedOut { .. } => found.wrong(format!("`cargo {args}` came to no end in an hour")),
    }
    Ok(String::new())
}
