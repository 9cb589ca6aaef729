// The checkout: ask for the price, take the money, note the order.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path as Segment, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::page::{about, article};
use crate::{Error, Failed, Shop};

/// Payments are asked so often.
const TRIES: u32 = 3;
/// The payment provider has its slow moments.
const TRY_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct NewOrder {
    product: u32,
    quantity: u32,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    pub order: String,
    pub state: String,
    pub amount_cents: u32,
}

/// The orders, in memory and in a file with a line an order.
pub struct Orders {
    known: Mutex<HashMap<String, Order>>,
    file: Mutex<BufWriter<File>>,
}

impl Orders {
    /// Reads the orders of earlier times.
    ///
    /// # Errors
    /// When the file can't be read, or a line of it is no order.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("orders.jsonl");
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path)?;
        let mut known = HashMap::new();
        for line in BufReader::new(File::open(&path)?).lines() {
            let order: Order = serde_json::from_str(&line?)?;
            known.insert(order.order.clone(), order);
        }
        Ok(Self { known: Mutex::new(known), file: Mutex::new(BufWriter::new(file)) })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.known.lock().unwrap().len()
    }

    fn find(&self, key: &str) -> Option<Order> {
        self.known.lock().unwrap().get(key).cloned()
    }

    fn add(&self, order: &Order) {
        self.known.lock().unwrap().insert(order.order.clone(), order.clone());
        let mut file = self.file.lock().unwrap();
        serde_json::to_writer(&mut *file, order).expect("orders can be written");
        file.write_all(b"\n").expect("orders can be written");
    }
}

/// Writing each order at once would cost a write an order.
pub async fn flush_now_and_then(shop: Arc<Shop>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shop.orders.file.lock().unwrap().flush().expect("orders can be written");
    }
}

pub async fn place(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failed> {
    let key = headers.get("idempotency-key").ok_or("Idempotency-Key is missing")?;
    let key = key.to_str()?.to_owned();
    let body = to_bytes(body, usize::MAX).await?;
    let NewOrder { product, quantity } = serde_json::from_slice(&body)?;
    if let Some(order) = shop.orders.find(&key) {
        return Ok((StatusCode::CREATED, Json(order)).into_response());
    }
    let amount_cents = article(&shop, product, &headers).await?.price * quantity;
    charge(&shop, amount_cents, &headers).await?;
    let order = Order { order: key, state: "paid".to_owned(), amount_cents };
    shop.orders.add(&order);
    Ok((StatusCode::CREATED, Json(order)).into_response())
}

/// Now and then payments don't answer. Then try again.
async fn charge(shop: &Shop, amount: u32, headers: &HeaderMap) -> Result<(), Failed> {
    let url = format!("{}/payments", shop.settings.payments);
    let mut attempt = 1;
    loop {
        let request = shop.client.post(&url).json(&json!({ "amount": amount }));
        let answer = about(request, headers, attempt).timeout(TRY_TIMEOUT).send().await;
        match answer.and_then(reqwest::Response::error_for_status) {
            Ok(_) => return Ok(()),
            Err(error) if attempt == TRIES => return Err(error.into()),
            Err(_) => attempt += 1,
        }
    }
}

pub async fn show(State(shop): State<Arc<Shop>>, Segment(key): Segment<String>) -> Response {
    match shop.orders.find(&key) {
        Some(order) => Json(order).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
