//! Reading, comparing and copying small trees of text files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The files below a folder by relative path; nothing for a folder that does not exist.
pub type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// Reads a folder with all that is below it.
///
/// # Errors
/// If a file is there and can't be read.
pub fn read_tree(folder: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        let path = folder.join(&relative);
        if !path.is_dir() {
            continue;
        }
        let entries =
            fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", path.display()))?;
            let relative = relative.join(entry.file_name());
            if entry.path().is_dir() {
                open.push(relative);
            } else {
                tree.insert(relative, read(&entry.path())?);
            }
        }
    }
    Ok(tree)
}

/// Copies every file of `tree` below `folder`.
///
/// # Errors
/// As of [`write()`].
pub fn write_tree(folder: &Path, tree: &Tree) -> Result<()> {
    for (relative, content) in tree {
        write(&folder.join(relative), content)?;
    }
    Ok(())
}

/// The same files with the same text; a checkout may have folded line endings in one of them.
pub fn same_text(a: &Tree, b: &Tree) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|((path_a, a), (path_b, b))| path_a == path_b && fold_crlf(a) == fold_crlf(b))
}

/// With `\n` for every `\r\n`.
pub fn fold_crlf(content: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(content.len());
    for (index, byte) in content.iter().enumerate() {
        if *byte != b'\r' || content.get(index + 1) != Some(&b'\n') {
            folded.push(*byte);
        }
    }
    folded
}

/// # Errors
/// With the path.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// # Errors
/// With the path; also for a text that is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file and the folders above it. A file that has the content already keeps its time
/// stamp, so that cargo rebuilds nothing.
///
/// # Errors
/// With the path.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|now| now == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
