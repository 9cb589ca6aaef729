//! The workbook on disk: its exercises as their files declare them. What `cargo xtask` and the book
//! know of the format of an exercise, they know from here.

#![allow(clippy::format_collect, reason = "a line an item reads best as a map of `format!`")]

pub mod files;
pub mod mistake;

mod exercise;
mod published;
mod sources;
mod spec;
mod way_back;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

pub use crate::exercise::{Exercise, Kind, Step, Subject};
pub use crate::mistake::Mistake;
pub use crate::published::{Change, PUBLISHED};
pub use crate::sources::Sources;
pub use crate::way_back::way_back;

/// A workbook: where it is, and where cargo builds it.
pub struct Workbook {
    /// The folder of the workspace.
    pub root: PathBuf,
    /// `CARGO_TARGET_DIR` made absolute, when it is set.
    target_dir: Option<PathBuf>,
}

impl Workbook {
    /// The workbook around the current directory.
    ///
    /// # Errors
    /// Outside of a workbook.
    pub fn find() -> Result<Self> {
        let here = env::current_dir().context("cannot tell the current directory")?;
        let root = here.ancestors().find(|folder| is_root(folder)).with_context(|| {
            format!("{} is not inside the workbook: cd into your clone first", here.display())
        })?;
        let target_dir = env::var_os("CARGO_TARGET_DIR").map(|dir| here.join(dir));
        Ok(Self { root: root.to_owned(), target_dir })
    }

    /// The workbook at a known place.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), target_dir: None }
    }

    /// A copy of the workbook elsewhere, with a target directory of its own.
    pub fn copy_at(root: PathBuf, target_dir: PathBuf) -> Self {
        Self { root, target_dir: Some(target_dir) }
    }

    /// Where cargo is told to build; none leaves it to cargo's configuration.
    pub fn target_dir(&self) -> Option<&Path> {
        self.target_dir.as_deref()
    }

    /// Where the commands keep files of their own.
    pub fn scratch_dir(&self) -> PathBuf {
        self.target_dir.clone().unwrap_or_else(|| self.root.join("target")).join("xtask")
    }

    /// All exercises, in the order of their folders' names.
    ///
    /// # Errors
    /// If there is none, or an `exercise.toml` is malformed.
    pub fn exercises(&self) -> Result<Vec<Exercise>> {
        let members = self.members()?;
        let names: Vec<_> = self.folders()?.into_iter().filter(|name| members.has(name)).collect();
        if names.is_empty() {
            let folder = self.root.join("exercises");
            bail!("{} holds no exercise (a folder with an exercise.toml)", folder.display());
        }
        names.into_iter().map(|name| Exercise::load(&self.root, &name)).collect()
    }

    /// The folders that look like exercises and that cargo doesn't know as such: a reader's copies.
    ///
    /// # Errors
    /// If the folder of the exercises or the manifest can't be read.
    pub fn copies(&self) -> Result<Vec<String>> {
        let members = self.members()?;
        Ok(self.folders()?.into_iter().filter(|name| !members.has(name)).collect())
    }

    fn members(&self) -> Result<Members> {
        let manifest = self.root.join("Cargo.toml");
        let Manifest { workspace } = toml::from_str(&files::read_text(&manifest)?)
            .with_context(|| format!("{} is malformed", manifest.display()))?;
        Ok(workspace)
    }

    /// The names of the folders with an `exercise.toml`, in order.
    fn folders(&self) -> Result<Vec<String>> {
        let folder = self.root.join("exercises");
        let mut names = Vec::new();
        for entry in
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?
        {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            if entry.path().join("exercise.toml").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The exercises of these names in the order of their folders; all of them for no name.
    ///
    /// # Errors
    /// As of [`Workbook::exercise`].
    pub fn selected(&self, names: &[String]) -> Result<Vec<Exercise>> {
        let all = self.exercises()?;
        if names.is_empty() {
            return Ok(all);
        }
        let mut selected: Vec<_> =
            names.iter().map(|name| called(&all, name)).collect::<Result<_>>()?;
        selected.sort_by(|a, b| a.folder.cmp(&b.folder));
        selected.dedup_by(|a, b| a.folder == b.folder);
        Ok(selected.into_iter().cloned().collect())
    }

    /// The exercise that a reader means by its id, its folder's name or its number.
    ///
    /// # Errors
    /// If there is none: with the nearest, and a list of all.
    pub fn exercise(&self, wanted: &str) -> Result<Exercise> {
        called(&self.exercises()?, wanted).cloned()
    }
}

/// What `Cargo.toml` says of the workspace.
#[derive(Deserialize)]
struct Manifest {
    workspace: Members,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<String>,
}

impl Members {
    fn has(&self, exercise: &str) -> bool {
        self.members.iter().any(|path| path.strip_prefix("exercises/") == Some(exercise))
    }
}

fn called<'a>(all: &'a [Exercise], wanted: &str) -> Result<&'a Exercise> {
    if let Some(found) = all.iter().find(|exercise| exercise.is_called(wanted)) {
        return Ok(found);
    }
    let nearest = nearest(wanted, all.iter().map(|exercise| exercise.id.as_str()));
    let suggestion = nearest.map_or_else(String::new, |id| format!(" Did you mean `{id}`?"));
    let list: String =
        all.iter().map(|exercise| format!("\n  {}  {}", exercise.number(), exercise.id)).collect();
    bail!("there is no exercise `{wanted}`.{suggestion} The exercises are:{list}")
}

/// The name that somebody who wrote `wanted` may have meant.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likely = names.into_iter().map(|name| (strsim::jaro_winkler(wanted, name), name));
    let likely = likely.filter(|(similarity, _)| *similarity > 0.7);
    likely.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// A relative path with `/` on every system.
pub fn slashes(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn is_root(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    folder.join("exercises").is_dir() && manifest.lines().any(|line| line.trim() == "[workspace]")
}
