//! The orders that are compared, by the question that they answer.

use std::time::Duration;

use crate::stack::DEADLINE;

use Column::{
    Before, Calls, Errors, Fallbacks, Full, Lost, Meanwhile, Recovery, Refused, Rejections, Wait,
};
use Layer::{Breaker, Bulkhead, Deadline, Fallback, Hedge, Retry, Shedder, Throttle, Timeout};

/// How long one try may take.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(1);
/// For a breaker that counts slow calls: shorter than the deadline.
const SLOW: Duration = Duration::from_millis(1_500);
/// Three of these, and the pauses, fit into the deadline.
const NESTED: Duration = Duration::from_millis(550);
/// How long the way takes for a call that meets a bad moment.
pub const HELD_UP: Duration = Duration::from_millis(800);
/// From when on a call is sent a second time.
pub const LATE: Duration = Duration::from_millis(300);
/// What a user hardly notices.
const QUICK: Duration = Duration::from_millis(500);

/// What wraps a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Fallback,
    Deadline,
    Retry,
    Breaker,
    Bulkhead,
    Timeout,
    Hedge,
    Throttle,
    /// In the dependency, in front of its work.
    Shedder,
}

/// What is the matter with the dependency in the half minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Hangs,
    /// A call takes three times as long: it serves fewer than come.
    IsSlow,
}

/// Layers from the outermost to the innermost, and how they are set.
#[allow(clippy::struct_excessive_bools, reason = "switches of an experiment, each set by its name")]
#[derive(Clone, Copy)]
pub struct Order {
    pub layers: &'static [Layer],
    /// What it has beside the layers; empty for the usual.
    pub note: &'static str,
    /// How long one try may take.
    pub try_timeout: Duration,
    /// Whether each retry is paid from a budget, and each hedge from one of its own.
    pub budget: bool,
    /// Whether the retry takes a rejection (of the breaker, of the bulkhead) for worth another try.
    pub retries_rejections: bool,
    /// Whether the breaker takes a full bulkhead for a failure of the dependency.
    pub counts_full: bool,
    /// Whether the breaker takes a refusal of the dependency's for a failure.
    pub counts_refused: bool,
    /// Whether the breaker ignores failures in a row, and looks at the rate of a full window only.
    pub by_rate_alone: bool,
    /// From when on the breaker takes a call for failed, even one that is dropped.
    pub slow_after: Option<Duration>,
    /// How many calls the bulkhead lets out at once.
    pub permits: usize,
    /// The share of calls that are refused at once by bad luck, all through the run.
    pub bad_luck: f64,
    /// The share of calls that are held up for [`HELD_UP`] on their way, all through the run.
    pub held_up: f64,
    pub trouble: Trouble,
    /// How long a user may wait for an answer that counts.
    pub good_within: Duration,
}

/// What a table says of a run.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Calls that reached the dependency in the outage.
    Calls,
    /// Requests answered in full and within the deadline.
    Full,
    Fallbacks,
    Errors,
    /// Share of the requests before the outage that were not answered in full.
    Lost,
    /// How often the breaker turned a call away.
    Rejections,
    /// The longest that a user waited, in seconds.
    Wait,
    /// From the end of the outage until all is well, in seconds.
    Recovery,
    /// Calls that reached the dependency before the outage.
    Before,
    /// Requests that came in the outage and were answered in full.
    Meanwhile,
    /// How often the dependency turned a call away.
    Refused,
}

impl Column {
    pub fn heading(self) -> &'static str {
        match self {
            Self::Calls => "calls in the outage",
            Self::Full => "answered in full",
            Self::Fallbacks => "by the fallback",
            Self::Errors => "errors",
            Self::Lost => "lost before the outage",
            Self::Rejections => "rejections by the breaker",
            Self::Wait => "longest wait, s",
            Self::Recovery => "recovered after, s",
            Self::Before => "calls before the outage",
            Self::Meanwhile => "answered in the outage",
            Self::Refused => "refused by the dependency",
        }
    }
}

/// Orders that differ in little, under a name that the chapter includes their table by.
pub struct Question {
    pub name: &'static str,
    /// The question, as a line without a full stop.
    pub about: &'static str,
    /// What all of its rows have beside their notes; empty for the usual.
    pub setting: &'static str,
    pub columns: &'static [Column],
    pub orders: &'static [Order],
}

/// The lines of the figure.
pub const DRAWN: [(&str, Order); 4] = [
    ("timeout alone", TIMEOUT_ALONE),
    ("with retries", RETRIES),
    ("breaker outside the retry", BREAKER_OUTSIDE_NO_BUDGET),
    ("all, in order", ALL_LAYERS),
];

const USUAL: Order = Order {
    layers: &[],
    note: "",
    try_timeout: TRY_TIMEOUT,
    budget: true,
    retries_rejections: false,
    counts_full: false,
    counts_refused: true,
    by_rate_alone: false,
    slow_after: None,
    // Little's law asks for 280/s × 50 ms = 14, and they don't come evenly.
    permits: 30,
    bad_luck: 0.01,
    held_up: 0.0,
    trouble: Trouble::Hangs,
    good_within: DEADLINE,
};

const TIMEOUT_ALONE: Order = Order { layers: &[Timeout], ..USUAL };
const RETRIES: Order =
    Order { layers: &[Retry, Timeout], budget: false, note: "no budget", ..USUAL };
const WITHOUT_BREAKER: Order = Order { layers: &[Deadline, Retry, Timeout], ..USUAL };
const BREAKER_OUTSIDE: Order = Order { layers: &[Deadline, Breaker, Retry, Timeout], ..USUAL };
const BREAKER_OUTSIDE_NO_BUDGET: Order =
    Order { budget: false, note: "no budget", ..BREAKER_OUTSIDE };
const BREAKER_INSIDE: Order = Order { layers: &[Deadline, Retry, Breaker, Timeout], ..USUAL };
pub const ALL_LAYERS: Order =
    Order { layers: &[Fallback, Deadline, Retry, Breaker, Bulkhead, Timeout], ..USUAL };

/// A dependency on which a fifth of the calls fail, and no budget that would keep them from retrying.
const ONE_IN_FIVE: Order = Order { bad_luck: 0.2, budget: false, ..USUAL };
const WITH_BULKHEAD: Order =
    Order { layers: &[Deadline, Retry, Breaker, Bulkhead, Timeout], ..USUAL };

/// A dependency that serves fewer than come, and says no to the others.
const SLOW_ONE: Order = Order { trouble: Trouble::IsSlow, ..USUAL };
/// Calls that are slow by chance, for users who are not patient.
const SLOW_WAYS: Order = Order { held_up: 0.02, good_within: QUICK, ..USUAL };
const SLOW_WAYS_UNPAID: Order = Order { budget: false, note: "no budgets", ..SLOW_WAYS };

pub const QUESTIONS: [Question; 9] = [
    Question {
        name: "deadline",
        about: "What bounds a user's wait, and what it costs the dependency",
        setting: "",
        columns: &[Calls, Full, Wait, Recovery],
        orders: &[
            TIMEOUT_ALONE,
            RETRIES,
            Order { layers: &[Retry, Deadline, Timeout], ..RETRIES },
            Order { layers: &[Deadline, Retry, Timeout], ..RETRIES },
            WITHOUT_BREAKER,
        ],
    },
    Question {
        name: "breaker",
        about: "Inside or outside of the retry?",
        setting: "",
        columns: &[Calls, Rejections, Full, Recovery],
        orders: &[
            BREAKER_OUTSIDE,
            BREAKER_INSIDE,
            BREAKER_OUTSIDE_NO_BUDGET,
            Order {
                slow_after: Some(SLOW),
                note: "no budget, slow calls count",
                ..BREAKER_OUTSIDE_NO_BUDGET
            },
            Order {
                try_timeout: NESTED,
                note: "no budget, tries of 550 ms",
                ..BREAKER_OUTSIDE_NO_BUDGET
            },
            Order { budget: false, note: "no budget", ..BREAKER_INSIDE },
            Order {
                budget: false,
                retries_rejections: true,
                note: "no budget, rejections retried",
                ..BREAKER_INSIDE
            },
        ],
    },
    Question {
        name: "luck",
        about: "What a breaker makes of one refused call in five",
        setting: "one call in five is refused at once, and there is no budget",
        columns: &[Lost, Rejections, Full],
        orders: &[
            Order { layers: &[Deadline, Retry, Timeout], ..ONE_IN_FIVE },
            Order { layers: BREAKER_OUTSIDE.layers, ..ONE_IN_FIVE },
            Order { layers: BREAKER_INSIDE.layers, ..ONE_IN_FIVE },
            Order {
                layers: BREAKER_INSIDE.layers,
                by_rate_alone: true,
                note: "by the rate of 50 calls alone",
                ..ONE_IN_FIVE
            },
        ],
    },
    Question {
        name: "blind",
        about: "What a breaker learns without a timeout inside it",
        setting: "no bad luck",
        columns: &[Calls, Rejections, Full, Recovery],
        orders: &[
            Order { layers: &[Deadline, Retry, Breaker], bad_luck: 0.0, ..USUAL },
            Order {
                layers: &[Deadline, Retry, Breaker],
                bad_luck: 0.0,
                slow_after: Some(SLOW),
                note: "slow calls count",
                ..USUAL
            },
            Order { bad_luck: 0.0, ..BREAKER_INSIDE },
        ],
    },
    Question {
        name: "bulkhead",
        about: "Around the whole request, or around each try?",
        setting: "20 permits; in the first two rows one call in five is refused at once, and there is no budget",
        columns: &[Lost, Calls, Full],
        orders: &[
            Order { layers: &[Deadline, Bulkhead, Retry, Timeout], permits: 20, ..ONE_IN_FIVE },
            Order { layers: &[Deadline, Retry, Bulkhead, Timeout], permits: 20, ..ONE_IN_FIVE },
            Order { permits: 20, counts_full: true, note: "full is a failure", ..WITH_BULKHEAD },
            Order { permits: 20, note: "full is ignored", ..WITH_BULKHEAD },
        ],
    },
    Question {
        name: "fallback",
        about: "Innermost or outermost?",
        setting: "",
        columns: &[Calls, Full, Fallbacks, Errors, Recovery],
        orders: &[
            Order { layers: &[Deadline, Retry, Breaker, Fallback, Timeout], ..USUAL },
            Order { layers: &[Fallback, Deadline, Retry, Breaker, Timeout], ..USUAL },
        ],
    },
    Question {
        name: "shed",
        about: "A dependency that says no, and clients that hold back",
        setting: "the dependency doesn't hang; a call takes three times as long, and it serves half of what comes",
        columns: &[Meanwhile, Refused, Rejections, Recovery],
        orders: &[
            Order { layers: &[Deadline, Retry, Timeout], ..SLOW_ONE },
            Order { layers: &[Deadline, Retry, Timeout, Shedder], ..SLOW_ONE },
            Order {
                layers: &[Deadline, Retry, Breaker, Timeout, Shedder],
                note: "refused is a failure",
                ..SLOW_ONE
            },
            Order {
                layers: &[Deadline, Retry, Breaker, Timeout, Shedder],
                counts_refused: false,
                note: "refused is ignored",
                ..SLOW_ONE
            },
            Order { layers: &[Deadline, Retry, Throttle, Timeout, Shedder], ..SLOW_ONE },
            Order {
                layers: &[Deadline, Retry, Timeout, Shedder],
                budget: false,
                retries_rejections: true,
                note: "no budget, rejections retried",
                ..SLOW_ONE
            },
            Order {
                layers: &[Deadline, Throttle, Retry, Timeout, Shedder],
                budget: false,
                retries_rejections: true,
                note: "no budget, rejections retried",
                ..SLOW_ONE
            },
            Order {
                layers: &[Deadline, Retry, Throttle, Timeout, Shedder],
                budget: false,
                retries_rejections: true,
                note: "no budget, rejections retried",
                ..SLOW_ONE
            },
        ],
    },
    Question {
        name: "hedge",
        about: "Where a second request is sent from",
        setting: "one call in 50 is held up for 800 ms on its way, all the time, and an answer counts within 500 ms",
        columns: &[Lost, Before, Calls, Rejections],
        orders: &[
            Order { layers: &[Deadline, Retry, Breaker, Bulkhead, Timeout], ..SLOW_WAYS },
            Order { layers: &[Deadline, Retry, Hedge, Breaker, Bulkhead, Timeout], ..SLOW_WAYS },
            Order { layers: &[Deadline, Hedge, Retry, Breaker, Bulkhead, Timeout], ..SLOW_WAYS },
            Order { layers: &[Deadline, Retry, Breaker, Bulkhead, Timeout, Hedge], ..SLOW_WAYS },
            Order {
                layers: &[Deadline, Retry, Hedge, Breaker, Bulkhead, Timeout],
                ..SLOW_WAYS_UNPAID
            },
            Order {
                layers: &[Deadline, Hedge, Retry, Breaker, Bulkhead, Timeout],
                ..SLOW_WAYS_UNPAID
            },
            Order {
                layers: &[Deadline, Retry, Breaker, Bulkhead, Timeout, Hedge],
                ..SLOW_WAYS_UNPAID
            },
        ],
    },
    Question {
        name: "all",
        about: "From a timeout alone to all layers in order",
        setting: "",
        columns: &[Calls, Full, Fallbacks, Errors, Wait, Recovery],
        orders: &[TIMEOUT_ALONE, RETRIES, BREAKER_INSIDE, ALL_LAYERS],
    },
];

impl Order {
    /// "deadline › retry › timeout (no budget)".
    pub fn name(&self) -> String {
        let names = self.layers.iter().map(|layer| match layer {
            Fallback => "fallback",
            Deadline => "deadline",
            Retry => "retry",
            Breaker => "breaker",
            Bulkhead => "bulkhead",
            Timeout => "timeout",
            Hedge => "hedge",
            Throttle => "throttle",
            Shedder => "shedder",
        });
        let name = names.collect::<Vec<_>>().join(" › ");
        if self.note.is_empty() { name } else { format!("{name} ({})", self.note) }
    }
}
