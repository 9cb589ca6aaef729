//! A throttle and a bucket.

use std::sync::Arc;

use stopwatch::RowBuilder;

use super::subject::{Fair, FairConfig, Throttle, ThrottleConfig};
use crate::{BUCKET, THROTTLE, asked};

pub fn add(row: RowBuilder<'_>) {
    row.case(THROTTLE, || {
        let throttle = Throttle::seeded(&ThrottleConfig::default(), 7).expect("valid");
        let throttle = Arc::new(throttle);
        move || {
            let throttle = Arc::clone(&throttle);
            move || {
                let may_ask = throttle.try_request().is_ok();
                throttle.record_accepted();
                may_ask
            }
        }
    })
    .case(BUCKET, || {
        let config = FairConfig { per_second: 1_000_000, burst: 1_000_000, max_tenants: 10 };
        let fair = Arc::new(Fair::new(&config).expect("valid"));
        move || {
            let fair = Arc::clone(&fair);
            move || asked(&fair.try_admit("tenant"))
        }
    });
}
