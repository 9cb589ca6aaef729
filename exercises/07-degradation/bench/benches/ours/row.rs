//! A fresh and a fixed answer, a call noted, and the level evaluated.

use std::sync::Arc;

use stopwatch::{Clock, RowBuilder};

use super::subject::{
    Cached, Config, Degradation, Fallback, FallbackConfig, Fault, Level, MOST_CALLS, Mode, Source,
};
use crate::{DEPENDENCIES, EVALUATE, FIXED, FRESH, RECORD, TOOK};

pub fn row(row: RowBuilder<'_>) {
    let fallback = || Arc::new(Fallback::new(FallbackConfig::default()).expect("valid"));
    // Every window is full, and nothing in it is too old while this runs.
    let busy = || {
        let config = Config { window: Config::LONGEST, ..Config::default() };
        let service = Degradation::new(config, &DEPENDENCIES).expect("valid");
        for name in DEPENDENCIES {
            (0..MOST_CALLS).for_each(|_| service.record(name, true, TOOK).expect("known"));
        }
        Arc::new(service)
    };
    row.case(FRESH, || {
        let fallback = fallback();
        move || {
            let (fallback, clock) = (Arc::clone(&fallback), Clock::entered());
            move || {
                let fresh = || async { Ok::<_, Fault<()>>(1) };
                let cached = || async { None::<Cached<i32>> };
                let answer = clock.run(fallback.get(Mode::Full, fresh, cached, Some(0)));
                answer.is_ok_and(|answer| answer.source == Source::Fresh)
            }
        }
    })
    .case(FIXED, || {
        let fallback = fallback();
        move || {
            let (fallback, clock) = (Arc::clone(&fallback), Clock::entered());
            move || {
                let fresh = || async { Err(Fault::Transient(())) };
                let cached = || async { None::<Cached<i32>> };
                let answer = clock.run(fallback.get(Mode::Full, fresh, cached, Some(0)));
                answer.is_ok_and(|answer| answer.source == Source::Static)
            }
        }
    })
    .case(RECORD, || {
        let service = busy();
        move || {
            let service = Arc::clone(&service);
            move || service.record("search", true, TOOK).is_ok()
        }
    })
    .case(EVALUATE, || {
        let service = busy();
        move || {
            let service = Arc::clone(&service);
            move || service.evaluate() == Level::Normal
        }
    });
}
