//! What a trial tries: a part of the pattern for each step from the third on. There are two crates with the same
//! names, so the types here are the lab's own.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::HeaderMap;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::services::{self, Requests, World};

/// The parts, yours or the reference's.
#[derive(Clone, Copy)]
pub struct Code {
    /// Step 3: what a reader of the header makes of what its writer writes.
    pub write_relative: fn(Duration) -> String,
    pub read_relative: fn(&[u8]) -> Option<Duration>,
    pub write_absolute: fn(Duration, SystemTime) -> String,
    pub read_absolute: fn(&[u8], SystemTime) -> Option<Duration>,
    /// Step 4: whether a request with these headers is served.
    pub gate: fn() -> Admits,
    /// Step 4: what makes a user's request, as in the storm.
    pub requests: fn(Arc<World>) -> Requests,
    /// Step 5: work on a thread, for so long.
    pub blocking: fn(Duration, Work) -> Soon,
    /// Step 6: which links of a chain have too little, by their place, and what each needs.
    pub audit: fn(&[Planned]) -> Vec<(usize, Duration)>,
}

pub type Admits = Box<dyn Fn(&HeaderMap, SystemTime) -> bool>;
pub type Soon = Pin<Box<dyn Future<Output = ()>>>;

/// Work that asks before each unit whether it should go on.
pub type Work = Box<dyn FnOnce(&dyn Fn() -> bool) + Send>;

/// A link of a chain on paper.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    pub timeout: Duration,
    pub tries: u32,
    pub backoff: Duration,
    pub overhead: Duration,
}

/// Without the pattern: whole seconds, read as numbers are; requests are served whatever they say; each link and each
/// thread has a timeout; and a chain is what it is.
pub const NAIVE: Code = Code {
    write_relative: |left| format!("{}S", left.as_secs()),
    read_relative: |value| {
        let seconds = std::str::from_utf8(value).ok()?.trim().strip_suffix('S')?;
        Some(Duration::from_secs(seconds.parse().ok()?))
    },
    write_absolute: |left, now| {
        let at = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + left;
        at.as_secs().to_string()
    },
    read_absolute: |value, now| {
        let at = std::str::from_utf8(value).ok()?.parse().ok()?;
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at))?;
        at.duration_since(now).ok()
    },
    gate: || Box::new(|_, _| true),
    requests: |world| Box::new(move |user| services::request(Arc::clone(&world), user)),
    blocking: |budget, work| {
        Box::pin(async move {
            // Whether the thread is done or the time is over, the caller goes on.
            let _ = timeout(budget, spawn_blocking(move || work(&|| true))).await;
        })
    },
    audit: |_| Vec::new(),
};
