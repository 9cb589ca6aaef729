//! Programs that may do little: see `xtask/confine`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use workbook::{Exercise, Workbook};

use crate::cargo;

const MIB: u64 = 1024 * 1024;
/// What every program of the system needs to begin, and rustc to link.
const OF_THE_SYSTEM: [&str; 6] =
    ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/urandom"];

/// The program that begins the others.
pub struct Confine {
    program: PathBuf,
}

/// As `confine` reads them.
#[derive(Debug, Clone, Serialize)]
pub struct Limits {
    memory: u64,
    cpu: u64,
    file: u64,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    programs: bool,
    sockets: bool,
}

impl Limits {
    /// Writes nothing, begins nothing, reads nothing but itself and the exercise.
    pub fn of_a_check(at: &Path, executable: &Path, memory: u64, exercise: &Exercise) -> Self {
        let own = [executable.to_owned(), at.join("exercises")];
        Self {
            memory: memory * MIB,
            cpu: 60,
            file: 0,
            read: OF_THE_SYSTEM.map(PathBuf::from).into_iter().chain(own).collect(),
            write: vec!["/dev/null".into()],
            programs: false,
            sockets: exercise.sockets,
        }
    }

    /// Reads the toolchain, what is compiled already and the answer; writes below `at`.
    pub fn of_rustc(at: &Path, sysroot: &Path, compiled: Vec<PathBuf>) -> Self {
        let system = OF_THE_SYSTEM.map(PathBuf::from).into_iter();
        Self {
            memory: 6 * 1024 * MIB,
            cpu: 60,
            file: 1024 * MIB,
            read: system.chain([sysroot.to_owned()]).chain(compiled).collect(),
            write: vec![at.to_owned(), "/dev/null".into()],
            programs: true,
            sockets: false,
        }
    }
}

impl Confine {
    pub const fn by(program: PathBuf) -> Self {
        Self { program }
    }

    pub fn build(workbook: &Workbook) -> Result<Self> {
        cargo::build_program(workbook, "confine", &[], "xtask/confine").map(Self::by)
    }

    /// What this system holds programs to.
    pub fn offers(&self) -> Result<Vec<String>> {
        let mut command = Command::new(&self.program);
        let output = command.arg("--offers").output();
        let output = output.with_context(|| format!("cannot run {}", self.program.display()))?;
        if !output.status.success() {
            bail!("{} does not say what it holds programs to", self.program.display());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let time = "time, output and environment".to_owned();
        Ok([time].into_iter().chain(text.lines().map(str::to_owned)).collect())
    }

    /// A program with these limits, and nothing of this one's environment.
    pub fn command(&self, limits: &Limits, program: &Path) -> Command {
        let mut command = Command::new(&self.program);
        let limits = serde_json::to_string(limits).unwrap_or_default();
        command.arg(limits).arg(program).env_clear();
        // Windows begins nothing without.
        command.envs(env::var_os("SystemRoot").map(|root| ("SystemRoot", root)));
        command
    }
}
