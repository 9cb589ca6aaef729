//! The table of the article: how long N clients take to commit one write each, and how many writes the
//! server is sent.

use std::time::Duration;

use crate::occ::{self, Outcome};
use crate::strategy::{Delays, Strategy, Whose, client_rng};

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
const BASE: Duration = Duration::from_millis(5);
const CAP: Duration = Duration::from_secs(2);

/// The means of 30 runs.
#[derive(Debug, Clone, Copy)]
pub struct Mean {
    pub millis: f64,
    pub writes: f64,
}

pub fn run(whose: Whose, strategy: Strategy, clients: u64, seed: u64) -> Mean {
    let runs: Vec<Outcome> =
        (0..RUNS).map(|run| once(whose, strategy, clients, seed, run)).collect();
    let mean = |value: fn(&Outcome) -> f64| runs.iter().map(value).sum::<f64>() / RUNS as f64;
    Mean {
        millis: mean(|run| run.finished.as_secs_f64() * 1_000.0),
        writes: mean(|run| run.writes as f64),
    }
}

fn once(whose: Whose, strategy: Strategy, clients: u64, seed: u64, run: u64) -> Outcome {
    // The article's first wait is base × 2, ours is the base. Decorrelated jitter has no exponent.
    let base = match strategy {
        Strategy::Decorrelated | Strategy::DecorrelatedCut => BASE,
        _ => 2 * BASE,
    };
    // A thousand streams a run: one for the network, then one a client.
    let stream = |index| client_rng(Whose::Reference, seed, 1_000 * run + index);
    let mut delays: Vec<Delays> =
        (1..=clients).map(|client| strategy.delays(whose, base, CAP, stream(client))).collect();
    occ::run(&mut delays, stream(0))
}

pub fn parameters(seed: u64) -> String {
    format!(
        "Each client commits one write under optimistic locking; a message takes |N(10, 2)| ms. Base {} ms, cap \
         {} ms, means of {RUNS} runs. Seed {seed}.",
        BASE.as_millis(),
        CAP.as_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut means = WRITES_AT_100
            .map(|(strategy, _)| (strategy, value(&run(Whose::Reference, strategy, clients, 7))));
        means.sort_by(|a, b| a.1.total_cmp(&b.1));
        means.map(|(strategy, _)| strategy).into()
    }

    #[test]
    fn at_100_clients_the_writes_are_within_15_percent_of_the_articles_simulator() {
        for (strategy, published) in WRITES_AT_100 {
            let ours = run(Whose::Reference, strategy, 100, 7).writes;
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
            .map(|strategy| run(Whose::Reference, strategy, 190, 7));

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
            let mean = run(Whose::Reference, Strategy::Full, 10, 3);
            (mean.millis.to_bits(), mean.writes.to_bits())
        };
        assert_eq!(run(), run());
    }
}
