//! What the commands remember between calls, in `<target>/xtask/state.json`. It is a convenience:
//! a state that is missing or unreadable counts as empty.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use workbook::{Workbook, files};

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By exercise: the step that `verify` showed last.
    pub current_step: BTreeMap<String, String>,
    /// By `exercise/step`: how many hints have been shown.
    pub hints_shown: BTreeMap<String, usize>,
    /// The exercises that the reader began from the bare starter.
    pub bare: BTreeSet<String>,
    /// By exercise and file: the mistakes that were shown, and whether the reader guessed their check.
    pub mistakes: BTreeMap<String, BTreeMap<String, bool>>,
}

impl State {
    pub fn load(workbook: &Workbook) -> Self {
        let text = fs::read(workbook.scratch_dir().join("state.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub fn save(&self, workbook: &Workbook) -> Result<()> {
        files::write(&workbook.scratch_dir().join("state.json"), &serde_json::to_vec_pretty(self)?)
    }
}
