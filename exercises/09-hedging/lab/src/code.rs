//! What a scene calls: a hedger, yours or the reference's, or none. There are two crates with the same names,
//! so the types here are the lab's own.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use storm::Failure;

pub type Answer = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
/// Sends a request. Its number is that of the attempt, 0 the original; among instances, that of an instance.
pub type Sends = Arc<dyn Fn(usize) -> Answer + Send + Sync>;
/// Is told of each attempt that ended: to which instance it went, and whether it was an original that was overtaken.
pub type Listener = Box<dyn Fn(usize, bool) + Send + Sync>;

#[derive(Clone, Copy)]
pub enum Delay {
    Fixed(Duration),
    /// So many in a hundred of the newest 1,000 samples, from the hundredth on.
    Percentile(u64),
}

/// What a hedger has.
#[derive(Clone, Copy)]
pub struct Setting {
    pub delay: Delay,
    /// Hundredths of a hedge that a success earns, and how many hedges can be saved; `None` for as many as anybody likes.
    pub budget: Option<(u32, u32)>,
    /// How many instances there are, and how many calls each works on; 0 for a dependency without.
    pub instances: (usize, usize),
}

/// Hedges to one dependency, as many as are late.
pub const fn after(delay: Delay) -> Setting {
    Setting { delay, budget: None, instances: (0, 0) }
}

pub trait Hedging: Send + Sync {
    fn call(self: Arc<Self>, sends: Sends) -> Answer;
    /// To the instances of the setting. What may not be repeated is a payment without a key.
    fn call_among(self: Arc<Self>, may_be_repeated: bool, sends: Sends) -> Answer;
    fn hold(&self, pause: Duration);
}

/// The parts, yours or the reference's.
#[derive(Clone, Copy)]
pub struct Code {
    pub hedging: fn(Setting) -> Arc<dyn Hedging>,
    pub listened_to: fn(Setting, Listener) -> Arc<dyn Hedging>,
}

/// Nobody hedges.
pub const NEVER: Code = Code { hedging: |_| Arc::new(Once), listened_to: |_, _| Arc::new(Once) };
/// Each request is sent twice, at once, to the next instance too, and nobody is told.
pub const ALWAYS: Code = Code { hedging: |_| Arc::new(Twice), listened_to: |_, _| Arc::new(Twice) };

struct Once;

impl Hedging for Once {
    fn call(self: Arc<Self>, sends: Sends) -> Answer {
        sends(0)
    }

    fn call_among(self: Arc<Self>, _may_be_repeated: bool, sends: Sends) -> Answer {
        sends(0)
    }

    fn hold(&self, _pause: Duration) {}
}

struct Twice;

impl Hedging for Twice {
    fn call(self: Arc<Self>, sends: Sends) -> Answer {
        let (mut first, mut second) = (sends(0), sends(1));
        Box::pin(std::future::poll_fn(move |cx| match first.as_mut().poll(cx) {
            std::task::Poll::Pending => second.as_mut().poll(cx),
            answer @ std::task::Poll::Ready(_) => answer,
        }))
    }

    fn call_among(self: Arc<Self>, _may_be_repeated: bool, sends: Sends) -> Answer {
        self.call(sends)
    }

    fn hold(&self, _pause: Duration) {}
}
