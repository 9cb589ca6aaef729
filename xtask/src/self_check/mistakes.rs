//! Wrong answers: each patch against the solution must be caught by the check that it names.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use workbook::{Exercise, Mistake, Subject, Workbook, files};

use super::caught::Caught;
use super::copies::{self, Variant};
use super::findings::Findings;
use crate::output::count;
use crate::patch;
use crate::progress::Progress;
use crate::report::{CheckReport, Status};
use crate::spec::{Limit, Spec};

/// A mistake in what all depends on makes nearly all checks speak.
const OTHERS_NAMED: usize = 3;

/// With `again`, also those that were caught before, in the same code.
pub fn check(scratch: &Workbook, exercise: &Exercise, again: bool) -> Result<Findings> {
    let mut found = Findings::default();
    let solution = files::read_tree(&scratch.root.join(exercise.path(Subject::Solution)))?;
    let mut caught = Caught::load(scratch, exercise, again)?;
    let mut to_catch = Vec::new();
    let mistakes = exercise.mistakes(&scratch.root)?;
    let mut told = format!("{}: {}", exercise.id, count(mistakes.len(), "mistake"));
    let mut before = 0;
    for (file, mistake) in mistakes {
        let name = format!("{}/mistakes/{file}", exercise.folder);
        match mistake.and_then(|mistake| Ok((patch::apply(&solution, &mistake.diff)?, mistake))) {
            Ok((changed, mistake)) => {
                let key = caught.key(&changed, &mistake);
                if caught.was(&key) {
                    before += 1;
                } else {
                    to_catch.push(Variant { name, changed, what: (mistake, key) });
                }
            }
            Err(error) => found.wrong(format!("{name}: {error:#}")),
        }
    }
    if before > 0 {
        told += &format!(", {before} of them caught before in the same code");
    }
    found.tell(told);
    let caught = Mutex::new(caught);
    let now = || caught.lock().unwrap_or_else(PoisonError::into_inner);
    let judge = |spec: &Spec, (mistake, key): &(Mistake, String)| {
        catch(exercise, spec, mistake)?;
        now().add(key);
        Ok(())
    };
    let subject = Subject::Solution;
    let spec = PathBuf::from_iter(["tests", "spec.rs"]);
    // Half of a build is the spec. So the step that is to catch the mistake comes alone first, and the
    // whole spec where that fails, to say what the other steps do.
    for variant in &mut to_catch {
        let alone = one_step(scratch, exercise, variant.what.0.step)?;
        variant.changed.insert(spec.clone(), alone.into_bytes());
    }
    copies::judge_each(scratch, exercise, subject, &to_catch, "mistake", judge)?;
    to_catch.retain(|variant| !now().is(&variant.what.1));
    for variant in &mut to_catch {
        variant.changed.remove(&spec);
    }
    found.add(copies::judge_each(scratch, exercise, subject, &to_catch, "mistake", judge)?);
    now().save()?;
    Ok(found)
}

/// The solution's spec with the checks of one step.
fn one_step(scratch: &Workbook, exercise: &Exercise, step: usize) -> Result<String> {
    let tests = |subject| scratch.root.join(exercise.path(subject)).join("tests");
    let steps = tests(Subject::Reader).join("steps");
    let wanted = exercise.step(step)?.module();
    let mut text = String::new();
    for line in files::read_text(&tests(Subject::Solution).join("spec.rs"))?.lines() {
        match line {
            "mod steps;" => text += "mod steps {\n",
            line if line.starts_with("#[path") => {}
            line => text = text + line + "\n",
        }
    }
    for line in files::read_text(&steps.join("mod.rs"))?.lines() {
        match line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            Some(module) if module.starts_with("step_") && module != wanted => {}
            Some(module) => {
                let file = steps.join(module).with_extension("rs");
                text += &format!("#[path = r\"{}\"]\nmod {module};\n", file.display());
            }
            None => text = text + line + "\n",
        }
    }
    Ok(text + "}\n")
}

/// Runs the check that is to catch the mistake; if it does not, the others, to say which of them do.
fn catch(exercise: &Exercise, spec: &Spec, mistake: &Mistake) -> Result<()> {
    let caught_by = format!("{}::{}", exercise.step(mistake.step)?.module(), mistake.check);
    let (named, others): (Vec<_>, Vec<_>) =
        spec.list()?.into_iter().partition(|test| test.ends_with(&format!("steps::{caught_by}")));
    let spoke = spec.run(&named, Limit::USUAL, &Progress::hidden())?;
    let spoke = spoke.first().with_context(|| format!("the spec has no `{caught_by}`"))?;
    if spoke.status == Status::Failed && spoke.by_assertion {
        return Ok(());
    }
    let others = spec.run(&others, Limit::USUAL, &Progress::hidden())?;
    let others = also(&others);
    match spoke.status {
        Status::Passed => bail!(
            "`{caught_by}` passes with this mistake in place: sharpen the check, or name the one that catches it{others}"
        ),
        _ => bail!(
            "`{caught_by}` fails with this mistake in place, but not by its assertion; have the check assert what the mistake breaks:\n{}{others}",
            spoke.message
        ),
    }
}

/// The checks that spoke, the first few by name.
fn also(others: &[CheckReport]) -> String {
    let spoke: Vec<_> = others.iter().filter(|check| check.status != Status::Passed).collect();
    let line = |check: &&CheckReport| format!("\n  also       {}::{}", check.module, check.name);
    let mut text: String = spoke.iter().take(OTHERS_NAMED).map(line).collect();
    if spoke.len() > OTHERS_NAMED {
        text += &format!("\n  and {}", count(spoke.len() - OTHERS_NAMED, "more check"));
    }
    text
}
