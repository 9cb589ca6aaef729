//! The shop that survives its game day: the reference for `exercises/10-gameday`.
//!
//! From the outside in:
//!
//! - [`server`] bounds connections and the time that a request's head may take; `admission` bounds requests.
//! - `page` shows an article with what is there, and names what is not.
//! - [`orders`] takes an order, at most once for its key, and writes it into the [`journal`] before any
//!   money moves; `payments` moves it.
//! - `dependency` is one of the four: every call to it goes through its retry, its breaker, its bulkhead
//!   and the deadline of the request. [`fault`] says what an error means for each of them.
//! - [`client`] makes connections: [`names`] keeps addresses when the name server doesn't answer,
//!   [`certificate`] watches what payments show.
//! - [`metrics`] is what all this looks like from outside.

use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use circuit_breaker_solution::State;
use deadline_solution::{Gate, Limits};
use tokio::net::TcpListener;

mod admission;
mod checkout;
mod dependency;
mod page;
mod payments;

pub mod certificate;
pub mod client;
pub mod fault;
pub mod journal;
pub mod metrics;
pub mod names;
pub mod orders;
pub mod server;
pub mod settings;

use admission::Admission;
use certificate::Certificate;
use dependency::{Dependency, Patience};
use journal::Journal;
use metrics::Metrics;
use orders::Orders;
use page::Shelf;
use payments::Payments;
use settings::Settings;

/// Whatever keeps the shop from opening.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What all requests share. A handle: clones are the same shop.
#[derive(Clone)]
struct Shop {
    gate: Arc<Gate>,
    shelf: Arc<Shelf>,
    payments: Arc<Payments>,
    orders: Arc<Orders>,
}

/// What an extractor of [`deadline_solution::Deadline`] asks for.
impl FromRef<Shop> for Arc<Gate> {
    fn from_ref(shop: &Shop) -> Self {
        Arc::clone(&shop.gate)
    }
}

/// Serves until SIGTERM or Ctrl-C, and then finishes what it has begun.
///
/// # Errors
/// When the environment is incomplete, the journal can't be read, or the address is taken.
pub async fn run() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let client = client::build(&settings)?;
    let metrics = Arc::new(Metrics::new()?);
    let dependency = |name, url: &str, patience| {
        Dependency::new(name, url, client.clone(), patience).map(Arc::new)
    };
    let catalogue = dependency("catalogue", &settings.catalogue, Patience::CATALOGUE)?;
    let stock = dependency("stock", &settings.stock, Patience::EXTRA)?;
    let recommendations =
        dependency("recommendations", &settings.recommendations, Patience::EXTRA)?;
    let payments = dependency("payments", &settings.payments, Patience::PAYMENTS)?;
    for one in [&catalogue, &stock, &recommendations, &payments] {
        let one = Arc::clone(one);
        metrics.watch_breaker(one.name, move || match one.state() {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open | State::ForcedOpen => 2,
        });
    }
    let (journal, records) = Journal::open(&settings.journal)?;
    let orders = Arc::new(Orders::new(journal, records));
    metrics.watch_orders(Arc::clone(&orders));
    // A request that says nothing has what an order is promised; `Gate` shortens what others ask for.
    let limits = Limits {
        default_budget: checkout::PROMISE,
        max_budget: checkout::PROMISE,
        ..Limits::default()
    };
    let shop = Shop {
        gate: Arc::new(Gate::new(limits)?),
        shelf: Arc::new(Shelf::new(catalogue, stock, recommendations)?),
        payments: Arc::new(Payments::new(payments)),
        orders,
    };
    if settings.payments.starts_with("https:") {
        let certificate = Arc::new(Certificate::default());
        metrics.watch_certificate("payments", Arc::clone(&certificate));
        let client = client::unpooled(&settings)?;
        tokio::spawn(certificate::watch(certificate, client, settings.payments));
    }
    tokio::spawn(checkout::settle(shop.orders.clone(), shop.payments.clone()));
    let listener = TcpListener::bind(settings.listen).await?;
    server::serve(listener, router(shop, metrics)?).await;
    Ok(())
}

fn router(shop: Shop, metrics: Arc<Metrics>) -> Result<Router, Error> {
    let pages = Admission::pages(Arc::clone(&shop.gate), Arc::clone(&metrics))?;
    let orders = Admission::orders(Arc::clone(&shop.gate), Arc::clone(&metrics))?;
    let admitted = |admission| middleware::from_fn_with_state(admission, admission::admit);
    // Health and metrics are asked most when there is too much to do: nothing may keep them out.
    Ok(Router::new()
        .route("/products/{id}", get(page::show).layer(admitted(pages)))
        .route("/orders", post(checkout::place).layer(admitted(orders)))
        .route("/orders/{key}", get(checkout::show))
        .route("/health/live", get(async || "live\n"))
        // Whether an instance is ready is about this instance. It asks nobody else: what hits payments hits
        // all instances alike, and a balancer that takes them all out has none left.
        .route("/health/ready", get(async || "ready\n"))
        .route("/metrics", get(metrics::show).with_state(Arc::clone(&metrics)))
        .layer(middleware::from_fn_with_state(metrics, metrics::count))
        .with_state(shop))
}

/// 503, and when to come back: nothing was done.
fn refused(why: &str) -> Response {
    refused_for(1, why)
}

fn refused_for(seconds: u64, why: &str) -> Response {
    let seconds = [(RETRY_AFTER, seconds.to_string())];
    (StatusCode::SERVICE_UNAVAILABLE, seconds, format!("{why}\n")).into_response()
}
