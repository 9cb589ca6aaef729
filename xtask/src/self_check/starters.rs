//! Starters fail for the right reason.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;

use anyhow::Result;
use workbook::files::{self, Tree};
use workbook::{Exercise, Sources, Step, Subject, Workbook};

use super::findings::Findings;
use super::solutions::run_without_warning;
use crate::output::count;
use crate::report::Status;

const CHECKS_PER_STEP: RangeInclusive<usize> = 3..=12;
const CHECKS_OF_A_DRAFT: RangeInclusive<usize> = 1..=12;

/// Both starters compile without a warning, and each check fails by its `todo!`, or is declared to
/// pass and does.
pub fn check(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let Sources { starter, bare, .. } = Sources::read(&copy.root, exercise)?;
    let mut found = starts(copy, exercise, &exercise.id, &starter)?;
    if !bare.is_empty() {
        let bare = starts(copy, exercise, &format!("{} (bare)", exercise.id), &bare);
        // In the copy one finds what readers begin with.
        put(copy, exercise, &starter)?;
        found.add(bare?);
    }
    Ok(found)
}

/// Puts a starter in the place of the source.
fn put(copy: &Workbook, exercise: &Exercise, starter: &Tree) -> Result<()> {
    let folder = copy.root.join(exercise.path(Subject::Reader)).join("src");
    for path in files::read_sources(&folder)?.keys().filter(|path| !starter.contains_key(*path)) {
        fs::remove_file(folder.join(path))?;
    }
    files::write_tree(&folder, starter)
}

fn starts(copy: &Workbook, exercise: &Exercise, id: &str, starter: &Tree) -> Result<Findings> {
    put(copy, exercise, starter)?;
    begins(copy, exercise, id)
}

/// Whether what stands in the place of the reader's code is something to begin from.
pub fn begins(copy: &Workbook, exercise: &Exercise, id: &str) -> Result<Findings> {
    let mut found = Findings::default();
    let Some(checks) = run_without_warning(copy, exercise, Subject::Reader, &mut found)? else {
        return Ok(found);
    };
    for step in &exercise.steps {
        let module = step.module();
        let of_step: Vec<_> = checks.iter().filter(|check| check.module == module).collect();
        let (from, to) =
            if exercise.draft { CHECKS_OF_A_DRAFT } else { CHECKS_PER_STEP }.into_inner();
        if !(from..=to).contains(&of_step.len()) {
            let n = of_step.len();
            found
                .wrong(format!("{id}, {module}: {}; a step has {from} to {to}", count(n, "check")));
        }
        for name in &step.passes_on_starter {
            if !of_step.iter().any(|check| check.name == *name) {
                found.wrong(format!(
                    "{id}, {module}: passes_on_starter names `{name}`, which is no check of it"
                ));
            }
        }
        for check in of_step {
            let name = &check.name;
            let exempt = step.passes_on_starter.contains(name);
            match check.status {
                Status::NotStarted if exempt => found.wrong(format!(
                    "{id}, {module}::{name} fails on the starter: take it out of passes_on_starter"
                )),
                Status::NotStarted if check.waits_for_later_than(step.number) => found.wrong(format!(
                    "{id}, {module}::{name} comes to the task of a later step: {}",
                    check.message
                )),
                Status::NotStarted => {}
                Status::Passed if exempt => {}
                Status::Passed => found.wrong(format!(
                    "{id}, {module}::{name} passes on the untouched starter: it proves nothing; make it need the \
                     reader's code, or declare it in passes_on_starter"
                )),
                _ => found.wrong(format!(
                    "{id}, {module}::{name} fails on the starter, but not by its todo!:\n{}",
                    check.message
                )),
            }
        }
    }
    let declared: BTreeSet<_> = exercise.steps.iter().map(Step::module).collect();
    for check in checks.iter().filter(|check| !declared.contains(&check.module)) {
        found.wrong(format!("{id}, {}::{} belongs to no step", check.module, check.name));
    }
    found.tell(format!("{id}: {}", count(checks.len(), "check")));
    Ok(found)
}
