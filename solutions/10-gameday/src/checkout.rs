//! The checkout: from a request to an order, and from a pending order to a settled one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use deadline_solution::{Deadline, RunError};
use degradation_solution::Unavailable;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use crate::journal::{Record, State as OrderState};
use crate::orders::Orders;
use crate::payments::Payments;
use crate::{Shop, refused};

/// Orders are promised in 2 s; this leaves time to write and to send the answer.
pub const PROMISE: Duration = Duration::from_millis(1_800);
/// The longest order, in bytes.
const LONGEST_ORDER: usize = 1 << 10;
/// The longest key.
const LONGEST_KEY: usize = 128;
/// How often pending orders are looked at.
const SETTLE_EVERY: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct NewOrder {
    product: u32,
    quantity: u32,
}

/// POST /orders
pub async fn place(
    State(shop): State<Shop>,
    deadline: Deadline,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(key) = key(&headers) else {
        return bad_request("Idempotency-Key: expected 1 to 128 visible ASCII characters");
    };
    let new = match read(body, deadline).await {
        Ok(new) => new,
        Err(answer) => return answer,
    };
    // An order that was begun is brought to an end, also when its client has gone.
    let order = tokio::spawn(async move { take(&shop, &key, new, deadline, &headers).await });
    order.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

// ANCHOR: take
async fn take(
    shop: &Shop,
    key: &str,
    new: NewOrder,
    deadline: Deadline,
    headers: &HeaderMap,
) -> Response {
    let enter = async || Ok::<_, ()>(shop.orders.enter(key).await);
    let Ok(at_work) = deadline.run(enter).await else {
        return refused("this order is being worked on: ask again");
    };
    if let Some(order) = shop.orders.find(key) {
        return answer(&order);
    }
    let price = match shop.shelf.article(new.product, headers, deadline).await {
        Ok(article) => article.value.price,
        Err(Unavailable::Permanent(_)) => return StatusCode::NOT_FOUND.into_response(),
        Err(why) => return refused(&why.to_string()),
    };
    let amount_cents = price.saturating_mul(new.quantity);
    let charge = shop.payments.charge(key, amount_cents, deadline);
    match shop.orders.place(&at_work, amount_cents, charge).await {
        Ok(state) => answer(&Record { order: key.to_owned(), amount_cents, state }),
        Err(not_taken) => refused(&not_taken.to_string()),
    }
}
// ANCHOR_END: take

fn answer(order: &Record) -> Response {
    let status = match order.state {
        OrderState::Paid => StatusCode::CREATED,
        OrderState::Refused => StatusCode::PAYMENT_REQUIRED,
        OrderState::Pending | OrderState::Released => StatusCode::ACCEPTED,
    };
    (status, Json(order)).into_response()
}

/// GET /orders/{key}
pub async fn show(State(shop): State<Shop>, Path(key): Path<String>) -> Response {
    let order = shop.orders.find(&key);
    order.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |order| Json(order).into_response())
}

/// Settles what is pending, for ever: what a slow or lost answer left, and what a crash did.
// ANCHOR: settle
pub async fn settle(orders: Arc<Orders>, payments: Arc<Payments>) {
    loop {
        sleep(SETTLE_EVERY).await;
        for key in orders.pending() {
            let Some((at_work, order)) = orders.take_up(&key) else { continue };
            // While payments are away their breaker is open, and this costs nothing.
            let outcome = payments.settle(&order, Deadline::after(PROMISE)).await;
            orders.settle(&at_work, outcome).await;
        }
    }
}
// ANCHOR_END: settle

fn key(headers: &HeaderMap) -> Option<String> {
    let key = headers.get("idempotency-key")?.to_str().ok()?;
    (1..=LONGEST_KEY).contains(&key.len()).then(|| key.to_owned())
}

/// The body, if it is short, comes in time, and is an order.
async fn read(body: Body, deadline: Deadline) -> Result<NewOrder, Response> {
    let body: Bytes = match deadline.run(|| to_bytes(body, LONGEST_ORDER)).await {
        Ok(body) => body,
        Err(RunError::Expired(_)) => return Err(StatusCode::REQUEST_TIMEOUT.into_response()),
        Err(RunError::Work(_)) => return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
    };
    let new: NewOrder =
        serde_json::from_slice(&body).map_err(|error| bad_request(&error.to_string()))?;
    if !(1..=10).contains(&new.quantity) {
        return Err(bad_request("quantity: expected 1 to 10"));
    }
    Ok(new)
}

fn bad_request(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response()
}
