//! The results of the last calls as bits of one word.

use crate::Window;

/// The most results that are kept in a word. It leaves the word 13 bits for the number of its loan.
pub const MOST: usize = 50;

/// A window of up to [`MOST`] results, the newest in the lowest bit, 1 for a failure. The highest bit
/// that is set stands above the oldest result and says how many there are. So no window is 0.
///
/// ```text
/// 1 0 0 1 1     four results: two successes, then two failures
/// ```
// ANCHOR: results
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Results(pub u64);

impl Results {
    /// The last result of a full window pushes the oldest out.
    pub fn push(self, failed: bool, size: usize) -> Self {
        let mark = 1 << size;
        let longer = self.0 << 1 | u64::from(failed);
        let is_over_full = longer >= mark << 1;
        Self(if is_over_full { longer & (mark - 1) | mark } else { longer })
    }

    pub fn calls(self) -> u32 {
        self.0.ilog2()
    }

    pub fn failures(self) -> u32 {
        self.0.count_ones() - 1
    }

    pub fn failures_in_a_row(self) -> u32 {
        // In a window of failures only, the mark is one more 1.
        self.0.trailing_ones().min(self.calls())
    }
}
// ANCHOR_END: results

impl From<&Window> for Results {
    fn from(window: &Window) -> Self {
        Self(window.results.iter().fold(1, |bits, failed| bits << 1 | u64::from(*failed)))
    }
}

impl Results {
    pub fn to_window(self, size: usize) -> Window {
        let results = (0..self.calls()).rev().map(|age| self.0 >> age & 1 == 1).collect();
        Window { size, results, failures: self.failures() as usize }
    }
}
