//! Solutions pass.

use anyhow::Result;
use workbook::{Exercise, Sources, Subject, Workbook, files};

use super::findings::Findings;
use crate::output::count;
use crate::report::{CheckReport, Status};
use crate::spec::{self, Limit, Ran};

/// The solution compiles without a warning and passes; and so does its lib.rs in the place of the
/// reader's, among the files that are given there.
pub fn check(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = passes(copy, exercise, Subject::Solution)?;
    if !found.wrong.is_empty() {
        return Ok(found);
    }
    let source = |subject| copy.root.join(exercise.path(subject)).join("src");
    let lib = files::read(&source(Subject::Solution).join("lib.rs"))?;
    files::write_tree(&source(Subject::Reader), &Sources::read(&copy.root, exercise)?.starter)?;
    files::write(&source(Subject::Reader).join("lib.rs"), &lib)?;
    for finding in passes(copy, exercise, Subject::Reader)?.wrong {
        found.wrong(format!(
            "in the place of the reader's lib.rs, the solution's won't do: {finding}"
        ));
    }
    Ok(found)
}

fn passes(copy: &Workbook, exercise: &Exercise, subject: Subject) -> Result<Findings> {
    let mut found = Findings::default();
    let package = exercise.package(subject);
    let Some(checks) = run_without_warning(copy, exercise, subject, &mut found)? else {
        return Ok(found);
    };
    if checks.is_empty() {
        found.wrong(format!(
            "{package}: its spec has no check; does tests/spec.rs include the steps?"
        ));
    }
    for check in checks.iter().filter(|check| check.status != Status::Passed) {
        let CheckReport { module, name, message, .. } = check;
        found.wrong(format!("{package}, {module}::{name} fails on the solution:\n{message}"));
    }
    found.tell(format!("{}: {}", exercise.id, count(checks.len(), "check")));
    Ok(found)
}

/// Builds and runs the spec; none if it does not compile. Warnings are findings.
pub fn run_without_warning(
    copy: &Workbook,
    exercise: &Exercise,
    subject: Subject,
    found: &mut Findings,
) -> Result<Option<Vec<CheckReport>>> {
    let package = exercise.package(subject);
    match spec::build_and_run(copy, exercise, subject, Limit::USUAL)? {
        Ran::Checks { checks, warnings, .. } => {
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
