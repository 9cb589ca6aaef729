//! The reader's files, and the copies in `.starter` that say how they came.

use std::path::Path;

use anyhow::Result;

use crate::files::{self, Tree};
use crate::{Exercise, Step, Subject};

/// The files of an exercise at one moment: read once, asked often.
#[derive(Clone)]
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
    /// `.starter/spec.sum`: the sums of the given files as published; none if the file is missing.
    pub spec_sum: Option<String>,
}

impl Sources {
    /// # Errors
    /// If a file is there and can't be read.
    pub fn read(root: &Path, exercise: &Exercise) -> Result<Self> {
        let folder = root.join(exercise.path(Subject::Reader));
        let spec_sum = folder.join(".starter").join("spec.sum");
        let starter = files::read_sources(&folder.join(".starter").join("src"))?;
        let mut bare = files::read_sources(&folder.join(".starter").join("bare").join("src"))?;
        if !bare.is_empty() {
            bare = starter.clone().into_iter().chain(bare).collect();
        }
        Ok(Self {
            source: files::read_sources(&folder.join("src"))?,
            starter,
            bare,
            tests: files::read_sources(&folder.join("tests"))?,
            spec_sum: spec_sum.is_file().then(|| files::read_text(&spec_sum)).transpose()?,
        })
    }

    /// The same exercise with another answer.
    #[must_use]
    pub fn with_source(&self, source: Tree) -> Self {
        Self { source, ..self.clone() }
    }

    /// Whether the reader has changed anything since either starter.
    pub fn is_begun(&self) -> bool {
        let mut starters = [&self.starter, &self.bare].into_iter().filter(|tree| !tree.is_empty());
        !starters.any(|tree| files::same_text(&self.source, tree))
    }

    /// Whether something was written, but nothing for this step: its tasks are all there as they were.
    pub fn is_unwritten(&self, step: &Step) -> bool {
        let now = tasks(&self.source, step);
        let is_of = |starter| !now.is_empty() && now == tasks(starter, step);
        (is_of(&self.starter) || is_of(&self.bare)) && self.is_begun()
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
