// A sum over the last while. Given: nothing to write here.

use std::time::Duration;

use tokio::time::Instant;

/// So many slots make a window, the one being filled included.
const SLOTS: u32 = 10;

/// What was counted in the last window. A count holds for at least nine tenths of a window, and for no more than
/// one.
#[derive(Debug)]
pub struct Window {
    began: Instant,
    slot: Duration,
    /// The number of the newest slot, counted from `began`.
    newest: u128,
    counts: [u64; SLOTS as usize],
}

impl Window {
    /// An empty window.
    pub fn new(length: Duration, now: Instant) -> Self {
        Self { began: now, slot: length / SLOTS, newest: 0, counts: [0; SLOTS as usize] }
    }

    /// Counts one more.
    pub fn count(&mut self, now: Instant) {
        self.advance(now);
        *self.at(self.newest) += 1;
    }

    /// How many were counted in the last window.
    pub fn sum(&mut self, now: Instant) -> u64 {
        self.advance(now);
        self.counts.iter().sum()
    }

    fn advance(&mut self, now: Instant) {
        let number = now.duration_since(self.began).as_nanos() / self.slot.as_nanos();
        // Zero for an older `now`: two threads may read the clock in one order and take the lock in the other.
        let passed = number.saturating_sub(self.newest);
        for ahead in 1..=passed.min(u128::from(SLOTS)) {
            *self.at(self.newest + ahead) = 0;
        }
        self.newest += passed;
    }

    fn at(&mut self, number: u128) -> &mut u64 {
        &mut self.counts[(number % u128::from(SLOTS)) as usize]
    }
}
