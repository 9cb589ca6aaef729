//! Suites that cargo runs by itself: loom, the field notes, the book's own check.

use std::time::Duration;

use anyhow::Result;

use super::Findings;
use crate::cargo;
use crate::process::{self, End};
use crate::workbook::{Exercise, Subject, Workbook};

/// Loom tries every interleaving; a model that has grown too large shows here.
const LOOM_LIMIT: Duration = Duration::from_secs(300);

/// The solution's loom tests. `--cfg loom` changes every crate, hence the target directory.
pub fn loom(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let package = exercise.package(Subject::Solution);
    if !copy.root.join(exercise.path(Subject::Solution)).join("tests").join("loom.rs").is_file() {
        found.tell(format!("{package}: no tests/loom.rs"));
        return Ok(found);
    }
    let mut command = cargo::cargo(copy);
    command.args(["test", "--release", "--package", &package, "--test", "loom"]);
    command
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", copy.scratch_dir().join("loom-target"));
    let outcome = process::run(command, LOOM_LIMIT)?;
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

pub fn field_notes(workbook: &Workbook) -> Result<Findings> {
    cargo_suite(workbook, "fixtures/field-notes", &["test", "--quiet", "--package", "field-notes"])
}

pub fn book(workbook: &Workbook) -> Result<Findings> {
    cargo_suite(
        workbook,
        "book/builder",
        &["run", "--quiet", "--package", "book-builder", "--", "check"],
    )
}

fn cargo_suite(workbook: &Workbook, folder: &str, args: &[&str]) -> Result<Findings> {
    let mut found = Findings::default();
    if !workbook.root.join(folder).is_dir() {
        found.tell(format!("there is no {folder}: nothing to run"));
    } else if !cargo::stream(workbook, args)? {
        found.wrong(format!("`cargo {}` failed: see its message above", args.join(" ")));
    }
    Ok(found)
}
