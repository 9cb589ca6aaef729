//! Reading, comparing and copying small trees of text files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The files below a folder by relative path; nothing for a folder that does not exist.
pub type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// Whether a file is a source, by its name: Rust, or a snapshot of a spec. Editors and systems leave lock links
/// (`.#lib.rs`), swap files (`.lib.rs.swp`), backups (`lib.rs~`, `#lib.rs#`) and notes of their own
/// (`.DS_Store`) beside what they work on, file managers copies with a space in the name (`lib copy.rs`); insta leaves
/// `.spec.rs.pending-snap`. `path` is relative.
pub fn is_source(path: &Path) -> bool {
    let is_hidden = |part: &OsStr| part.as_encoded_bytes().starts_with(b".");
    let is_copy = |name: &OsStr| name.as_encoded_bytes().contains(&b' ');
    path.extension().is_some_and(|kind| kind == "rs" || kind == "snap")
        && !path.iter().any(is_hidden)
        && !path.file_name().is_some_and(is_copy)
}

/// Reads the sources below a folder: the files that count for verdicts, backups and comparisons.
///
/// # Errors
/// If a file is there and can't be read.
pub fn read_sources(folder: &Path) -> Result<Tree> {
    read_those(folder, is_source)
}

/// Reads a folder with all files below it.
///
/// # Errors
/// If a file is there and can't be read.
pub fn read_tree(folder: &Path) -> Result<Tree> {
    read_those(folder, |_| true)
}

/// Regular files alone, also by way of a link: to open a pipe would wait for its writer. What is gone
/// between the listing and the reading was an editor's.
fn read_those(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Tree> {
    let mut tree = Tree::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        let path = folder.join(&relative);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if is_gone(&error) => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot list {}", path.display()));
            }
        };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", path.display()))?;
            let (path, relative) = (entry.path(), relative.join(entry.file_name()));
            // A link to a folder could lead back here.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(relative);
            } else if wanted(&relative) && path.is_file() {
                match fs::read(&path) {
                    Ok(content) => drop(tree.insert(relative, content)),
                    Err(error) if is_gone(&error) => {}
                    Err(error) => {
                        return Err(error)
                            .with_context(|| format!("cannot read {}", path.display()));
                    }
                }
            }
        }
    }
    Ok(tree)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
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

/// A sum of texts and trees that stands for all of them (SHA-256, in hexadecimal).
pub fn digest(texts: &[&[u8]], trees: &[&Tree]) -> String {
    let mut hash = hmac_sha256::Hash::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    for text in texts {
        add(text);
    }
    for tree in trees {
        add(&(tree.len() as u64).to_le_bytes());
        for (path, content) in *tree {
            add(crate::slashes(path).as_bytes());
            add(content);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// With `\n` for every `\r\n`.
pub fn fold_crlf(content: &[u8]) -> Vec<u8> {
    // Nearly always, and the loop below is slow in a debug build.
    if !content.contains(&b'\r') {
        return content.to_vec();
    }
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

/// Writes a file in one go: who reads it at the same time reads all of the old or all of the new.
///
/// # Errors
/// With the path.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    write(&beside, content)?;
    fs::rename(&beside, path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_and_systems_leave_is_no_source() {
        for name in ["lib.rs", "inner/more.rs", "snapshots/spec__x.snap", "a.b.rs"] {
            assert!(is_source(Path::new(name)), "{name}");
        }
        for name in [
            ".#lib.rs",
            ".lib.rs.swp",
            ".lib.rs.kate-swp",
            "lib.rs~",
            "#lib.rs#",
            "lib.rs.orig",
            "lib.rs___jb_tmp___",
            "lib copy.rs",
            "lib (1).rs",
            "4913",
            ".DS_Store",
            "Thumbs.db",
            ".idea/lib.rs",
            "steps/.step_1.rs.pending-snap",
            "x.snap.new",
            "pipe",
        ] {
            assert!(!is_source(Path::new(name)), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn of_a_folder_only_what_can_be_read_to_its_end_is_read() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("lib.rs"), "code").unwrap();
        fs::write(at("notes.txt"), "notes").unwrap();
        symlink(at("lib.rs"), at("linked.rs")).unwrap();
        symlink("me@host.1:2", at(".#lib.rs")).unwrap();
        symlink("nowhere", at("gone.rs")).unwrap();
        symlink(".", at("round")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket.rs")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe.rs")).status().unwrap();
        assert!(made.success());

        let names = |tree: Tree| tree.into_keys().collect::<Vec<_>>();
        let expected = ["lib.rs", "linked.rs"].map(PathBuf::from);
        assert_eq!(names(read_sources(folder.path()).unwrap()), expected);
        let expected = ["lib.rs", "linked.rs", "notes.txt"].map(PathBuf::from);
        assert_eq!(names(read_tree(folder.path()).unwrap()), expected);
        assert_eq!(read_tree(&at("no-such")).unwrap(), Tree::new());
    }
}
