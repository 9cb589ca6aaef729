//! Runs labs for the pages: builds them when the code has changed, and gives each run a time limit.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::{Mutex, Semaphore, oneshot};
use tokio::time::timeout;

/// Longer than any storm of the book takes. Code of the reader's that loops costs its figure this long.
const LIMIT: Duration = Duration::from_secs(10);
/// A run is one thread of work.
const AT_ONCE: usize = 2;
/// A toy is played from its beginning each time.
const MOST_ACTIONS: usize = 200;

/// A run, as a page asks for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    lab: String,
    /// Which figure of which tab asks: its newer run ends the older one.
    figure: String,
    /// None where a lab has only one.
    scene: Option<String>,
    knobs: BTreeMap<String, String>,
}

/// What is done with a toy of a lab, as a page asks for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Play {
    lab: String,
    toy: String,
    actions: Vec<String>,
    knobs: BTreeMap<String, String>,
}

/// Where a lab's program is, and of which state of the code.
#[derive(Clone)]
struct Built {
    program: PathBuf,
    of: u64,
    /// Why the reader's code is left out, if it is.
    without_yours: Option<String>,
}

pub struct Labs {
    root: PathBuf,
    xtask: Option<PathBuf>,
    changes: Changes,
    /// One build at a time.
    built: Mutex<HashMap<String, Built>>,
    places: Semaphore,
    /// Dropped, they end the run of their figure.
    newest: std::sync::Mutex<HashMap<String, oneshot::Sender<()>>>,
}

/// Counts the saves of the reader's code.
#[derive(Clone, Default)]
pub struct Changes(Arc<AtomicU64>);

impl Changes {
    pub fn tell(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Labs {
    pub fn new(root: PathBuf, xtask: Option<PathBuf>) -> Self {
        let places = Semaphore::new(AT_ONCE);
        let changes = Changes::default();
        Self {
            root,
            xtask,
            changes,
            built: Mutex::default(),
            places,
            newest: std::sync::Mutex::default(),
        }
    }

    pub fn changes(&self) -> Changes {
        self.changes.clone()
    }

    /// The scenes of a lab and their knobs.
    pub async fn describe(&self, lab: &str) -> Result<Value> {
        let built = self.build(lab).await?;
        self.answer(&built, ["--describe".to_owned()]).await
    }

    /// One run. Cancellation: when the page doesn't wait any longer, or asks for another run of this figure, the run is
    /// ended.
    pub async fn run(&self, run: &Run) -> Result<Value> {
        let arguments = arguments(run)?;
        let built = self.build(&run.lab).await?;
        let newer = self.newer(&run.figure);
        let mut answer = tokio::select! {
            answer = self.answer(&built, arguments) => answer?,
            _ = newer => bail!("a newer run of this figure took its place"),
        };
        answer["without_yours"] = built.without_yours.into();
        Ok(answer)
    }

    /// Ends the older run of a figure, and is there when a newer one begins.
    fn newer(&self, figure: &str) -> oneshot::Receiver<()> {
        let (mine, newer) = oneshot::channel();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.insert(figure.to_owned(), mine);
        newer
    }

    /// What is seen of a toy after each action.
    pub async fn play(&self, play: &Play) -> Result<Value> {
        ensure!(is_name(&play.toy), "`{}` is no name of a toy", play.toy);
        ensure!(play.actions.len() <= MOST_ACTIONS, "that is long enough: begin again");
        let mut arguments = vec!["--json".to_owned(), format!("--toy={}", play.toy)];
        for action in &play.actions {
            ensure!(is_name(action), "`{action}` is no name of an action");
            arguments.push(format!("--play={action}"));
        }
        arguments.extend(knobs(&play.knobs)?);
        let built = self.build(&play.lab).await?;
        self.answer(&built, arguments).await
    }

    async fn answer(
        &self,
        built: &Built,
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Value> {
        let _place = self.places.acquire().await?;
        let mut command = Command::new(&built.program);
        command.args(arguments).current_dir(&self.root).stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(LIMIT, command.output());
        let output =
            output.await.context("the run took longer than 10 s: does the code loop?")??;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            // clap repeats how it is called below the reason.
            let reason =
                said.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
            bail!(
                "{}",
                if reason.is_empty() {
                    "the run was ended: it aborted, or was killed"
                } else {
                    reason
                }
            );
        }
        serde_json::from_slice(&output.stdout).context("the lab printed no JSON")
    }

    /// The lab as the code is now. If the reader's doesn't compile, without it.
    async fn build(&self, lab: &str) -> Result<Built> {
        ensure!(is_name(lab), "`{lab}` is no name of a lab");
        let now = self.changes.now();
        let mut built = self.built.lock().await;
        if let Some(known) = built.get(lab).filter(|known| known.of == now) {
            return Ok(known.clone());
        }
        let (program, without_yours) = match self.program(lab, &[]).await {
            Ok(program) => (program, None),
            Err(error) => {
                (self.program(lab, &["--without-yours"]).await?, Some(format!("{error:#}")))
            }
        };
        let new = Built { program, of: now, without_yours };
        built.insert(lab.to_owned(), new.clone());
        Ok(new)
    }

    async fn program(&self, lab: &str, more: &[&str]) -> Result<PathBuf> {
        let xtask =
            self.xtask.as_ref().context("start the book with `cargo xtask book` to run labs")?;
        let mut command = Command::new(xtask);
        command.args(["lab", lab, "--program"]).args(more).current_dir(&self.root);
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
        let output = command.output().await.context("cannot start `cargo xtask lab`")?;
        ensure!(output.status.success(), "it doesn't compile: see the first step that is open");
        Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
    }
}

/// Each knob as one argument, so that no value is taken for a flag; the lab checks that it is in its range.
fn arguments(run: &Run) -> Result<Vec<String>> {
    let mut arguments = vec!["--json".to_owned()];
    if let Some(scene) = &run.scene {
        ensure!(is_name(scene), "`{scene}` is no name of a scene");
        arguments.push(format!("--scene={scene}"));
    }
    arguments.extend(knobs(&run.knobs)?);
    Ok(arguments)
}

fn knobs(set: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let argument = |(knob, value): (&String, &String)| {
        ensure!(is_name(knob), "`{knob}` is no name of a knob");
        ensure!(!value.is_empty() && value.len() <= 40, "the value of {knob} is empty or too long");
        Ok(format!("--{knob}={value}"))
    };
    set.iter().map(argument).collect()
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.len() <= 40
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(knobs: &[(&str, &str)]) -> Run {
        let knobs =
            knobs.iter().map(|(knob, value)| ((*knob).to_owned(), (*value).to_owned())).collect();
        Run { lab: "breaker".into(), figure: "a 1".into(), scene: Some("outage".into()), knobs }
    }

    #[tokio::test]
    async fn a_newer_run_of_a_figure_ends_the_older_one_and_leaves_those_of_others() {
        let labs = Labs::new(PathBuf::new(), None);
        let (first, other) = (labs.newer("a 1"), labs.newer("a 2"));
        let newer = labs.newer("a 1");
        assert!(first.await.is_err(), "its sender is gone");
        let still = tokio::select! { biased; _ = other => false, _ = newer => false, () = async {} => true };
        assert!(still, "the newest run of each figure goes on");
    }

    #[test]
    fn a_value_stays_the_value_of_its_knob() {
        let arguments = arguments(&run(&[("open-for", "--figures=/tmp"), ("seed", "7")])).unwrap();
        assert_eq!(
            arguments,
            ["--json", "--scene=outage", "--open-for=--figures=/tmp", "--seed=7"]
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "-x", "--figures", "a b", "a=b", "../lab", "Seed", "a\0", "ä"] {
            assert!(arguments(&run(&[(name, "1")])).is_err(), "{name:?}");
            let lab = Run { scene: Some(name.to_owned()), ..run(&[]) };
            assert!(arguments(&lab).is_err(), "{name:?}");
            assert!(!is_name(name), "{name:?}");
        }
        assert!(arguments(&run(&[("seed", "")])).is_err());
    }
}
