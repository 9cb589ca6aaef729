//! Orders: at most one payment for a key, whatever happens in between.
//!
//! The order of events is all there is to it:
//!
//! 1. The order is written to the journal as pending. If that fails, nothing has happened.
//! 2. The payment is made, under the order's own key, however often it takes.
//! 3. What came of it is written, and only then the client is told.
//!
//! A crash between two of these leaves a pending order. It is settled afterwards by asking payments what they
//! know of its key, which is safe as often as one likes.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::journal::{Journal, NotWritten, Record, State};

/// More may not be pending at the same time: they are a debt, and somebody has to work it off.
const MOST_PENDING: usize = 1_000;

/// What came of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Charged, now or before under the same key.
    Paid,
    /// Declined, for good.
    Declined,
    /// Certainly not charged: nothing was sent.
    NotCharged,
    /// Charged or not: ask again.
    Unknown,
}

/// Why an order was not taken. Nothing was charged, and nothing is owed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It could not be made durable.
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
    /// The payment could not be begun.
    #[error("payments can't be reached: nothing was charged")]
    NotCharged,
    /// Too many wait for payments already.
    #[error("{MOST_PENDING} orders are pending: nothing was charged")]
    TooManyPending,
}

/// All orders of this instance. Share them in an `Arc`.
pub struct Orders {
    journal: Journal,
    /// What the journal says. Nothing is in here that is not on disk.
    known: Mutex<HashMap<String, Record>>,
    /// The keys that somebody is working on.
    at_work: Mutex<HashSet<String>>,
    left: Notify,
}

impl Orders {
    /// The orders in `journal`, whose `records` were read from it.
    pub fn new(journal: Journal, records: Vec<Record>) -> Self {
        let mut known = HashMap::new();
        for record in records {
            keep(&mut known, record);
        }
        Self { journal, known: Mutex::new(known), at_work: Mutex::default(), left: Notify::new() }
    }

    /// What is known of an order.
    pub fn find(&self, key: &str) -> Option<Record> {
        self.known().get(key).cloned()
    }

    /// The keys of the orders whose payment is not known, in no order. By the time that somebody comes to one,
    /// it may be pending no more: [`take_up`](Self::take_up) looks again.
    pub fn pending(&self) -> Vec<String> {
        let known = self.known();
        let pending = known.values().filter(|order| order.state == State::Pending);
        pending.map(|order| order.order.clone()).collect()
    }

    /// How many orders there are in each state.
    pub fn counts(&self) -> [(&'static str, usize); 3] {
        let known = self.known();
        let count = |state| known.values().filter(|order| order.state == state).count();
        [
            ("pending", count(State::Pending)),
            ("paid", count(State::Paid)),
            ("refused", count(State::Refused)),
        ]
    }

    /// Waits until nobody else works on this key, and keeps others from it as long as the guard lives.
    pub async fn enter(&self, key: &str) -> AtWork<'_> {
        loop {
            let left = self.left.notified();
            if let Some(at_work) = self.try_enter(key) {
                return at_work;
            }
            left.await;
        }
    }

    /// As [`enter`](Self::enter), if nobody works on it now.
    fn try_enter(&self, key: &str) -> Option<AtWork<'_>> {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        at_work.insert(key.to_owned()).then(|| AtWork { orders: self, key: key.to_owned() })
    }

    /// A pending order, to settle it; none if somebody works on it, or if it is pending no more.
    pub fn take_up(&self, key: &str) -> Option<(AtWork<'_>, Record)> {
        let at_work = self.try_enter(key)?;
        let order = self.find(key).filter(|order| order.state == State::Pending)?;
        Some((at_work, order))
    }

    // ANCHOR: place
    /// Takes a new order, for the holder of its key. `charge` is not polled before the order is on disk.
    ///
    /// Returns where the order is then: [`State::Paid`], [`State::Refused`], or [`State::Pending`].
    ///
    /// Cancellation: the order may be left pending, without anybody having been told.
    ///
    /// # Errors
    /// When the order was not taken: nothing was charged.
    pub async fn place(
        &self,
        at_work: &AtWork<'_>,
        amount_cents: u32,
        charge: impl Future<Output = Outcome>,
    ) -> Result<State, NotTaken> {
        if self.pending().len() >= MOST_PENDING {
            return Err(NotTaken::TooManyPending);
        }
        let order = Record { order: at_work.key.clone(), amount_cents, state: State::Pending };
        self.write(order.clone()).await?;
        let outcome = charge.await;
        match self.settle(at_work, outcome).await {
            State::Released => Err(NotTaken::NotCharged),
            state => Ok(state),
        }
    }

    /// Notes what came of the payment of a pending order, and says where the order is then. If that can't be
    /// written it is pending still: that is what is on disk.
    pub async fn settle(&self, at_work: &AtWork<'_>, outcome: Outcome) -> State {
        let state = match outcome {
            Outcome::Paid => State::Paid,
            Outcome::Declined => State::Refused,
            Outcome::NotCharged => State::Released,
            Outcome::Unknown => return State::Pending,
        };
        let Some(order) = self.find(&at_work.key) else { return State::Released };
        match self.write(Record { state, ..order }).await {
            Ok(()) => state,
            Err(_) => State::Pending,
        }
    }
    // ANCHOR_END: place

    async fn write(&self, record: Record) -> Result<(), NotWritten> {
        self.journal.append(&record).await?;
        keep(&mut self.known(), record);
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Record>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last record of a key counts; one that was released is as if it had never been.
fn keep(known: &mut HashMap<String, Record>, record: Record) {
    if record.state == State::Released {
        known.remove(&record.order);
    } else {
        known.insert(record.order.clone(), record);
    }
}

/// Keeps others from an order.
pub struct AtWork<'a> {
    orders: &'a Orders,
    key: String,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.orders.at_work.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.orders.left.notify_waiters();
    }
}
