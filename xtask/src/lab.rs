//! `cargo xtask lab`: the lab of an exercise or of a chapter without one, with its arguments passed on. In
//! release mode: a storm takes ten times as long without, and its crates are few.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use workbook::Workbook;

use crate::cargo::{self, Metadata, Role};
use crate::children;
use crate::output;

#[derive(clap::Args)]
#[command(override_usage = "cargo xtask lab EXERCISE [--live] [ARGS]...")]
pub struct Args {
    /// The exercise by id, folder or number, or `composing`; then --live for real sockets, --without-yours to leave
    /// your code out, and what the lab takes, which `cargo xtask lab EXERCISE --help` lists
    // One list, so that a --help behind the exercise is the lab's.
    #[arg(value_name = "EXERCISE", required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Chooses the lab over real sockets, which is a package of its own: HTTP takes long to compile.
const LIVE: &str = "--live";
/// Leaves the reader's code out: it may not compile.
const WITHOUT_YOURS: &str = "--without-yours";
/// Builds the lab, prints where its program is, and doesn't run it: for the live book, which runs it often.
const PROGRAM: &str = "--program";

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let metadata = Metadata::load(workbook)?;
    let [exercise, args @ ..] = args.words.as_slice() else { unreachable!("clap requires one") };
    let ours = |arg: &&String| [LIVE, WITHOUT_YOURS, PROGRAM].contains(&arg.as_str());
    let (ours, passed_on): (Vec<_>, Vec<_>) = args.iter().partition(ours);
    let asks_for = |flag: &str| ours.iter().any(|arg| *arg == flag);
    let role = if asks_for(LIVE) { Role::LiveLab } else { Role::Lab };
    let lab = metadata.of(workbook, role, exercise)?;
    let what = format!("the {role} of {}", lab.of());

    if !metadata.has_built(lab) {
        let about = if lab.has_role(Role::LiveLab) { "a minute" } else { "half a minute" };
        output::err(&format!(
            "Compiling {what}, this first time: about {about} on two cores. Later it starts at once."
        ));
    }
    let mut flags = vec!["--release"];
    flags.extend(asks_for(WITHOUT_YOURS).then_some("--no-default-features"));
    let program = cargo::build_program(workbook, &lab.name, &flags, &what)?;
    if asks_for(PROGRAM) {
        output::out(&program.display().to_string());
        return Ok(true);
    }
    let mut command = Command::new(&program);
    command.args(passed_on).current_dir(&workbook.root);
    let status = children::status(&mut command)
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !status.success() {
        bail!("{what} did not run to its end: the reason is above");
    }
    Ok(true)
}
