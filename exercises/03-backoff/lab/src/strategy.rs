//! The ways to wait, and whose code computes them.

use std::iter;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// Delays without end.
pub type Delays = Box<dyn Iterator<Item = Duration>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Yours,
    Reference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// No wait at all.
    NoBackoff,
    Exponential,
    Additive,
    Equal,
    Full,
    Decorrelated,
    /// As the article has it: what is drawn past the cap is cut to the cap.
    DecorrelatedCut,
}

impl Strategy {
    pub fn name(self) -> &'static str {
        match self {
            Strategy::NoBackoff => "no backoff",
            Strategy::Exponential => "no jitter",
            Strategy::Additive => "additive",
            Strategy::Equal => "equal",
            Strategy::Full => "full",
            Strategy::Decorrelated => "decorrelated",
            Strategy::DecorrelatedCut => "decorrelated, cut",
        }
    }

    /// Neither yours nor the reference's: the lab's own.
    pub fn is_given(self) -> bool {
        matches!(self, Strategy::NoBackoff | Strategy::DecorrelatedCut)
    }

    /// The delays of one client.
    pub fn delays(
        self,
        whose: Whose,
        base: Duration,
        cap: Duration,
        rng: Xoshiro256PlusPlus,
    ) -> Delays {
        match self {
            Strategy::NoBackoff => return Box::new(iter::repeat(Duration::ZERO)),
            Strategy::DecorrelatedCut => return Box::new(cut(base, cap, rng)),
            _ => {}
        }
        // Two crates with the same names.
        macro_rules! of {
            ($library:ident) => {{
                use $library::{Backoff, Config, Jitter};
                let jitter = match self {
                    Strategy::NoBackoff | Strategy::DecorrelatedCut => unreachable!("given"),
                    Strategy::Exponential => Jitter::None,
                    Strategy::Additive => Jitter::Additive(base),
                    Strategy::Equal => Jitter::Equal,
                    Strategy::Full => Jitter::Full,
                    Strategy::Decorrelated => Jitter::Decorrelated,
                };
                let backoff = Backoff::new(Config { base, factor: 2, cap, jitter });
                Box::new(backoff.expect("the lab's constants make sense").delays(rng))
            }};
        }
        match whose {
            Whose::Yours => of!(backoff),
            Whose::Reference => of!(backoff_solution),
        }
    }
}

fn cut(
    base: Duration,
    cap: Duration,
    mut rng: Xoshiro256PlusPlus,
) -> impl Iterator<Item = Duration> {
    let mut draw = move |before: Duration| rng.random_range(base..=before * 3).min(cap);
    iter::successors(Some(base), move |before| Some(draw(*before))).skip(1)
}

/// The generator of one client.
pub fn client_rng(whose: Whose, seed: u64, client: u64) -> Xoshiro256PlusPlus {
    match whose {
        Whose::Yours => backoff::client_rng(seed, client),
        Whose::Reference => backoff_solution::client_rng(seed, client),
    }
}
