//! What the commands remember between calls, in `<target>/xtask/state.json`. It is a convenience:
//! a state that is missing or unreadable counts as empty.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use workbook::{Workbook, files};

use crate::report::Status;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By exercise: the step that `verify` showed last.
    pub current_step: BTreeMap<String, String>,
    /// By exercise: how the last `verify` of it ended.
    pub last: BTreeMap<String, Last>,
    /// By `exercise/step`: how many hints have been shown.
    pub hints_shown: BTreeMap<String, usize>,
    /// The exercises that the reader began from the bare starter.
    pub bare: BTreeSet<String>,
    /// By exercise and file: the mistakes that were shown, and whether the reader guessed their check.
    pub mistakes: BTreeMap<String, BTreeMap<String, bool>>,
}

/// How a `verify` of an exercise ended.
#[derive(Clone, Serialize, Deserialize)]
pub struct Last {
    /// When, in seconds since 1970.
    pub at: u64,
    /// How long its checks took together, in milliseconds.
    pub millis: u64,
    pub status: Status,
    pub steps_passed: usize,
    /// The first check that failed, and what it said.
    pub red: Option<(String, String)>,
}

impl State {
    pub fn load(workbook: &Workbook) -> Self {
        let text = fs::read(workbook.scratch_dir().join("state.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub fn save(&self, workbook: &Workbook) -> Result<()> {
        let path = workbook.scratch_dir().join("state.json");
        files::replace(&path, &serde_json::to_vec_pretty(self)?)
    }
}
