// How heartbeats are judged. Given: nothing to write here.

use std::time::Duration;

/// How often a heartbeat is due, and how many may be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// The time from one heartbeat to the next; above zero.
    pub interval: Duration,
    /// So many missed in a row make a node suspect; at least 1.
    pub suspect_after: u32,
    /// So many missed in a row make it dead; more than `suspect_after`.
    pub dead_after: u32,
}

impl HeartbeatConfig {
    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.interval.is_zero() {
            return Err(ConfigError::Interval);
        }
        if self.suspect_after == 0 {
            return Err(ConfigError::SuspectAfter);
        }
        if self.dead_after <= self.suspect_after {
            let (suspect, dead) = (self.suspect_after, self.dead_after);
            return Err(ConfigError::DeadAfter { suspect, dead });
        }
        Ok(())
    }
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), suspect_after: 2, dead_after: 5 }
    }
}

/// A [`HeartbeatConfig`] that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Without time between them all heartbeats are missed.
    #[error("interval is 0: set the time from one heartbeat to the next, 1 s for example")]
    Interval,
    /// A node that has missed nothing is not suspect.
    #[error("suspect_after is 0: set it to 1 or more, 2 if a heartbeat may be a little late")]
    SuspectAfter,
    /// A node is suspect before it is dead.
    #[error("dead_after is {dead}: set it above suspect_after, which is {suspect}")]
    DeadAfter {
        /// `suspect_after`
        suspect: u32,
        /// `dead_after`
        dead: u32,
    },
}
