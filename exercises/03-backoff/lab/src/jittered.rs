//! Delays by a backoff.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;

use super::subject::{Backoff, Config, Jitter};
use crate::strategy::{Delays, Strategy};

pub use super::subject::client_rng;

/// None for what is no backoff's: the lab's own strategies.
pub fn delays(
    strategy: Strategy,
    base: Duration,
    cap: Duration,
    rng: Xoshiro256PlusPlus,
) -> Option<Delays> {
    let jitter = match strategy {
        Strategy::NoBackoff | Strategy::DecorrelatedCut => return None,
        Strategy::Exponential => Jitter::None,
        Strategy::Additive => Jitter::Additive(base),
        Strategy::Equal => Jitter::Equal,
        Strategy::Full => Jitter::Full,
        Strategy::Decorrelated => Jitter::Decorrelated,
    };
    let backoff = Backoff::new(Config { base, factor: 2, cap, jitter }).expect("a valid range");
    Some(Box::new(backoff.delays(rng)))
}
