//! The herd: 1,000 clients fail at the same moment, and retry.

use std::time::Duration;

use storm::thousands;

use crate::strategy::{Strategy, Whose, client_rng};

pub const STRATEGIES: [Strategy; 5] = [
    Strategy::Exponential,
    Strategy::Additive,
    Strategy::Equal,
    Strategy::Full,
    Strategy::Decorrelated,
];
pub const BIN: Duration = Duration::from_millis(10);
/// What the histogram shows.
pub const LENGTH: Duration = Duration::from_secs(2);
const CLIENTS: u64 = 1_000;
const RETRIES: usize = 4;
const BASE: Duration = Duration::from_millis(100);
const CAP: Duration = Duration::from_secs(30);

/// How many retries arrive in each 10 ms.
pub struct Herd {
    /// All of the four retries of each client, up to `LENGTH`.
    pub arrivals: Vec<u64>,
    /// The busiest 10 ms of the first retries alone.
    pub first_peak: u64,
}

impl Herd {
    pub fn peak(&self) -> u64 {
        self.arrivals.iter().copied().max().unwrap_or(0)
    }
}

pub fn run(whose: Whose, strategy: Strategy, seed: u64) -> Herd {
    let bins = usize::try_from(LENGTH.as_millis() / BIN.as_millis()).expect("a few hundred");
    let (mut arrivals, mut first) = (vec![0; bins], vec![0; bins]);
    for client in 0..CLIENTS {
        let mut at = Duration::ZERO;
        let delays = strategy.delays(whose, BASE, CAP, client_rng(whose, seed, client));
        for (retry, delay) in delays.take(RETRIES).enumerate() {
            at += delay;
            let bin = usize::try_from(at.as_millis() / BIN.as_millis()).unwrap_or(usize::MAX);
            if let Some(count) = arrivals.get_mut(bin) {
                *count += 1;
                first[bin] += u64::from(retry == 0);
            }
        }
    }
    Herd { arrivals, first_peak: first.into_iter().max().unwrap_or(0) }
}

pub fn parameters(seed: u64) -> String {
    format!(
        "{} clients fail at 0 s and retry {RETRIES} times: base {} ms, factor 2, cap {} s, additive jitter \
         {} ms. Counted in bins of {} ms, over the first {} s. Seed {seed}.",
        thousands(CLIENTS),
        BASE.as_millis(),
        CAP.as_secs(),
        BASE.as_millis(),
        BIN.as_millis(),
        LENGTH.as_secs(),
    )
}
