//! What another thread might do in between, done on purpose: at a moment that a check chooses.
//!
//! The moments of a thread are those at which it comes to a lock of the bulkhead, those at which it has left one,
//! and those at which it clones a waker. Under a lock nobody comes in between.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};

/// More than any `act` of these checks has.
pub const MOMENTS: usize = 20;

type Act = Box<dyn FnOnce() + Send>;

struct At {
    moment: usize,
    seen: AtomicUsize,
    /// The locks that the thread has come to and not left.
    held: AtomicUsize,
    act: Mutex<Option<Act>>,
}

/// This is one of the moments.
pub fn moment() {
    tracing::trace!(name: "clones", target: "lock", "a thread clones a waker");
}

/// Runs `this`, and at that moment of it, counted from 0, `that`. If `this` has fewer moments, `that` comes after it.
/// `that` has no such moments of its own. Says whether it came in between.
pub fn between<R>(
    moment: usize,
    that: impl FnOnce() + Send + 'static,
    this: impl FnOnce() -> R,
) -> (R, bool) {
    let act = Mutex::new(Some(Box::new(that) as Act));
    let at = std::sync::Arc::new(At {
        moment,
        seen: AtomicUsize::new(0),
        held: AtomicUsize::new(0),
        act,
    });
    let done = with_default(std::sync::Arc::clone(&at), this);
    let left = at.act.lock().expect("no panic under it").take();
    let was_between = left.is_none();
    if let Some(act) = left {
        act();
    }
    (done, was_between)
}

impl Subscriber for At {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "lock"
    }

    fn event(&self, event: &Event<'_>) {
        let held = match event.metadata().name() {
            "comes" => self.held.fetch_add(1, SeqCst),
            "has left" => self.held.fetch_sub(1, SeqCst) - 1,
            _ => self.held.load(SeqCst),
        };
        if held == 0 && self.seen.fetch_add(1, SeqCst) == self.moment {
            let act = self.act.lock().expect("no panic under it").take();
            act.expect("there is one such moment")();
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
