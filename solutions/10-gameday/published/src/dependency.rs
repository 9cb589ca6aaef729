//! One of the four dependencies: what stands between it and a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use gameday_solution::Error;
use reqwest::{Client, Method, Url};
use tower::retry::budget::{Budget, TpsBudget};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
use tower_resilience_bulkhead::{BulkheadLayer, BulkheadServiceError};
use tower_resilience_circuitbreaker::{
    CircuitBreakerError, CircuitBreakerLayer, CircuitState, FailureModel,
};

/// No answer of a dependency is longer, in bytes.
const LONGEST_ANSWER: usize = 16 << 10;

/// A request to a dependency.
#[derive(Clone)]
pub struct Ask {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// The breaker or the bulkhead did not let it through: nothing was sent.
    #[error("{0}")]
    Rejected(String),
    /// No connection, or none that can be trusted: nothing was sent.
    #[error("no connection: {0}")]
    NotConnected(String),
    /// The certificate is not valid: nothing was sent, and trying again is of no use.
    #[error("the certificate is not valid: {0}")]
    Certificate(String),
    #[error("status {0}")]
    Status(u16),
    /// No answer, or none that makes sense.
    #[error("{0}")]
    Lost(String),
}

impl Fault {
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Status(500..))
    }

    fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::NotConnected(_) | Self::Lost(_) | Self::Status(429 | 500..))
    }

    /// Whether it says something about the dependency.
    fn is_a_failure(&self) -> bool {
        !matches!(self, Self::Rejected(_) | Self::Status(400..=428 | 430..=499))
    }

    fn of(error: &reqwest::Error) -> Self {
        let text = format!("{error:?}");
        // reqwest keeps the TLS error inside of an io::Error: see the reference for how to get there.
        if text.contains("InvalidCertificate") {
            Self::Certificate(text)
        } else if error.is_connect() {
            Self::NotConnected(text)
        } else {
            Self::Lost(text)
        }
    }
}

impl From<CircuitBreakerError<Self>> for Fault {
    fn from(error: CircuitBreakerError<Self>) -> Self {
        match error {
            CircuitBreakerError::Inner(fault) => fault,
            rejected @ CircuitBreakerError::OpenCircuit => Self::Rejected(rejected.to_string()),
        }
    }
}

/// The bulkhead's, of a call under tower's timeout, whose errors are boxed.
impl From<BulkheadServiceError<BoxError>> for Fault {
    fn from(error: BulkheadServiceError<BoxError>) -> Self {
        match error {
            BulkheadServiceError::Bulkhead(full) => Self::Rejected(full.to_string()),
            BulkheadServiceError::Inner(inner) => match inner.downcast::<Self>() {
                Ok(fault) => *fault,
                Err(elapsed) => Self::Lost(elapsed.to_string()),
            },
        }
    }
}

/// Why there is no answer, after all attempts.
pub struct Failed {
    pub fault: Fault,
    /// Whether any of the attempts may have had its effect.
    pub may_have_happened: bool,
}

pub struct Dependency {
    base: Url,
    calls: BoxCloneSyncService<Ask, Bytes, Fault>,
    retries: ExponentialBuilder,
    budget: Arc<TpsBudget>,
    state: Arc<dyn Fn() -> CircuitState + Send + Sync>,
}

impl Dependency {
    pub fn new(
        base: &str,
        client: &Client,
        attempts: usize,
        timeout: Duration,
    ) -> Result<Self, Error> {
        // Failures in a row: its count window does not slide (the field notes hold it).
        let (layer, breaker) = CircuitBreakerLayer::builder()
            .failure_model(FailureModel::ConsecutiveFailures { k: 5 })
            .wait_duration_in_open(Duration::from_secs(1))
            .permitted_calls_in_half_open(2)
            .failure_classifier(|result: &Result<Bytes, Fault>| {
                result.as_ref().is_err_and(Fault::is_a_failure)
            })
            .build_with_handle()?;
        let bulkhead = BulkheadLayer::builder()
            .max_concurrent_calls(32)
            .max_wait_duration(Duration::from_millis(20))
            .build()?;
        let client = client.clone();
        let calls = ServiceBuilder::new()
            .map_err(Fault::from)
            .layer(layer)
            .map_err(Fault::from)
            .layer(bulkhead)
            .timeout(timeout)
            .service(service_fn(move |ask| send(client.clone(), ask)));
        Ok(Self {
            base: base.parse()?,
            calls: BoxCloneSyncService::new(calls),
            retries: ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(20))
                .with_max_delay(Duration::from_millis(100))
                .with_max_times(attempts - 1)
                .with_jitter(),
            // A tenth of what was asked in the last ten seconds, and two a second.
            budget: Arc::new(TpsBudget::new(Duration::from_secs(10), 2, 0.1)),
            state: Arc::new(move || breaker.state()),
        })
    }

    /// 0 closed, 1 half-open, 2 open.
    pub fn state(&self) -> impl Fn() -> i64 + Send + Sync + 'static {
        let state = Arc::clone(&self.state);
        move || match state() {
            CircuitState::Closed => 0,
            CircuitState::HalfOpen => 1,
            CircuitState::Open => 2,
        }
    }

    pub fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub async fn call(&self, ask: Ask) -> Result<Bytes, Failed> {
        self.budget.deposit();
        let attempts = AtomicU32::new(0);
        let mut may_have_happened = false;
        let attempt = || {
            let mut ask = ask.clone();
            let number = attempts.fetch_add(1, Ordering::Relaxed) + 1;
            ask.headers.insert("x-attempt", number.into());
            let call = self.calls.clone().oneshot(ask);
            // A call that is dropped while half-open keeps its permit for good (the field notes hold that too):
            // so it runs in a task of its own, to its end or its timeout.
            let call = tokio::spawn(call);
            async { call.await.unwrap_or_else(|error| Err(Fault::Lost(error.to_string()))) }
        };
        let worth_it = |fault: &Fault| {
            may_have_happened |= fault.may_have_happened();
            fault.is_worth_a_retry() && self.budget.withdraw()
        };
        let answer = attempt.retry(self.retries).when(worth_it).await;
        answer.map_err(|fault| Failed {
            may_have_happened: may_have_happened || fault.may_have_happened(),
            fault,
        })
    }
}

async fn send(client: Client, ask: Ask) -> Result<Bytes, Fault> {
    let request = client.request(ask.method, ask.url).headers(ask.headers).body(ask.body);
    let mut response = request.send().await.map_err(|error| Fault::of(&error))?;
    if !response.status().is_success() {
        return Err(Fault::Status(response.status().as_u16()));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Fault::of(&error))? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(Fault::Lost("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
