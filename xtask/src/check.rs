//! `cargo xtask check`: the workbook checks itself. For maintainers.

mod declared;
mod figures;
mod mistakes;
mod scratch;
mod specs;
mod suites;

use anyhow::Result;

use crate::output::{self, bold, count, green, indent, red};
use crate::workbook::{Exercise, Workbook};

#[derive(clap::Args)]
pub struct Args {
    /// Instead, take the exercises' sources as the starters, and their specs as published
    #[arg(long)]
    bless: bool,
}

/// What a part found, and what it has to tell even when all is well.
#[derive(Default)]
struct Findings {
    /// Each says what is wrong and what to do.
    wrong: Vec<String>,
    told: Vec<String>,
}

impl Findings {
    fn wrong(&mut self, finding: impl Into<String>) {
        self.wrong.push(finding.into());
    }

    fn tell(&mut self, line: impl Into<String>) {
        self.told.push(line.into());
    }
}

/// All parts run, whatever the earlier ones found.
pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let exercises = workbook.exercises()?;
    if args.bless {
        return declared::bless(workbook, &exercises).map(|()| true);
    }
    let mut all = Parts { number: 0, wrong: 0 };
    all.part("exercise.toml, spec, chapter, .starter and spec.sum agree", || {
        declared::check(workbook, &exercises)
    });
    all.part("the scratch copy", || {
        scratch::copy(workbook).map(|copied| Findings { told: vec![copied], ..Findings::default() })
    });
    let copy = scratch::workbook(workbook);
    let on_copy = |part: fn(&Workbook, &Exercise) -> Result<Findings>| {
        let mut all = Findings::default();
        for exercise in &exercises {
            match part(&copy, exercise) {
                Ok(found) => {
                    all.wrong.extend(found.wrong);
                    all.told.extend(found.told);
                }
                Err(error) => all.wrong(format!("{}: {error:#}", exercise.id)),
            }
        }
        Ok(all)
    };
    all.part("each starter compiles, and its checks fail by their todo!", || {
        on_copy(specs::starter)
    });
    all.part("each solution passes every check", || on_copy(specs::solution));
    all.part("each mistake is caught by the check that it names", || on_copy(mistakes::check));
    all.part("the solutions hold under loom", || on_copy(suites::loom));
    all.part(
        "what `cargo test` leaves out passes too, the claims about published libraries in it",
        || suites::left_out(workbook),
    );
    all.part("the figures are current", || figures::check(workbook));
    all.part("the book is sound", || suites::book(workbook));
    output::out(&if all.wrong == 0 {
        format!("\n{}", green(format!("check: all {} parts are in order", all.number)))
    } else {
        format!("\n{}", red(format!("check: {} to mend", count(all.wrong, "finding"))))
    });
    Ok(all.wrong == 0)
}

struct Parts {
    number: usize,
    wrong: usize,
}

impl Parts {
    fn part(&mut self, title: &str, check: impl FnOnce() -> Result<Findings>) {
        self.number += 1;
        output::out(&bold(format!("\n{}. {title}", self.number)));
        let found = check().unwrap_or_else(|error| Findings {
            wrong: vec![format!("could not be checked: {error:#}")],
            ..Findings::default()
        });
        self.wrong += found.wrong.len();
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
}
