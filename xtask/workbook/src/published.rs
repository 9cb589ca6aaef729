//! What was published with an exercise, and whether it is still so.
//!
//! `.starter/spec.sum` holds the sums of an exercise's given files, in the form of `sha256sum`;
//! `xtask/published.sum` those of the `spec.sum`s.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files::{self, Tree};
use crate::{Exercise, Sources, Subject, Workbook, slashes};

/// From the root.
pub const PUBLISHED: &str = "xtask/published.sum";
/// From an exercise's folder.
const SPEC_SUM: &str = ".starter/spec.sum";

/// A file that is not as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// From the root.
    pub path: String,
    /// `was edited`, `is missing`, `was added`: a predicate to the path.
    pub what: &'static str,
}

impl Change {
    /// Of a file, by its path from the root.
    pub fn new(path: impl Into<String>, what: &'static str) -> Self {
        Self { path: path.into(), what }
    }
}

impl Exercise {
    /// The files that are published and not the reader's: the manifest, the declaration, the spec, and the
    /// sources beside those that `yours` names. By path from the exercise's folder.
    fn given(&self, root: &Path, sources: &Sources) -> Tree {
        let folder = root.join(self.path(Subject::Reader));
        let mut given = Tree::new();
        for name in ["Cargo.toml", "exercise.toml"] {
            given.extend(fs::read(folder.join(name)).ok().map(|text| (name.into(), text)));
        }
        let source = sources.source.iter().filter(|(path, _)| !self.yours.contains(path));
        given.extend(source.map(|(path, text)| (Path::new("src").join(path), text.clone())));
        let tests = sources.tests.iter();
        given.extend(tests.map(|(path, text)| (Path::new("tests").join(path), text.clone())));
        given
    }

    /// The text that `.starter/spec.sum` must have for the files as they are.
    pub fn sum(&self, root: &Path, sources: &Sources) -> String {
        self.given(root, sources).iter().map(|(path, text)| line(text, path)).collect()
    }

    /// The given files that are not as they were published. An exercise that is not published yet (a draft)
    /// has none.
    pub fn changes(&self, workbook: &Workbook, sources: &Sources) -> Vec<Change> {
        let folder = self.path(Subject::Reader);
        let sum = folder.join(SPEC_SUM);
        let mut changes = Vec::new();
        match (&sources.spec_sum, published(workbook)) {
            (_, None) => changes.push(Change::new(PUBLISHED, "is missing")),
            (None, Some(lines)) if is_named(&lines, &sum) => {
                changes.push(Change::new(slashes(&sum), "is missing"));
            }
            (Some(text), Some(lines)) => {
                if is_named(&lines, &sum) && !lines.contains(&line(text.as_bytes(), &sum)) {
                    changes.push(Change::new(slashes(&sum), "was edited"));
                }
            }
            (None, Some(_)) => {}
        }
        let given = self.given(&workbook.root, sources);
        for wanted in sources.spec_sum.as_deref().unwrap_or_default().lines() {
            let Some((_, path)) = wanted.split_once("  ") else { continue };
            let path: PathBuf = path.split('/').collect();
            let what = match given.get(&path) {
                None => "is missing",
                Some(text) if line(text, &path).trim_end() != wanted => "was edited",
                Some(_) => continue,
            };
            changes.push(Change::new(slashes(&folder.join(path)), what));
        }
        // Cargo runs it, with or without a word in the manifest.
        if workbook.root.join(&folder).join("build.rs").exists() {
            changes.push(Change::new(slashes(&folder.join("build.rs")), "was added"));
        }
        changes
    }
}

impl Workbook {
    /// The text that `xtask/published.sum` must have for the `spec.sum`s as they are: two lines an exercise, so
    /// that changes of two exercises can be merged.
    ///
    /// # Errors
    /// As of [`Workbook::exercises`].
    pub fn published_sum(&self) -> Result<String> {
        let mut text = String::new();
        for exercise in self.exercises()? {
            let sum = exercise.path(Subject::Reader).join(SPEC_SUM);
            if let Ok(content) = fs::read(self.root.join(&sum)) {
                text += &["# ", &exercise.folder, "\n", &line(&content, &sum)].concat();
            }
        }
        Ok(text)
    }

    /// The published exercises that are none any more, each by its `exercise.toml`.
    ///
    /// # Errors
    /// As of [`Workbook::exercises`].
    pub fn missing(&self) -> Result<Vec<Change>> {
        let there = self.exercises()?;
        let lines = published(self).unwrap_or_default();
        let folders = lines.lines().filter_map(|line| {
            line.split_once("  exercises/")?.1.strip_suffix("/.starter/spec.sum")
        });
        let gone = folders.filter(|folder| !there.iter().any(|it| it.folder == *folder));
        let change =
            |folder| Change::new(format!("exercises/{folder}/exercise.toml"), "is missing");
        Ok(gone.map(change).collect())
    }
}

fn published(workbook: &Workbook) -> Option<String> {
    let text = fs::read(workbook.root.join(PUBLISHED)).ok()?;
    Some(String::from_utf8_lossy(&files::fold_crlf(&text)).into_owned())
}

fn is_named(lines: &str, path: &Path) -> bool {
    let path = format!("  {}", slashes(path));
    lines.lines().any(|line| line.ends_with(&path))
}

/// As `sha256sum` prints it.
fn line(content: &[u8], path: &Path) -> String {
    let hash = hmac_sha256::Hash::hash(&files::fold_crlf(content));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}  {}\n", slashes(path))
}
