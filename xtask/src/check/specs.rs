//! Starters fail for the right reason; solutions pass.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;

use super::Findings;
use crate::cargo::{self, Build};
use crate::checks::{Check, Limit, Spec};
use crate::files;
use crate::output::count;
use crate::progress::Progress;
use crate::report::Status;
use crate::workbook::{Exercise, Subject, Workbook, slashes};

const CHECKS_PER_STEP: std::ops::RangeInclusive<usize> = 3..=9;

/// The starter compiles without a warning, and each check fails by its `todo!`, or is declared to
/// pass and does.
pub fn starter(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let id = &exercise.id;
    let folder = copy.root.join(exercise.path(Subject::Reader));
    let (source, starter) = exercise.sources(copy)?;
    for path in source.keys().filter(|path| !starter.contains_key(*path)) {
        fs::remove_file(folder.join("src").join(path))?;
    }
    files::write_tree(&folder.join("src"), &starter)?;

    let Some(checks) = run_all(copy, exercise, Subject::Reader, &mut found)? else {
        return Ok(found);
    };
    for step in &exercise.steps {
        let module = exercise.module(step);
        let of_step: Vec<_> = checks.iter().filter(|check| check.module == module).collect();
        if !CHECKS_PER_STEP.contains(&of_step.len()) {
            let (from, to) = CHECKS_PER_STEP.into_inner();
            let n = of_step.len();
            found
                .wrong(format!("{id}, {module}: {}; a step has {from} to {to}", count(n, "check")));
        }
        for name in &step.passes_on_starter {
            if !of_step.iter().any(|check| check.report.name == *name) {
                found.wrong(format!(
                    "{id}, {module}: passes_on_starter names `{name}`, which is no check of it"
                ));
            }
        }
        for check in of_step {
            let name = &check.report.name;
            let exempt = step.passes_on_starter.contains(name);
            match check.report.status {
                Status::NotStarted if exempt => found.wrong(format!(
                    "{id}, {module}::{name} fails on the starter: take it out of passes_on_starter"
                )),
                Status::NotStarted => {}
                Status::Passed if exempt => {}
                Status::Passed => found.wrong(format!(
                    "{id}, {module}::{name} passes on the untouched starter: it proves nothing; make it need the \
                     reader's code, or declare it in passes_on_starter"
                )),
                _ => found.wrong(format!(
                    "{id}, {module}::{name} fails on the starter, but not by its todo!:\n{}",
                    check.report.message
                )),
            }
        }
    }
    let declared: BTreeSet<_> = exercise.steps.iter().map(|step| exercise.module(step)).collect();
    for check in checks.iter().filter(|check| !declared.contains(&check.module)) {
        found.wrong(format!("{id}, {}::{} belongs to no step", check.module, check.report.name));
    }
    found.tell(format!("{id}: {}", count(checks.len(), "check")));
    Ok(found)
}

/// The solution compiles without a warning and passes.
pub fn solution(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let Some(checks) = run_all(copy, exercise, Subject::Solution, &mut found)? else {
        return Ok(found);
    };
    if checks.is_empty() {
        found.wrong(format!(
            "{}: the solution's spec has no check; does tests/spec.rs include the steps?",
            exercise.id
        ));
    }
    for check in checks.iter().filter(|check| check.report.status != Status::Passed) {
        let Check { module, report } = check;
        found.wrong(format!(
            "{}, {module}::{} fails on the solution:\n{}",
            exercise.id, report.name, report.message
        ));
    }
    found.tell(format!("{}: {}", exercise.id, count(checks.len(), "check")));
    Ok(found)
}

/// Builds and runs the spec; none if it does not compile. Warnings are findings.
fn run_all(
    copy: &Workbook,
    exercise: &Exercise,
    subject: Subject,
    found: &mut Findings,
) -> Result<Option<Vec<Check>>> {
    let package = exercise.package(subject);
    match build_and_run(copy, exercise, subject)? {
        Ran::Checks(checks, warnings) => {
            for warning in warnings {
                found.wrong(format!("{package} compiles with a warning:\n{warning}"));
            }
            Ok(Some(checks))
        }
        Ran::DoesNotCompile(errors) => {
            found.wrong(format!("{package} does not compile:\n{}", errors.join("\n")));
            Ok(None)
        }
    }
}

pub enum Ran {
    /// With rustc's warnings.
    Checks(Vec<Check>, Vec<String>),
    DoesNotCompile(Vec<String>),
}

pub fn build_and_run(copy: &Workbook, exercise: &Exercise, subject: Subject) -> Result<Ran> {
    let (executable, warnings) = match cargo::build_spec(copy, &exercise.package(subject))? {
        Build::Ready { executable, warnings } => (executable, warnings),
        Build::Broken(errors) => return Ok(Ran::DoesNotCompile(errors)),
    };
    let spec = Spec { workbook: copy, executable, folder: exercise.path(subject) };
    let tests = spec.list()?;
    let progress = Progress::new(&slashes(&exercise.path(subject)), tests.len());
    Ok(Ran::Checks(spec.run(&tests, Limit::USUAL, &progress)?, warnings))
}
