//! An exercise as this checkout has it: how cargo calls rustc for it, and what its answers are held to.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anstream::adapter::strip_str;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use workbook::files::{self, Tree};
use workbook::{Exercise, Sources, Subject, Workbook};

use super::confine::{Confine, Limits, Network};
use super::{Mark, Verdict};
use crate::cargo;
use crate::process::{self, End};
use crate::report::{ExerciseReport, Status};
use crate::trial::with_member;

/// Set for this program when cargo runs it in the place of rustc.
const RECORD: &str = "XTASK_RECORD";
/// On a busy machine; its CPU is limited more tightly.
const LIMIT_OF_RUSTC: Duration = Duration::from_secs(600);

/// A call of rustc.
#[derive(Serialize, Deserialize)]
struct Call {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

/// As `RUSTC_WORKSPACE_WRAPPER`: keeps how cargo calls rustc, and calls it. None if nobody asked for it.
pub fn record() -> Option<ExitCode> {
    let folder = PathBuf::from(env::var_os(RECORD)?);
    let mut arguments = env::args().skip(1);
    let rustc = arguments.next()?;
    let arguments: Vec<String> = arguments.collect();
    if let Some(name) = value_after(&arguments, "--crate-name").filter(|name| *name != "___") {
        // But for cargo's own pipes.
        let is_of_cargo = |name: &str| {
            ["CARGO", "INSTA", "LD_LIBRARY", "DYLD"].iter().any(|begin| name.starts_with(begin))
                && name != "CARGO_MAKEFLAGS"
        };
        let environment = env::vars().filter(|(name, _)| is_of_cargo(name)).collect();
        let call = Call { arguments: arguments.clone(), environment };
        let text = serde_json::to_vec(&call).ok()?;
        files::write(&folder.join(format!("{name}.json")), &text).ok()?;
    }
    let status = Command::new(rustc).args(arguments).env_remove(RECORD).status().ok()?;
    Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn value_after<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1).map(String::as_str)
}

/// An exercise, compiled with its starter.
pub struct Trusted {
    pub exercise: Exercise,
    pub sources: Sources,
    /// Whom its checks may reach.
    pub network: Network,
    /// Where the starter was compiled: as the workbook, with this exercise alone.
    root: PathBuf,
    sysroot: PathBuf,
    /// What an answer's crates need: the folders of compiled dependencies.
    compiled: Vec<PathBuf>,
    library: Call,
    spec: Call,
    surroundings: String,
}

pub enum Built {
    Ready { executable: PathBuf, dep_info: PathBuf },
    Broken(Vec<String>),
}

impl Trusted {
    pub fn prepare(workbook: &Workbook, exercise: &Exercise, network: Network) -> Result<Self> {
        let sources = Sources::read(&workbook.root, exercise)?;
        let changes = exercise.changes(workbook, &sources);
        if let Some(change) = changes.first() {
            bail!(
                "{} {}: grade from a checkout that is as it was published",
                change.path,
                change.what
            );
        }
        let scratch = workbook.scratch_dir();
        let target = scratch.parent().context("there is no target directory")?.to_owned();
        let root = scratch.join("grade").join("trusted").join(&exercise.folder);
        // Written again, so that cargo compiles it and its calls are told.
        let _ = fs::remove_dir_all(&root);
        let folder = exercise.path(Subject::Reader);
        let workspace = files::read_text(&workbook.root.join("Cargo.toml"))?;
        let member = workbook::slashes(&folder);
        let manifest = with_member(&workspace, &member, &workbook.root)?;
        files::write(&root.join("Cargo.toml"), manifest.as_bytes())?;
        let lock = fs::read(workbook.root.join("Cargo.lock")).unwrap_or_default();
        if !lock.is_empty() {
            files::write(&root.join("Cargo.lock"), &lock)?;
        }
        let package = files::read(&workbook.root.join(&folder).join("Cargo.toml"))?;
        files::write(&root.join(&folder).join("Cargo.toml"), &package)?;
        files::write_tree(&root.join(&folder).join("src"), &sources.starter)?;
        files::write_tree(&root.join(&folder).join("tests"), &sources.tests)?;

        let calls = root.join("calls");
        let copy = Workbook::copy_at(root.clone(), target.clone());
        let mut command = cargo::cargo(&copy);
        command.args(["build", "--test", "spec", "--package", &exercise.id]).stdin(Stdio::null());
        command.env("RUSTC_WORKSPACE_WRAPPER", env::current_exe()?).env(RECORD, &calls);
        if !command.status().context("cannot start cargo")?.success() {
            bail!("the starter of {} does not compile here: the reason is above", exercise.id);
        }
        let call = |name: &str| -> Result<Call> {
            Ok(serde_json::from_slice(&files::read(&calls.join(format!("{name}.json")))?)?)
        };
        let (library, spec) = (call(&exercise.id.replace('-', "_"))?, call("spec")?);
        let rustc = |arguments: &[&str]| -> Result<String> {
            let output = Command::new("rustc").current_dir(&workbook.root).args(arguments).output();
            let output = output.context("cannot start rustc")?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let witness = files::read_tree(&workbook.root.join("fixtures").join("witness"))?;
        let xtask = workbook.root.join("xtask");
        let own = files::read_tree(&xtask.join("src"))?;
        let confine = files::read_tree(&xtask.join("confine").join("src"))?;
        let version = rustc(&["-vV"])?;
        // No path of this machine, so that several share their verdicts.
        let texts = [&lock, &package, workspace.as_bytes(), version.as_bytes()];
        let trees = [&witness, &own, &confine, &sources.tests, &sources.starter];
        Ok(Self {
            surroundings: files::digest(&texts, &trees),
            sysroot: rustc(&["--print", "sysroot"])?.into(),
            compiled: ["deps", "build"].map(|part| target.join("debug").join(part)).into(),
            exercise: exercise.clone(),
            sources,
            network,
            root,
            library,
            spec,
        })
    }

    /// Somebody's files among those that are given.
    pub fn with(&self, own: &Tree) -> Tree {
        let given = self.sources.starter.iter().filter(|(path, _)| !self.is_own(path));
        let own = own.iter().filter(|(path, _)| self.is_own(path));
        given.chain(own).map(|(path, text)| (path.clone(), text.clone())).collect()
    }

    /// Whether it is a reader's to write.
    pub fn is_own(&self, path: &Path) -> bool {
        self.exercise.is_own(path, &self.sources.starter)
    }

    /// What stands for an answer: whatever its verdict depends on.
    pub fn key(&self, sources: &Tree, memory: u64, time_limit: Option<u64>) -> String {
        let limits = format!("{} {memory} {time_limit:?} {:?}", self.surroundings, self.network);
        files::digest(&[limits.as_bytes()], &[sources])
    }

    /// The names of all tests, as libtest has them.
    pub fn tests(&self) -> Vec<String> {
        let of = |step: &workbook::Step| {
            let module = step.module();
            let names = self.sources.checks(step).into_iter();
            names.map(move |name| format!("steps::{module}::{name}"))
        };
        self.exercise.steps.iter().flat_map(of).collect()
    }

    /// Compiles an answer in `at`.
    pub fn build(&self, confine: &Confine, at: &Path, sources: &Tree) -> Result<Built> {
        let folder = at.join(self.exercise.path(Subject::Reader));
        for part in [&folder.join("src"), &at.join("out")] {
            let _ = fs::remove_dir_all(part);
        }
        files::write_tree(&folder.join("src"), sources)?;
        files::write_tree(&folder.join("tests"), &self.sources.tests)?;
        for part in ["out", "tmp"] {
            fs::create_dir_all(at.join(part))
                .with_context(|| format!("cannot write in {}", at.display()))?;
        }
        for call in [&self.library, &self.spec] {
            if let Err(errors) = self.call(call, confine, at)? {
                return Ok(Built::Broken(errors));
            }
        }
        let named = |call: &Call, end: &str| {
            let name = value_after(&call.arguments, "--crate-name").unwrap_or_default();
            let extra = call.arguments.iter().find_map(|it| it.strip_prefix("extra-filename="));
            at.join("out").join(format!("{name}{}{end}", extra.unwrap_or_default()))
        };
        Ok(Built::Ready {
            executable: named(&self.spec, env::consts::EXE_SUFFIX),
            dep_info: named(&self.library, ".d"),
        })
    }

    /// One of cargo's calls, with the answer's folder in the place of the starter's.
    fn call(
        &self,
        call: &Call,
        confine: &Confine,
        at: &Path,
    ) -> Result<std::result::Result<(), Vec<String>>> {
        let out = at.join("out");
        let rustc = self.sysroot.join("bin").join(format!("rustc{}", env::consts::EXE_SUFFIX));
        let limits = Limits::of_rustc(at, &self.sysroot, self.compiled.clone());
        let mut command = confine.command(&limits, &rustc);
        command.current_dir(at);
        let own = format!("{}=", self.exercise.id.replace('-', "_"));
        let mut arguments = call.arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--out-dir" => {
                    arguments.next();
                    command.arg("--out-dir").arg(&out);
                }
                "-C" | "--extern" => {
                    let value = arguments.next().map(String::as_str).unwrap_or_default();
                    if value.starts_with("incremental=") {
                        continue;
                    }
                    let library = value.strip_prefix(&own).and_then(|it| Path::new(it).file_name());
                    command.arg(argument);
                    match library {
                        Some(name) => command.arg(format!("{own}{}", out.join(name).display())),
                        None => command.arg(value),
                    };
                }
                _ => drop(command.arg(argument)),
            }
        }
        command.arg("-L").arg(format!("dependency={}", out.display()));
        let (from, to) = (self.root.to_string_lossy(), at.to_string_lossy());
        let environment = call.environment.iter();
        command.envs(environment.map(|(name, value)| (name, value.replace(&*from, &to))));
        // On Windows it has other names.
        for name in ["TMPDIR", "TMP", "TEMP"] {
            command.env(name, at.join("tmp"));
        }
        command.envs(env::var_os("PATH").map(|path| ("PATH", path)));

        let outcome = process::run(command, LIMIT_OF_RUSTC).context("cannot start rustc")?;
        match outcome.end {
            End::Exited(status) if status.success() => Ok(Ok(())),
            End::Exited(status) => {
                let lines =
                    outcome.stderr.lines().filter_map(|line| serde_json::from_str(line).ok());
                let errors = lines.filter(|it: &Diagnostic| it.level == "error");
                let mut errors: Vec<_> =
                    errors.map(|it| strip_str(&it.rendered).to_string()).collect();
                if errors.is_empty() {
                    errors.push(format!("rustc was ended by its limits ({status})"));
                }
                Ok(Err(errors))
            }
            End::TimedOut { .. } => Ok(Err(vec!["rustc came to no end".to_owned()])),
        }
    }

    /// Of an answer that was not run.
    pub fn verdict(&self, status: &str, errors: Vec<String>) -> Verdict {
        let mark = |test: String| {
            let (step, name) = test.rsplit_once("::").unwrap_or(("", &test));
            let step = step.strip_prefix("steps::").unwrap_or(step).to_owned();
            let (name, status) = (name.to_owned(), status.to_owned());
            Mark { step, name, status, message: String::new(), millis: 0 }
        };
        let checks: Vec<_> = self.tests().into_iter().map(mark).collect();
        let of = checks.len();
        let status = status.to_owned();
        Verdict { status, passed: 0, of, checks, errors, notes: Vec::new(), seconds: 0.0 }
    }

    pub fn of_report(&self, report: &ExerciseReport) -> Verdict {
        let word = |status: Status| {
            serde_json::to_value(status).ok().and_then(|it| it.as_str().map(str::to_owned))
        };
        let marks = report.steps.iter().flat_map(|step| {
            step.checks.iter().map(move |check| Mark {
                step: step.id.clone(),
                name: check.name.clone(),
                status: word(check.status).unwrap_or_default(),
                message: check.message.clone(),
                millis: u64::try_from(check.millis).unwrap_or(u64::MAX),
            })
        });
        let checks: Vec<_> = marks.collect();
        let passed = checks.iter().filter(|mark| mark.status == "passed").count();
        let of = self.tests().len();
        let all = passed == of && report.status == Status::Passed;
        let status = match report.status {
            Status::Passed if !all => "failed".to_owned(),
            status => word(status).unwrap_or_default(),
        };
        let (errors, notes) = (Vec::new(), report.notes.clone());
        Verdict { status, passed, of, checks, errors, notes, seconds: 0.0 }
    }
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: String,
}
