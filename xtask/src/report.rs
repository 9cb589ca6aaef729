//! What `verify` found, in the form that `--json` prints.

use anstream::adapter::strip_str;
use serde::{Deserialize, Serialize, Serializer};
use workbook::Change;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Passed,
    Failed,
    NotStarted,
    TimedOut,
    Crashed,
    DoesNotCompile,
    /// Of an exercise: every check passes, but not on what was published.
    Changed,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub exercises: Vec<ExerciseReport>,
    pub summary: Summary,
}

/// Counts every check that the specs name, run or not.
#[derive(Debug, PartialEq, Serialize)]
pub struct Summary {
    pub checks: usize,
    pub passed: usize,
    pub failed: usize,
}

#[derive(Debug, Serialize)]
pub struct ExerciseReport {
    pub id: String,
    pub title: String,
    pub status: Status,
    /// What the reader should know beside the checks, such as an edited spec or a compile error.
    #[serde(serialize_with = "without_colour")]
    pub notes: Vec<String>,
    /// The given files that are not as they were published, and what was compiled in from elsewhere.
    pub changed: Vec<Changed>,
    /// rustc's.
    #[serde(serialize_with = "without_colour")]
    pub errors: Vec<String>,
    pub steps: Vec<StepReport>,
}

#[derive(Debug, Serialize)]
pub struct Changed {
    /// From the root.
    pub path: String,
    pub what: &'static str,
}

#[derive(Debug, Serialize)]
pub struct StepReport {
    pub id: String,
    pub title: String,
    pub status: Status,
    pub checks: Vec<CheckReport>,
    /// `file:line` of the comment `// step N:` that asks for it, as far as there is one.
    #[serde(skip)]
    pub task_at: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// Of the spec: `step_1_trip` for `steps::step_1_trip::three_failures_open_it`.
    #[serde(skip)]
    pub module: String,
    pub name: String,
    pub status: Status,
    /// Empty for a pass.
    pub message: String,
    pub millis: u128,
    /// `file:line` of the spec, from the root: the assertion that spoke, or else the check. None for
    /// what has passed or is to do.
    pub at: Option<String>,
    #[serde(skip)]
    pub by_assertion: bool,
    /// `file:line` of the `todo!` that it came to.
    #[serde(skip)]
    pub todo_at: Option<String>,
}

/// rustc's errors come with colour.
fn without_colour<S: Serializer>(notes: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(notes.iter().map(|note| strip_str(note).to_string()))
}

impl Report {
    pub fn new(exercises: Vec<ExerciseReport>) -> Self {
        let all =
            || exercises.iter().flat_map(|exercise| &exercise.steps).flat_map(|step| &step.checks);
        let checks = all().count();
        let passed = all().filter(|check| check.status == Status::Passed).count();
        Self { summary: Summary { checks, passed, failed: checks - passed }, exercises }
    }

    pub fn all_passed(&self) -> bool {
        self.exercises.iter().all(|exercise| exercise.status == Status::Passed)
    }
}

impl From<Change> for Changed {
    fn from(Change { path, what }: Change) -> Self {
        Self { path, what }
    }
}

impl CheckReport {
    /// Of what was not built.
    pub fn not_run(module: String, name: String, status: Status) -> Self {
        Self {
            module,
            name,
            status,
            message: String::new(),
            millis: 0,
            at: None,
            by_assertion: false,
            todo_at: None,
        }
    }

    /// Whether it came to the task of a step after this one.
    pub fn waits_for_later_than(&self, step: usize) -> bool {
        let task = self.message.strip_prefix("step ").filter(|_| self.status == Status::NotStarted);
        let number = task.and_then(|task| task.split(':').next()?.parse::<usize>().ok());
        number.is_some_and(|number| number > step)
    }
}

impl ExerciseReport {
    pub fn first_open_step(&self) -> Option<usize> {
        self.steps.iter().position(|step| step.status != Status::Passed)
    }
}

/// The status of a whole from its parts: passed if all of it is, not started if nothing went wrong
/// but for what is still to do, otherwise as the first that went wrong.
pub fn combine(parts: impl Iterator<Item = Status>) -> Status {
    let parts: Vec<_> = parts.collect();
    let is_wrong = |status: &Status| !matches!(status, Status::Passed | Status::NotStarted);
    match parts.iter().find(|status| is_wrong(status)) {
        Some(status) => *status,
        // A step whose checks are gone is not passed.
        None if parts.is_empty() || parts.contains(&Status::NotStarted) => Status::NotStarted,
        None => Status::Passed,
    }
}
