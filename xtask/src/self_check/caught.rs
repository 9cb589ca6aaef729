//! The mistakes that were caught before. What has not changed since is not built again.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use anyhow::Result;
use workbook::files::{self, Tree};
use workbook::{Exercise, Mistake, Subject, Workbook};

use crate::cargo;

/// Of an exercise.
pub struct Caught {
    file: PathBuf,
    before: BTreeSet<String>,
    now: BTreeSet<String>,
    /// All that the fate of a mistake depends on, but for itself.
    surroundings: DefaultHasher,
}

impl Caught {
    /// With `again`, nothing was caught before.
    pub fn load(scratch: &Workbook, exercise: &Exercise, again: bool) -> Result<Self> {
        let file = scratch.scratch_dir().join(format!("caught-{}.json", exercise.id));
        let mut before = BTreeSet::new();
        if !again {
            before =
                serde_json::from_slice(&fs::read(&file).unwrap_or_default()).unwrap_or_default();
        }
        let mut surroundings = DefaultHasher::new();
        for part in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
            fs::read(scratch.root.join(part)).unwrap_or_default().hash(&mut surroundings);
        }
        for subject in [Subject::Reader, Subject::Solution] {
            for folder in ["src", "tests"] {
                let folder = scratch.root.join(exercise.path(subject)).join(folder);
                files::read_tree(&folder)?.hash(&mut surroundings);
            }
            let manifest = scratch.root.join(exercise.path(subject)).join("Cargo.toml");
            files::read(&manifest)?.hash(&mut surroundings);
        }
        cargo::text(scratch, &["--version"])?.hash(&mut surroundings);
        // This program judges.
        let program = env::current_exe().and_then(fs::metadata).and_then(|it| it.modified());
        program.ok().hash(&mut surroundings);
        Ok(Self { file, before, now: BTreeSet::new(), surroundings })
    }

    /// What stands for a mistake in these surroundings.
    pub fn key(&self, changed: &Tree, mistake: &Mistake) -> String {
        let mut hasher = self.surroundings.clone();
        (changed, mistake.step, &mistake.check).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Whether it was caught before. If so, it counts as caught now.
    pub fn was(&mut self, key: &str) -> bool {
        let was = self.before.contains(key);
        if was {
            self.now.insert(key.to_owned());
        }
        was
    }

    pub fn add(&mut self, key: &str) {
        self.now.insert(key.to_owned());
    }

    pub fn is(&self, key: &str) -> bool {
        self.now.contains(key)
    }

    /// Keeps those caught now for the next time.
    pub fn save(&self) -> Result<()> {
        files::write(&self.file, &serde_json::to_vec(&self.now)?)
    }
}
