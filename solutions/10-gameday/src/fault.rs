//! What went wrong with a call, and what that means: for another try, for the breaker, and for money.

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use backoff_solution::Verdict;
use circuit_breaker_solution::Outcome;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The breaker is open, or its probes are out.
    #[error("{0}")]
    Open(circuit_breaker_solution::Rejected),
    /// The bulkhead is full.
    #[error("{0}")]
    Full(bulkhead_solution::Rejected),
    /// The deadline had passed before anything was sent.
    #[error("there was no time left")]
    NoTime,
    /// The certificate is not valid. It won't be at the next try either.
    #[error("the certificate is not valid: {0}")]
    Certificate(rustls::Error),
    /// No connection, and so no request.
    #[error("no connection: {0}")]
    NotConnected(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke before the answer was complete.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// An answer that says that there is none.
    #[error("status {status}")]
    Status {
        /// The status.
        status: u16,
        /// What `Retry-After` asked for.
        retry_after: Option<Duration>,
    },
    /// Longer than any answer has a reason to be.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// Not what was asked for.
    #[error("the answer makes no sense: {0}")]
    Malformed(String),
}

impl Fault {
    /// What reqwest's error comes to.
    pub fn of(error: &reqwest::Error) -> Self {
        if let Some(tls @ rustls::Error::InvalidCertificate(_)) = tls_error(error) {
            return Self::Certificate(tls.clone());
        }
        // Its own words are for people ("error sending request"); the cause is the last in the chain.
        let mut cause: &dyn Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        if error.is_connect() {
            Self::NotConnected(cause.to_string())
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Broken(cause.to_string())
        }
    }

    /// Whether the dependency may have done what it was asked to, for all that we know.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Open(_)
            | Self::Full(_)
            | Self::NoTime
            | Self::Certificate(_)
            | Self::NotConnected(_) => false,
            Self::Status { status, .. } => *status >= 500,
            Self::TimedOut | Self::Broken(_) | Self::TooLong(_) | Self::Malformed(_) => true,
        }
    }

    /// Whether another try may help. The caller still has to be able to pay for it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Status { status: 429 | 503, retry_after: Some(asked) } => {
                Verdict::RetryAfter(*asked)
            }
            Self::Status { status: 429 | 500.., .. }
            | Self::NotConnected(_)
            | Self::TimedOut
            | Self::Broken(_) => Verdict::Retry,
            _ => Verdict::Stop,
        }
    }

    /// What it says about the dependency.
    pub fn outcome(&self) -> Outcome {
        match self {
            // It was not asked.
            Self::Open(_) | Self::Full(_) | Self::NoTime => Outcome::Ignored,
            // It has answered, and means us.
            Self::Status { status: 400..=428 | 430..=499, .. } => Outcome::Success,
            _ => Outcome::Failure,
        }
    }
}

/// The TLS error at the bottom, if there is one.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        // An `io::Error` hides what it was made of: its `source` is that of the inner error.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(tls);
        }
        next = error.source();
    }
    None
}

/// Until when the certificate was valid that this error is about, if it has expired.
pub fn expired_at(error: &reqwest::Error) -> Option<SystemTime> {
    let expired = |not_after: UnixTime| {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
    };
    match tls_error(error)? {
        rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
            not_after, ..
        }) => expired(*not_after),
        _ => None,
    }
}
