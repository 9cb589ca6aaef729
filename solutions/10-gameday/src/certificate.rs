//! How long a dependency's certificate is still valid, so that somebody is told before it is over.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::tls::TlsInfo;
use reqwest::{Client, Response};
use tokio::time::{MissedTickBehavior, interval};
use x509_cert::der::Decode;

use crate::fault;

/// How often somebody looks. Once an hour would do where certificates last for weeks.
const EVERY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(1);

/// What was seen last.
#[derive(Debug, Default)]
pub struct Certificate {
    not_after: Mutex<Option<SystemTime>>,
}

impl Certificate {
    /// Whole seconds until it expires, negative once it has; `None` when none was seen yet.
    pub fn expires_in(&self, now: SystemTime) -> Option<i64> {
        let not_after = (*self.not_after.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(match not_after.duration_since(now) {
            Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            Err(over) => -i64::try_from(over.duration().as_secs()).unwrap_or(i64::MAX),
        })
    }

    fn saw(&self, not_after: SystemTime) {
        *self.not_after.lock().unwrap_or_else(PoisonError::into_inner) = Some(not_after);
    }
}

/// Looks at the certificate of `base` for ever. `client` makes a connection for each request: one that lasts
/// shows only what was valid when it was made.
pub async fn watch(certificate: std::sync::Arc<Certificate>, client: Client, base: String) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let url = format!("{base}/health");
    loop {
        ticks.tick().await;
        let seen = match client.get(&url).timeout(PATIENCE).send().await {
            Ok(response) => not_after(&response),
            Err(error) => fault::expired_at(&error),
        };
        if let Some(seen) = seen {
            certificate.saw(seen);
        }
    }
}

fn not_after(response: &Response) -> Option<SystemTime> {
    let der = response.extensions().get::<TlsInfo>()?.peer_certificate()?;
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    Some(certificate.tbs_certificate.validity.not_after.to_system_time())
}
