//! `verify --watch`: again whenever a source file changes, until Ctrl-C.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use notify::{Event, EventKind, RecursiveMode, Watcher as _};
use workbook::{Exercise, Workbook};

use crate::output;
use crate::verify::{self, Args};

/// An editor saves with several events; this long without another, and it is done.
const QUIET: Duration = Duration::from_millis(100);

pub fn run(workbook: &Workbook, args: &Args) -> Result<()> {
    let (send, events) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(send).context("cannot watch files")?;
    let folder = workbook.root.join("exercises");
    watcher
        .watch(&folder, RecursiveMode::Recursive)
        .with_context(|| format!("cannot watch {}", folder.display()))?;

    verify_once(workbook, args, &args.exercises)?;
    loop {
        output::err(&format!("\nwatching {}; Ctrl-C ends it", watched(workbook, args)));
        let changed = next_change(workbook, args, &events)?;
        output::out(&format!(
            "\n{}\n",
            output::bold(format!("──── {} changed ────", changed.join(", ")))
        ));
        verify_once(workbook, args, &changed)?;
    }
}

/// The folders whose files begin another run.
fn watched(workbook: &Workbook, args: &Args) -> String {
    let named = workbook.selected(&args.exercises).unwrap_or_default();
    if args.exercises.is_empty() || named.is_empty() {
        return "exercises/*/src".to_owned();
    }
    let folders = named.iter().map(|exercise| format!("exercises/{}/src", exercise.folder));
    folders.collect::<Vec<_>>().join(", ")
}

/// What went wrong may be mended by the next edit.
fn verify_once(workbook: &Workbook, args: &Args, names: &[String]) -> Result<()> {
    match verify::once(workbook, args, names) {
        // With a name that does not exist there is nothing to wait for.
        Err(error) if names.iter().any(|name| workbook.exercise(name).is_err()) => Err(error),
        Err(error) => {
            output::err(&format!("{}: {error:#}", output::red("error")));
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// Waits for a change in a watched exercise; the ids of all that changed at once.
fn next_change(
    workbook: &Workbook,
    args: &Args,
    events: &Receiver<notify::Result<Event>>,
) -> Result<Vec<String>> {
    let watched = workbook.selected(&args.exercises)?;
    let mut changed = BTreeSet::new();
    loop {
        let event = if changed.is_empty() {
            events.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            events.recv_timeout(QUIET)
        };
        match event {
            Ok(Ok(event)) if !matches!(event.kind, EventKind::Access(_)) => {
                let hits = watched.iter().filter(|exercise| {
                    event.paths.iter().any(|p| is_source(workbook, exercise, p))
                });
                changed.extend(hits.map(|exercise| (&exercise.folder, &exercise.id)));
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => bail!("cannot watch files any longer: {error}"),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => bail!("cannot watch files any longer"),
        }
    }
    Ok(changed.into_iter().map(|(_, id)| id.clone()).collect())
}

fn is_source(workbook: &Workbook, exercise: &Exercise, path: &Path) -> bool {
    path.starts_with(workbook.root.join("exercises").join(&exercise.folder).join("src"))
}
