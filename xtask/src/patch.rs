//! Diffs against a solution.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};
use workbook::files::{self, Tree};

use crate::output::{green, red};

/// The files that the diff changes, by path below the solution's folder.
pub fn apply(solution: &Tree, diff: &str) -> Result<Tree> {
    let mut changed = Tree::new();
    for file in PatchSet::parse(diff, ParseOptions::unidiff()) {
        let file = file.context("the diff is malformed")?;
        let FileOperation::Modify { modified, .. } = file.operation().strip_prefix(1) else {
            bail!(
                "the diff may change files (a/src/lib.rs to b/src/lib.rs), not create or delete them"
            );
        };
        ensure!(
            modified.starts_with("src/"),
            "the diff changes `{modified}`, which is not below src/"
        );
        let path: PathBuf = modified.split('/').collect();
        let original = solution
            .get(&path)
            .with_context(|| format!("the solution has no file `{modified}`"))?;
        let original = String::from_utf8(files::fold_crlf(original))
            .context("the solution's source is not UTF-8")?;
        let text = file.patch().as_text().context("the diff is not of a text")?;
        let text = diffy::apply(&original, text)
            .context("rewrite the patch against the solution, to which it does not apply")?;
        changed.insert(path, text.into_bytes());
    }
    ensure!(!changed.is_empty(), "there is no diff after the line `---`");
    Ok(changed)
}

/// The difference from one lib.rs to another, as a mistake has it.
pub fn between(from: &str, to: &str) -> String {
    let patch = diffy::create_patch(from, to).to_string();
    let hunks: String = patch.split_inclusive('\n').skip(2).collect();
    format!("--- a/src/lib.rs\n+++ b/src/lib.rs\n{hunks}")
}

/// How many lines a diff adds and removes.
pub fn changed_lines(diff: &str) -> usize {
    diff.lines().skip(2).filter(|line| line.starts_with(['+', '-'])).count()
}

/// The hunks of a diff for people: without the names of the files, and without the marks by which the
/// book includes parts of a solution.
pub fn coloured(diff: &str) -> String {
    let is_name = |line: &&str| line.starts_with("--- ") || line.starts_with("+++ ");
    let is_mark =
        |line: &&str| line.get(1..).is_some_and(|l| l.trim_start().starts_with("// ANCHOR"));
    let lines = diff.lines().filter(|line| !is_name(line) && !is_mark(line));
    let lines = lines.map(|line| match line.bytes().next() {
        Some(b'-') => red(line) + "\n",
        Some(b'+') => green(line) + "\n",
        _ => line.to_owned() + "\n",
    });
    lines.collect()
}
