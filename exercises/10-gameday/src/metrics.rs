// What a dashboard asks for, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::Shop;

#[derive(Default)]
pub struct Metrics {
    /// By route and status.
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    in_flight: AtomicUsize,
}

/// Counts a request, whatever becomes of it.
pub async fn count(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    shop.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
    let response = next.run(request).await;
    shop.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    let of = (route.unwrap_or_default(), response.status().as_u16());
    *shop.metrics.requests.lock().unwrap().entry(of).or_default() += 1;
    response
}

pub async fn show(State(shop): State<Arc<Shop>>) -> String {
    let mut text = String::new();
    for ((route, status), count) in &*shop.metrics.requests.lock().unwrap() {
        writeln!(text, "shop_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}")
            .unwrap();
    }
    let in_flight = shop.metrics.in_flight.load(Ordering::Relaxed);
    writeln!(text, "shop_in_flight {in_flight}").unwrap();
    writeln!(text, "shop_orders{{state=\"paid\"}} {}", shop.orders.count()).unwrap();
    text
}
