//! The shop of published crates: what a team would run that has read this workbook.
//!
//! - the door: tower's load shedding and concurrency limit, tower-http's limits on bodies and time;
//! - each dependency (`dependency`): tower-resilience's breaker and bulkhead, tower's timeout and retry budget,
//!   backon's retries;
//! - the page (`page`): moka's cache, and the fallback as a `match`;
//! - the checkout (`checkout`): on the reference's journal, for which there is no crate.

use std::sync::Arc;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use gameday_solution::certificate::{self, Certificate};
use gameday_solution::journal::Journal;
use gameday_solution::metrics::{self, Metrics};
use gameday_solution::orders::Orders;
use gameday_solution::settings::Settings;
use gameday_solution::{Error, client, server};
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

mod checkout;
mod dependency;
mod page;

use dependency::Dependency;
use page::Shelf;

/// The longest order, in bytes.
const LONGEST_ORDER: usize = 1 << 10;

#[derive(Clone)]
struct Shop {
    shelf: Arc<Shelf>,
    payments: Arc<Dependency>,
    orders: Arc<Orders>,
    metrics: Arc<Metrics>,
}

impl FromRef<Shop> for Arc<Metrics> {
    fn from_ref(shop: &Shop) -> Self {
        Arc::clone(&shop.metrics)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let client = client::build(&settings)?;
    let metrics = Arc::new(Metrics::new()?);
    let dependency = |name, url: &str, attempts, patience| {
        let dependency = Dependency::new(url, &client, attempts, Duration::from_millis(patience))?;
        metrics.watch_breaker(name, dependency.state());
        Ok::<_, Error>(Arc::new(dependency))
    };
    let catalogue = dependency("catalogue", &settings.catalogue, 2, 200)?;
    let stock = dependency("stock", &settings.stock, 1, 300)?;
    let recommendations = dependency("recommendations", &settings.recommendations, 1, 300)?;
    let payments = dependency("payments", &settings.payments, 3, 500)?;
    let (journal, records) = Journal::open(&settings.journal)?;
    let orders = Arc::new(Orders::new(journal, records));
    metrics.watch_orders(Arc::clone(&orders));
    if settings.payments.starts_with("https:") {
        let certificate = Arc::new(Certificate::default());
        metrics.watch_certificate("payments", Arc::clone(&certificate));
        let client = client::unpooled(&settings)?;
        tokio::spawn(certificate::watch(certificate, client, settings.payments));
    }
    tokio::spawn(checkout::settle(Arc::clone(&orders), Arc::clone(&payments)));
    let shelf = Arc::new(Shelf::new(catalogue, stock, recommendations));
    let listener = TcpListener::bind(settings.listen).await?;
    server::serve(listener, router(Shop { shelf, payments, orders, metrics })).await;
    Ok(())
}

fn router(shop: Shop) -> Router {
    Router::new()
        .route("/products/{id}", admitted(&shop, get(page::show), 64, Duration::from_millis(450)))
        .route("/orders", admitted(&shop, post(checkout::place), 32, Duration::from_millis(1_850)))
        .route("/orders/{key}", get(checkout::show))
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(async || "ready\n"))
        .route("/metrics", get(metrics::show))
        .layer(middleware::from_fn_with_state(Arc::clone(&shop.metrics), metrics::count))
        .with_state(shop)
}

/// Lets so many requests in at the same time, and sends the others away at once: tower's limit has a queue
/// without a bound, so `load_shed` stands before it, and there is no queue at all.
fn admitted(
    shop: &Shop,
    route: MethodRouter<Shop>,
    places: usize,
    time: Duration,
) -> MethodRouter<Shop> {
    let metrics = Arc::clone(&shop.metrics);
    let shed = move |_: BoxError| {
        metrics.shed();
        std::future::ready(refused("too many requests"))
    };
    route.layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(shed))
            .load_shed()
            .concurrency_limit(places)
            .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, time))
            .layer(RequestBodyLimitLayer::new(LONGEST_ORDER)),
    )
}

/// 503, and when to come back: nothing was done.
fn refused(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], format!("{why}\n")).into_response()
}
