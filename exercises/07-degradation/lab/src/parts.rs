//! The parts of the pattern, as the trials use them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::subject::{
    Cached, Config, Degradation, Fallback, FallbackConfig, Fault, Features, Level, Mode, SHOP,
    Source, Sourced, Steady, Unavailable,
};
use crate::code::{self, Code, Health, Said, Served};

pub const CODE: Code = Code {
    steady: |dwell| {
        let mut steady = Steady::new(dwell, Instant::now());
        Box::new(move |look| {
            steady.observe(Level::ALL[look], Instant::now());
            steady.level() as usize
        })
    },
    fallback: || {
        let fallback = Arc::new(Fallback::new(FallbackConfig::default()).expect("valid"));
        Arc::new(move |mode, fresh, copy| {
            let fallback = Arc::clone(&fallback);
            Box::pin(async move { get(&fallback, mode, fresh, copy).await })
        })
    },
    say,
    health: |dependencies, dwell| {
        let config = Config { dwell, ..Config::default() };
        Box::new(Degradation::new(config, dependencies).expect("valid"))
    },
};

async fn get(
    fallback: &Fallback,
    mode: code::Mode,
    fresh: code::Fresh,
    copy: code::CopyOf,
) -> Served {
    let mode = match mode {
        code::Mode::Full => Mode::Full,
        code::Mode::Reduced => Mode::Reduced,
    };
    let fresh = || async {
        fresh.await.map_err(|fault| match fault {
            code::Fault::Transient => Fault::Transient(()),
            code::Fault::Permanent => Fault::Permanent(()),
        })
    };
    let cached = || async { copy.await.map(|age| Cached { value: (), age }) };
    let answer: Result<Sourced<()>, Unavailable<()>> =
        fallback.get(mode, fresh, cached, Some(())).await;
    match answer.map(|answer| answer.source) {
        Ok(Source::Fresh) => Served::Fresh,
        Ok(Source::Cached { .. }) => Served::Cached,
        Ok(Source::Static) => Served::Fixed,
        Err(_) => Served::Error,
    }
}

fn say(parts: [code::Source; 2], fresh_for: Duration) -> Said {
    let [first, second] = parts.map(|source| {
        let source = match source {
            code::Source::Fresh => Source::Fresh,
            code::Source::Cached(age) => Source::Cached { age },
            code::Source::Fixed => Source::Static,
        };
        Sourced { value: 1, source }
    });
    let page = first.join(second).map(|(first, second)| first + second);
    let features = Features::new(&SHOP).expect("valid");
    let notice = features.notice("reviews", Some(page.source)).expect("a feature of the shop");
    Said { fields: page.source.headers(fresh_for), notice: notice.is_some() }
}

impl Health for Degradation {
    fn record(&mut self, dependency: &str, succeeded: bool, took: Duration) {
        Degradation::record(self, dependency, succeeded, took).expect("it was named");
    }

    fn evaluate(&mut self) -> code::Level {
        Degradation::evaluate(self) as usize
    }
}
