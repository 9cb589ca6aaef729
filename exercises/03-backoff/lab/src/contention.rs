//! The table of the article: how long N clients take to commit one write each, and how many writes the
//! server is sent.

use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Knob, Needs, Runs, Scene, Shown, Table, Values, rounded};

use crate::occ::{self, Outcome};
use crate::strategy::{self, Delays, REFERENCE, Strategy, Subject};

pub const STRATEGIES: [Strategy; 6] = [
    Strategy::NoBackoff,
    Strategy::Exponential,
    Strategy::Equal,
    Strategy::Full,
    Strategy::DecorrelatedCut,
    Strategy::Decorrelated,
];
pub const CLIENTS: [u64; 3] = [10, 100, 190];
const RUNS: u64 = 30;
const BASE: Knob =
    Knob::number("row-base", "How long should the first wait for the row be?", 1..=1_000, 5, "ms")
        .at(&[1, 2, 5, 10, 20, 50, 100, 500, 1_000]);
const CAP: Duration = Duration::from_secs(2);

pub static SCENE: Scene = Scene {
    name: "contention",
    about: "Clients that contend for one row under optimistic locking",
    knobs: &[BASE],
    figures: &["backoff-contention"],
    needs: Some(Needs { step: 2, text: "The table needs delays with jitter (step 2)." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

/// For each number of clients.
pub type Row = [Mean; CLIENTS.len()];

pub fn runs(values: &Values) -> anyhow::Result<Runs<Row>> {
    strategy::runs(values, &STRATEGIES, |subject, strategy| {
        CLIENTS.map(|clients| run(subject, strategy, clients, values))
    })
}

pub fn table(runs: &Runs<Row>) -> Table {
    let heads = CLIENTS
        .iter()
        .flat_map(|clients| [format!("{clients}: finished, ms"), "writes sent".to_owned()]);
    let mut table = Table::new(["clients".to_owned()].into_iter().chain(heads));
    for (name, row) in runs.done() {
        let cells = row.iter().flat_map(|mean| [rounded(mean.millis), rounded(mean.writes)]);
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    table
}

fn chart(runs: &Runs<Row>, values: &Values) -> Chart {
    let panel = |title: &str, value: fn(&Mean) -> f64| {
        Panel::new(title).log().lines(runs.done(), |row| {
            CLIENTS.iter().zip(row).map(|(clients, mean)| (*clients as f64, value(mean))).collect()
        })
    };
    let most = Duration::from_secs(CLIENTS[CLIENTS.len() - 1]);
    Chart::new("backoff-contention", "Clients that contend for one row", most)
        .command(&values.command())
        .across("clients")
        .panel(panel("finished, ms", |mean| mean.millis))
        .panel(panel("writes sent", |mean| mean.writes))
}

/// The means of 30 runs.
#[derive(Debug, Clone, Copy)]
pub struct Mean {
    pub millis: f64,
    pub writes: f64,
}

pub fn run(subject: Subject, strategy: Strategy, clients: u64, values: &Values) -> Mean {
    let runs: Vec<Outcome> =
        (0..RUNS).map(|run| once(subject, strategy, clients, values, run)).collect();
    let mean = |value: fn(&Outcome) -> f64| runs.iter().map(value).sum::<f64>() / RUNS as f64;
    Mean {
        millis: mean(|run| run.finished.as_secs_f64() * 1_000.0),
        writes: mean(|run| run.writes as f64),
    }
}

fn once(subject: Subject, strategy: Strategy, clients: u64, values: &Values, run: u64) -> Outcome {
    let base = Duration::from_millis(values.number(&BASE));
    // The article's first wait is base × 2, ours is the base. Decorrelated jitter has no exponent.
    let base = match strategy {
        Strategy::Decorrelated | Strategy::DecorrelatedCut => base,
        _ => 2 * base,
    };
    // A thousand streams a run: one for the network, then one a client.
    let stream = |index| (REFERENCE.client_rng)(values.seed(), 1_000 * run + index);
    let mut delays: Vec<Delays> =
        (1..=clients).map(|client| strategy.delays(subject, base, CAP, stream(client))).collect();
    occ::run(&mut delays, stream(0))
}

pub fn parameters(values: &Values) -> String {
    format!(
        "Each client commits one write under optimistic locking; a message takes |N(10, 2)| ms. Base {}, cap \
         {} ms, means of {RUNS} runs. Seed {}.",
        values.show(&BASE),
        CAP.as_millis(),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(strategy: Strategy, clients: u64) -> Mean {
        run(REFERENCE, strategy, clients, &crate::LAB.defaults())
    }

    /// Writes sent at 100 clients, by a port of the article's own simulator (30 runs).
    const WRITES_AT_100: [(Strategy, f64); 5] = [
        (Strategy::NoBackoff, 2_424.0),
        (Strategy::Exponential, 1_858.0),
        (Strategy::Equal, 811.0),
        (Strategy::Full, 797.0),
        (Strategy::DecorrelatedCut, 1_006.0),
    ];

    /// The five of the article, the least first.
    fn in_order(clients: u64, value: fn(&Mean) -> f64) -> Vec<Strategy> {
        let mut means =
            WRITES_AT_100.map(|(strategy, _)| (strategy, value(&reference(strategy, clients))));
        means.sort_by(|a, b| a.1.total_cmp(&b.1));
        means.map(|(strategy, _)| strategy).into()
    }

    #[test]
    fn at_100_clients_the_writes_are_within_15_percent_of_the_articles_simulator() {
        for (strategy, published) in WRITES_AT_100 {
            let ours = reference(strategy, 100).writes;
            let ratio = ours / published;
            assert!((0.85..=1.15).contains(&ratio), "{strategy:?}: {ours} writes, not {published}");
        }
    }

    #[test]
    fn the_strategies_finish_in_the_published_order() {
        // Full and (cut) decorrelated jitter are within a percent of each other: the seed decides.
        use Strategy::{DecorrelatedCut, Equal, Exponential, Full, NoBackoff};
        for clients in [10, 100] {
            assert_eq!(
                in_order(clients, |mean| mean.millis),
                [NoBackoff, DecorrelatedCut, Full, Equal, Exponential],
                "{clients} clients"
            );
        }
        assert_eq!(
            in_order(190, |mean| mean.millis),
            [NoBackoff, Full, DecorrelatedCut, Equal, Exponential],
            "at 190 clients the cap cuts decorrelated jitter, and full jitter is faster"
        );
    }

    #[test]
    fn decorrelated_jitter_whose_range_ends_at_the_cap_is_sooner_done_with_no_more_writes() {
        let [cut, bounded] = [Strategy::DecorrelatedCut, Strategy::Decorrelated]
            .map(|strategy| reference(strategy, 190));

        assert!(bounded.millis < 0.95 * cut.millis, "{} ms, {} ms", bounded.millis, cut.millis);
        assert!(bounded.writes < 1.05 * cut.writes, "{}, {}", bounded.writes, cut.writes);
    }

    #[test]
    fn the_strategies_load_the_server_in_the_published_order() {
        use Strategy::{DecorrelatedCut, Equal, Exponential, Full, NoBackoff};
        // Equal and full are within two percent of each other: chance decides between them.
        let order = in_order(100, |mean| mean.writes);
        assert_eq!(order[2..], [DecorrelatedCut, Exponential, NoBackoff]);
        assert!(order.contains(&Equal) && order.contains(&Full));
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let run = || {
            let mean = reference(Strategy::Full, 10);
            (mean.millis.to_bits(), mean.writes.to_bits())
        };
        assert_eq!(run(), run());
    }
}
