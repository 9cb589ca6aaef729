//! The layers themselves: each is a few lines around the next one, so an order is a list.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backoff_solution::{Backoff, Jitter, Limits, Retry, Verdict, client_rng};
use circuit_breaker_solution::{CallError, CircuitBreaker, Outcome};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use retry_budget_solution::{Feed, RetryBudget};
use storm::Dependency;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::orders::{Layer, Order};

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
}

impl Fault {
    fn is_rejection(self) -> bool {
        matches!(self, Self::Open | Self::Full)
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
        Self {
            order,
            seed,
            payments,
            luck: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)),
            breaker: CircuitBreaker::seeded(breaker, seed).expect("valid"),
            bulkhead: Semaphore::new(order.permits),
            retry: Retry::new(backoff, limits).expect("valid"),
            budget: RetryBudget::new(budget).expect("valid"),
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

    /// What a result tells about the dependency: a full bulkhead of ours, nothing.
    pub fn outcome(&self, result: Result<Answer, Fault>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(Fault::Full) if !self.order.counts_full => Outcome::Ignored,
            Err(_) => Outcome::Failure,
        }
    }
    // ANCHOR_END: retries

    pub async fn call(&self) -> Result<Answer, Fault> {
        if self.luck.lock().unwrap_or_else(PoisonError::into_inner).random_bool(self.order.bad_luck)
        {
            return Err(Fault::Failed);
        }
        self.payments.call().await.map_or(Err(Fault::Failed), |()| Ok(Answer::Full))
    }

    /// How often the breaker turned a call away.
    pub fn rejections(&self) -> u64 {
        self.breaker.snapshot().counts.rejected
    }
}
