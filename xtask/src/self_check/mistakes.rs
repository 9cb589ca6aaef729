//! Wrong answers: each patch against the solution must be caught by the check that it names.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};
use workbook::files::{self, Tree};
use workbook::{Exercise, Mistake, Subject, Workbook};

use super::findings::Findings;
use crate::output::{self, count};
use crate::report::{CheckReport, Status};
use crate::spec::{self, Limit, Ran};

/// A mistake in what all depends on makes nearly all checks speak.
const OTHERS_NAMED: usize = 3;

pub fn check(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let folder = copy.root.join(exercise.path(Subject::Solution));
    let solution = files::read_tree(&folder.join("src"))?;
    let mistakes = exercise.mistakes(&copy.root)?;
    let number = mistakes.len();
    for (file, mistake) in mistakes {
        let name = format!("{}/mistakes/{file}", exercise.folder);
        output::err(&name);
        let outcome =
            mistake.and_then(|mistake| catch(copy, exercise, &folder, &solution, &mistake));
        // The next mistake, and whoever looks into the copy, finds the solution as it was.
        files::write_tree(&folder.join("src"), &solution)?;
        match outcome {
            Ok(told) => found.tell(format!("{file}\n{told}")),
            Err(error) => found.wrong(format!("{name}: {error:#}")),
        }
    }
    found.tell(format!("{}: {}", exercise.id, count(number, "mistake")));
    Ok(found)
}

/// Applies the mistake and runs the spec; which checks spoke.
fn catch(
    copy: &Workbook,
    exercise: &Exercise,
    folder: &Path,
    solution: &Tree,
    mistake: &Mistake,
) -> Result<String> {
    for (path, text) in apply(solution, &mistake.diff)? {
        files::write(&folder.join("src").join(path), text.as_bytes())?;
    }
    let checks = match spec::build_and_run(copy, exercise, Subject::Solution, Limit::USUAL)? {
        Ran::Checks { checks, .. } => checks,
        Ran::DoesNotCompile(errors) => bail!("it does not compile:\n{}", errors.join("\n")),
    };
    let module = exercise.step(mistake.step)?.module();
    let caught_by = format!("{module}::{}", mistake.check);
    let full_name = |check: &CheckReport| format!("{}::{}", check.module, check.name);
    let named = checks.iter().find(|check| full_name(check) == caught_by);
    let named = named.with_context(|| format!("the spec has not run `{caught_by}`"))?;
    let spoke = checks.iter().filter(|check| check.status != Status::Passed);
    let others: Vec<_> = spoke.map(full_name).filter(|name| *name != caught_by).collect();
    let others = also(&others);
    match named.status {
        Status::Failed if named.by_assertion => {
            Ok(format!("  {}\n  caught by  {caught_by}{others}", mistake.title))
        }
        Status::Passed => bail!(
            "`{caught_by}` passes with this mistake in place: sharpen the check, or name the one that catches it{others}"
        ),
        _ => bail!(
            "`{caught_by}` fails with this mistake in place, but not by its assertion; have the check assert what the mistake breaks:\n{}{others}",
            named.message
        ),
    }
}

/// The other checks that spoke, the first few by name.
fn also(others: &[String]) -> String {
    let named = others.iter().take(OTHERS_NAMED).map(|name| format!("\n  also       {name}"));
    let mut text: String = named.collect();
    if others.len() > OTHERS_NAMED {
        text += &format!("\n  and {}", count(others.len() - OTHERS_NAMED, "more check"));
    }
    text
}

/// The files that the diff changes, by path below `src`.
fn apply(solution: &Tree, diff: &str) -> Result<Vec<(PathBuf, String)>> {
    let mut changed = Vec::new();
    for file in PatchSet::parse(diff, ParseOptions::unidiff()) {
        let file = file.context("the diff is malformed")?;
        let FileOperation::Modify { modified, .. } = file.operation().strip_prefix(1) else {
            bail!(
                "the diff may change files (a/src/lib.rs to b/src/lib.rs), not create or delete them"
            );
        };
        let path = modified.strip_prefix("src/").map(PathBuf::from);
        let path = path
            .with_context(|| format!("the diff changes `{modified}`, which is not below src/"))?;
        let original = solution
            .get(&path)
            .with_context(|| format!("the solution has no file `{modified}`"))?;
        let original = String::from_utf8(files::fold_crlf(original))
            .context("the solution's source is not UTF-8")?;
        let text = file.patch().as_text().context("the diff is not of a text")?;
        let text = diffy::apply(&original, text)
            .context("write the patch anew against the solution, to which it does not apply")?;
        changed.push((path, text));
    }
    ensure!(!changed.is_empty(), "there is no diff after the line `---`");
    Ok(changed)
}
