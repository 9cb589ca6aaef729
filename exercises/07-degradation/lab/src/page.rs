//! The product page: six parts, each from a dependency of its own.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use storm::{Dependency, Failure, Timeline};
use tokio::time::{Instant, timeout};

/// The parts, by the names of their features.
pub const PARTS: [&str; 6] =
    ["catalogue", "search", "inventory", "pricing", "reviews", "recommendations"];
/// How long a page waits for a dependency.
pub const PATIENCE: Duration = Duration::from_millis(300);
/// Calls a second to each dependency beside those of the pages, whatever the level: who asks nobody
/// learns nothing. In a window of 10 s they are 30, and 20 are enough.
pub const PROBES: usize = 3;

/// The lane of the timeline on which the level is marked.
pub const LANE: &str = "level";

/// One page of a shop.
pub type Asked = Pin<Box<dyn Future<Output = Result<Page, Failure>> + Send>>;

/// A shop: makes a page at each call.
pub type Shop = Box<dyn Fn() -> Asked>;

/// What a shop is made of.
pub struct Setting {
    pub backends: Arc<Backends>,
    pub dwell: Duration,
    pub timeline: Timeline,
}

/// What a page came to.
pub struct Page {
    /// Parts that are fresh.
    pub fresh: usize,
    /// Whether the product is one of them.
    pub product: bool,
}

/// What is counted beside storm's report, and read each second.
#[derive(Clone, Default)]
pub struct Tally(Arc<Mutex<[u64; 4]>>);

/// The gauges, in the order of the tally's counts.
pub const GAUGES: [&str; 4] = ["full", "degraded", "fresh parts", "fresh products"];

impl Tally {
    pub fn add(&self, page: &Page) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = page.fresh == PARTS.len();
        counts[usize::from(!full)] += 1;
        counts[2] += page.fresh as u64;
        counts[3] += u64::from(page.product);
    }

    /// Reads a count and sets it to zero.
    pub fn take(&self, index: usize) -> u64 {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)[index])
    }
}

/// The dependencies behind the parts, and when each was last heard.
pub struct Backends {
    pub parts: [Dependency; 6],
    pub cache: Dependency,
    heard: Mutex<[Instant; 6]>,
}

impl Backends {
    pub fn new(parts: [Dependency; 6], cache: Dependency) -> Self {
        Self { parts, cache, heard: Mutex::new([Instant::now(); 6]) }
    }

    /// Asks a part's dependency, for as long as a page waits.
    pub async fn ask(&self, part: usize) -> Result<(), Failure> {
        match timeout(PATIENCE, self.parts[part].call()).await {
            Ok(Ok(())) => {
                self.heard.lock().unwrap_or_else(PoisonError::into_inner)[part] = Instant::now();
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(Failure::Failed),
        }
    }

    /// Reads the copy of a part: how old it is.
    pub async fn copy(&self, part: usize) -> Option<Duration> {
        self.cache.call().await.ok()?;
        Some(self.heard.lock().unwrap_or_else(PoisonError::into_inner)[part].elapsed())
    }
}

/// Without fallbacks.
pub fn naive(setting: Setting) -> Shop {
    Box::new(move || {
        let backends = Arc::clone(&setting.backends);
        Box::pin(async move { all_or_nothing(&backends).await })
    })
}

/// A page without fallbacks: all parts or none.
async fn all_or_nothing(backends: &Backends) -> Result<Page, Failure> {
    tokio::try_join!(
        backends.ask(0),
        backends.ask(1),
        backends.ask(2),
        backends.ask(3),
        backends.ask(4),
        backends.ask(5)
    )?;
    Ok(Page { fresh: PARTS.len(), product: true })
}
