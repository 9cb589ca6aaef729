//! A copy of the workbook, in which starters and mistakes can be put in place.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use workbook::{Workbook, files};

use crate::output::count;

/// The copy, as far as packages are built in it that the original doesn't have: what they depend on is
/// shared with the reader's.
pub fn workbook(original: &Workbook) -> Result<Workbook> {
    let scratch = original.scratch_dir();
    let target = scratch.parent().context("there is no target directory")?;
    Ok(Workbook::copy_at(scratch.join("scratch"), target.to_owned()))
}

/// The copy, for its packages of the same name. Cargo takes them for the reader's, because it knows both by
/// their place in the workspace: in one target directory, a later `verify` would run what was built here.
pub fn apart(original: &Workbook) -> Workbook {
    let scratch = original.scratch_dir();
    Workbook::copy_at(scratch.join("scratch"), scratch.join("scratch-target"))
}

/// Brings the copy up to date. Files that have not changed keep their time stamps, so that cargo
/// rebuilds little.
pub fn copy(original: &Workbook) -> Result<String> {
    let root = workbook(original)?.root;
    let wanted = match tracked_by_git(&original.root) {
        Some(files) => files,
        None => walked(&original.root)?,
    };
    for stale in files::read_tree(&root)?.keys().filter(|path| !wanted.contains(*path)) {
        let path = root.join(stale);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        // Cargo takes a folder that is left empty for a package. One that is not empty stays.
        for folder in stale.ancestors().skip(1) {
            let _ = fs::remove_dir(root.join(folder));
        }
    }
    for path in &wanted {
        files::write(&root.join(path), &files::read(&original.root.join(path))?)?;
    }
    Ok(format!("{} in {}", count(wanted.len(), "file"), root.display()))
}

/// What git tracks, and what it would; none if this is no git repository, or git is not there.
pub fn tracked_by_git(root: &Path) -> Option<BTreeSet<PathBuf>> {
    let mut command = Command::new("git");
    command.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let output = command.stderr(Stdio::null()).output().ok()?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let paths = listed.split('\0').map(PathBuf::from);
    // A file may be listed and deleted.
    let paths: BTreeSet<_> = paths.filter(|path| root.join(path).is_file()).collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walked(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let path = root.join(&folder);
        for entry in
            fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))?
        {
            let relative = folder.join(entry?.file_name());
            let path = root.join(&relative);
            if path.is_file() {
                found.insert(relative);
            } else if path.is_dir() && !is_built(&relative, &path) {
                open.push(relative);
            }
        }
    }
    Ok(found)
}

/// Target directories (cargo tags each), the built book, git's own files, the reader's backups.
fn is_built(relative: &Path, path: &Path) -> bool {
    [".git", ".backups", ".escapes", "target"].iter().any(|name| relative.ends_with(name))
        || relative == Path::new("book").join("book")
        || path.join("CACHEDIR.TAG").exists()
}
