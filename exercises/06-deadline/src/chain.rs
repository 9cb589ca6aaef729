// A chain of calls on paper: who waits how long for whom. Given: nothing to write here.

use std::fmt;
use std::time::Duration;

/// One service or database of a chain, as the one before it calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What reports call it.
    pub name: String,
    /// How long its caller waits for one try, at most; for the first link, how long the user waits. Above 0.
    pub timeout: Duration,
    /// How often its caller tries, the first time included; 1 or more.
    pub tries: u32,
    /// The pauses between these tries, all together.
    pub backoff: Duration,
    /// What its caller needs beside these tries and pauses: its own work, queues, the network.
    pub overhead: Duration,
}

impl Link {
    /// A link that is tried once, without overhead.
    pub fn new(name: &str, timeout: Duration) -> Self {
        let none = Duration::ZERO;
        Self { name: name.to_owned(), timeout, tries: 1, backoff: none, overhead: none }
    }
}

/// The links of a chain, the outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub(crate) links: Vec<Link>,
}

impl Chain {
    /// A chain of at least one link.
    ///
    /// # Errors
    /// When there is no link, or a link has no tries or no timeout; the first such is named.
    pub fn new(links: Vec<Link>) -> Result<Self, ChainError> {
        if links.is_empty() {
            return Err(ChainError::NoLinks);
        }
        for link in &links {
            if link.timeout.is_zero() {
                return Err(ChainError::NoTimeout(link.name.clone()));
            }
            if link.tries == 0 {
                return Err(ChainError::NoTries(link.name.clone()));
            }
        }
        Ok(Self { links })
    }
}

/// A [`Chain`] that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Nobody calls anybody.
    #[error("the chain has no links: name the outermost service first")]
    NoLinks,
    /// A link whose timeout is 0.
    #[error("the timeout of {0} is 0: give the time that its caller waits for one try")]
    NoTimeout(String),
    /// A link that is never called.
    #[error("{0} has 0 tries: give 1 for a call that is not repeated")]
    NoTries(String),
}

/// The rules of a chain, each asking for all that the one before it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The outer timeout is longer than the inner.
    Order,
    /// It is longer than all tries of the inner and the pauses between them.
    Retries,
    /// It is longer than these and the overhead.
    Overhead,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Order => "outer > inner",
            Rule::Retries => "outer > inner × tries + backoff",
            Rule::Overhead => "outer > inner × tries + backoff + overhead",
        })
    }
}

/// A link that waits no longer than what it calls may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The link whose timeout is too short.
    pub outer: String,
    /// The link that it calls.
    pub inner: String,
    /// The first rule that is broken.
    pub rule: Rule,
    /// The outer timeout.
    pub has: Duration,
    /// What it must be *longer* than: inner × tries + backoff + overhead, whichever rule is broken.
    pub needs: Duration,
}

impl Violation {
    /// By how much the outer timeout falls short of what it must be longer than; 0 if they are equal.
    pub fn short_by(&self) -> Duration {
        self.needs.saturating_sub(self.has)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outer, inner, rule, has, needs } = self;
        let short = self.short_by();
        write!(
            f,
            "{outer} has {has:?} and needs more than {needs:?} for {inner} ({rule}), short by {short:?}"
        )
    }
}
