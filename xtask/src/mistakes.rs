//! `cargo xtask mistakes`: a game of wrong answers. One is shown, the reader says which check will catch
//! it, and the spec decides.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, stdin, stdout};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use workbook::{Exercise, Kind, Mistake, Sources, Step, Subject, Workbook, files, nearest};

use crate::output::{self, bold, count, green, indent, red, wrap};
use crate::patch;
use crate::report::{CheckReport, Status};
use crate::spec::Ran;
use crate::state::State;
use crate::trial;

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number
    exercise: String,
    /// The check that you think catches it, by name or number (3.2); without it, you are asked
    #[arg(long, value_name = "CHECK")]
    guess: Option<String>,
    /// Begin with the first one again, without a score
    #[arg(long)]
    again: bool,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let exercise = workbook.exercise(&args.exercise)?;
    let id = &exercise.id;
    if exercise.kind == Kind::Gameday {
        bail!("the wrong answers to `{id}` are services, and are played: its chapter shows them");
    }
    let found = exercise.mistakes(&workbook.root)?.into_iter();
    // What is wrong with a file is the business of `check`.
    let mut mistakes: Vec<_> =
        found.filter_map(|(file, mistake)| Some((file, mistake.ok()?))).collect();
    // By the ends of their names: not by step, which would be half of the answer, and the same at each call.
    mistakes.sort_by_cached_key(|(file, _)| file.chars().rev().collect::<String>());
    if mistakes.is_empty() {
        bail!("there are no wrong answers to `{id}` yet");
    }
    let checks = Choices::of(workbook, &exercise)?;
    if args.again {
        let mut state = State::load(workbook);
        state.mistakes.remove(id);
        state.save(workbook)?;
    }
    if !Sources::read(&workbook.root, &exercise)?.is_begun() {
        let text = "You have not begun this exercise: what follows shows parts of its solution.";
        output::out(&wrap(text, 1));
    }
    loop {
        let mut played = State::load(workbook).mistakes.remove(id).unwrap_or_default();
        played.retain(|file, _| mistakes.iter().any(|(other, _)| other == file));
        let next = mistakes.iter().find(|(file, _)| !played.contains_key(file));
        let Some((file, mistake)) = next else {
            let again = format!("cargo xtask mistakes {id} --again");
            output::out(&format!("{}\n   again  {again}", score(&played, mistakes.len())));
            return Ok(true);
        };
        let number = played.len() + 1;
        let title = format!("{id}, wrong answer {number} of {}", mistakes.len());
        output::out(&format!("\n{}\n\n{}", bold(title), patch::coloured(&mistake.diff)));
        let guess = match &args.guess {
            Some(guess) => checks.find(guess)?,
            None => checks.ask()?,
        };
        let guessed = play(workbook, &exercise, mistake, guess)?;

        played.insert(file.clone(), guessed);
        output::out(&score(&played, mistakes.len()));
        let mut state = State::load(workbook);
        state.mistakes.insert(id.clone(), played);
        if let Err(error) = state.save(workbook) {
            output::err(&format!("note: your score could not be saved: {error:#}"));
        }
        let asks = args.guess.is_none() && stdin().is_terminal() && stdout().is_terminal();
        if !asks {
            output::out(&format!("   next   cargo xtask mistakes {id}"));
            return Ok(true);
        }
        match output::ask(" Enter for the next one, q to stop: ")? {
            Some(answer) if answer.is_empty() => {}
            _ => return Ok(true),
        }
    }
}

fn score(played: &BTreeMap<String, bool>, all: usize) -> String {
    let guessed = played.values().filter(|guessed| **guessed).count();
    let left = all - played.len().min(all);
    format!("   score  {guessed} of {} guessed, {left} to go", played.len())
}

/// Runs the spec on the wrong answer and tells what it says; whether the guessed check caught it.
fn play(
    workbook: &Workbook,
    exercise: &Exercise,
    mistake: &Mistake,
    guess: Choice<'_>,
) -> Result<bool> {
    let solution = files::read_tree(&workbook.root.join(exercise.path(Subject::Solution)))?;
    let mut changed = patch::apply(&solution, &mistake.diff)?;
    let lib = changed.remove(&["src", "lib.rs"].iter().collect::<PathBuf>());
    let lib = lib.context("this wrong answer is in a file that a reader doesn't write")?;
    let checks = match trial::run(workbook, exercise, &lib)? {
        Ran::Checks { checks, .. } => checks,
        Ran::DoesNotCompile(errors) => {
            bail!("this wrong answer doesn't compile:\n{}", errors.join("\n"))
        }
    };
    let of = |module: &str, name: &str| {
        checks.iter().find(|check| check.module == module && check.name == name)
    };
    let caught: Vec<_> = checks.iter().filter(|check| check.status != Status::Passed).collect();
    let named = of(&exercise.step(mistake.step)?.module(), &mistake.check)
        .filter(|check| check.status != Status::Passed)
        .or_else(|| caught.first().copied());
    let named = named.context("no check catches this wrong answer: please report it")?;
    let guessed = of(&guess.step.module(), guess.name);
    let guessed = guessed.is_some_and(|check| check.status != Status::Passed);
    output::out(&result(exercise, mistake, guess, guessed, named, caught.len()));
    Ok(guessed)
}

fn result(
    exercise: &Exercise,
    mistake: &Mistake,
    guess: Choice<'_>,
    guessed: bool,
    named: &CheckReport,
    caught: usize,
) -> String {
    let mut text = String::from("\n");
    text += &if guessed {
        format!(" {} {} catches it.\n\n", green("Right:"), guess.name)
    } else {
        let near = if guess.step.module() == named.module { " The step is right." } else { "" };
        format!(" {} {} passes.{near}\n\n", red("No:"), guess.name)
    };
    let step = exercise.steps.iter().find(|step| step.module() == named.module);
    let step =
        step.map_or_else(String::new, |step| format!("step {}, {}", step.number, step.title));
    let hang = |text: &str| indent(&wrap(text, 10), 10).trim_start().to_owned();
    text += &format!("   caught {}{}", hang(&step), indent(&named.name, 10));
    text += &indent(&wrap(&named.message, 10), 10);
    if caught > 1 {
        text += &indent(&format!("and by {}", count(caught - 1, "more check")), 10);
    }
    let told = [
        ("what", Some(&mistake.title)),
        ("why", Some(&mistake.why)),
        ("where", mistake.place.as_ref()),
    ];
    for (label, told) in told {
        text += &told.map_or_else(String::new, |told| format!("   {label:6} {}", hang(told)));
    }
    text
}

/// The checks that a reader can choose from.
struct Choices<'a> {
    steps: Vec<(&'a Step, Vec<String>)>,
}

#[derive(Clone, Copy)]
struct Choice<'a> {
    step: &'a Step,
    name: &'a str,
}

impl<'a> Choices<'a> {
    fn of(workbook: &Workbook, exercise: &'a Exercise) -> Result<Self> {
        let steps = exercise.steps.iter();
        let steps = steps.map(|step| Ok((step, exercise.checks(&workbook.root, step)?)));
        Ok(Self { steps: steps.collect::<Result<_>>()? })
    }

    fn all(&self) -> impl Iterator<Item = (String, Choice<'_>)> {
        self.steps.iter().flat_map(|(step, names)| {
            names.iter().zip(1..).map(move |(name, n)| {
                (format!("{}.{n}", step.number), Choice { step, name: name.as_str() })
            })
        })
    }

    /// The check of this name or number; `step_3_probe::name` is a name too.
    fn find(&self, wanted: &str) -> Result<Choice<'_>> {
        let name = wanted.rsplit("::").next().unwrap_or(wanted);
        let found = self.all().find(|(number, check)| number == wanted || check.name == name);
        if let Some((_, check)) = found {
            return Ok(check);
        }
        let names: Vec<_> = self.all().map(|(_, check)| check.name).collect();
        let suggestion = nearest(name, names)
            .map_or_else(String::new, |name| format!(" Did you mean `{name}`?"));
        bail!("there is no check `{wanted}`.{suggestion} The checks are:\n{}", self.list(None))
    }

    /// The checks of one step, or of all, with their numbers.
    fn list(&self, of: Option<usize>) -> String {
        let shown = self.all().filter(|(_, check)| of.is_none_or(|step| check.step.number == step));
        shown.map(|(number, check)| format!("  {number:>4}  {}\n", check.name)).collect()
    }

    /// Asks on the terminal: for the step, then for the check. From a pipe it takes one line.
    fn ask(&self) -> Result<Choice<'_>> {
        let no_guess = "no guess came. Name the check with --guess, or by a line on standard input";
        if !stdin().is_terminal() {
            output::out(&format!(" Which check catches it?\n{}", self.list(None)));
            return self.find(&output::ask("")?.context(no_guess)?);
        }
        output::out(&wrap(" Which check catches it? A step first:", 1));
        for (step, _) in &self.steps {
            output::out(&format!("  {:>4}  {}", step.number, step.title));
        }
        loop {
            let answer = output::ask(" step (or a check): ")?.context(no_guess)?;
            let step =
                answer.parse().ok().filter(|n| self.steps.iter().any(|(s, _)| s.number == *n));
            let answer = if let Some(step) = step {
                output::out(self.list(Some(step)).trim_end());
                let answer = output::ask(" check (Enter for another step): ")?.context(no_guess)?;
                match answer.as_str() {
                    "" => continue,
                    number if number.bytes().all(|b| b.is_ascii_digit()) => {
                        format!("{step}.{number}")
                    }
                    _ => answer,
                }
            } else {
                answer
            };
            match self.find(&answer) {
                Ok(check) => return Ok(check),
                Err(error) => {
                    let reason = error.to_string();
                    output::out(&format!(
                        " {}",
                        reason.split(" The checks are:").next().unwrap_or_default()
                    ));
                }
            }
        }
    }
}
