//! Solutions pass.

use anyhow::Result;
use workbook::{Exercise, Subject, Workbook};

use super::findings::Findings;
use crate::output::count;
use crate::report::{CheckReport, Status};
use crate::spec::{self, Limit, Ran};

/// The solution compiles without a warning and passes.
pub fn check(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let Some(checks) = run_without_warning(copy, exercise, Subject::Solution, &mut found)? else {
        return Ok(found);
    };
    if checks.is_empty() {
        found.wrong(format!(
            "{}: the solution's spec has no check; does tests/spec.rs include the steps?",
            exercise.id
        ));
    }
    for check in checks.iter().filter(|check| check.status != Status::Passed) {
        let CheckReport { module, name, message, .. } = check;
        found.wrong(format!("{}, {module}::{name} fails on the solution:\n{message}", exercise.id));
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
        Ran::Checks { checks, warnings } => {
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
