//! On every save: verifies what changed, builds the book again if its sources did, and tells the pages.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use notify::{RecursiveMode, Watcher};
use process_wrap::std::{ChildWrapper, CommandWrap};
use serde_json::{Value, json};
use tokio::sync::watch;
use workbook::Workbook;
use workbook::files::is_source;

use super::labs::Changes;
use super::{Options, rebuild};

/// Editors save in several steps: nothing begins until they have been silent for this long.
const SILENCE: Duration = Duration::from_millis(100);
/// How often a run is looked at while no file changes.
const LOOK: Duration = Duration::from_millis(20);
/// The exercise that is played.
const GAMEDAY: &str = "gameday";
#[cfg(unix)]
const SIGTERM: i32 = 15;

/// The newest state, as JSON: `{"book": n, "plays": n, "checking": [id…], "exercises": […], "error": null}`. `exercises`
/// are those of `cargo xtask verify --json`; `book` counts the builds of the book, `plays` the plays that have ended.
pub struct Verdicts {
    states: watch::Receiver<Arc<str>>,
    _watcher: Box<dyn Watcher + Send + Sync>,
}

impl Verdicts {
    /// Verifies on a thread of its own while it lives.
    pub fn begin(options: &Options, out: &Path, labs: Changes) -> Result<Self> {
        let Options { root, xtask, gameday, .. } = options;
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
        let mut report = None;
        if let Some(file) = gameday
            && let Some(folder) = file.parent()
        {
            // A play may be the first that writes into it.
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            let folder = folder.canonicalize()?;
            watcher
                .watch(&folder, RecursiveMode::NonRecursive)
                .with_context(|| format!("cannot watch {}", folder.display()))?;
            report = file.file_name().map(|name| folder.join(name));
        }
        let (states, receiver) = watch::channel(Arc::from("{}"));
        let work = Work {
            // A watcher tells real paths.
            root: root.canonicalize()?,
            xtask: xtask.clone(),
            report,
            out: out.to_owned(),
            states,
            labs,
            book: 0,
            plays: 0,
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
    /// Everything is new: the server has begun.
    all: bool,
    /// The folders of exercises whose code or spec changed.
    exercises: BTreeSet<String>,
    book: bool,
    /// A play has ended.
    play: bool,
}

struct Work {
    root: PathBuf,
    xtask: Option<PathBuf>,
    /// Of the last play.
    report: Option<PathBuf>,
    out: PathBuf,
    states: watch::Sender<Arc<str>>,
    labs: Changes,
    book: u32,
    plays: u32,
    exercises: Vec<Value>,
    error: Option<String>,
}

impl Work {
    fn go_on(mut self, events: &Receiver<notify::Result<notify::Event>>) {
        let mut changed = self.verify(Changed { all: true, ..Changed::default() }, events);
        loop {
            if changed == Changed::default() {
                let Ok(event) = events.recv() else { return };
                self.note(event, &mut changed);
            }
            while let Ok(event) = events.recv_timeout(SILENCE) {
                self.note(event, &mut changed);
            }
            if changed.book {
                match rebuild::build(&self.root, &self.out) {
                    Ok(()) => self.book += 1,
                    Err(error) => eprintln!("error: {error:#}\nthe pages stay as they were"),
                }
            }
            self.plays += u32::from(changed.play);
            changed = if changed.all || !changed.exercises.is_empty() {
                self.labs.tell();
                self.verify(changed, events)
            } else {
                if changed.book || changed.play {
                    self.tell(&[]);
                }
                Changed::default()
            };
        }
    }

    fn note(&self, event: notify::Result<notify::Event>, changed: &mut Changed) {
        // Reading a file is an event as well, and a build reads them all.
        let Ok(event) = event else { return };
        if event.kind.is_access() {
            return;
        }
        for path in &event.paths {
            if self.report.as_ref() == Some(path) {
                changed.play = true;
                // Its checks are what was played last.
                changed.exercises.extend(self.folder_of(GAMEDAY));
            } else if let Ok(path) = path.strip_prefix(&self.root) {
                note(path, changed);
            }
        }
    }

    fn folder_of(&self, id: &str) -> Option<String> {
        Some(Workbook::at(&self.root).exercise(id).ok()?.folder)
    }

    /// The ids of these folders, as far as they are exercises.
    fn ids(&self, folders: &BTreeSet<String>) -> Vec<String> {
        let all = Workbook::at(&self.root).exercises().unwrap_or_default();
        all.into_iter().filter(|it| folders.contains(&it.folder)).map(|it| it.id).collect()
    }

    /// Verifies what changed. Returns what changed meanwhile; a save of code ends this run, and its exercises are to be
    /// verified again.
    fn verify(
        &mut self,
        what: Changed,
        events: &Receiver<notify::Result<notify::Event>>,
    ) -> Changed {
        let ids = if what.all { Vec::new() } else { self.ids(&what.exercises) };
        self.tell(&ids);
        let mut meanwhile = Changed::default();
        match self.verdicts(&ids, events, &mut meanwhile) {
            Ok(Some(exercises)) => {
                self.error = None;
                for exercise in exercises {
                    match self.exercises.iter_mut().find(|known| known["id"] == exercise["id"]) {
                        Some(known) => *known = exercise,
                        None => self.exercises.push(exercise),
                    }
                }
            }
            Ok(None) => {
                meanwhile.all |= what.all;
                meanwhile.exercises.extend(what.exercises);
                return meanwhile;
            }
            Err(error) => self.error = Some(format!("{error:#}")),
        }
        self.tell(&[]);
        meanwhile
    }

    /// None if a save ended the run.
    fn verdicts(
        &self,
        ids: &[String],
        events: &Receiver<notify::Result<notify::Event>>,
        meanwhile: &mut Changed,
    ) -> Result<Option<Vec<Value>>> {
        let Some(xtask) = &self.xtask else { return Ok(Some(Vec::new())) };
        let mut command = Command::new(xtask);
        command.args(["verify", "--json"]).args(ids).current_dir(&self.root).stdin(Stdio::null());
        // Cargo's progress shows where the server was started.
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = start(command).context("cannot start `verify`")?;
        let mut stdout = child.stdout().take().context("its output is piped")?;
        let output = thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).map(|_| text)
        });
        while child.try_wait()?.is_none() {
            match events.recv_timeout(LOOK) {
                Ok(event) => self.note(event, meanwhile),
                Err(RecvTimeoutError::Timeout) => {}
                // The server ends, and with it this.
                Err(RecvTimeoutError::Disconnected) => meanwhile.all = true,
            }
            if meanwhile.all || !meanwhile.exercises.is_empty() {
                end(child.as_mut());
                return Ok(None);
            }
        }
        let output = output.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        let Ok(mut report) = serde_json::from_slice::<Value>(&output) else {
            bail!(
                "`cargo xtask verify` could not do its work: it says why where the book is served"
            );
        };
        match report["exercises"].take() {
            Value::Array(exercises) => Ok(Some(exercises)),
            _ => bail!("`cargo xtask verify --json` printed no exercises"),
        }
    }

    fn tell(&self, checking: &[String]) {
        let Self { book, plays, exercises, error, .. } = self;
        let all = if checking.is_empty() && exercises.is_empty() && error.is_none() {
            vec!["all"]
        } else {
            Vec::new()
        };
        let checking: Vec<&str> = checking.iter().map(String::as_str).chain(all).collect();
        let state = json!({ "book": book, "plays": plays, "checking": checking, "exercises": exercises, "error": error });
        self.states.send_replace(Arc::from(state.to_string()));
    }
}

fn start(command: Command) -> io::Result<Box<dyn ChildWrapper>> {
    let mut command = CommandWrap::from(command);
    #[cfg(windows)]
    command.wrap(process_wrap::std::JobObject);
    command.spawn()
}

/// A verify that is asked to end ends its checks first; on Windows all of its job is ended.
fn end(child: &mut dyn ChildWrapper) {
    #[cfg(unix)]
    let asked = child.signal(SIGTERM);
    #[cfg(not(unix))]
    let asked = child.start_kill();
    if asked.is_ok() {
        let _ = child.wait();
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
        assert_eq!(
            saved,
            Changed { exercises: ["02-breaker".to_owned()].into(), ..Changed::default() }
        );
    }

    #[test]
    fn a_changed_spec_is_both() {
        let saved = changed(&["exercises/02-breaker/tests/steps/step_1_trip.rs"]);
        assert_eq!(
            saved,
            Changed {
                exercises: ["02-breaker".to_owned()].into(),
                book: true,
                ..Changed::default()
            }
        );
    }

    #[test]
    fn a_chapter_or_a_mistake_builds_the_book() {
        for path in
            ["book/src/one.md", "book/theme/live.js", "solutions/02-breaker/mistakes/1-a.patch"]
        {
            assert_eq!(changed(&[path]), Changed { book: true, ..Changed::default() }, "{path}");
        }
    }

    #[cfg(unix)]
    fn options(scratch: &crate::scratch::Scratch, script: &str, report: Option<&str>) -> Options {
        use std::os::unix::fs::PermissionsExt as _;

        scratch.write("xtask.sh", &format!("#!/bin/sh\n{script}\n"));
        let root = scratch.root().to_owned();
        let xtask = root.join("xtask.sh");
        fs::set_permissions(&xtask, fs::Permissions::from_mode(0o755)).unwrap();
        let gameday = report.map(|report| root.join(report));
        Options { root, xtask: Some(xtask), gameday, port: 0, open: None }
    }

    #[cfg(unix)]
    fn wait_for(verdicts: &Verdicts, what: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut states = verdicts.states();
            states.wait_for(|state| state.contains(what)).await.unwrap().to_string()
        })
    }

    #[cfg(unix)]
    #[test]
    fn the_report_of_a_play_is_told_and_its_exercise_verified() {
        use crate::scratch::Scratch;

        let scratch = Scratch::book();
        scratch.write("Cargo.toml", "[workspace]\nmembers = [\"exercises/10-gameday\"]\n");
        scratch.write(
            "exercises/10-gameday/exercise.toml",
            "id = \"gameday\"\ntitle = \"T\"\nchapter = \"one.md\"\nsummary = \"S\"\n\
             [[step]]\nid = \"kill\"\ntitle = \"Kill\"\nhints = [\"\", \"\", \"\"]\n",
        );
        // It says what it was asked to verify.
        let script = "shift 2; echo \"{\\\"exercises\\\": [{\\\"id\\\": \\\"all$*\\\"}]}\"";
        let options = options(&scratch, script, Some("target/xtask/gameday.html"));
        let out = scratch.root().join("out");
        let verdicts = Verdicts::begin(&options, &out, Changes::default()).unwrap();
        // A play that ended earlier would end this verify.
        assert!(wait_for(&verdicts, "\"id\":\"all\"").contains("\"plays\":0"));
        scratch.write("target/xtask/other.html", "");
        scratch.write("target/xtask/gameday.html", "<p>8 of 8</p>");
        let state = wait_for(&verdicts, "\"allgameday\"");
        assert!(!state.contains("\"plays\":0"), "{state}");
    }

    /// The first verify never ends by itself: its verdict can't come unless a save ends it.
    #[cfg(unix)]
    #[test]
    fn a_newer_save_ends_a_running_verify() {
        use crate::scratch::Scratch;

        let scratch = Scratch::book();
        let script = "if mkdir begun 2>/dev/null; then exec sleep 1000; fi\n\
            echo '{\"exercises\": [{\"id\": \"breaker\", \"status\": \"passed\"}]}'";
        let options = options(&scratch, script, None);
        let begun = scratch.root().join("begun");
        let out = scratch.root().join("out");
        let verdicts = Verdicts::begin(&options, &out, Changes::default()).unwrap();
        while !begun.is_dir() {
            thread::yield_now();
        }
        scratch.write("exercises/02-breaker/src/lib.rs", "// saved");
        let state = wait_for(&verdicts, "passed");
        assert!(state.contains("\"checking\":[]"), "{state}");
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
