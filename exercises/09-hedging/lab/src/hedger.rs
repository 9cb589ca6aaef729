//! A hedger, as the scenes call it.

use std::sync::Arc;
use std::time::Duration;

use super::subject::{Attempt, Budget, Delay, Ended, Hedger, Pool, Request};
use crate::code::{self, Answer, Code, Hedging, Listener, Sends, Setting};

pub const CODE: Code = Code {
    hedging: |setting| Arc::new(Ours { hedger: hedger(setting), pool: pool(setting) }),
    listened_to: |setting, listener| Arc::new(listened_to(setting, listener)),
};

struct Ours {
    hedger: Hedger,
    pool: Option<Pool>,
}

fn hedger(setting: Setting) -> Hedger {
    let delay = match setting.delay {
        code::Delay::Fixed(delay) => Delay::Fixed(delay),
        code::Delay::Percentile(percent) => {
            let percent = usize::try_from(percent).expect("at most 99");
            Delay::Percentile { percent, window: 1_000, min_samples: 100 }
        }
    };
    let (percent, most) = setting.budget.unwrap_or((100, u32::MAX));
    let budget = Budget::new(percent, most).expect("valid");
    Hedger::new(delay, Arc::new(budget)).expect("valid")
}

fn pool(setting: Setting) -> Option<Pool> {
    let (instances, places) = setting.instances;
    (instances > 0).then(|| Pool::new(instances, places).expect("valid"))
}

fn listened_to(setting: Setting, listener: Listener) -> Ours {
    let hedger = hedger(setting).on_attempt(move |report| {
        if let Some(instance) = report.instance {
            let overtaken = report.ended == Ended::Overtaken;
            listener(instance, overtaken && report.attempt == Attempt::Original);
        }
    });
    Ours { hedger, pool: pool(setting) }
}

impl Hedging for Ours {
    fn call(self: Arc<Self>, sends: Sends) -> Answer {
        Box::pin(async move {
            let send = |attempt| sends(usize::from(attempt == Attempt::Hedge));
            self.hedger.call(send).await
        })
    }

    fn call_among(self: Arc<Self>, may_be_repeated: bool, sends: Sends) -> Answer {
        let method = if may_be_repeated { "GET" } else { "POST" };
        Box::pin(async move {
            let pool = self.pool.as_ref().expect("the setting has instances");
            let request = Request { method, key: None };
            self.hedger.call_among(request, pool, |instance| sends(instance)).await
        })
    }

    fn hold(&self, pause: Duration) {
        self.hedger.hold(pause);
    }
}
