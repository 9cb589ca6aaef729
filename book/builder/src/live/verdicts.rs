//! On every save: verifies what changed, builds the book again if its sources did, and tells the pages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use notify::{RecursiveMode, Watcher};
use serde_json::{Value, json};
use tokio::sync::watch;
use workbook::Workbook;
use workbook::files::is_source;

use super::labs::Changes;
use super::rebuild;

/// Editors save in several steps: nothing begins until they have been silent for this long.
const SILENCE: Duration = Duration::from_millis(100);

/// The newest state, as JSON: `{"book": n, "checking": [id…], "exercises": […], "error": null}`. `exercises` are those of
/// `cargo xtask verify --json`; `book` counts the builds of the book.
pub struct Verdicts {
    states: watch::Receiver<Arc<str>>,
    _watcher: Box<dyn Watcher + Send + Sync>,
}

impl Verdicts {
    /// Verifies on a thread of its own while it lives.
    pub fn begin(root: &Path, xtask: Option<PathBuf>, out: &Path, labs: Changes) -> Result<Self> {
        let (sender, events) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(sender)?;
        for folder in ["book", "exercises", "solutions"] {
            let folder = root.join(folder);
            if folder.is_dir() {
                watcher
                    .watch(&folder, RecursiveMode::Recursive)
                    .with_context(|| format!("cannot watch {}", folder.display()))?;
            }
        }
        let (states, receiver) = watch::channel(Arc::from("{}"));
        let work = Work {
            // A watcher tells real paths.
            root: root.canonicalize()?,
            xtask,
            out: out.to_owned(),
            states,
            labs,
            book: 0,
            exercises: Vec::new(),
            error: None,
        };
        thread::spawn(move || work.go_on(&events));
        Ok(Self { states: receiver, _watcher: Box::new(watcher) })
    }

    pub fn states(&self) -> watch::Receiver<Arc<str>> {
        self.states.clone()
    }
}

/// What a save asks for.
#[derive(Debug, Default, PartialEq)]
struct Changed {
    /// The folders of exercises whose code or spec changed.
    exercises: BTreeSet<String>,
    book: bool,
}

struct Work {
    root: PathBuf,
    xtask: Option<PathBuf>,
    out: PathBuf,
    states: watch::Sender<Arc<str>>,
    labs: Changes,
    book: u32,
    exercises: Vec<Value>,
    error: Option<String>,
}

impl Work {
    fn go_on(mut self, events: &Receiver<notify::Result<notify::Event>>) {
        self.verify(&[]);
        while let Ok(event) = events.recv() {
            let mut changed = Changed::default();
            self.note(event, &mut changed);
            while let Ok(event) = events.recv_timeout(SILENCE) {
                self.note(event, &mut changed);
            }
            if changed.book {
                match rebuild::build(&self.root, &self.out) {
                    Ok(()) => self.book += 1,
                    Err(error) => eprintln!("error: {error:#}\nthe pages stay as they were"),
                }
            }
            if !changed.exercises.is_empty() {
                let ids = self.ids(&changed.exercises);
                self.labs.tell();
                self.verify(&ids);
            } else if changed.book {
                self.tell(&[]);
            }
        }
    }

    fn note(&self, event: notify::Result<notify::Event>, changed: &mut Changed) {
        // Reading a file is an event as well, and a build reads them all.
        let Ok(event) = event else { return };
        if event.kind.is_access() {
            return;
        }
        for path in &event.paths {
            if let Ok(path) = path.strip_prefix(&self.root) {
                note(path, changed);
            }
        }
    }

    /// The ids of these folders, as far as they are exercises.
    fn ids(&self, folders: &BTreeSet<String>) -> Vec<String> {
        let all = Workbook::at(&self.root).exercises().unwrap_or_default();
        all.into_iter().filter(|it| folders.contains(&it.folder)).map(|it| it.id).collect()
    }

    /// Verifies these exercises, or all of them.
    fn verify(&mut self, ids: &[String]) {
        self.tell(ids);
        match self.verdicts(ids) {
            Ok(exercises) => {
                self.error = None;
                for exercise in exercises {
                    match self.exercises.iter_mut().find(|known| known["id"] == exercise["id"]) {
                        Some(known) => *known = exercise,
                        None => self.exercises.push(exercise),
                    }
                }
            }
            Err(error) => self.error = Some(format!("{error:#}")),
        }
        self.tell(&[]);
    }

    fn verdicts(&self, ids: &[String]) -> Result<Vec<Value>> {
        let Some(xtask) = &self.xtask else { return Ok(Vec::new()) };
        let mut command = Command::new(xtask);
        command.args(["verify", "--json"]).args(ids).current_dir(&self.root).stdin(Stdio::null());
        // Cargo's progress shows where the server was started.
        let output = command.stderr(Stdio::inherit()).output().context("cannot start `verify`")?;
        let Ok(mut report) = serde_json::from_slice::<Value>(&output.stdout) else {
            bail!(
                "`cargo xtask verify` could not do its work: it says why where the book is served"
            );
        };
        match report["exercises"].take() {
            Value::Array(exercises) => Ok(exercises),
            _ => bail!("`cargo xtask verify --json` printed no exercises"),
        }
    }

    fn tell(&self, checking: &[String]) {
        let Self { book, exercises, error, .. } = self;
        let all = if checking.is_empty() && exercises.is_empty() && error.is_none() {
            vec!["all"]
        } else {
            Vec::new()
        };
        let checking: Vec<&str> = checking.iter().map(String::as_str).chain(all).collect();
        let state =
            json!({ "book": book, "checking": checking, "exercises": exercises, "error": error });
        self.states.send_replace(Arc::from(state.to_string()));
    }
}

/// What a change of the file at `path`, from the workbook's root, asks for.
fn note(path: &Path, changed: &mut Changed) {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    // Lock links, swap files and the like are no sources.
    if parts.last().is_none_or(|name| name.starts_with('.') || name.ends_with('~')) {
        return;
    }
    match parts.as_slice() {
        ["book", "book" | "builder" | "composing", ..] => {}
        ["book", ..] | ["solutions", _, "src" | "mistakes", ..] => changed.book = true,
        ["exercises", folder, "src", below @ ..]
            if below.is_empty() || is_source(Path::new(&below.join("/"))) =>
        {
            changed.exercises.insert((*folder).to_owned());
        }
        ["exercises", folder, "tests" | "exercise.toml", ..] => {
            changed.exercises.insert((*folder).to_owned());
            changed.book = true;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(paths: &[&str]) -> Changed {
        let mut changed = Changed::default();
        for path in paths {
            note(Path::new(path), &mut changed);
        }
        changed
    }

    #[test]
    fn a_save_of_the_readers_code_verifies_its_exercise_and_leaves_the_pages() {
        let saved = changed(&["exercises/02-breaker/src/lib.rs"]);
        assert_eq!(saved, Changed { exercises: ["02-breaker".to_owned()].into(), book: false });
    }

    #[test]
    fn a_changed_spec_is_both() {
        let saved = changed(&["exercises/02-breaker/tests/steps/step_1_trip.rs"]);
        assert_eq!(saved, Changed { exercises: ["02-breaker".to_owned()].into(), book: true });
    }

    #[test]
    fn a_chapter_or_a_mistake_builds_the_book() {
        for path in
            ["book/src/one.md", "book/theme/live.js", "solutions/02-breaker/mistakes/1-a.patch"]
        {
            assert_eq!(changed(&[path]), Changed { book: true, ..Changed::default() }, "{path}");
        }
    }

    #[test]
    fn what_is_no_source_asks_for_nothing() {
        for path in [
            "book/book/one.html",
            "exercises/02-breaker/src/.#lib.rs",
            "exercises/02-breaker/src/.lib.rs.swp",
            "exercises/02-breaker/src/lib.rs~",
            "exercises/02-breaker/lab/src/main.rs",
            "exercises",
        ] {
            assert_eq!(changed(&[path]), Changed::default(), "{path}");
        }
    }
}
