//! The two tables.

use storm::lab::catch_panic;
use storm::thousands;

use crate::strategy::{Strategy, Whose};
use crate::table::table;
use crate::{contention, herd};

/// A table, and why your rows are not in it.
pub struct Report {
    pub text: String,
    pub missing: Option<String>,
}

pub fn contention(whose: &[Whose], seed: u64) -> Report {
    let mut head = vec!["clients".to_owned()];
    for clients in contention::CLIENTS {
        head.extend([format!("{clients}: finished, ms"), "writes sent".to_owned()]);
    }
    rows(head, &contention::STRATEGIES, whose, |whose, strategy| {
        contention::CLIENTS
            .iter()
            .flat_map(|&clients| {
                let mean = contention::run(whose, strategy, clients, seed);
                [whole(mean.millis), whole(mean.writes)]
            })
            .collect()
    })
}

pub fn herd(whose: &[Whose], seed: u64) -> Report {
    let head = ["busiest 10 ms", "of the first retries", "of all"].map(str::to_owned);
    rows(head.into(), &herd::STRATEGIES, whose, |whose, strategy| {
        let arrivals = herd::run(whose, strategy, seed);
        vec![thousands(arrivals.first_peak), thousands(arrivals.peak())]
    })
}

fn rows(
    head: Vec<String>,
    strategies: &[Strategy],
    whose: &[Whose],
    cells: impl Fn(Whose, Strategy) -> Vec<String>,
) -> Report {
    let (mut rows, mut missing) = (vec![head], None);
    for &strategy in strategies {
        for &whose in whose {
            if whose == Whose::Yours && strategy.is_given() {
                continue;
            }
            let name = match whose {
                Whose::Yours => format!("{}, yours", strategy.name()),
                Whose::Reference => strategy.name().to_owned(),
            };
            match catch_panic(|| cells(whose, strategy)) {
                Ok(cells) => rows.push([vec![name], cells].concat()),
                Err(message) => missing = Some(format!("yours: not there yet: {message}")),
            }
        }
    }
    Report { text: table(&rows), missing }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a mean of milliseconds or of calls
pub fn whole(mean: f64) -> String {
    thousands(mean.round() as u64)
}
