//! An exercise that is played, not tested: how it stands by the report of the last play.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use workbook::{Exercise, Step, Workbook, files};

use crate::report::{CheckReport, ExerciseReport, Status, StepReport, combine};

/// Where the last play of each experiment is kept.
pub fn record(workbook: &Workbook) -> PathBuf {
    workbook.scratch_dir().join("gameday.json")
}

/// Where the harness writes all of it, for the book.
pub fn page(workbook: &Workbook) -> PathBuf {
    record(workbook).with_extension("html")
}

/// What the last play of each experiment came to.
#[derive(Default, Deserialize)]
struct Played {
    experiments: Vec<Experiment>,
}

#[derive(Deserialize)]
struct Experiment {
    #[serde(rename = "experiment")]
    name: String,
    /// `held`, `disproved`, `aborted` or `inconclusive`.
    verdict: String,
    /// What didn't hold.
    #[serde(default)]
    why: String,
}

/// A step is an experiment, with one check: that it held when it was played last.
pub fn report(workbook: &Workbook, exercise: &Exercise) -> Result<ExerciseReport> {
    let path = record(workbook);
    let played: Played = if path.is_file() {
        let text = files::read_text(&path)?;
        let malformed =
            || format!("{} is no report of a play: delete it, and play again", path.display());
        serde_json::from_str(&text).with_context(malformed)?
    } else {
        Played::default()
    };
    let last: BTreeMap<_, _> =
        played.experiments.iter().map(|last| (last.name.as_str(), last)).collect();
    let steps: Vec<_> = exercise
        .steps
        .iter()
        .map(|step| report_of(step, last.get(step.id.as_str()).copied()))
        .collect();
    let Exercise { id, title, .. } = exercise.clone();
    let status = combine(steps.iter().map(|step| step.status));
    Ok(ExerciseReport {
        id,
        title,
        status,
        notes: Vec::new(),
        changed: Vec::new(),
        errors: Vec::new(),
        steps,
    })
}

fn report_of(step: &Step, last: Option<&Experiment>) -> StepReport {
    let play = format!("play it: cargo xtask gameday {}", step.id);
    let (status, message) = match last {
        None => (Status::NotStarted, format!("not played yet: {play}")),
        Some(last) if last.verdict == "held" => (Status::Passed, String::new()),
        Some(Experiment { verdict, why, .. }) => {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            (Status::Failed, format!("{verdict} in the last play{why}\n{play}"))
        }
    };
    let check = CheckReport {
        module: step.module(),
        name: step.held(),
        status,
        message,
        millis: 0,
        at: None,
        by_assertion: false,
        todo_at: None,
    };
    StepReport {
        id: step.id.clone(),
        title: step.title.clone(),
        status,
        checks: vec![check],
        task_at: None,
    }
}
