//! How many requests are worked on at once, how many may wait for it and how long, and what the others are told.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use deadline_solution::{Deadline, Gate};
use load_shedding_solution::{Config, ConfigError, Limit, Priority, Shedder};
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::{checkout, page, refused_for};

/// The door of one kind of requests. Each kind has places of its own, so that orders that wait for payments take none
/// from pages. A handle: clones share the places.
#[derive(Clone)]
pub struct Admission {
    places: Shedder,
    /// What such a request is promised, from the moment at which it comes.
    promise: Duration,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

/// What an extractor of [`Deadline`] asks for.
impl FromRef<Admission> for Arc<Gate> {
    fn from_ref(admission: &Admission) -> Self {
        Arc::clone(&admission.gate)
    }
}

impl Admission {
    pub fn pages(gate: Arc<Gate>, metrics: Arc<Metrics>) -> Result<Self, ConfigError> {
        let queue = Queue { running: 16, waiting: 16, interval: Duration::from_millis(100) };
        Self::new(queue, page::PROMISE, gate, metrics)
    }

    pub fn orders(gate: Arc<Gate>, metrics: Arc<Metrics>) -> Result<Self, ConfigError> {
        let queue = Queue { running: 16, waiting: 16, interval: Duration::from_millis(200) };
        Self::new(queue, checkout::PROMISE, gate, metrics)
    }

    fn new(
        queue: Queue,
        promise: Duration,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ConfigError> {
        let config = Config {
            // Not a limit that learns from how long requests take: what takes long here is a dependency, and each of
            // those has limits of its own.
            limit: Limit::Fixed(queue.running),
            max_waiting: queue.waiting,
            target: queue.interval / 4,
            interval: queue.interval,
            reserve: 0,
            retry_after: Duration::from_secs(1),
        };
        Ok(Self { places: Shedder::new(config)?, promise, gate, metrics })
    }
}

#[derive(Clone, Copy)]
struct Queue {
    /// Worked on at once.
    running: usize,
    /// At once.
    waiting: usize,
    /// Who waits longer than this is not served in time. A quarter of it, while somebody always waits.
    interval: Duration,
}

/// Lets the request in, or sends it away at once: a queue without a bound is only a slower way to say no.
// ANCHOR: admit
pub async fn admit(
    State(admission): State<Admission>,
    deadline: Deadline,
    mut request: Request,
    next: Next,
) -> Response {
    // For the handler too: what a request waits here is taken from what it was promised.
    let deadline = deadline.child(admission.promise, Duration::ZERO);
    request.extensions_mut().insert(deadline);
    let asked = load_shedding_solution::Request {
        priority: Priority::default(),
        deadline: Some(Instant::now() + deadline.remaining()),
    };
    match admission.places.call(asked, || next.run(request)).await {
        Ok(response) => response,
        Err(shed) => {
            admission.metrics.shed();
            refused_for(shed.retry_after_seconds(), &shed.to_string())
        }
    }
}
// ANCHOR_END: admit
