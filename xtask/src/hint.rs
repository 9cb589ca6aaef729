//! `cargo xtask hint`: the hints of a step, one level more at each call.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use workbook::{Exercise, Workbook};

use crate::output::{self, bold, indent, wrap};
use crate::state::State;

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number
    exercise: String,
    /// The step by number or id; without it, the one that `verify` showed last
    step: Option<String>,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let exercise = workbook.exercise(&args.exercise)?;
    let mut state = State::load(workbook);
    let wanted = args.step.as_ref().or_else(|| state.current_step.get(&exercise.id));
    let index = match wanted {
        Some(wanted) => find_step(&exercise, wanted)?,
        None => 0,
    };
    let step = &exercise.steps[index];
    let shown = state.hints_shown.entry(format!("{}/{}", exercise.id, step.id)).or_default();
    let before = *shown;
    *shown = (before + 1).min(step.hints.len());
    let level = *shown;
    if let Err(error) = state.save(workbook) {
        output::err(&format!("note: how many hints you have seen could not be saved: {error:#}"));
    }

    let is_bare = state.bare.contains(&exercise.id);
    let mut text =
        format!("{}\n", bold(format!("{}, step {}: {}", exercise.id, index + 1, step.title)));
    for (n, hint) in step.hints.iter().enumerate().take(level) {
        text += &format!(" hint {} of {}\n{}", n + 1, step.hints.len(), indent(&wrap(hint, 3), 3));
    }
    if is_bare {
        let guided = "a hint may name parts that the guided starter has, and yours doesn't";
        text += &format!(" note\n{}", indent(&wrap(guided, 3), 3));
    }
    if before < step.hints.len() && level < step.hints.len() {
        text += &format!(" more  cargo xtask hint {} {}\n", exercise.id, index + 1);
    } else {
        text += " That was the last hint. From here:\n";
        let _ =
            writeln!(text, "   read      cargo xtask book --open {}", exercise.page(Some(step)));
        text += &format!("   solution  cargo xtask solution {} --diff\n", exercise.id);
    }
    output::out(&text);
    Ok(true)
}

fn find_step(exercise: &Exercise, wanted: &str) -> Result<usize> {
    let number = wanted
        .parse()
        .ok()
        .and_then(|n: usize| n.checked_sub(1))
        .filter(|n| *n < exercise.steps.len());
    if let Some(index) = number.or_else(|| exercise.steps.iter().position(|step| step.id == wanted))
    {
        return Ok(index);
    }
    let list: String = exercise
        .steps
        .iter()
        .enumerate()
        .map(|(n, step)| format!("\n  {}  {}", n + 1, step.id))
        .collect();
    bail!("`{}` has no step `{wanted}`. Its steps are:{list}", exercise.id)
}
