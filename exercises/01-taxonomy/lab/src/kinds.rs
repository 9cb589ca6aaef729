//! The kinds of failure that the flaky server can inject.

use std::time::Duration;

use flaky::{Cascade, Crash, Digest, Fault, FlippedBits, Latency, Omission, Response, Timing};

use crate::scene::LIMIT;

/// How long what is slow takes: late for certain, and answered for certain.
const SLOW: Duration = LIMIT.saturating_mul(2);
/// Longer than anything here waits.
const FOR_EVER: Duration = Duration::from_secs(60);

/// One fault of each kind; of flipped bits one that the checksum reveals and one that it doesn't.
pub fn all() -> Vec<Fault> {
    Fault::examples().into_iter().flat_map(scaled).collect()
}

/// The same kind, with times that make it plain.
fn scaled(fault: Fault) -> Vec<Fault> {
    let one = match fault {
        Fault::Crash(Crash::Restart { .. }) => Fault::Crash(Crash::Restart { after: FOR_EVER }),
        Fault::Omission(Omission::Hang { .. }) => Fault::Omission(Omission::Hang { ttl: FOR_EVER }),
        Fault::Omission(Omission::Swallow { .. }) => {
            Fault::Omission(Omission::Swallow { ttl: FOR_EVER })
        }
        Fault::Timing(Timing::Latency(_)) => Fault::Timing(Timing::Latency(Latency::Fixed(SLOW))),
        Fault::Timing(Timing::Freeze(_)) => Fault::Timing(Timing::Freeze(SLOW)),
        Fault::Timing(Timing::SlowHead(_)) => Fault::Timing(Timing::SlowHead(SLOW)),
        Fault::Timing(Timing::SlowBody(_)) => Fault::Timing(Timing::SlowBody(SLOW)),
        Fault::Response(Response::FlippedBits(_)) => {
            return [Digest::Wrong, Digest::Right]
                .map(|digest| {
                    Fault::Response(Response::FlippedBits(FlippedBits { bits: 40, digest }))
                })
                .to_vec();
        }
        Fault::Cascade(Cascade::WorkerPool { .. }) => Fault::Cascade(Cascade::WorkerPool {
            workers: 1,
            service: Duration::from_millis(50),
            queue: 1000,
        }),
        other => other,
    };
    vec![one]
}

/// What tells two faults of one kind apart.
pub fn detail(fault: &Fault) -> &'static str {
    match fault {
        Fault::Response(Response::FlippedBits(FlippedBits { digest: Digest::Right, .. })) => {
            ", then digest"
        }
        _ => "",
    }
}
