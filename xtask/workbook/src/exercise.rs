//! An exercise as its `exercise.toml` declares it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;

use crate::files::{self, Tree};
use crate::{slashes, way_back};

/// An exercise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// The package's name too; the solution's package is `<id>-solution`.
    pub id: String,
    /// As the book and the commands show it.
    pub title: String,
    /// The file in `book/src` that opens the chapter, `circuit-breaker.md`. The chapter's other pages are in the folder of
    /// this name: one for each step, `lab.md` and `production.md`.
    pub chapter: String,
    /// What a reader builds, in a sentence for the book's and the README's lists.
    #[serde(default)]
    pub summary: String,
    /// How it is held to what it asks for.
    #[serde(default)]
    pub kind: Kind,
    /// Not ready for readers: left out of lists and of a `verify` of all.
    #[serde(default)]
    pub draft: bool,
    /// The files below `src` that a reader writes; the others are given. New files are the reader's too.
    #[serde(default = "lib_alone")]
    pub yours: Vec<PathBuf>,
    /// Whether its checks talk over loopback, so that a grader must let them open sockets.
    #[serde(default)]
    pub sockets: bool,
    /// In their order; never empty.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// The folder's name, `02-circuit-breaker`.
    #[serde(skip)]
    pub folder: String,
}

/// How an exercise is held to what it asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// By the checks of its spec, which its starter fails.
    #[default]
    Spec,
    /// By playing: its starter is a service that works, its steps are the experiments, and it has no spec.
    Gameday,
}

/// A step of an exercise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Unique in its exercise. The step's page is called by it, too.
    pub id: String,
    /// As the book and the commands show it.
    pub title: String,
    /// From the weakest to the strongest.
    pub hints: [String; 3],
    /// Checks that the untouched starter passes; every other check fails by its `todo!`.
    #[serde(default)]
    pub passes_on_starter: Vec<String>,
    /// From 1, in the order of the file.
    #[serde(skip)]
    pub number: usize,
}

fn lib_alone() -> Vec<PathBuf> {
    vec!["lib.rs".into()]
}

/// Whose code the spec runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// What stands in `exercises`.
    Reader,
    /// What stands in `solutions`.
    Solution,
}

impl Step {
    /// The module of its checks in the spec: `step_1_trip`.
    pub fn module(&self) -> String {
        format!("step_{}_{}", self.number, self.id.replace('-', "_"))
    }

    /// The one check of a step that is played: that its experiment held.
    pub fn held(&self) -> String {
        format!("{}_held", self.id.replace('-', "_"))
    }
}

impl Exercise {
    /// The exercise in `exercises/<folder>` of the workbook at `root`.
    ///
    /// # Errors
    /// If its `exercise.toml` can't be read or is malformed: with the line, and what is expected there.
    pub fn load(root: &Path, folder: &str) -> Result<Self> {
        let relative = Path::new("exercises").join(folder).join("exercise.toml");
        let text = files::read_text(&root.join(&relative))
            .with_context(|| format!("there is no exercise `{folder}`"))?;
        // toml's message carries the line, the column and what was expected there.
        let mut exercise: Self = toml::from_str(&text).map_err(|error| {
            let shown = slashes(&relative);
            let way_back = way_back(root, &shown);
            anyhow!("{shown} is malformed:\n{error}To bring it back: {way_back}")
        })?;
        if exercise.steps.is_empty() {
            bail!("{} declares no [[step]]", relative.display());
        }
        folder.clone_into(&mut exercise.folder);
        for (number, step) in (1..).zip(&mut exercise.steps) {
            step.number = number;
        }
        Ok(exercise)
    }

    /// Whether a file below `src` is a reader's to write: declared, or not in the starter.
    pub fn is_own(&self, path: &Path, starter: &Tree) -> bool {
        starter.get(path).is_none() || self.yours.iter().any(|own| own == path)
    }

    /// The leading digits of the folder's name, `02`.
    pub fn number(&self) -> &str {
        let digits = self.folder.bytes().take_while(u8::is_ascii_digit).count();
        &self.folder[..digits]
    }

    pub(crate) fn is_called(&self, wanted: &str) -> bool {
        let number = |text: &str| text.parse::<u32>().ok();
        // As a shell completes it: `exercises/02-circuit-breaker/`, or a file in there.
        let is_below = Path::new(wanted).iter().any(|part| part == self.folder.as_str());
        let name = wanted.trim_end_matches('/').to_lowercase().replace('_', "-");
        is_below
            || name == self.id
            || name == self.folder
            || (number(wanted).is_some() && number(wanted) == number(self.number()))
    }

    /// Step `number`, from 1.
    ///
    /// # Errors
    /// If there is none.
    pub fn step(&self, number: usize) -> Result<&Step> {
        self.steps.iter().find(|step| step.number == number).with_context(|| {
            let (folder, count) = (&self.folder, self.steps.len());
            format!("{folder} has no step {number}: it has steps 1 to {count}")
        })
    }

    /// The name of the package that holds the subject.
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

    /// Whether the manifest names the library's file. Cargo then loads the workspace without the file too,
    /// so that a reader who has moved it away can still run every command.
    ///
    /// # Errors
    /// If the manifest can't be read.
    pub fn names_its_source(&self, root: &Path) -> Result<bool> {
        let manifest = root.join(self.path(Subject::Reader)).join("Cargo.toml");
        let manifest: toml::Table = toml::from_str(&files::read_text(&manifest)?)?;
        let path = manifest.get("lib").and_then(|lib| lib.get("path"));
        Ok(path.and_then(toml::Value::as_str) == Some("src/lib.rs"))
    }

    /// The file to open, relative to the root.
    pub fn source(&self) -> PathBuf {
        self.path(Subject::Reader).join("src").join("lib.rs")
    }

    /// The page that opens the chapter or that explains a step, as `cargo xtask book --open` takes it: `circuit-breaker/trip`.
    /// With `.md` it is the page's file in `book/src`, with `.html` its address.
    pub fn page(&self, step: Option<&Step>) -> String {
        let opening = self.chapter.trim_end_matches(".md");
        step.map_or_else(|| opening.to_owned(), |step| format!("{opening}/{}", step.id))
    }
}
