//! Files that a program makes and people don't edit: the one place that verifies and renews them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use workbook::files::{self, Tree};
use workbook::slashes;

/// What becomes of a file that is not as the program makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is told.
    Verify,
    /// It is written, or removed.
    Bless,
}

/// Holds files to what a program makes of them: `wanted` has their paths from the root, and `folder`,
/// if there is one, has no other file. Tells each file that is not current, with the way to `renew` it.
pub fn hold(
    root: &Path,
    wanted: &Tree,
    folder: Option<&Path>,
    mode: Mode,
    renew: &str,
) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for (path, content) in wanted {
        let now = fs::read(root.join(path));
        let state = match &now {
            Ok(now) if files::fold_crlf(now) == files::fold_crlf(content) => continue,
            Ok(_) => "is not current",
            Err(_) => "is missing",
        };
        match mode {
            Mode::Verify => told.push(format!("{} {state}: {renew}", slashes(path))),
            Mode::Bless => {
                files::write(&root.join(path), content)?;
                told.push(format!("{} is renewed", slashes(path)));
            }
        }
    }
    let present: BTreeSet<PathBuf> = match folder {
        Some(folder) => files::read_tree(&root.join(folder))?
            .into_keys()
            .map(|path| folder.join(path))
            .collect(),
        None => BTreeSet::new(),
    };
    for path in present.iter().filter(|path| !wanted.contains_key(*path)) {
        match mode {
            Mode::Verify => {
                told.push(format!("{} comes from nothing any more: {renew}", slashes(path)));
            }
            Mode::Bless => {
                let file = root.join(path);
                fs::remove_file(&file)
                    .with_context(|| format!("cannot remove {}", file.display()))?;
                told.push(format!("{} is removed", slashes(path)));
            }
        }
    }
    Ok(told)
}

/// A tree's paths below `folder`.
pub fn below(folder: &Path, tree: &Tree) -> Tree {
    tree.iter().map(|(path, content)| (folder.join(path), content.clone())).collect()
}
