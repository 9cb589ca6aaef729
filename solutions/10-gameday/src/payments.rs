//! Payments: what is sent, and what each answer means for an order.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use deadline_solution::Deadline;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

use crate::dependency::{Ask, Dependency, Failed};
use crate::fault::Fault;
use crate::journal::Record;
use crate::orders::Outcome;

pub struct Payments {
    dependency: Arc<Dependency>,
}

#[derive(Deserialize)]
struct Receipt {
    amount: u32,
}

#[derive(Deserialize)]
struct Ledger {
    payments: Vec<Receipt>,
}

impl Payments {
    pub fn new(dependency: Arc<Dependency>) -> Self {
        Self { dependency }
    }

    /// Charges an order. All attempts carry the order's key, so that payments charge it once.
    // ANCHOR: charge
    pub async fn charge(&self, key: &str, amount_cents: u32, deadline: Deadline) -> Outcome {
        let ask = Ask {
            method: Method::POST,
            url: self.dependency.url(&["payments"]),
            headers: headers(key),
            body: Bytes::from(json!({ "amount": amount_cents }).to_string()),
        };
        match self.dependency.call(&ask, deadline, |body| is_for(body, amount_cents)).await {
            Ok(()) => Outcome::Paid,
            // The answer to this key, and so to all attempts.
            Err(Failed { fault: Fault::Status { status: 402 | 422, .. }, .. }) => Outcome::Declined,
            Err(Failed { may_have_happened: false, .. }) => Outcome::NotCharged,
            Err(_) => Outcome::Unknown,
        }
    }

    /// Finds out what became of a pending order: asks for its key, and charges it if nobody has.
    pub async fn settle(&self, order: &Record, deadline: Deadline) -> Outcome {
        let mut url = self.dependency.url(&["payments"]);
        url.query_pairs_mut().append_pair("key", &order.order);
        let ask =
            Ask { method: Method::GET, url, headers: headers(&order.order), body: Bytes::new() };
        let read = |body: &[u8]| serde_json::from_slice::<Ledger>(body).map_err(|e| e.to_string());
        match self.dependency.call(&ask, deadline, read).await {
            Ok(ledger) if ledger.payments.is_empty() => {
                match self.charge(&order.order, order.amount_cents, deadline).await {
                    // The client was told that it will be: it stays so.
                    Outcome::NotCharged => Outcome::Unknown,
                    outcome => outcome,
                }
            }
            Ok(_) => Outcome::Paid,
            Err(_) => Outcome::Unknown,
        }
    }
    // ANCHOR_END: charge
}

/// The order's key names it to payments, and the request to a reader of logs.
fn headers(key: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(key).expect("the checkout let it through");
    headers.insert("idempotency-key", value.clone());
    headers.insert("x-request-id", value);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

fn is_for(body: &[u8], amount_cents: u32) -> Result<(), String> {
    let receipt: Receipt = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if receipt.amount == amount_cents {
        Ok(())
    } else {
        Err(format!("a receipt for {} instead of {amount_cents}", receipt.amount))
    }
}
