//! The checkout, on the reference's orders and journal.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gameday_solution::journal::{Record, State as OrderState};
use gameday_solution::orders::{Orders, Outcome};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::dependency::{Ask, Dependency, Failed, Fault};
use crate::{Shop, refused};

#[derive(Deserialize)]
struct NewOrder {
    product: u32,
    quantity: u32,
}

pub async fn place(State(shop): State<Shop>, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let Some(key) = key.filter(|key| (1..=128).contains(&key.len())) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let new: NewOrder = match serde_json::from_slice(&body) {
        Ok(new) => new,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    if !(1..=10).contains(&new.quantity) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let key = key.to_owned();
    // An order that was begun is brought to an end, also when its client has gone.
    let order = tokio::spawn(async move { take(&shop, key, &new, &headers).await });
    order.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn take(shop: &Shop, key: String, new: &NewOrder, headers: &HeaderMap) -> Response {
    let at_work = shop.orders.enter(&key).await;
    if let Some(order) = shop.orders.find(&key) {
        return answer(&order);
    }
    let price = match shop.shelf.article(new.product, headers).await {
        Ok(Some((article, _))) => article.price,
        Ok(None) => return refused("the catalogue can't be reached"),
        Err(status) => return status.into_response(),
    };
    let amount_cents = price.saturating_mul(new.quantity);
    let charge = charge(&shop.payments, &key, amount_cents);
    match shop.orders.place(&at_work, amount_cents, charge).await {
        Ok(state) => answer(&Record { order: key.clone(), amount_cents, state }),
        Err(not_taken) => refused(&not_taken.to_string()),
    }
}

fn answer(order: &Record) -> Response {
    let status = match order.state {
        OrderState::Paid => StatusCode::CREATED,
        OrderState::Refused => StatusCode::PAYMENT_REQUIRED,
        OrderState::Pending | OrderState::Released => StatusCode::ACCEPTED,
    };
    (status, Json(order)).into_response()
}

pub async fn show(State(shop): State<Shop>, Path(key): Path<String>) -> Response {
    let order = shop.orders.find(&key);
    order.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |order| Json(order).into_response())
}

/// Settles what is pending, for ever.
pub async fn settle(orders: Arc<Orders>, payments: Arc<Dependency>) {
    loop {
        sleep(Duration::from_millis(500)).await;
        for key in orders.pending() {
            let Some((at_work, order)) = orders.take_up(&key) else { continue };
            let outcome = look_up(&payments, &order).await;
            orders.settle(&at_work, outcome).await;
        }
    }
}

async fn charge(payments: &Dependency, key: &str, amount_cents: u32) -> Outcome {
    let ask = Ask {
        method: Method::POST,
        url: payments.url(&["payments"]),
        headers: headers_for(key),
        body: Bytes::from(json!({ "amount": amount_cents }).to_string()),
    };
    match payments.call(ask).await {
        Ok(_) => Outcome::Paid,
        Err(Failed { fault: Fault::Status(402 | 422), .. }) => Outcome::Declined,
        Err(Failed { may_have_happened: false, .. }) => Outcome::NotCharged,
        Err(_) => Outcome::Unknown,
    }
}

async fn look_up(payments: &Dependency, order: &Record) -> Outcome {
    let mut url = payments.url(&["payments"]);
    url.query_pairs_mut().append_pair("key", &order.order);
    let headers = headers_for(&order.order);
    let ask = Ask { method: Method::GET, url, headers, body: Bytes::new() };
    let Ok(body) = payments.call(ask).await else { return Outcome::Unknown };
    let ledger: Value = serde_json::from_slice(&body).unwrap_or_default();
    match ledger["payments"].as_array() {
        Some(made) if made.is_empty() => {
            match charge(payments, &order.order, order.amount_cents).await {
                // The client was told that it will be: it stays so.
                Outcome::NotCharged => Outcome::Unknown,
                outcome => outcome,
            }
        }
        Some(_) => Outcome::Paid,
        None => Outcome::Unknown,
    }
}

fn headers_for(key: &str) -> HeaderMap {
    let value = HeaderValue::from_str(key).expect("it came in a header");
    let json = HeaderValue::from_static("application/json");
    HeaderMap::from_iter([
        (HeaderName::from_static("idempotency-key"), value.clone()),
        (HeaderName::from_static("x-request-id"), value),
        (CONTENT_TYPE, json),
    ])
}
