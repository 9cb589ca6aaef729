//! The workbook on disk: its root, and the exercises by their `exercise.toml`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::files::{self, Tree};

pub struct Workbook {
    pub root: PathBuf,
    /// `CARGO_TARGET_DIR` made absolute, when it is set.
    target_dir: Option<PathBuf>,
}

/// An exercise as its `exercise.toml` declares it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// The package's name too; the solution's package is `<id>-solution`.
    pub id: String,
    pub title: String,
    /// The chapter's file in `book/src`.
    pub chapter: String,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// The folder's name, `02-circuit-breaker`.
    #[serde(skip)]
    pub folder: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub id: String,
    pub title: String,
    /// The heading in the chapter.
    pub anchor: String,
    pub hints: [String; 3],
    /// Checks that the untouched starter passes; every other check fails by its `todo!`.
    #[serde(default)]
    pub passes_on_starter: Vec<String>,
}

/// Whose code the spec runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Reader,
    Solution,
}

impl Workbook {
    /// The workbook around the current directory.
    pub fn find() -> Result<Self> {
        let here = env::current_dir().context("cannot tell the current directory")?;
        let root = here.ancestors().find(|folder| is_root(folder)).with_context(|| {
            format!("{} is not inside the workbook: cd into your clone first", here.display())
        })?;
        let target_dir = env::var_os("CARGO_TARGET_DIR").map(|dir| here.join(dir));
        Ok(Self { root: root.to_owned(), target_dir })
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
    pub fn exercises(&self) -> Result<Vec<Exercise>> {
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
        if names.is_empty() {
            bail!("{} holds no exercise (a folder with an exercise.toml)", folder.display());
        }
        names.into_iter().map(|name| self.load(&name)).collect()
    }

    fn load(&self, folder: &str) -> Result<Exercise> {
        let relative = Path::new("exercises").join(folder).join("exercise.toml");
        let text = files::read_text(&self.root.join(&relative))?;
        // toml's message carries the line, the column and what was expected there.
        let exercise: Exercise = toml::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{} is malformed:\n{error}", relative.display()))?;
        if exercise.steps.is_empty() {
            bail!("{} declares no [[step]]", relative.display());
        }
        Ok(Exercise { folder: folder.to_owned(), ..exercise })
    }

    /// The exercises of these names in the order of their folders; all of them for no name.
    pub fn selected(&self, names: &[String]) -> Result<Vec<Exercise>> {
        if names.is_empty() {
            return self.exercises();
        }
        let mut selected: Vec<_> =
            names.iter().map(|name| self.exercise(name)).collect::<Result<_>>()?;
        selected.sort_by(|a, b| a.folder.cmp(&b.folder));
        selected.dedup_by(|a, b| a.folder == b.folder);
        Ok(selected)
    }

    /// The exercise that a reader means by its id, its folder's name or its number.
    pub fn exercise(&self, wanted: &str) -> Result<Exercise> {
        let all = self.exercises()?;
        if let Some(found) = all.iter().find(|exercise| exercise.is_called(wanted)) {
            return Ok(found.clone());
        }
        let nearest = all
            .iter()
            .map(|exercise| (strsim::jaro_winkler(wanted, &exercise.id), &exercise.id))
            .filter(|(similarity, _)| *similarity > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let suggestion =
            nearest.map_or_else(String::new, |(_, id)| format!(" Did you mean `{id}`?"));
        let list: String = all
            .iter()
            .map(|exercise| format!("\n  {}  {}", exercise.number(), exercise.id))
            .collect();
        bail!("there is no exercise `{wanted}`.{suggestion} The exercises are:{list}")
    }
}

impl Exercise {
    /// The leading digits of the folder's name, `02`.
    pub fn number(&self) -> &str {
        let digits = self.folder.bytes().take_while(u8::is_ascii_digit).count();
        &self.folder[..digits]
    }

    fn is_called(&self, wanted: &str) -> bool {
        let number = |text: &str| text.parse::<u32>().ok();
        wanted == self.id
            || wanted == self.folder
            || (number(wanted).is_some() && number(wanted) == number(self.number()))
    }

    pub fn package(&self, subject: Subject) -> String {
        match subject {
            Subject::Reader => self.id.clone(),
            Subject::Solution => format!("{}-solution", self.id),
        }
    }

    /// The package's folder, relative to the root.
    pub fn path(&self, subject: Subject) -> PathBuf {
        let parent = match subject {
            Subject::Reader => "exercises",
            Subject::Solution => "solutions",
        };
        Path::new(parent).join(&self.folder)
    }

    /// The file to open, relative to the root.
    pub fn source(&self) -> PathBuf {
        self.path(Subject::Reader).join("src").join("lib.rs")
    }

    /// What `cargo xtask book --open` takes, with or without a step's anchor.
    pub fn page(&self, step: Option<&Step>) -> String {
        let page = self.chapter.trim_end_matches(".md");
        step.map_or_else(|| page.to_owned(), |step| format!("{page}#{}", step.anchor))
    }

    /// The module of a step's checks in the spec: `step_1_trip`.
    pub fn module(&self, step: &Step) -> String {
        let position = self.steps.iter().position(|s| s.id == step.id).unwrap_or_default();
        format!("step_{}_{}", position + 1, step.id.replace('-', "_"))
    }

    /// The reader's source and the starter that it began as.
    pub fn sources(&self, workbook: &Workbook) -> Result<(Tree, Tree)> {
        let folder = workbook.root.join(self.path(Subject::Reader));
        Ok((
            files::read_tree(&folder.join("src"))?,
            files::read_tree(&folder.join(".starter").join("src"))?,
        ))
    }

    /// Whether the reader has changed anything.
    pub fn is_begun(&self, workbook: &Workbook) -> Result<bool> {
        let (source, starter) = self.sources(workbook)?;
        Ok(!files::same_text(&source, &starter))
    }

    /// The text that `.starter/spec.sum` must have for the spec as it stands.
    pub fn spec_sum(&self, workbook: &Workbook) -> Result<String> {
        let tests =
            files::read_tree(&workbook.root.join(self.path(Subject::Reader)).join("tests"))?;
        let line = |(path, content): (&PathBuf, &Vec<u8>)| {
            let hex: String = hmac_sha256::Hash::hash(&files::fold_crlf(content))
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            format!("{hex}  tests/{}\n", slashes(path))
        };
        Ok(tests.iter().map(line).collect())
    }

    /// The spec's files that are not as they were published: each with `was edited` or `is missing`.
    pub fn spec_changes(&self, workbook: &Workbook) -> Result<Vec<(PathBuf, &'static str)>> {
        let folder = self.path(Subject::Reader);
        let published = workbook.root.join(&folder).join(".starter").join("spec.sum");
        if !published.is_file() {
            return Ok(Vec::new());
        }
        let published = files::read_text(&published)?;
        let now = self.spec_sum(workbook)?;
        let mut changes = Vec::new();
        for line in published.lines().filter(|line| !now.lines().any(|l| l == *line)) {
            let Some((_, path)) = line.split_once("  ") else { continue };
            let path = folder.join(path);
            let what = if workbook.root.join(&path).exists() { "was edited" } else { "is missing" };
            changes.push((path, what));
        }
        Ok(changes)
    }
}

/// A relative path with `/` on every system.
pub fn slashes(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn is_root(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    folder.join("exercises").is_dir() && manifest.lines().any(|line| line.trim() == "[workspace]")
}
