//! `verify --watch`: again whenever a source file changes, until Ctrl-C.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use workbook::{Workbook, files};

use crate::output;
use crate::process;
use crate::verify::{self, Args};

/// An editor saves with several events; this long without another, and it is done.
const QUIET: Duration = Duration::from_millis(100);
/// How often is looked whether the folder of the exercises is back.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What the loop below waits for.
enum News {
    /// The folders of exercises in which a source changed.
    Changed(BTreeSet<String>),
    /// The folder of all exercises was moved or removed, and perhaps put back.
    Moved,
    Broken(notify::Error),
    /// The run is over.
    Done,
}

/// What to verify: the folders of exercises, or all of those that are watched.
#[derive(Clone, PartialEq, Eq)]
enum Due {
    All,
    These(BTreeSet<String>),
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<()> {
    // A name that does not exist is told now; from here on the workbook may be broken for a moment.
    let named = match &*args.exercises {
        [] => None,
        names => Some(workbook.selected(names)?.into_iter().map(|it| it.folder).collect()),
    };
    let watched = Watched { folder: workbook.root.join("exercises").canonicalize()?, named };
    let (send, news) = mpsc::channel();
    let mut eyes = watched.begin(&send)?;
    let mut due = Due::All;
    loop {
        let mut next = verify_until_overtaken(workbook, args, &due, &send, &news)?;
        if next.is_nothing() {
            output::err(&format!("\nwatching {}; Ctrl-C ends it", watched.told()));
        }
        while next.is_nothing() {
            next.hear(news.recv()?)?;
        }
        while !next.moved {
            match news.recv_timeout(QUIET) {
                Ok(more) => next.hear(more)?,
                Err(RecvTimeoutError::Timeout) => break,
                Err(error) => return Err(error.into()),
            }
        }
        if next.moved {
            drop(eyes);
            eyes = watched.begin_when_it_is_there(&send);
            next = Next { due: Some(Due::All), ..Next::default() };
        }
        let changed = match &*names(workbook, &next.changed) {
            [] => "exercises".to_owned(),
            some => some.join(", "),
        };
        output::out(&format!("\n{}\n", output::bold(format!("──── {changed} changed ────"))));
        due = next.due.unwrap_or(Due::All);
    }
}

/// What is due after the news since a run began.
#[derive(Default)]
struct Next {
    due: Option<Due>,
    /// The folders of the exercises that changed; more may be due.
    changed: BTreeSet<String>,
    moved: bool,
}

impl Next {
    fn is_nothing(&self) -> bool {
        self.due.is_none() && !self.moved
    }

    fn hear(&mut self, news: News) -> Result<()> {
        match news {
            News::Changed(folders) => {
                self.changed.extend(folders.clone());
                self.add(Due::These(folders));
            }
            News::Moved => self.moved = true,
            News::Broken(error) => bail!("cannot watch files any longer: {error}"),
            News::Done => {}
        }
        Ok(())
    }

    fn add(&mut self, more: Due) {
        self.due = Some(match (self.due.take(), more) {
            (Some(Due::These(some)), Due::These(more)) => Due::These(&some | &more),
            (None, more) => more,
            _ => Due::All,
        });
    }
}

/// Verifies, and stops doing so when a source changes meanwhile: its verdict would be of old code.
fn verify_until_overtaken(
    workbook: &Workbook,
    args: &Args,
    due: &Due,
    send: &Sender<News>,
    news: &Receiver<News>,
) -> Result<Next> {
    let mut next = Next::default();
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            let ended = verify_once(workbook, args, due);
            let _ = send.send(News::Done);
            ended
        });
        loop {
            match news.recv()? {
                News::Done => break,
                other => {
                    process::overtake(true);
                    next.hear(other)?;
                }
            }
        }
        if !run.join().unwrap_or(true) {
            next.add(due.clone());
        }
        anyhow::Ok(())
    })?;
    process::overtake(false);
    Ok(next)
}

/// Whether the run came to its end: one that was overtaken does not. What went wrong may be mended by the
/// next edit.
fn verify_once(workbook: &Workbook, args: &Args, due: &Due) -> bool {
    let names = match due {
        Due::All => args.exercises.clone(),
        Due::These(folders) => names(workbook, folders),
    };
    match verify::once(workbook, args, &names) {
        Err(_) if process::is_overtaken() => return false,
        Err(error) => output::err(&format!("{}: {error:#}", output::red("error"))),
        Ok(_) => {}
    }
    true
}

/// The ids of the exercises in these folders; the folders' names where they can't be read now.
fn names(workbook: &Workbook, folders: &BTreeSet<String>) -> Vec<String> {
    let all = workbook.exercises().unwrap_or_default();
    let id = |folder: &String| all.iter().find(|it| it.folder == *folder).map(|it| it.id.clone());
    folders.iter().map(|folder| id(folder).unwrap_or_else(|| folder.clone())).collect()
}

/// The exercises whose files begin another run.
#[derive(Clone)]
struct Watched {
    /// `exercises`, as the system names it.
    folder: PathBuf,
    /// None for all.
    named: Option<BTreeSet<String>>,
}

impl Watched {
    fn told(&self) -> String {
        let Some(named) = &self.named else { return "exercises/*/src".to_owned() };
        let folders = named.iter().map(|folder| format!("exercises/{folder}/src"));
        folders.collect::<Vec<_>>().join(", ")
    }

    fn begin(&self, send: &Sender<News>) -> Result<RecommendedWatcher> {
        let (of, send) = (self.clone(), send.clone());
        let tell = move |event| {
            if let Some(news) = of.news(event) {
                let _ = send.send(news);
            }
        };
        let mut watcher = notify::recommended_watcher(tell).context("cannot watch files")?;
        watcher
            .watch(&self.folder, RecursiveMode::Recursive)
            .with_context(|| format!("cannot watch {}", self.folder.display()))?;
        Ok(watcher)
    }

    fn begin_when_it_is_there(&self, send: &Sender<News>) -> RecommendedWatcher {
        let mut is_told = false;
        loop {
            if let Ok(watcher) = self.begin(send) {
                return watcher;
            }
            if !is_told {
                output::err("\nexercises is gone: waiting until it is back");
                is_told = true;
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    fn news(&self, event: notify::Result<Event>) -> Option<News> {
        let event = match event {
            Ok(event) => event,
            Err(error) => return Some(News::Broken(error)),
        };
        let is_moved = matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(notify::event::ModifyKind::Name(_))
        );
        if is_moved && event.paths.contains(&self.folder) {
            return Some(News::Moved);
        }
        if matches!(event.kind, EventKind::Access(_)) {
            return None;
        }
        let changed: BTreeSet<_> = event.paths.iter().filter_map(|path| self.hit(path)).collect();
        (!changed.is_empty()).then_some(News::Changed(changed))
    }

    /// The watched exercise of which this path is a source, its `exercise.toml`, or a folder that may hold
    /// sources by now.
    fn hit(&self, path: &Path) -> Option<String> {
        let mut parts = path.strip_prefix(&self.folder).ok()?.iter();
        let exercise = parts.next()?.to_str()?;
        let is_watched = self.named.as_ref().is_none_or(|named| named.contains(exercise));
        let counts = match parts.next().and_then(|part| part.to_str()) {
            None => true,
            Some("exercise.toml") => parts.next().is_none(),
            Some("src") => {
                let below = parts.as_path();
                below.as_os_str().is_empty() || files::is_source(below) || path.is_dir()
            }
            Some(_) => false,
        };
        (is_watched && counts).then(|| exercise.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_editor_leaves_beside_a_source_begins_no_run() {
        let named = Some(BTreeSet::from(["01-adder".to_owned()]));
        let watched = Watched { folder: "/w/exercises".into(), named };
        let hit = |path: &str| watched.hit(&Path::new("/w/exercises").join(path));
        for path in [
            "01-adder",
            "01-adder/exercise.toml",
            "01-adder/src",
            "01-adder/src/lib.rs",
            "01-adder/src/inner/more.rs",
        ] {
            assert_eq!(hit(path).as_deref(), Some("01-adder"), "{path}");
        }
        for path in [
            "",
            "02-summer/src/lib.rs",
            "01-adder/src/.#lib.rs",
            "01-adder/src/.lib.rs.swp",
            "01-adder/src/4913",
            "01-adder/src/lib.rs~",
            "01-adder/tests/spec.rs",
            "01-adder/lab/src/main.rs",
        ] {
            assert_eq!(hit(path), None, "{path}");
        }
    }
}
