// What a caller sees and handles. Given: nothing to write here.

use std::fmt;
use std::time::Duration;

/// Which of the two requests of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// The first, which every call sends.
    Original,
    /// The second, which a late call may send.
    Hedge,
}

/// A request, as far as hedging must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Its HTTP method, in capitals as on the wire.
    pub method: &'a str,
    /// The value of its `Idempotency-Key`, if it has one.
    pub key: Option<&'a str>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// With the answer of the call.
    Good,
    /// With an error.
    Failed,
    /// With a panic, while it ran or while it was made.
    Panicked,
    /// Dropped, because the other attempt had a good answer first.
    Overtaken,
    /// Dropped, because the caller left.
    Abandoned,
}

/// One attempt that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Which of the two.
    pub attempt: Attempt,
    /// The number of its instance in the pool, from 0; `None` for a call without a pool.
    pub instance: Option<usize>,
    /// How it ended.
    pub ended: Ended,
    /// How long it was out.
    pub after: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt = match self.attempt {
            Attempt::Original => "original",
            Attempt::Hedge => "hedge",
        };
        let ended = match self.ended {
            Ended::Good => "good",
            Ended::Failed => "failed",
            Ended::Panicked => "panicked",
            Ended::Overtaken => "overtaken",
            Ended::Abandoned => "abandoned",
        };
        write!(f, "{attempt}")?;
        if let Some(instance) = self.instance {
            write!(f, " to {instance}")?;
        }
        write!(f, ": {ended} after {:?}", self.after)
    }
}

/// All numbers of a hedger at one instant. The counts are of all time.
///
/// `late` is the sum of `sent`, `held`, `nowhere` and `unpaid`; `sent` less `won` and `wasted` are the
/// hedges that are out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The delay of a call that begins now; `None` if it would not be hedged.
    pub delay: Option<Duration>,
    /// Calls that have begun.
    pub calls: u64,
    /// Calls whose delay passed, and that may be sent twice.
    pub late: u64,
    /// Hedges that were sent.
    pub sent: u64,
    /// Hedges whose answer was that of their call.
    pub won: u64,
    /// Hedges that ended in another way.
    pub wasted: u64,
    /// Late calls that sent no hedge because of a pushback.
    pub held: u64,
    /// Late calls that sent no hedge because no other instance had a place.
    pub nowhere: u64,
    /// Late calls that sent no hedge because the budget was exhausted.
    pub unpaid: u64,
}
