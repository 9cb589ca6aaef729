//! The layers themselves: each is a few lines around the next one, so an order is a list.

use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backoff_solution::{Backoff, Jitter, Limits, Retry, Verdict, client_rng};
use circuit_breaker_solution::{CallError, CircuitBreaker, Outcome};
use hedging_solution::{Budget, Delay, Hedger};
use load_shedding_solution::{Limit, Request, Shedder, Throttle, ThrottleConfig};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use retry_budget_solution::{Feed, RetryBudget};
use storm::Dependency;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::orders::{HELD_UP, LATE, Layer, Order};

/// How long the caller of the whole waits.
pub const DEADLINE: Duration = Duration::from_secs(2);
pub const MAX_ATTEMPTS: u32 = 3;
pub const OPEN_FOR: Duration = Duration::from_secs(5);

/// What the caller is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Full,
    Fallback,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The dependency refused, or answered with an error.
    Failed,
    TimedOut,
    /// The breaker did not make the call.
    Open,
    /// The bulkhead did not make the call.
    Full,
    /// The throttle did not make the call.
    HeldBack,
    /// The dependency said no before it did anything.
    Refused,
}

impl Fault {
    fn is_rejection(self) -> bool {
        matches!(self, Self::Open | Self::Full | Self::HeldBack | Self::Refused)
    }
}

impl From<load_shedding_solution::CallError<Self>> for Fault {
    fn from(error: load_shedding_solution::CallError<Self>) -> Self {
        match error {
            load_shedding_solution::CallError::Throttled(_) => Self::HeldBack,
            load_shedding_solution::CallError::Operation(fault) => fault,
        }
    }
}

impl From<CallError<Self>> for Fault {
    fn from(error: CallError<Self>) -> Self {
        match error {
            CallError::Rejected(_) => Self::Open,
            CallError::Operation(fault) => fault,
        }
    }
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send + 'a>>;

/// All that the calls of one client share.
pub struct Stack {
    order: Order,
    seed: u64,
    payments: Dependency,
    luck: Mutex<Xoshiro256PlusPlus>,
    pub breaker: CircuitBreaker,
    pub bulkhead: Semaphore,
    retry: Retry,
    budget: RetryBudget,
    hedger: Hedger,
    throttle: Throttle,
    /// The dependency's own.
    shedder: Shedder,
    /// How often that said no.
    pub refused: AtomicU64,
}

impl Stack {
    pub fn new(order: Order, seed: u64, payments: Dependency) -> Self {
        let mut breaker = circuit_breaker_solution::Config {
            open_for: OPEN_FOR,
            slow_call_threshold: order.slow_after,
            ..Default::default()
        };
        if order.by_rate_alone {
            breaker.failure_threshold = u32::MAX;
            breaker.min_calls = breaker.window_size;
        }
        let backoff = backoff_solution::Config { jitter: Jitter::Full, ..Default::default() };
        let backoff = Backoff::new(backoff).expect("valid");
        let limits = Limits { max_attempts: MAX_ATTEMPTS, max_total: None };
        let budget = retry_budget_solution::Config {
            min_retries_per_second: 0,
            feed: Feed::Successes,
            ..Default::default()
        };
        // A tenth of the successes, as for retries; or as many as anybody wants.
        let (percent, most) = if order.budget { (10, 10) } else { (100, 1_000_000) };
        let hedges = Arc::new(Budget::new(percent, most).expect("valid"));
        let throttle = ThrottleConfig { window: Duration::from_secs(10), ..Default::default() };
        // As many as it has servers, and a queue of what it serves in a quarter of a second.
        let shedder = load_shedding_solution::Config {
            limit: Limit::Fixed(20),
            target: Duration::from_millis(100),
            interval: Duration::from_millis(500),
            ..Default::default()
        };
        Self {
            order,
            seed,
            payments,
            luck: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)),
            breaker: CircuitBreaker::seeded(breaker, seed).expect("valid"),
            bulkhead: Semaphore::new(order.permits),
            retry: Retry::new(backoff, limits).expect("valid"),
            budget: RetryBudget::new(budget).expect("valid"),
            hedger: Hedger::new(Delay::Fixed(LATE), hedges).expect("valid"),
            throttle: Throttle::seeded(&throttle, seed).expect("valid"),
            shedder: Shedder::seeded(shedder, seed).expect("valid"),
            refused: AtomicU64::new(0),
        }
    }

    /// One request of a user.
    pub async fn request(&self, id: u64) -> Result<Answer, Fault> {
        self.through(self.order.layers, id).await
    }

    // ANCHOR: through
    /// The request through the first of `layers`, which wraps the others.
    fn through<'a>(&'a self, layers: &'a [Layer], id: u64) -> Answering<'a> {
        Box::pin(async move {
            let Some((layer, inner)) = layers.split_first() else {
                return self.call().await;
            };
            let next = || self.through(inner, id);
            match layer {
                Layer::Fallback => Ok(next().await.unwrap_or(Answer::Fallback)),
                Layer::Deadline => timeout(DEADLINE, next()).await.unwrap_or(Err(Fault::TimedOut)),
                Layer::Timeout => {
                    timeout(self.order.try_timeout, next()).await.unwrap_or(Err(Fault::TimedOut))
                }
                Layer::Retry => self.with_retries(next, id).await,
                Layer::Breaker => {
                    let call = self.breaker.call_classified(next, |result| self.outcome(*result));
                    call.await.map_err(Fault::from)
                }
                Layer::Bulkhead => match self.bulkhead.try_acquire() {
                    Ok(_permit) => next().await,
                    Err(_) => Err(Fault::Full),
                },
                Layer::Hedge => self.hedger.call(|_| next()).await,
                Layer::Throttle => {
                    // A dependency that is silent hasn't taken the call on.
                    let accepted =
                        |result: &Result<_, Fault>| matches!(result, Ok(_) | Err(Fault::Failed));
                    self.throttle.call(next, accepted).await.map_err(Fault::from)
                }
                Layer::Shedder => {
                    let served = self.shedder.call(Request::default(), next).await;
                    served.unwrap_or_else(|_shed| {
                        self.refused.fetch_add(1, Relaxed);
                        Err(Fault::Refused)
                    })
                }
            }
        })
    }
    // ANCHOR_END: through

    // ANCHOR: retries
    /// A rejection is final, and each retry is paid for. Nothing is taken from the budget on the last
    /// attempt, after which there is no retry to pay for.
    pub async fn with_retries<F>(&self, next: impl Fn() -> F, id: u64) -> Result<Answer, Fault>
    where
        F: Future<Output = Result<Answer, Fault>>,
    {
        let mut attempts = 0;
        let worth_another = |fault: &Fault| {
            attempts += 1;
            let stops = fault.is_rejection() && !self.order.retries_rejections;
            let pays = || !self.order.budget || self.budget.try_withdraw().is_ok();
            if !stops && attempts < MAX_ATTEMPTS && pays() { Verdict::Retry } else { Verdict::Stop }
        };
        let answer = self.retry.run(client_rng(self.seed, id), |_| next(), worth_another).await;
        if answer.is_ok() {
            self.budget.record_success();
        }
        answer.map_err(|gave_up| gave_up.error)
    }

    /// What a result tells about the dependency. A full bulkhead of ours tells nothing, and a refusal of a
    /// dependency that sheds nothing bad.
    pub fn outcome(&self, result: Result<Answer, Fault>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(Fault::Full) if !self.order.counts_full => Outcome::Ignored,
            Err(Fault::Refused) if !self.order.counts_refused => Outcome::Ignored,
            Err(_) => Outcome::Failure,
        }
    }
    // ANCHOR_END: retries

    pub async fn call(&self) -> Result<Answer, Fault> {
        let (is_unlucky, is_held_up) = {
            let mut luck = self.luck.lock().unwrap_or_else(PoisonError::into_inner);
            // Nothing is drawn for what never happens: the other runs stay as they are.
            let held_up = self.order.held_up;
            (luck.random_bool(self.order.bad_luck), held_up > 0.0 && luck.random_bool(held_up))
        };
        if is_unlucky {
            return Err(Fault::Failed);
        }
        if is_held_up {
            sleep(HELD_UP).await;
        }
        self.payments.call().await.map_or(Err(Fault::Failed), |()| Ok(Answer::Full))
    }

    /// How often the breaker turned a call away.
    pub fn rejections(&self) -> u64 {
        self.breaker.snapshot().counts.rejected
    }
}
