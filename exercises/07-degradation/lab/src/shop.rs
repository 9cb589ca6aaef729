//! The page with fallbacks and levels.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use storm::{Failure, Timeline};
use tokio::time::Instant;

use super::subject::{
    Cached, Config, Degradation, Fallback, FallbackConfig, Fault, Features, Level, SHOP, Source,
    Sourced, Unavailable,
};
use crate::page::{self, Backends, LANE, PARTS, PROBES, Page, Setting};

/// How often the level is evaluated.
const EVERY: Duration = Duration::from_secs(1);

/// A shop with fallbacks, and with levels too.
pub fn shop(setting: Setting, with_levels: bool) -> page::Shop {
    let Setting { backends, dwell, timeline } = setting;
    let shop = Arc::new(Shop::new(with_levels, dwell, timeline));
    Box::new(move || {
        let (shop, backends) = (Arc::clone(&shop), Arc::clone(&backends));
        Box::pin(async move { shop.page(&backends).await })
    })
}

struct Shop {
    features: Features,
    fallbacks: [Fallback; 6],
    degradation: Degradation,
    evaluated: Mutex<Instant>,
    with_levels: bool,
}

impl Shop {
    fn new(with_levels: bool, dwell: Duration, timeline: Timeline) -> Self {
        let config = Config { dwell, ..Config::default() };
        timeline.mark(LANE, &Level::Normal.to_string());
        let fallback = |_| Fallback::new(FallbackConfig::default()).expect("valid");
        Self {
            features: Features::new(&SHOP).expect("valid"),
            fallbacks: [0; 6].map(fallback),
            degradation: Degradation::new(config, &PARTS)
                .expect("valid")
                .on_change(move |change| timeline.mark(LANE, &change.to.to_string())),
            evaluated: Mutex::new(Instant::now()),
            with_levels,
        }
    }

    async fn page(self: &Arc<Self>, backends: &Arc<Backends>) -> Result<Page, Failure> {
        if self.with_levels && self.is_time() {
            self.degradation.evaluate();
            tokio::spawn(probe(Arc::clone(self), Arc::clone(backends)));
        }
        let part = |part| self.part(part, backends);
        let parts = tokio::join!(part(0), part(1), part(2), part(3), part(4), part(5));
        let parts = [parts.0, parts.1, parts.2, parts.3, parts.4, parts.5];
        // A page without its product is none; any other part may be missing.
        if parts[0].is_err() {
            return Err(Failure::Failed);
        }
        let fresh = parts.map(|part| part.is_ok_and(|part| part.source == Source::Fresh));
        Ok(Page { fresh: fresh.iter().filter(|fresh| **fresh).count(), product: fresh[0] })
    }

    async fn part(
        &self,
        part: usize,
        backends: &Backends,
    ) -> Result<Sourced<()>, Unavailable<Failure>> {
        // Without levels nobody evaluates, and it stays at normal.
        let level = self.degradation.level();
        let mode = self.features.mode(PARTS[part], level).expect("a feature of the shop");
        let fresh = || async { self.ask(part, backends).await.map_err(Fault::Transient) };
        let cached = || async { backends.copy(part).await.map(|age| Cached { value: (), age }) };
        // There is no fixed product.
        let fixed = (part > 0).then_some(());
        self.fallbacks[part].get(mode, fresh, cached, fixed).await
    }

    async fn ask(&self, part: usize, backends: &Backends) -> Result<(), Failure> {
        let begun = Instant::now();
        let answer = backends.ask(part).await;
        self.degradation
            .record(PARTS[part], answer.is_ok(), begun.elapsed())
            .expect("a dependency of the shop");
        answer
    }

    /// Once a second, for the first caller.
    fn is_time(&self) -> bool {
        let mut evaluated = self.evaluated.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = evaluated.elapsed() >= EVERY;
        if is_time {
            *evaluated = Instant::now();
        }
        is_time
    }
}

/// What the probes find is recorded like any other call.
async fn probe(shop: Arc<Shop>, backends: Arc<Backends>) {
    let ask = |part| shop.ask(part, &backends);
    for _ in 0..PROBES {
        let _ = tokio::join!(ask(0), ask(1), ask(2), ask(3), ask(4), ask(5));
    }
}
