//! Wrong answers: each patch against the solution must be caught by the check that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};

use super::Findings;
use super::specs::{self, Ran};
use crate::checks::Check;
use crate::files::{self, Tree};
use crate::output::{self, count};
use crate::report::Status;
use crate::workbook::{Exercise, Subject, Workbook};

/// A mistake in what all depends on makes nearly all checks speak.
const OTHERS_NAMED: usize = 3;
const KEYS: [&str; 4] = ["title", "why", "where", "caught-by"];

/// A patch file: what the mistake is, and the difference to the solution.
#[derive(Debug)]
struct Mistake {
    title: String,
    /// `step_5_eras::a_result_from_an_older_era_changes_nothing`
    caught_by: String,
    diff: String,
}

pub fn check(copy: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let folder = copy.root.join(exercise.path(Subject::Solution));
    let solution = files::read_tree(&folder.join("src"))?;
    let mistakes = files::read_tree(&folder.join("mistakes"))?;
    for (path, content) in &mistakes {
        let name = format!("{}/mistakes/{}", exercise.folder, path.display());
        output::err(&name);
        let outcome = parse(&String::from_utf8_lossy(&files::fold_crlf(content)))
            .and_then(|mistake| catch(copy, exercise, &folder, &solution, &mistake));
        // The next mistake, and whoever looks into the copy, finds the solution as it was.
        files::write_tree(&folder.join("src"), &solution)?;
        match outcome {
            Ok(told) => found.tell(format!("{}\n{told}", path.display())),
            Err(error) => found.wrong(format!("{name}: {error:#}")),
        }
    }
    found.tell(format!("{}: {}", exercise.id, count(mistakes.len(), "mistake")));
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
    let checks = match specs::build_and_run(copy, exercise, Subject::Solution)? {
        Ran::Checks(checks, _) => checks,
        Ran::DoesNotCompile(errors) => bail!("it does not compile:\n{}", errors.join("\n")),
    };
    let full_name = |check: &Check| format!("{}::{}", check.module, check.report.name);
    let named = checks.iter().find(|check| full_name(check) == mistake.caught_by);
    let named = named.with_context(|| {
        format!("caught-by names `{}`, which is no check of the spec", mistake.caught_by)
    })?;
    let spoke = checks.iter().filter(|check| check.report.status != Status::Passed);
    let others: Vec<_> = spoke.map(full_name).filter(|name| *name != mistake.caught_by).collect();
    let others = also(&others);
    match named.report.status {
        Status::Failed if named.report.by_assertion => {
            Ok(format!("  {}\n  caught by  {}{others}", mistake.title, mistake.caught_by))
        }
        Status::Passed => bail!(
            "`{}` passes with this mistake in place: sharpen the check, or name the one that catches it{others}",
            mistake.caught_by
        ),
        _ => bail!(
            "`{}` fails with this mistake in place, but not by its assertion; have the check assert what the mistake breaks:\n{}{others}",
            mistake.caught_by,
            named.report.message
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

fn parse(text: &str) -> Result<Mistake> {
    let (header, diff) = text
        .split_once("\n---\n")
        .context("there is no line `---` between the header and the diff")?;
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    let mut last = None;
    for line in header.lines() {
        if let (Some(more), Some(key)) = (line.strip_prefix("  "), last) {
            let value = values.entry(key).or_default();
            *value = format!("{value} {}", more.trim());
            continue;
        }
        let (key, value) = line
            .split_once(':')
            .with_context(|| format!("the header line `{line}` is not `key: value`"))?;
        ensure!(
            KEYS.contains(&key),
            "the header has an unknown key `{key}`; it takes {}",
            KEYS.join(", ")
        );
        ensure!(
            values.insert(key, value.trim().to_owned()).is_none(),
            "the header has `{key}` twice"
        );
        last = Some(key);
    }
    let mut value = |key| {
        let value = values.remove(key).filter(|value| !value.is_empty());
        value.with_context(|| format!("the header lacks `{key}:`"))
    };
    value("why")?;
    value("where")?;
    Ok(Mistake { title: value("title")?, caught_by: value("caught-by")?, diff: diff.to_owned() })
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
