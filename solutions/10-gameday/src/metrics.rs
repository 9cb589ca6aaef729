//! What the shop looks like from outside, as Prometheus reads it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::certificate::Certificate;
use crate::orders::Orders;

/// Sets gauges to what they should say now.
type Look = Box<dyn Fn() + Send + Sync>;

/// The numbers. Share them in an `Arc`.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    shed: IntCounter,
    in_flight: IntGauge,
    breakers: IntGaugeVec,
    orders: IntGaugeVec,
    certificates: IntGaugeVec,
    /// What is looked up when somebody asks.
    looks: Mutex<Vec<Look>>,
}

impl Metrics {
    /// # Errors
    /// Never: the names are fixed, and differ.
    pub fn new() -> prometheus::Result<Self> {
        let gauges = |name, help, label| IntGaugeVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new("shop_requests_total", "Requests answered."),
                &["route", "status"],
            )?,
            shed: IntCounter::new("shop_shed_total", "Requests turned away at the door.")?,
            in_flight: IntGauge::new("shop_in_flight", "Requests being worked on.")?,
            breakers: gauges("shop_breaker_state", "0 closed, 1 half-open, 2 open.", "dependency")?,
            orders: gauges("shop_orders", "Orders known.", "state")?,
            certificates: gauges(
                "shop_certificate_expires_seconds",
                "Until the certificate expires; negative once it has.",
                "dependency",
            )?,
            looks: Mutex::default(),
        };
        metrics.registry.register(Box::new(metrics.requests.clone()))?;
        metrics.registry.register(Box::new(metrics.shed.clone()))?;
        metrics.registry.register(Box::new(metrics.in_flight.clone()))?;
        metrics.registry.register(Box::new(metrics.breakers.clone()))?;
        metrics.registry.register(Box::new(metrics.orders.clone()))?;
        metrics.registry.register(Box::new(metrics.certificates.clone()))?;
        Ok(metrics)
    }

    /// A request was turned away.
    pub fn shed(&self) {
        self.shed.inc();
    }

    /// Shows the state of a breaker: 0 closed, 1 half-open, 2 open.
    pub fn watch_breaker(&self, of: &'static str, state: impl Fn() -> i64 + Send + Sync + 'static) {
        let gauge = self.breakers.with_label_values(&[of]);
        self.at_each_look(move || gauge.set(state()));
    }

    /// Shows how many orders there are.
    pub fn watch_orders(&self, orders: Arc<Orders>) {
        let gauges = self.orders.clone();
        self.at_each_look(move || {
            for (state, count) in orders.counts() {
                gauges.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        });
    }

    /// Shows how long a certificate is still valid, once one was seen.
    pub fn watch_certificate(&self, of: &'static str, certificate: Arc<Certificate>) {
        let gauges = self.certificates.clone();
        self.at_each_look(move || {
            if let Some(seconds) = certificate.expires_in(SystemTime::now()) {
                gauges.with_label_values(&[of]).set(seconds);
            }
        });
    }

    fn at_each_look(&self, look: impl Fn() + Send + Sync + 'static) {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(look));
    }

    fn text(&self) -> String {
        for look in &*self.looks.lock().unwrap_or_else(PoisonError::into_inner) {
            look();
        }
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// GET /metrics.
pub async fn show(State(metrics): State<Arc<Metrics>>) -> String {
    metrics.text()
}

/// Counts a request, and that it is being worked on until it ends or its caller goes.
pub async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let in_flight = InFlight::new(&metrics.in_flight);
    let response = next.run(request).await;
    drop(in_flight);
    let route = route.as_ref().map_or("", |path| path.as_str());
    metrics.requests.with_label_values(&[route, response.status().as_str()]).inc();
    response
}

struct InFlight<'a>(&'a IntGauge);

impl<'a> InFlight<'a> {
    fn new(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
