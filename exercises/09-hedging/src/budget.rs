// What hedges and retries are paid from. Given: nothing to write here.
//
// It is the retry budget in its shortest form: a bucket that successes fill. How to build one with a
// window is the subject of the chapter on retry budgets.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ConfigError;

/// A hundredth of a token: what a success earns is a whole number of them.
const TOKEN: u64 = 100;

/// Tokens for calls that nobody asked for: one for a retry, one for a hedge. Share it in an `Arc`.
#[derive(Debug)]
pub struct Budget {
    percent: u64,
    most: u64,
    level: Mutex<u64>,
}

impl Budget {
    /// A full bucket of `most` tokens. Each success adds `percent` hundredths of a token, 0 to 100.
    ///
    /// # Errors
    /// When `percent` is above 100.
    pub fn new(percent: u32, most: u32) -> Result<Self, ConfigError> {
        if percent > 100 {
            return Err(ConfigError::Share(percent));
        }
        let most = u64::from(most) * TOKEN;
        Ok(Self { percent: percent.into(), most, level: Mutex::new(most) })
    }

    /// Notes a call that had a good answer: what earns retries and hedges.
    pub fn record_success(&self) {
        let mut level = self.level();
        *level = (*level + self.percent).min(self.most);
    }

    /// Pays for one retry or hedge, which the caller then makes. If it returns `false`, nothing was taken.
    #[must_use = "`false` says that there is no token: don't make the call"]
    pub fn try_withdraw(&self) -> bool {
        let mut level = self.level();
        let pays = *level >= TOKEN;
        *level -= if pays { TOKEN } else { 0 };
        pays
    }

    /// The whole tokens that are left.
    pub fn balance(&self) -> u64 {
        *self.level() / TOKEN
    }

    fn level(&self) -> MutexGuard<'_, u64> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
