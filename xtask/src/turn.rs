//! Two shells at once: they build one after the other, and each runs a copy of its own of what it built. So
//! no verdict comes from two programs, and a check that still runs keeps no linker from its file.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use workbook::Workbook;

use crate::output;

/// The right to build checks, for as long as this value lives.
pub struct Turn {
    scratch: PathBuf,
    _lock: Option<File>,
}

/// A program that stays as it is, whatever is built meanwhile.
pub struct Program {
    pub path: PathBuf,
    _place: File,
}

impl Turn {
    /// Waits until no other command builds checks in this workbook, and says so if it has to wait. Where
    /// there are no locks, or the folder can't be written, cargo's own lock has to do.
    pub fn wait(workbook: &Workbook) -> Self {
        let scratch = workbook.scratch_dir();
        let _ = fs::create_dir_all(&scratch);
        let lock = lock_file(&scratch.join("turn.lock")).ok();
        if let Some(lock) = &lock
            && let Err(TryLockError::WouldBlock) = lock.try_lock()
        {
            output::err("waiting: another command builds checks in this workbook");
            let _ = lock.lock();
        }
        Self { scratch, _lock: lock }
    }

    /// Takes what was built aside and ends the turn.
    pub fn take(self, built: &Path) -> Result<Program> {
        let taken = self.place(built);
        taken.with_context(|| format!("cannot take a copy of {}", built.display()))
    }

    /// In the first folder that no other run holds. One that was killed left its copy there, to be
    /// replaced.
    fn place(&self, built: &Path) -> io::Result<Program> {
        let name = built.file_name().unwrap_or_default();
        for n in 1_u32.. {
            let folder = self.scratch.join("running").join(n.to_string());
            fs::create_dir_all(&folder)?;
            let place = lock_file(&folder.join("lock"))?;
            if let Err(TryLockError::WouldBlock) = place.try_lock() {
                continue;
            }
            let path = folder.join(name);
            let _ = fs::remove_file(&path);
            // A linker writes a new file. On Windows it can't while a link of the old one runs.
            if cfg!(windows) || fs::hard_link(built, &path).is_err() {
                fs::copy(built, &path)?;
            }
            return Ok(Program { path, _place: place });
        }
        Err(io::Error::other("all places are taken"))
    }
}

/// Not emptied: where another holds a lock on it, Windows would refuse.
fn lock_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
