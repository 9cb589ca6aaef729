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
    network: Network,
}

/// Whom a program's sockets may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    None,
    Loopback,
    Any,
}

impl Limits {
    /// Writes nothing, begins nothing, reads nothing but itself and the exercise.
    pub fn of_a_check(at: &Path, executable: &Path, memory: u64, network: Network) -> Self {
        let own = [executable.to_owned(), at.join("exercises")];
        Self {
            memory: memory * MIB,
            cpu: 60,
            file: 0,
            read: OF_THE_SYSTEM.map(PathBuf::from).into_iter().chain(own).collect(),
            write: vec!["/dev/null".into()],
            programs: false,
            network,
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
            network: Network::None,
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

    /// Whom the checks of an exercise may reach. An error where that would be the network of this machine, unless
    /// that is `known`.
    pub fn network(exercise: &Exercise, offers: &[String], known: bool) -> Result<Network> {
        let is_offered = |what: &str| offers.iter().any(|offer| offer.contains(what));
        if !exercise.sockets {
            return Ok(Network::None);
        }
        if is_offered("loopback") {
            return Ok(Network::Loopback);
        }
        if known || !is_offered("sockets") {
            return Ok(Network::Any);
        }
        bail!(
            "the checks of {} open sockets, and this system gives them no loopback of their own. Leave the exercise out \
             with --exercise, or grade where there is no network to reach, and say so with --any-network",
            exercise.id
        )
    }

    /// A program with these limits, and nothing of this one's environment.
    pub fn command(&self, limits: &Limits, program: &Path) -> Command {
        let mut command = Command::new(&self.program);
        let limits = serde_json::to_string(limits).unwrap_or_default();
        command.arg(limits).arg(program).env_clear();
        // Windows begins nothing without the first, and rustc finds its linker by the others.
        for name in ["SystemRoot", "ProgramData", "ProgramFiles", "ProgramFiles(x86)"] {
            command.envs(env::var_os(name).map(|value| (name, value)));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn sockets_reach_no_further_than_the_system_can_hold_them() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let [without, with] =
            ["01-taxonomy", "06-deadline"].map(|folder| Exercise::load(root, folder).unwrap());
        let loopback = ["a loopback of its own".to_owned(), "programs and sockets".to_owned()];
        let network = |exercise, offers, known| Confine::network(exercise, offers, known).ok();

        assert_eq!(network(&without, &loopback, true), Some(Network::None));
        assert_eq!(network(&with, &loopback, false), Some(Network::Loopback));
        assert_eq!(network(&with, &loopback[1..], false), None);
        assert_eq!(network(&with, &loopback[1..], true), Some(Network::Any));
        assert_eq!(
            network(&with, &[], false),
            Some(Network::Any),
            "of a system that holds nothing"
        );
    }
}
