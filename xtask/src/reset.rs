//! `cargo xtask reset`: the starter comes back, and nothing the reader wrote is lost.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use workbook::{Sources, Subject, Workbook, files, slashes};

use crate::output;
use crate::state::State;
use crate::way_back::way_back;

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number
    exercise: String,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let exercise = workbook.exercise(&args.exercise)?;
    let folder = exercise.path(Subject::Reader);
    let source = workbook.root.join(&folder).join("src");
    let shown = slashes(&folder.join("src"));
    let Sources { source: now, starter, .. } = Sources::read(&workbook.root, &exercise)?;
    if starter.is_empty() {
        let starter = slashes(&folder.join(".starter"));
        bail!("{starter} is missing. To bring it back: {}", way_back(workbook, &starter));
    }
    if files::same_text(&now, &starter) {
        output::out(&format!("{shown} is the starter already: nothing to do."));
        return Ok(true);
    }
    let mut text = String::new();
    if !now.is_empty() {
        let backup = new_backup(workbook, &exercise.id)?;
        files::write_tree(&workbook.root.join(&backup), &now)?;
        let backup = slashes(&backup);
        text += &format!(
            "Your code is kept in {backup}.\nTo get it back, copy the files in there to {shown} again.\n",
        );
    }
    // Only what the backup holds is removed.
    for path in now.keys().filter(|path| !starter.contains_key(*path)) {
        let path = source.join(path);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    files::write_tree(&source, &starter)?;
    forget_progress(workbook, &exercise.id);
    output::out(&format!("{text}{shown} is the starter again."));
    Ok(true)
}

/// The hints begin anew as well. A state that can't be saved is no reason to fail.
fn forget_progress(workbook: &Workbook, id: &str) {
    let mut state = State::load(workbook);
    state.current_step.remove(id);
    state.hints_shown.retain(|step, _| step.split('/').next() != Some(id));
    let _ = state.save(workbook);
}

/// Creates the first free `.backups/<id>-<n>`. Creating it is the test whether it is free.
fn new_backup(workbook: &Workbook, id: &str) -> Result<PathBuf> {
    let backups = workbook.root.join(".backups");
    fs::create_dir_all(&backups).with_context(|| format!("cannot create {}", backups.display()))?;
    for n in 1_u32.. {
        let name = format!("{id}-{n}");
        match fs::create_dir(backups.join(&name)) {
            Ok(()) => return Ok(PathBuf::from(".backups").join(name).join("src")),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot create {}", backups.join(&name).display()));
            }
        }
    }
    bail!("{} is full", backups.display())
}
