// A small shop: a product page and a checkout, in front of four dependencies. It works, until one of
// them fails. All of it is yours to change; only the routes and the environment are given, by
// fixtures/gameday/CONTRACT.md.
//
// - `settings`: what the environment says.
// - `client`: the HTTP client, which asks the shop's own name server and trusts its own authority.
// - `page`: GET /products/{id}.
// - `orders`: POST /orders, GET /orders/{key}, and the journal on disk.
// - `metrics`: GET /metrics.
// - `patterns`: your crates of the earlier exercises. Nobody uses them yet.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

pub mod client;
pub mod metrics;
pub mod orders;
pub mod page;
pub mod patterns;
pub mod settings;

use metrics::Metrics;
use orders::Orders;
use settings::Settings;

/// Whatever goes wrong.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What all requests share.
pub struct Shop {
    pub settings: Settings,
    pub client: reqwest::Client,
    pub orders: Orders,
    pub metrics: Metrics,
}

/// Serves until the process ends.
pub async fn run() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let shop = Arc::new(Shop {
        client: client::build(&settings)?,
        orders: Orders::open(&settings.journal)?,
        metrics: Metrics::default(),
        settings,
    });
    tokio::spawn(orders::flush_now_and_then(Arc::clone(&shop)));
    let listener = TcpListener::bind(shop.settings.listen).await?;
    axum::serve(listener, router(shop)).await?;
    Ok(())
}

fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/products/{id}", get(page::show))
        .route("/orders", post(orders::place))
        .route("/orders/{key}", get(orders::show))
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics::show))
        .layer(middleware::from_fn_with_state(Arc::clone(&shop), metrics::count))
        .with_state(shop)
}

/// Ready is an instance that can sell: so it asks whether it could be paid.
async fn ready(axum::extract::State(shop): axum::extract::State<Arc<Shop>>) -> Response {
    let url = format!("{}/health", shop.settings.payments);
    match shop.client.get(url).send().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// A failure, as the caller sees it.
pub struct Failed(pub Error);

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}
