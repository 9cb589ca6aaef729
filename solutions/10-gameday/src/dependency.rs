//! One of the four that the shop depends on: its breaker, bulkhead and retries are its own, so that what
//! happens to it happens to nobody else.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use backoff_solution::{Backoff, Jitter, Limits, Retry, Verdict, retry_after};
use bulkhead_solution::Bulkhead;
use bytes::{Bytes, BytesMut};
use circuit_breaker_solution::{CallError, CircuitBreaker, Outcome, State};
use deadline_solution::{Deadline, Expired, RunError};
use hedging_solution::{Delay, Hedger};
use rand::rngs::StdRng;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method, Response, Url};
use retry_budget_solution::{Feed, RetryBudget};

use crate::Error;
use crate::fault::Fault;

/// No answer of a dependency is longer, in bytes. The longest that makes sense has a few hundred.
const LONGEST_ANSWER: usize = 16 << 10;
/// Kept back from each call, so that there is time to make something of what came of it.
const BUFFER: Duration = Duration::from_millis(30);

/// How much is tried, and for how long.
#[derive(Clone, Copy)]
pub struct Patience {
    attempts: u32,
    /// Of one attempt.
    timeout: Duration,
    /// Calls at the same time.
    places: usize,
    /// Whether a call that is late is sent a second time.
    hedged: bool,
}

impl Patience {
    /// Without it there is no page: it is asked twice, and a second time before the first is over if it is late.
    pub const CATALOGUE: Self =
        Self { attempts: 2, timeout: Duration::from_millis(200), places: 32, hedged: true };
    /// The page goes on without it, and is not kept waiting for it. A hedge would be load for a number that nobody
    /// misses.
    pub const EXTRA: Self =
        Self { attempts: 1, timeout: Duration::from_millis(300), places: 16, hedged: false };
    /// The order's key makes another attempt safe, and users do wait for a payment. Hedging it would be safe too; it
    /// would also send every twentieth payment twice, and what it saves is milliseconds of two seconds.
    pub const PAYMENTS: Self =
        Self { attempts: 3, timeout: Duration::from_millis(500), places: 32, hedged: false };
}

/// A request to a dependency.
pub struct Ask {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer, after all attempts.
#[derive(Debug)]
pub struct Failed {
    /// The last.
    pub fault: Fault,
    /// Whether any of the attempts may have had its effect.
    pub may_have_happened: bool,
}

pub struct Dependency {
    pub name: &'static str,
    base: Url,
    client: Client,
    patience: Patience,
    retry: Retry,
    budget: RetryBudget,
    hedger: Hedger,
    breaker: CircuitBreaker,
    bulkhead: Bulkhead,
}

impl Dependency {
    pub fn new(
        name: &'static str,
        base: &str,
        client: Client,
        patience: Patience,
    ) -> Result<Self, Error> {
        let backoff = Backoff::new(backoff_solution::Config {
            base: Duration::from_millis(20),
            cap: Duration::from_millis(200),
            jitter: Jitter::Full,
            ..Default::default()
        })?;
        let limits = Limits { max_attempts: patience.attempts, max_total: None };
        let budget = retry_budget_solution::Config {
            min_retries_per_second: 2,
            feed: Feed::Successes,
            ..Default::default()
        };
        // A second is right for a play of minutes; five to thirty are usual.
        let breaker = circuit_breaker_solution::Config {
            window_size: 20,
            open_for: Duration::from_secs(1),
            open_jitter: 0.2,
            half_open_max_calls: 2,
            success_threshold: 2,
            probe_lease: Duration::from_secs(3),
            ..Default::default()
        };
        let delay = if patience.hedged { Delay::default() } else { Delay::Fixed(Duration::MAX) };
        // One in twenty successes, as the delay is the 95th percentile.
        let hedges = hedging_solution::Budget::new(5, 10)?;
        let bulkhead = bulkhead_solution::Config {
            max_concurrent: patience.places,
            max_waiting: patience.places,
            max_wait: Duration::from_millis(20),
        };
        Ok(Self {
            name,
            base: base.parse().map_err(|error| format!("{base}: {error}"))?,
            client,
            patience,
            retry: Retry::new(backoff, limits)?,
            budget: RetryBudget::new(budget)?,
            hedger: Hedger::new(delay, Arc::new(hedges))?,
            breaker: CircuitBreaker::new(breaker)?,
            bulkhead: Bulkhead::new(bulkhead)?,
        })
    }

    /// Below its base, with each segment escaped as it must be.
    pub fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only a URL like `mailto:` has no path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub fn state(&self) -> State {
        self.breaker.state()
    }

    /// Asks, and asks again if that may help, if there is time and the budget pays. The order of the layers is
    /// that of the chapter on composing: retry, breaker, bulkhead, the timeout of one attempt. Between retry and
    /// breaker is the hedger, so that each of its two requests passes the breaker and takes a place.
    ///
    /// `read` makes something of the body, or says what is wrong with it: an answer that makes no sense is a
    /// failure, to the breaker too.
    // ANCHOR: call
    pub async fn call<T>(
        &self,
        ask: &Ask,
        deadline: Deadline,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Failed> {
        self.budget.record_request();
        let mut failures = 0;
        let mut may_have_happened = false;
        let read = &read;
        let request = |attempt| async move {
            let call = async || {
                let body = self.attempt(ask, attempt, deadline).await?;
                read(&body).map_err(Fault::Malformed)
            };
            self.breaker.call_classified(call, outcome).await.map_err(|error| match error {
                CallError::Rejected(rejected) => Fault::Open(rejected),
                CallError::Operation(fault) => fault,
            })
        };
        let request = &request;
        // Two of them are part of one call: on the heap, as each is large.
        let attempt = |attempt| self.hedger.call(move |_| Box::pin(request(attempt)));
        let classify = |fault: &Fault| {
            failures += 1;
            may_have_happened |= fault.may_have_happened();
            let verdict = fault.verdict();
            // A token is paid for a retry that will be made.
            let pays = || failures < self.patience.attempts && self.budget.try_withdraw().is_ok();
            if verdict != Verdict::Stop && pays() { verdict } else { Verdict::Stop }
        };
        match self.retry.run(rand::make_rng::<StdRng>(), attempt, classify).await {
            Ok(answer) => {
                self.budget.record_success();
                Ok(answer)
            }
            Err(gave_up) => Err(Failed { fault: gave_up.error, may_have_happened }),
        }
    }

    async fn attempt(&self, ask: &Ask, attempt: u32, until: Deadline) -> Result<Bytes, Fault> {
        let _place = self.bulkhead.acquire().await.map_err(Fault::Full)?;
        let send = |headers| self.send(ask, attempt, headers);
        until.carry(self.patience.timeout, BUFFER, send).await.map_err(|error| match error {
            RunError::Work(fault) => fault,
            RunError::Expired(Expired::NotStarted) => Fault::NoTime,
            RunError::Expired(Expired::Cancelled) => Fault::TimedOut,
        })
    }
    // ANCHOR_END: call

    async fn send(&self, ask: &Ask, attempt: u32, time: HeaderMap) -> Result<Bytes, Fault> {
        let request = self
            .client
            .request(ask.method.clone(), ask.url.clone())
            .headers(ask.headers.clone())
            .headers(time)
            .header("x-attempt", attempt)
            .body(ask.body.clone());
        let response = request.send().await.map_err(|error| Fault::of(&error))?;
        if !response.status().is_success() {
            let retry_after = asked_to_wait(&response);
            return Err(Fault::Status { status: response.status().as_u16(), retry_after });
        }
        whole(response).await
    }
}

fn outcome<T>(result: &Result<T, Fault>) -> Outcome {
    result.as_ref().map_or_else(Fault::outcome, |_| Outcome::Success)
}

fn asked_to_wait(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    retry_after(value, std::time::SystemTime::now())
}

/// The body, as far as an answer may go.
async fn whole(mut response: Response) -> Result<Bytes, Fault> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Fault::of(&error))? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(Fault::TooLong(LONGEST_ANSWER));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
