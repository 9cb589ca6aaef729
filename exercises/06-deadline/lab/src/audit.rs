//! The chain of 30, 25, 20, 15 and 10 seconds, by how often each link tries.

use std::time::Duration;

use deadline_solution::{Chain, Link};
use lab_kit::{Runs, Scene, Shown, Table, Whose};

const CHAIN: [(&str, u64); 5] =
    [("client", 30), ("gateway", 25), ("service A", 20), ("service B", 15), ("database", 10)];

pub static SCENE: Scene = Scene {
    name: "audit",
    about: "What each link of a chain needs, by how often the next one is tried, with the reference",
    knobs: &[],
    figures: &["timeout-chain"],
    needs: None,
    parameters: |_| "The chain of 30, 25, 20, 15 and 10 s.".to_owned(),
    run: |values| {
        let mut runs = Runs::new(values);
        runs.run(Whose::Reference, "audit", || anyhow::Ok(()))?;
        Ok(Shown::new(&runs, table()))
    },
};

/// For each number of tries, and each link but the last: what it needs, beside what it has.
fn rows() -> Vec<(&'static str, u64, [String; 3])> {
    let audits = [1, 2, 3].map(|tries| {
        let links = CHAIN.iter().map(|(name, seconds)| Link {
            tries,
            ..Link::new(name, Duration::from_secs(*seconds))
        });
        Chain::new(links.collect()).expect("a chain").audit()
    });
    CHAIN[..CHAIN.len() - 1]
        .iter()
        .map(|(name, has)| {
            let cell = |violations: &Vec<deadline_solution::Violation>| {
                let violation = violations.iter().find(|violation| violation.outer == *name);
                violation.map_or("enough".to_owned(), |violation| {
                    format!("more than {}", violation.needs.as_secs())
                })
            };
            (*name, *has, audits.each_ref().map(cell))
        })
        .collect()
}

pub fn table() -> Table {
    let heads = ["link", "has, s", "needs with 1 try", "with 2 tries", "with 3 tries"];
    let mut table = Table::new(heads);
    for (name, has, needs) in rows() {
        table.row([name.to_owned(), has.to_string()].into_iter().chain(needs));
    }
    table
}

/// What the client would have to wait for, in seconds, if each link tried so often and each had just enough for the
/// one below it, with the database's timeout as it is.
pub fn mended(tries: u32) -> u64 {
    let (_, database) = CHAIN[CHAIN.len() - 1];
    let enough = |inner: Duration, _| {
        let link = |timeout, tries| Link { tries, ..Link::new("a link", timeout) };
        let chain = Chain::new(vec![link(Duration::from_nanos(1), 1), link(inner, tries)]);
        chain.expect("a chain").audit()[0].needs
    };
    (1..CHAIN.len()).fold(Duration::from_secs(database), enough).as_secs()
}
