// What goes into the detectors and what comes out. Given: nothing to write here.

/// The classes of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The component stops, and stays stopped.
    Crash,
    /// A request or an answer never arrives.
    Omission,
    /// The right answer, too late.
    Timing,
    /// An answer in time, and wrong.
    Response,
    /// Anything at all, also different answers to different callers.
    Byzantine,
    /// A failure elsewhere makes this component fail.
    Cascade,
}

/// What a caller can observe of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symptom {
    /// Nothing listens at the address: the connection was refused.
    Refused,
    /// The connection stood, and was reset (TCP RST): what a system sends for a process that died.
    Reset,
    /// The node's heartbeats have stopped.
    HeartbeatsMissed,
    /// There was no connection within the timeout. The request was never sent.
    NoConnection,
    /// The request was sent, and no answer came within the timeout.
    NoAnswer,
    /// The connection was closed in good order, without an answer.
    Closed,
    /// A complete and valid answer, after its deadline, while somebody still waited for it.
    Late,
    /// A status from 400 to 599.
    ErrorStatus,
    /// The body isn't what its checksum says.
    Corrupted,
    /// The answer can't be read: too short, too long, or not in the format that it claims.
    Malformed,
    /// The answer can be read, and can't be true.
    Implausible,
    /// The other replicas say something else.
    Outvoted,
    /// It fails, and something that it depends on fails too.
    DependencyFails,
}

impl Symptom {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Refused,
        Self::Reset,
        Self::HeartbeatsMissed,
        Self::NoConnection,
        Self::NoAnswer,
        Self::Closed,
        Self::Late,
        Self::ErrorStatus,
        Self::Corrupted,
        Self::Malformed,
        Self::Implausible,
        Self::Outvoted,
        Self::DependencyFails,
    ];
}

/// Whether the work that a request asked for was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkDone {
    /// Certainly not.
    No,
    /// Certainly.
    Yes,
    /// The caller can't tell.
    Unknown,
}

/// What the heartbeats say of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Liveness {
    /// Few heartbeats are missing, or none.
    Alive,
    /// So many are missing that something may be wrong.
    Suspect,
    /// So many are missing that the others go on without it. It may be alive all the same.
    Dead,
}

/// An order of the shop, as its answer gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub id: u64,
    /// Goes up by one with each change.
    pub version: u64,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// What the answer says that all lines cost together.
    pub total_cents: u64,
}

/// One line of an [`Order`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// How many.
    pub quantity: u32,
    /// What one of them costs.
    pub price_cents: u32,
}

/// What the caller knows before the answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The number of the order that was asked for.
    pub id: u64,
    /// The newest version of it that the caller has seen; 0 for none, for no version is older.
    pub seen_version: u64,
}

/// Why an [`Order`] can't be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is about another order.
    #[error("asked for order {asked}, got {got}: don't use the answer, and don't cache it")]
    OtherOrder {
        /// The number that was asked for.
        asked: u64,
        /// The number in the answer.
        got: u64,
    },
    /// It is older than what the caller has seen already.
    #[error(
        "version {got} is older than version {seen}, which was seen before: ask another replica"
    )]
    OldVersion {
        /// The newest version that the caller had seen.
        seen: u64,
        /// The version in the answer.
        got: u64,
    },
    /// The total isn't the sum of the lines.
    #[error("the total is {stated}, but the lines add up to {sum}: don't charge anybody for it")]
    Total {
        /// What the answer says, in cents.
        stated: u64,
        /// The sum of quantity × price over the lines, in cents.
        sum: u128,
    },
}

/// What several replicas say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vote<T> {
    /// At least `f` + 1 replicas gave this answer, and no other answer has as many.
    Decided {
        /// The answer.
        answer: T,
        /// The replicas that gave another answer, by their place in the list, in ascending order.
        /// One that gave none is not among them.
        dissenting: Vec<usize>,
    },
    /// No answer has `f` + 1, or more than one has.
    Undecided,
    /// There are fewer replicas than it takes.
    TooFewReplicas {
        /// 3`f` + 1, or [`usize::MAX`] if that doesn't fit.
        needed: usize,
    },
}

/// A service in a dependency graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service<'a> {
    /// What its health signal says.
    pub healthy: bool,
    /// The names of the services that it calls.
    pub depends_on: &'a [&'a str],
}

/// A service depends on a name that isn't in the graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} depends on {dependency}, which is not in the graph: add it, or mend the name")]
pub struct UnknownDependency {
    /// Who depends on it.
    pub service: String,
    /// The name that is unknown.
    pub dependency: String,
}
