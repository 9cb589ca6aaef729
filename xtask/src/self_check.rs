//! `cargo xtask check`: the workbook checks itself. For maintainers.

mod caught;
mod copies;
mod declared;
mod figures;
mod findings;
mod mistakes;
mod right;
mod scratch;
mod solutions;
mod starters;
mod suites;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use workbook::{Exercise, Kind, Workbook};

use self::findings::Findings;
pub use self::scratch::tracked_by_git;
use crate::cargo;
use crate::generated::Mode;
use crate::output::{self, bold, count, green, indent, red};

#[derive(clap::Args)]
pub struct Args {
    /// Exercises by id, folder or number; without one, all of them, but for mistakes caught before in the same code
    #[arg(value_name = "EXERCISE")]
    exercises: Vec<String>,
    /// Only these parts
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Renew what programs make: starters and the sums of specs, from the exercises as they are; with
    /// `--only figures`, the figures
    #[arg(long)]
    bless: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// exercise.toml, spec, chapter, .starter and spec.sum agree
    Format,
    /// Each starter compiles, and its checks fail by their todo!
    Starters,
    /// Each solution passes every check, in the place of the reader's code too
    Solutions,
    /// Each right answer of another design passes every check
    Right,
    /// Each mistake is caught by the check that it names
    Mistakes,
    /// The solutions hold under loom
    Loom,
    /// What `cargo test` leaves out passes too, the claims about published libraries in it
    Suites,
    /// The figures are current
    Figures,
    /// The book is sound
    Book,
}

/// Parts that share a target directory, which cargo locks. So they follow each other; lanes don't wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Copy,
    Loom,
    Workbook,
}

impl Part {
    const OF_AN_EXERCISE: [Self; 6] =
        [Self::Format, Self::Starters, Self::Solutions, Self::Right, Self::Mistakes, Self::Loom];

    fn lane(self) -> Lane {
        match self {
            Self::Starters | Self::Solutions | Self::Right | Self::Mistakes => Lane::Copy,
            Self::Loom => Lane::Loom,
            Self::Format | Self::Suites | Self::Figures | Self::Book => Lane::Workbook,
        }
    }

    fn title(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help()).map(ToString::to_string);
        help.unwrap_or_default()
    }
}

/// Renews what programs make of an exercise; what else is wrong with its form.
pub fn bless(workbook: &Workbook, exercise: &str) -> Result<Vec<String>> {
    let exercise = workbook.exercise(exercise)?;
    declared::check(workbook, &[exercise], Mode::Bless).map(|found| found.wrong)
}

/// All parts run, whatever the earlier ones found. With exercises named, those parts that are about
/// one.
pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let all = workbook.selected(&args.exercises)?;
    let parts = match (&*args.only, args.bless, &*args.exercises) {
        ([], true, _) => vec![Part::Format],
        ([], false, []) => Part::value_variants().to_vec(),
        ([], false, _) => Part::OF_AN_EXERCISE.to_vec(),
        (only, _, _) => only.to_vec(),
    };
    let mode = if args.bless { Mode::Bless } else { Mode::Verify };
    cargo::be_quiet();
    if parts.iter().any(|part| part.lane() != Lane::Workbook) {
        output::err(&format!("a copy to work on: {}", scratch::copy(workbook)?));
    }
    let (copy, apart) = (scratch::workbook(workbook)?, scratch::apart(workbook));
    // What is played has no spec: its services are held by playing them.
    let exercises: Vec<_> = all.iter().filter(|it| it.kind == Kind::Spec).cloned().collect();
    let check = |part| match part {
        Part::Format => declared::check(workbook, &all, mode),
        Part::Starters => Ok(each(&apart, &exercises, starters::check)),
        Part::Solutions => Ok(each(&apart, &exercises, solutions::check)),
        Part::Right => Ok(each(&copy, &exercises, right::check)),
        Part::Mistakes => Ok(each(&copy, &exercises, |copy, exercise| {
            mistakes::check(copy, exercise, !args.exercises.is_empty())
        })),
        Part::Loom => Ok(each(&copy, &exercises, suites::loom)),
        Part::Suites => suites::left_out(workbook),
        Part::Figures => figures::check(workbook, mode),
        Part::Book => suites::book(workbook),
    };
    let wrong = side_by_side(&parts, check);
    output::out(&if wrong == 0 {
        format!("\n{}", green(format!("check: {} in order", count(parts.len(), "part"))))
    } else {
        format!("\n{}", red(format!("check: {} to mend", count(wrong, "finding"))))
    });
    Ok(wrong == 0)
}

/// Runs the lanes beside each other, and tells the parts in their order; how many findings there are.
fn side_by_side(parts: &[Part], check: impl Fn(Part) -> Result<Findings> + Sync) -> usize {
    let (send, done) = mpsc::channel();
    let mut wrong = 0;
    thread::scope(|scope| {
        for lane in [Lane::Copy, Lane::Loom, Lane::Workbook] {
            let (send, check) = (send.clone(), &check);
            let of_lane = parts.iter().enumerate().filter(move |(_, part)| part.lane() == lane);
            scope.spawn(move || {
                for (index, part) in of_lane {
                    output::err(&format!("begun: {}", part.title()));
                    let begin = Instant::now();
                    let found = check(*part).unwrap_or_else(|error| Findings {
                        wrong: vec![format!("could not be checked: {error:#}")],
                        ..Findings::default()
                    });
                    output::err(&format!("{} s: {}", begin.elapsed().as_secs(), part.title()));
                    let _ = send.send((index, found));
                }
            });
        }
        drop(send);
        let mut waiting = BTreeMap::new();
        let mut untold = parts.iter().enumerate().peekable();
        for (index, found) in done {
            waiting.insert(index, found);
            while let Some((index, part)) = untold.peek()
                && let Some(found) = waiting.remove(index)
            {
                wrong += found.wrong.len();
                tell(index + 1, **part, &found);
                untold.next();
            }
        }
    });
    wrong
}

fn tell(number: usize, part: Part, found: &Findings) {
    output::out(&bold(format!("\n{number}. {}", part.title())));
    for line in &found.told {
        output::out(&indent(line, 3));
    }
    for finding in &found.wrong {
        output::out(&format!("   {}  {}", red("wrong"), indent(finding, 10).trim_start()));
    }
    if found.wrong.is_empty() {
        output::out(&format!("   {}", green("in order")));
    }
}

fn each(
    copy: &Workbook,
    exercises: &[Exercise],
    part: impl Fn(&Workbook, &Exercise) -> Result<Findings>,
) -> Findings {
    let mut all = Findings::default();
    for exercise in exercises {
        match part(copy, exercise) {
            Ok(found) => all.add(found),
            Err(error) => all.wrong(format!("{}: {error:#}", exercise.id)),
        }
    }
    all
}
