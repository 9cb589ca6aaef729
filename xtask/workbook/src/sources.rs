//! The reader's files, and the copies in `.starter` that say how they came.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files::{self, Tree};
use crate::{Exercise, Step, Subject, slashes};

/// The files of an exercise at one moment: read once, asked often.
pub struct Sources {
    /// What the reader edits, below `src`.
    pub source: Tree,
    /// How that came, from `.starter/src`: the guided starter.
    pub starter: Tree,
    /// The bare one, whose files in `.starter/bare/src` stand in for those of the guided one; empty if
    /// there is none.
    pub bare: Tree,
    /// The spec, below `tests`.
    pub tests: Tree,
    /// `.starter/spec.sum`: the sums of the spec as published; none if the file is missing.
    pub spec_sum: Option<String>,
}

impl Sources {
    /// # Errors
    /// If a file is there and can't be read.
    pub fn read(root: &Path, exercise: &Exercise) -> Result<Self> {
        let folder = root.join(exercise.path(Subject::Reader));
        let spec_sum = folder.join(".starter").join("spec.sum");
        let starter = files::read_tree(&folder.join(".starter").join("src"))?;
        let mut bare = files::read_tree(&folder.join(".starter").join("bare").join("src"))?;
        if !bare.is_empty() {
            bare = starter.clone().into_iter().chain(bare).collect();
        }
        Ok(Self {
            source: files::read_tree(&folder.join("src"))?,
            starter,
            bare,
            tests: files::read_tree(&folder.join("tests"))?,
            spec_sum: spec_sum.is_file().then(|| files::read_text(&spec_sum)).transpose()?,
        })
    }

    /// Whether the reader has changed anything since either starter.
    pub fn is_begun(&self) -> bool {
        ![&self.starter, &self.bare].into_iter().any(|tree| files::same_text(&self.source, tree))
    }

    /// Whether something was written, but nothing for this step: its tasks are all there as they were.
    pub fn is_unwritten(&self, step: &Step) -> bool {
        let now = tasks(&self.source, step);
        let is_of = |starter| !now.is_empty() && now == tasks(starter, step);
        self.is_begun() && (is_of(&self.starter) || is_of(&self.bare))
    }

    /// The text that `.starter/spec.sum` must have for the spec as it is.
    pub fn sum_of_spec(&self) -> String {
        let line = |(path, content): (&PathBuf, &Vec<u8>)| {
            let hex: String = hmac_sha256::Hash::hash(&files::fold_crlf(content))
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            format!("{hex}  tests/{}\n", slashes(path))
        };
        self.tests.iter().map(line).collect()
    }

    /// The spec's files that are not as they were published, relative to the exercise's folder: each
    /// with `was edited` or `is missing`.
    pub fn spec_changes(&self) -> Vec<(PathBuf, &'static str)> {
        let now = self.sum_of_spec();
        let published = self.spec_sum.as_deref().unwrap_or_default();
        let changed = published.lines().filter(|line| !now.lines().any(|l| l == *line));
        let paths = changed.filter_map(|line| line.split_once("  ").map(|(_, path)| path));
        let change = |path: &str| {
            let path: PathBuf = path.split('/').collect();
            let there = path.strip_prefix("tests").is_ok_and(|path| self.tests.contains_key(path));
            (path, if there { "was edited" } else { "is missing" })
        };
        paths.map(change).collect()
    }
}

/// The tasks of a step in these files, `step 2: reject …`, in order; those in comments aside.
fn tasks(tree: &Tree, step: &Step) -> Vec<String> {
    let begin = format!("\"step {}:", step.number);
    let mut tasks = Vec::new();
    for content in tree.values() {
        for line in String::from_utf8_lossy(content).lines() {
            if let Some(at) = line.find(&begin).filter(|_| !line.trim_start().starts_with("//")) {
                tasks.push(line[at..].split(')').next().unwrap_or_default().to_owned());
            }
        }
    }
    tasks.sort();
    tasks
}
