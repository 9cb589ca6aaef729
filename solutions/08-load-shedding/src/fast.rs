//! The same shedder, fast: while nobody waits, neither its lock is taken nor the clock read.
//!
//! Each request of the readable shedder reads the clock twice and takes the lock twice, for a number that goes
//! up by one and down by one. With a fixed limit, and while nobody waits, the number is all that there is to
//! know. So the core *lends out* its free places, as one atomic word: a compare-exchange takes a place out of
//! it, another puts it back.
//!
//! To the core a place that is lent is one more request that runs, so what it knows is true at any time, and
//! anybody else may visit it. What is not so simple takes the lock, gives the core back what it has
//! lent, lets it decide (refuse, queue, choose who is next), and lends out again what is free if nobody waits
//! then. So while somebody waits there is no place in the word, and no way to put one there: nobody overtakes.
//!
//! A shedder without a queue refuses by a look at the word. The spread of `retry_after` then comes from a
//! generator whose step is one addition: SplitMix64 (Steele, Lea, Flood, 2014).
//!
//! [`call`](Shedder::call) borrows its place, and costs two atomic steps. A [`Permit`] owns its shedder, so that it
//! can move into a task, and costs two more: up and down on the count of handles.
//!
//! What stays behind the lock: a limit that learns, for that needs the time of each request; and all that come
//! while somebody waits. A request with a deadline costs a look at the clock.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, timeout_at};

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
pub use crate::{
    Aimd, CallError, Config, ConfigError, Fair, FairConfig, Gradient, Limit, Outcome, OverShare,
    Priority, Reason, Request, Shed, Snapshot, Throttle, ThrottleConfig, Throttled,
};
use crate::{Core, Entry, InLine, Rule, TOLD};

/// As the readable [`Shedder`](crate::Shedder), and to the same spec.
#[derive(Clone)]
pub struct Shedder {
    shared: Arc<Shared>,
}

struct Shared {
    /// The free places that the core has lent out, or [`NOT_LENT`].
    word: AtomicUsize,
    /// How many of them are for the highest class alone.
    reserved: usize,
    has_queue: bool,
    /// In nanoseconds: an hour at most, and twice of it fit as well.
    retry_after: u64,
    /// Where the spread of `retry_after` has come to.
    spread: AtomicU64,
    readable: crate::Shedder,
}

/// No number of free places is this: a limit that is as high stays behind the lock.
const NOT_LENT: usize = usize::MAX;
const AN_HOUR: &str = "a valid `retry_after` is an hour at most";

impl Shedder {
    /// As [`Shedder::new`](crate::Shedder::new).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        crate::Shedder::new(config).map(|readable| Self::around(&readable))
    }

    /// As [`Shedder::seeded`](crate::Shedder::seeded).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: Config, seed: u64) -> Result<Self, ConfigError> {
        crate::Shedder::seeded(config, seed).map(|readable| Self::around(&readable))
    }

    fn around(readable: &crate::Shedder) -> Self {
        let shared = readable.visit(|core, _| Shared {
            word: AtomicUsize::new(lend(core)),
            reserved: core.config.reserve.min(core.limiter.limit() - 1),
            has_queue: core.config.max_waiting > 0,
            retry_after: u64::try_from(core.config.retry_after.as_nanos()).expect(AN_HOUR),
            spread: AtomicU64::new(core.rng.random()),
            readable: readable.clone(),
        });
        Self { shared: Arc::new(shared) }
    }

    /// As [`Shedder::acquire`](crate::Shedder::acquire).
    ///
    /// # Errors
    /// When the request is refused; says why.
    ///
    /// # Panics
    /// When it has to wait, outside of a tokio runtime with its time driver.
    pub async fn acquire(&self, request: Request) -> Result<Permit, Shed> {
        Ok(Permit { place: self.place(request, Arc::clone).await? })
    }

    /// As [`Shedder::call`](crate::Shedder::call).
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub async fn call<T, F>(&self, request: Request, work: impl FnOnce() -> F) -> Result<T, Shed>
    where
        F: Future<Output = T>,
    {
        let place = self.place(request, |shared| &**shared).await?;
        let value = work().await;
        place.finish(Outcome::Done);
        Ok(value)
    }

    /// As [`Shedder::snapshot`](crate::Shedder::snapshot).
    pub fn snapshot(&self) -> Snapshot {
        self.shared.with_core(|core, _| core.snapshot())
    }

    /// A place that holds the shedder as `hold` says: borrowed, or by a handle of its own.
    async fn place<'a, S>(
        &'a self,
        request: Request,
        hold: impl FnOnce(&'a Arc<Shared>) -> S,
    ) -> Result<Place<S>, Shed>
    where
        S: Deref<Target = Shared>,
    {
        match self.shared.at_once(request) {
            Some(Ok(())) => Ok(Place::Lent(Lent(hold(&self.shared)))),
            Some(Err(shed)) => Err(shed),
            None => self.shared.decided(request).await.map(Place::Given),
        }
    }
}

impl Shared {
    // ANCHOR: word
    /// The answer, if the word alone decides; `None`, with nothing done, if that is for the core to do.
    #[inline]
    fn at_once(&self, request: Request) -> Option<Result<(), Shed>> {
        if request.deadline.is_some() && request.is_expired(Instant::now()) {
            return None;
        }
        let kept = if request.priority == Priority::CriticalPlus { 0 } else { self.reserved };
        let taken = |free| (free != NOT_LENT && free > kept).then(|| free - 1);
        // Acquires what the last holder of the place released: what was done in it is seen.
        match self.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, taken) {
            Ok(_) => Some(Ok(())),
            Err(NOT_LENT) => None,
            Err(_) if self.has_queue => None,
            Err(_) => Some(Err(self.full())),
        }
    }

    /// Puts a place back: into the word, or to the core if that lends nothing now.
    #[inline]
    fn put_back(&self) {
        let put_back = |free| (free != NOT_LENT).then(|| free + 1);
        if self.word.fetch_update(Ordering::Release, Ordering::Relaxed, put_back).is_err() {
            self.with_core(|core, _| core.running -= 1);
        }
    }

    fn full(&self) -> Shed {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut chance = self.spread.fetch_add(STEP, Ordering::Relaxed);
        chance = (chance ^ (chance >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        chance = (chance ^ (chance >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        chance ^= chance >> 31;
        // A share of `retry_after`, from 0 to 1: the upper half of a product.
        let (_, share) = self.retry_after.carrying_mul(chance, 0);
        Shed { reason: Reason::Full, retry_after: Duration::from_nanos(self.retry_after + share) }
    }

    /// As the readable one's visit, but the core has all of its places. In between, those who look into the
    /// word find nothing lent and come for the lock: no place comes or goes while the core decides.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core, Instant) -> R) -> R {
        self.readable.visit(|core, now| {
            // Acquired from those who put places back, and released to those who take them then.
            let free = self.word.swap(NOT_LENT, Ordering::Acquire);
            core.running -= if free == NOT_LENT { 0 } else { free };
            let result = act(core, now);
            self.word.store(lend(core), Ordering::Release);
            result
        })
    }
    // ANCHOR_END: word

    /// What the core decides, in the way of the readable shedder.
    async fn decided(&self, request: Request) -> Result<crate::Permit, Shed> {
        let readable = &self.readable;
        let (place, mut verdict) = match self.with_core(|core, now| core.arrive(request, now))? {
            Entry::Begun(ticket) => return Ok(readable.permit(ticket)),
            Entry::Waits(place, verdict) => (place, verdict),
        };
        let _leaves = InLine { shedder: readable, place };
        match timeout_at(place.until, &mut verdict).await {
            Ok(verdict) => verdict.expect(TOLD),
            Err(_) => match readable.visit(|core, now| core.give_up(place, now)) {
                Some(shed) => Err(shed),
                None => verdict.await.expect(TOLD),
            },
        }
    }
}

// ANCHOR: lend
/// Lends all free places out, or none: nobody may overtake who waits, and a limit that learns needs to see
/// each request.
fn lend(core: &mut Core) -> usize {
    let free = core.limiter.limit().saturating_sub(core.running);
    if !matches!(core.limiter.rule, Rule::Fixed) || core.queue.len() > 0 || free == NOT_LENT {
        return NOT_LENT;
    }
    core.running += free;
    free
}
// ANCHOR_END: lend

impl fmt::Debug for Shedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shedder")
    }
}

/// As the readable [`Permit`](crate::Permit).
#[must_use = "a permit that is dropped is a place given back: keep it as long as the work runs"]
pub struct Permit {
    place: Place<Arc<Shared>>,
}

impl Permit {
    /// As [`Permit::finish`](crate::Permit::finish).
    pub fn finish(self, outcome: Outcome) {
        self.place.finish(outcome);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// Out of the word, or from the core.
enum Place<S: Deref<Target = Shared>> {
    Lent(Lent<S>),
    Given(crate::Permit),
}

/// A place out of the word.
struct Lent<S: Deref<Target = Shared>>(S);

impl<S: Deref<Target = Shared>> Place<S> {
    fn finish(self, outcome: Outcome) {
        match self {
            // Nobody learns from what is lent.
            Self::Lent(place) => drop(place),
            Self::Given(permit) => permit.finish(outcome),
        }
    }
}

impl<S: Deref<Target = Shared>> Drop for Lent<S> {
    fn drop(&mut self) {
        self.0.put_back();
    }
}
