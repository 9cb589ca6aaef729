//! The exercise's parts, as the lab's types.

use std::sync::Arc;
use std::time::Duration;

use storm::Failure;
use tokio::time::Instant;

use super::subject::{
    Aimd, Config, Fair, FairConfig, Gradient, Limit, Outcome, Priority, Request, Shedder, Throttle,
    ThrottleConfig,
};
use crate::code::{self, Client, Code, Look, Serve, Setting, Work};

pub const CODE: Code = Code {
    server,
    client: |k, window, seed| {
        Arc::new(Throttle::seeded(&ThrottleConfig { k, window }, seed).expect("valid"))
    },
    tenants: |per_second, burst| {
        let config = FairConfig { per_second, burst, ..FairConfig::default() };
        let fair = Fair::new(&config).expect("valid");
        Arc::new(move |tenant| fair.try_admit(tenant).is_ok())
    },
};

fn server(setting: Setting, seed: u64) -> (Serve, Look) {
    let Setting { max_waiting, target, interval, reserve, .. } = setting;
    let limit = match setting.limit {
        code::Limit::Fixed(limit) => Limit::Fixed(limit),
        code::Limit::Aimd(_) => Limit::Aimd(Aimd::default()),
        code::Limit::Gradient(probe_every) => {
            Limit::Gradient(Gradient { probe_every, ..Gradient::default() })
        }
    };
    let overload = match setting.limit {
        code::Limit::Aimd(longest) => longest,
        _ => Duration::MAX,
    };
    let config = Config { limit, max_waiting, target, interval, reserve, ..Config::default() };
    let shedder = Shedder::seeded(config, seed).expect("valid");
    let looked_at = shedder.clone();
    let serve = move |ask: code::Ask, work: Work| -> Work {
        let shedder = shedder.clone();
        let request = Request { priority: Priority::ALL[ask.class], deadline: ask.deadline };
        Box::pin(async move {
            let permit = shedder.acquire(request).await.map_err(|_| Failure::Shed)?;
            let begun = Instant::now();
            let result = work.await;
            let slow = begun.elapsed() > overload;
            permit.finish(if slow { Outcome::Overloaded } else { Outcome::Done });
            result
        })
    };
    (Arc::new(serve), Box::new(move || looked_at.snapshot().limit))
}

impl Client for Throttle {
    fn may_ask(&self) -> bool {
        self.try_request().is_ok()
    }

    fn was_accepted(&self) {
        self.record_accepted();
    }
}
