//! The ways to wait, and whose code computes them.

use std::iter;
use std::time::Duration;

use lab_kit::{Runs, Values, Whose};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

/// Delays without end.
pub type Delays = Box<dyn Iterator<Item = Duration>>;

/// Whose backoff.
#[derive(Clone, Copy)]
pub struct Subject {
    whose: Whose,
    jittered: fn(Strategy, Duration, Duration, Xoshiro256PlusPlus) -> Option<Delays>,
    /// The generator of one client.
    pub client_rng: fn(u64, u64) -> Xoshiro256PlusPlus,
}

pub const REFERENCE: Subject = Subject {
    whose: Whose::Reference,
    jittered: reference::jittered::delays,
    client_rng: reference::jittered::client_rng,
};
#[cfg(feature = "yours")]
const YOURS: Subject = Subject {
    whose: Whose::Yours,
    jittered: yours::jittered::delays,
    client_rng: yours::jittered::client_rng,
};

const SUBJECTS: &[Subject] = &[
    REFERENCE,
    #[cfg(feature = "yours")]
    YOURS,
];

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

    /// The lab's own: neither yours nor the reference's.
    fn is_given(self) -> bool {
        matches!(self, Strategy::NoBackoff | Strategy::DecorrelatedCut)
    }

    /// The delays of one client.
    pub fn delays(
        self,
        subject: Subject,
        base: Duration,
        cap: Duration,
        rng: Xoshiro256PlusPlus,
    ) -> Delays {
        match self {
            Strategy::NoBackoff => Box::new(iter::repeat(Duration::ZERO)),
            Strategy::DecorrelatedCut => Box::new(cut(base, cap, rng)),
            _ => (subject.jittered)(self, base, cap, rng).expect("a strategy with jitter"),
        }
    }
}

/// Runs each strategy: with the reference under its name, and with yours beside it.
pub fn runs<T: Send>(
    values: &Values,
    strategies: &[Strategy],
    run: impl Fn(Subject, Strategy) -> T + Sync,
) -> anyhow::Result<Runs<T>> {
    let named = |strategy: Strategy, subject: Subject| match (subject.whose, strategy.is_given()) {
        (Whose::Yours, true) => None,
        (Whose::Yours, false) => Some((Whose::Yours, format!("{}, yours", strategy.name()))),
        (_, true) => Some((Whose::Naive, strategy.name().to_owned())),
        (whose, false) => Some((whose, strategy.name().to_owned())),
    };
    let all = strategies.iter().flat_map(|&strategy| {
        SUBJECTS.iter().filter_map(move |&subject| {
            let (whose, name) = named(strategy, subject)?;
            Some((whose, name, (subject, strategy)))
        })
    });
    Runs::of(values, all, |_, (subject, strategy)| anyhow::Ok(run(subject, strategy)))
}

fn cut(
    base: Duration,
    cap: Duration,
    mut rng: Xoshiro256PlusPlus,
) -> impl Iterator<Item = Duration> {
    let mut draw = move |before: Duration| rng.random_range(base..=before * 3).min(cap);
    iter::successors(Some(base), move |before| Some(draw(*before))).skip(1)
}
