//! Diffs against a solution.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};
use workbook::files::{self, Tree};

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
            .context("write the patch anew against the solution, to which it does not apply")?;
        changed.insert(path, text.into_bytes());
    }
    ensure!(!changed.is_empty(), "there is no diff after the line `---`");
    Ok(changed)
}
