//! What somebody handed in: the sources that are theirs, and what else there is to say of the rest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::Serialize;
use workbook::files::{self, Tree};
use workbook::{Exercise, Sources, Subject, Workbook, slashes};

use crate::self_check::tracked_by_git;

/// More than any answer needs.
const LONGEST: u64 = 256 * 1024;
const MOST: usize = 100;
/// Of what is told about one submission.
const MOST_TOLD: usize = 20;

/// What a person may want to read before believing a pass: none of these has to be wrong.
const LOOK_AT: &[&str] = &[
    "process::",
    "set_hook",
    "macro_rules! todo",
    "macro_rules! panic",
    "macro_rules! assert",
    "macro_export",
    "/proc/",
    "include",
    "#[path",
    "std::env",
    "std::fs",
    "std::net",
    "PartialEq for",
    "thread::current",
];

#[derive(Serialize)]
pub struct Submission {
    pub name: String,
    pub path: PathBuf,
    /// By exercise, what is below its `src`.
    #[serde(skip)]
    pub sources: BTreeMap<String, Tree>,
    /// Files below `src` that were not taken, and why.
    pub left_out: Vec<String>,
    /// Files of the workbook that are others than here. They were not used.
    pub changed: Vec<String>,
    /// Lines for a person to look at, `file:line: text`.
    pub look_at: Vec<String>,
}

/// The files of this checkout, but for the exercises' sources.
pub fn published(workbook: &Workbook) -> Result<Vec<PathBuf>> {
    let all = match tracked_by_git(&workbook.root) {
        Some(files) => files.into_iter().collect(),
        None => files::read_tree(&workbook.root.join("exercises"))?
            .into_keys()
            .map(|path| Path::new("exercises").join(path))
            .collect::<Vec<_>>(),
    };
    let is_source = |path: &Path| {
        path.starts_with("exercises") && path.iter().nth(2).is_some_and(|part| part == "src")
    };
    Ok(all.into_iter().filter(|path| !is_source(path)).collect())
}

impl Submission {
    pub fn read(
        workbook: &Workbook,
        exercises: &[Exercise],
        published: &[PathBuf],
        folder: &Path,
    ) -> Result<Self> {
        if !folder.join("exercises").is_dir() {
            bail!("{} has no folder `exercises`", folder.display());
        }
        let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut it = Self {
            name,
            path: folder.to_owned(),
            sources: BTreeMap::new(),
            left_out: Vec::new(),
            changed: Vec::new(),
            look_at: Vec::new(),
        };
        for exercise in exercises {
            it.take(workbook, exercise)?;
        }
        it.compare(workbook, published);
        for told in [&mut it.left_out, &mut it.changed, &mut it.look_at] {
            if told.len() > MOST_TOLD {
                let more = told.len() - MOST_TOLD;
                told.truncate(MOST_TOLD);
                told.push(format!("and {more} more"));
            }
        }
        Ok(it)
    }

    /// Takes what is written for an exercise: regular files, by no link.
    fn take(&mut self, workbook: &Workbook, exercise: &Exercise) -> Result<()> {
        let source = exercise.path(Subject::Reader).join("src");
        let given = Sources::read(&workbook.root, exercise)?;
        let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|it| it.is_dir());
        let above = source.ancestors().filter(|path| !path.as_os_str().is_empty());
        if !above.clone().all(|path| is_folder(&self.path.join(path))) {
            if above.clone().any(|path| self.path.join(path).is_symlink()) {
                self.left_out.push(format!("{} is behind a link", slashes(&source)));
            }
            return Ok(());
        }
        let mut tree = Tree::new();
        let mut open = vec![PathBuf::new()];
        while let Some(below) = open.pop() {
            let Ok(entries) = fs::read_dir(self.path.join(&source).join(&below)) else { continue };
            for entry in entries.flatten() {
                let relative = below.join(entry.file_name());
                let Ok(kind) = fs::symlink_metadata(entry.path()) else { continue };
                let why = if kind.is_dir() && relative.components().count() < 8 {
                    open.push(relative);
                    continue;
                } else if !kind.is_file() {
                    "is no regular file"
                } else if relative.extension().is_none_or(|end| end != "rs") {
                    "is no Rust"
                } else if kind.len() > LONGEST || tree.len() == MOST {
                    "is too much"
                } else if let Ok(text) = fs::read(entry.path()) {
                    tree.insert(relative, text);
                    continue;
                } else {
                    "can't be read"
                };
                self.left_out.push(format!("{} {why}", slashes(&source.join(relative))));
            }
        }
        let folded = |path: &Path| slashes(path).to_lowercase();
        let is_anothers_name =
            |path: &Path| given.starter.keys().any(|it| it != path && folded(it) == folded(path));
        // Where names differ by more than case, it would be written over the other.
        for (path, _) in tree.extract_if(.., |path, _| is_anothers_name(path)) {
            let shown = slashes(&source.join(path));
            self.left_out
                .push(format!("{shown} differs from the name of a given file by its case alone"));
        }
        for (path, text) in &tree {
            let shown = slashes(&source.join(path));
            let starter = given.starter.get(path).map(|text| files::fold_crlf(text));
            let is_own = exercise.is_own(path, &given.starter);
            if !is_own && starter.as_ref() != Some(&files::fold_crlf(text)) {
                self.changed.push(format!("{shown} was edited"));
            } else if is_own {
                let starter = starter.map(|it| String::from_utf8_lossy(&it).into_owned());
                self.look_at(&shown, text, &starter.unwrap_or_default());
            }
        }
        let solution = exercise.path(Subject::Solution).join("src").join("lib.rs");
        let solution = fs::read(workbook.root.join(solution)).ok();
        if solution.is_some_and(|text| tree.get(Path::new("lib.rs")) == Some(&text)) {
            self.look_at
                .push(format!("{}/lib.rs is the reference to the letter", slashes(&source)));
        }
        self.sources.insert(exercise.folder.clone(), tree);
        Ok(())
    }

    fn look_at(&mut self, path: &str, text: &[u8], starter: &str) {
        for (line, number) in String::from_utf8_lossy(text).lines().zip(1..) {
            let is_new = !starter.lines().any(|known| known == line);
            if is_new && LOOK_AT.iter().any(|word| line.contains(word)) {
                let text: String = line.trim().chars().take(120).collect();
                self.look_at.push(format!("{path}:{number}: {text}"));
            }
        }
    }

    /// Names what differs from this checkout beside the sources, as far as it was handed in.
    fn compare(&mut self, workbook: &Workbook, published: &[PathBuf]) {
        for path in published {
            let theirs = self.path.join(path);
            let Ok(kind) = fs::symlink_metadata(&theirs) else { continue };
            let same = || {
                let ours = fs::read(workbook.root.join(path)).ok()?;
                // As a checkout may fold its line ends.
                let is_near = kind.is_file() && kind.len() <= 2 * ours.len() as u64;
                let theirs = is_near.then(|| fs::read(&theirs).ok()).flatten()?;
                Some(files::fold_crlf(&theirs) == files::fold_crlf(&ours))
            };
            if !same().unwrap_or(false) {
                self.changed.push(format!("{} was edited", slashes(path)));
            }
        }
        for folder in self.sources.keys() {
            let script = Path::new("exercises").join(folder).join("build.rs");
            if self.path.join(&script).exists() {
                self.changed.push(format!("{} was added", slashes(&script)));
            }
        }
    }
}
