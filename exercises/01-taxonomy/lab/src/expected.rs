//! What the detectors have to say of each kind.

use flaky::{Byzantine, Cascade, Crash, Fault, Omission, Response, Timing};

/// The class that its caller sees. A new kind does not compile until it has one.
pub fn seen_as(fault: &Fault) -> &'static str {
    match fault {
        Fault::Crash(
            Crash::Refuse
            | Crash::ResetBeforeResponse
            | Crash::ResetDuringResponse
            | Crash::ResetAfterResponse
            | Crash::Exit { .. }
            | Crash::Restart { .. },
        ) => "crash",
        Fault::Omission(Omission::Hang { .. } | Omission::Drop | Omission::Swallow { .. }) => {
            "omission"
        }
        Fault::Timing(
            Timing::Latency(_) | Timing::Freeze(_) | Timing::SlowHead(_) | Timing::SlowBody(_),
        ) => "timing",
        // The server is only slow to accept. But no caller sees that: the connection doesn't come.
        Fault::Timing(Timing::FullBacklog) => {
            if cfg!(windows) {
                "crash"
            } else {
                "omission"
            }
        }
        Fault::Response(
            Response::Status(_)
            | Response::TruncatedBody
            | Response::ExtraBytes(_)
            | Response::FlippedBits(_)
            | Response::MalformedChunk
            | Response::WrongContentType
            | Response::NotJson,
        ) => "response",
        Fault::Byzantine(
            Byzantine::StaleValue
            | Byzantine::WrongId
            | Byzantine::Replay
            | Byzantine::Equivocation
            | Byzantine::WrongTotal,
        ) => "byzantine",
        Fault::Cascade(Cascade::WorkerPool { .. }) => "cascade",
    }
}
