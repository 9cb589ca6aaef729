//! How many requests are worked on at once, how many may wait for it, and what the others are told.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bulkhead_solution::{Bulkhead, Config, ConfigError};

use crate::metrics::Metrics;
use crate::refused;

/// A handle: clones share the places.
#[derive(Clone)]
pub struct Admission {
    places: Bulkhead,
    metrics: Arc<Metrics>,
}

impl Admission {
    /// Pages are promised in half a second: who waits longer than this is not served in time.
    pub const PAGES: Config =
        Config { max_concurrent: 64, max_waiting: 64, max_wait: Duration::from_millis(100) };
    pub const ORDERS: Config =
        Config { max_concurrent: 32, max_waiting: 32, max_wait: Duration::from_millis(200) };

    pub fn new(config: Config, metrics: Arc<Metrics>) -> Result<Self, ConfigError> {
        Ok(Self { places: Bulkhead::new(config)?, metrics })
    }
}

/// Lets the request in, or sends it away at once: a queue without a bound is only a slower way to say no.
pub async fn admit(State(admission): State<Admission>, request: Request, next: Next) -> Response {
    match admission.places.acquire().await {
        Ok(_place) => next.run(request).await,
        Err(full) => {
            admission.metrics.shed();
            refused(&full.to_string())
        }
    }
}
