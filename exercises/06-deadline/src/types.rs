// What a caller sees and handles. Given: nothing to write here.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// The deadline passed before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Expired {
    /// It had passed already.
    #[error(
        "the deadline has passed, or the pause ends too late: nothing was started, so nothing has happened"
    )]
    NotStarted,
    /// It passed while the work ran.
    #[error(
        "the deadline passed while the work ran: it was cancelled, and may have had its effect"
    )]
    Cancelled,
}

/// Why [`Deadline::run`](crate::Deadline::run) has no value to return.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError<E> {
    /// The deadline passed first.
    #[error(transparent)]
    Expired(#[from] Expired),
    /// The work was done in time, and failed.
    #[error("the work failed: {0}")]
    Work(E),
}

/// Nobody waits for this work any more: its deadline has passed, or its caller has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody waits for this work any more: stop, and leave what you hold as you found it")]
pub struct Stopped;

/// A header that says nothing that could be a deadline. Holds its value, printable, its first bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// `grpc-timeout`, the relative one.
    #[error("grpc-timeout is `{0}`: send 1 to 8 digits and a unit, one of H M S m u n")]
    GrpcTimeout(String),
    /// `x-deadline`, the absolute one.
    #[error("x-deadline is `{0}`: send a time in UTC as RFC 3339 has it, 2024-01-15T10:30:00.000Z")]
    XDeadline(String),
}

impl WireError {
    /// So many bytes of a value are shown: what others send may be long, and this ends in a log.
    const SHOWN: usize = 40;

    /// For a value of `grpc-timeout`.
    pub fn grpc_timeout(value: &[u8]) -> Self {
        Self::GrpcTimeout(Self::printable(value))
    }

    /// For a value of `x-deadline`.
    pub fn x_deadline(value: &[u8]) -> Self {
        Self::XDeadline(Self::printable(value))
    }

    fn printable(value: &[u8]) -> String {
        let shown = &value[..value.len().min(Self::SHOWN)];
        let more = if shown.len() < value.len() { "…" } else { "" };
        format!("{}{more}", shown.escape_ascii())
    }
}

/// Why a request was turned away before anything was done for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Its deadline can't be read. Answered with 400 and the reason.
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// Its deadline has passed. Answered with 504.
    #[error("the deadline of this request has passed: nothing was done")]
    Expired,
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        let status = match self {
            Rejected::Malformed(_) => StatusCode::BAD_REQUEST,
            Rejected::Expired => StatusCode::GATEWAY_TIMEOUT,
        };
        (status, self.to_string()).into_response()
    }
}
