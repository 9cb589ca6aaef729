//! What the checks share: ways to note when things happen, and to serve and call over real sockets.
//!
//! Time is virtual in nearly all checks: `#[tokio::test(start_paused = true)]` stops tokio's clock, and
//! `wait` moves it. Where sockets are, time is real, and the checks wait for events and never for time.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use deadline::{Gate, Limits};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::time::Instant;

mod step_1_instant;
mod step_2_enforce;
mod step_3_wire;
mod step_4_propagate;
mod step_5_stop;
mod step_6_audit;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
/// What a caller keeps for itself; that of the document that the workbook grew from.
const BUFFER: Duration = Duration::from_millis(100);

/// 2024-01-15T10:30:00Z, a time on the wall's clock.
fn wall() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_705_314_600)
}

/// Moves the clock.
async fn wait(time: Duration) {
    tokio::time::advance(time).await;
}

/// Writes down what happened, and when.
struct Diary {
    begun: Instant,
    text: RefCell<String>,
}

impl Diary {
    fn new() -> Self {
        Self { begun: Instant::now(), text: RefCell::default() }
    }

    fn note(&self, what: &str) {
        let at = format!("{:.3}s", self.begun.elapsed().as_secs_f64());
        writeln!(self.text.borrow_mut(), "{at:<8} {what}").unwrap();
    }

    fn read(&self) -> String {
        self.text.borrow().clone()
    }
}

/// Notes in the diary that it was dropped.
struct Dropped<'a>(&'a Diary);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.note("the work is dropped");
    }
}

/// Headers with these fields.
fn headers<const N: usize>(fields: [(&'static str, &str); N]) -> HeaderMap {
    fields
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

/// The one field of these headers.
fn timeout_of(headers: &HeaderMap) -> &str {
    let value = headers.get("grpc-timeout").expect("a call carries grpc-timeout");
    value.to_str().expect("digits and a letter")
}

fn gate(limits: Limits) -> Arc<Gate> {
    Arc::new(Gate::new(limits).expect("these limits are valid"))
}

/// Rejects all that has expired.
fn strict() -> Limits {
    Limits { max_rejected_percent: 100, ..Limits::default() }
}

/// Serves on a port of its own, until the check ends.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port on loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// One request on a connection of its own; dropping the future closes it.
async fn get(address: SocketAddr, headers: HeaderMap) -> Result<(StatusCode, String), String> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::get(format!("http://{address}/")).body(Body::empty()).unwrap();
    *request.headers_mut() = headers;
    let answer = client.request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body =
        to_bytes(Body::new(answer.into_body()), usize::MAX).await.map_err(|e| e.to_string())?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
