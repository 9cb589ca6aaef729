//! The queue of a bulkhead to touch: who polls, who is granted a place, and who is woken when.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bulkhead_solution::{Bulkhead, Config, Permit, Rejected};
use lab_kit::{Play as Playing, Seen, Toy};
use tokio::runtime;

const PLACES: usize = 2;
const MAY_WAIT: usize = 2;

pub static TOY: Toy = Toy {
    name: "queue",
    about: "The queue of a bulkhead: poll, grant, wake",
    play: Playing::Actions {
        of: &[
            ("come", "A caller comes, and is polled"),
            ("leave", "The oldest inside leaves"),
            ("poll", "The first of the queue is polled"),
            ("drop", "The first of the queue gives up"),
            ("ask", "A caller asks, and won't wait"),
        ],
        example: &[
            "come", "come", "come", "come", "poll", "leave", "ask", "poll", "leave", "drop",
            "leave",
        ],
        seen,
    },
    sheet: None,
};

type Acquiring<'a> = Pin<Box<dyn Future<Output = Result<Permit, Rejected>> + 'a>>;

/// Remembers that it was called.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Waiting<'a> {
    name: char,
    acquiring: Acquiring<'a>,
    bell: Arc<Bell>,
}

impl Waiting<'_> {
    fn poll(&mut self) -> Poll<Result<Permit, Rejected>> {
        // As an executor does: what was called is called again for the next time.
        self.bell.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.bell));
        self.acquiring.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn is_woken(&self) -> bool {
        self.bell.0.load(Ordering::Relaxed)
    }
}

struct Played<'a> {
    bulkhead: &'a Bulkhead,
    names: std::iter::Cycle<std::ops::RangeInclusive<char>>,
    inside: Vec<(char, Permit)>,
    queue: Vec<Waiting<'a>>,
}

fn seen(actions: &[usize]) -> anyhow::Result<Seen> {
    let config = Config {
        max_concurrent: PLACES,
        max_waiting: MAY_WAIT,
        max_wait: Config::LONGEST.min(Duration::from_secs(60)),
    };
    let bulkhead = Bulkhead::new(config)?;
    // The reference waits by tokio's timer; nothing here takes time.
    let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    let mut played = Played {
        bulkhead: &bulkhead,
        names: ('A'..='H').cycle(),
        inside: Vec::new(),
        queue: Vec::new(),
    };
    let mut said = format!("{PLACES} places, and {MAY_WAIT} callers may wait.");
    for action in actions {
        said = match action {
            0 => played.come(),
            1 => played.leave(),
            2 => played.poll(),
            3 => played.give_up(),
            _ => played.ask(),
        };
    }
    Ok(played.seen(said))
}

impl Played<'_> {
    fn name(&mut self) -> char {
        let taken = |name: &char| {
            self.inside.iter().any(|(its, _)| its == name)
                || self.queue.iter().any(|it| it.name == *name)
        };
        self.names.find(|name| !taken(name)).unwrap_or('?')
    }

    fn come(&mut self) -> String {
        let name = self.name();
        let acquiring = Box::pin(self.bulkhead.acquire());
        let mut caller = Waiting { name, acquiring, bell: Arc::default() };
        match caller.poll() {
            Poll::Ready(Ok(permit)) => {
                self.inside.push((name, permit));
                format!("{name} is polled and has a place at once.")
            }
            Poll::Ready(Err(_)) => {
                format!("{name} is polled and turned away: the queue is full too.")
            }
            Poll::Pending => {
                self.queue.push(caller);
                format!("{name} is polled, and waits: its waker is in the queue.")
            }
        }
    }

    fn leave(&mut self) -> String {
        if self.inside.is_empty() {
            return "Nobody is inside.".to_owned();
        }
        let (name, permit) = self.inside.remove(0);
        self.told(format!("{name} leaves."), |_| drop(permit))
    }

    fn poll(&mut self) -> String {
        let Some(first) = self.queue.first_mut() else { return "Nobody waits.".to_owned() };
        let name = first.name;
        match first.poll() {
            Poll::Ready(Ok(permit)) => {
                self.queue.remove(0);
                self.inside.push((name, permit));
                format!("{name} is polled, finds its place granted, and is in.")
            }
            Poll::Ready(Err(_)) => {
                self.queue.remove(0);
                format!("{name} is polled and turned away.")
            }
            Poll::Pending => {
                format!("{name} is polled, and nothing was granted: it leaves a fresh waker.")
            }
        }
    }

    fn give_up(&mut self) -> String {
        if self.queue.is_empty() {
            return "Nobody waits.".to_owned();
        }
        let first = self.queue.remove(0);
        let granted = if first.is_woken() { " A place was granted to it: it goes on." } else { "" };
        self.told(format!("{} is dropped.{granted}", first.name), |_| drop(first))
    }

    fn ask(&mut self) -> String {
        let name = self.name();
        match self.bulkhead.try_acquire() {
            Ok(permit) => {
                self.inside.push((name, permit));
                format!("{name} asks and has a place.")
            }
            Err(rejected) => format!("{name} asks and is turned away: {rejected}."),
        }
    }

    /// What is said, and who was woken by it.
    fn told(&mut self, said: String, act: impl FnOnce(&mut Self)) -> String {
        let woken = |played: &Self| -> Vec<char> {
            played.queue.iter().filter(|it| it.is_woken()).map(|it| it.name).collect()
        };
        let before = woken(self);
        act(self);
        let new: Vec<String> = woken(self)
            .into_iter()
            .filter(|name| !before.contains(name))
            .map(|name| format!("{name} is granted the place, and its waker is called."))
            .collect();
        [vec![said], new].concat().join(" ")
    }

    fn seen(&self, said: String) -> Seen {
        let now = self.bulkhead.snapshot();
        let list = |names: Vec<String>| {
            if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
        };
        let inside = self.inside.iter().map(|(name, _)| name.to_string()).collect();
        let queue = self.queue.iter().map(|it| {
            let how = if it.is_woken() { "granted and woken, not polled yet" } else { "waits" };
            format!("{} ({how})", it.name)
        });
        let next = self.names.clone().next().unwrap_or('?');
        Seen::new(said)
            .fact("inside", list(inside))
            .fact("in the queue", list(queue.collect()))
            .fact("places taken", format!("{} of {}", now.active, now.max_concurrent))
            .fact("waiting", format!("{} of {}", now.waiting, now.max_waiting))
            .hidden(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(actions: &[&str]) -> String {
        let Playing::Actions { of, .. } = TOY.play else { unreachable!() };
        let place = |name: &&str| of.iter().position(|(known, _)| known == name).unwrap();
        let actions: Vec<usize> = actions.iter().map(place).collect();
        format!("{:?}", seen(&actions).unwrap())
    }

    #[test]
    fn a_place_is_granted_before_its_waiter_is_polled() {
        let said = last(&["come", "come", "come", "leave"]);
        assert!(said.contains("C is granted the place, and its waker is called."), "{said}");
        assert!(said.contains("C (granted and woken, not polled yet)"), "{said}");
        assert!(said.contains("\"places taken\", \"2 of 2\""), "nobody can slip in: {said}");
        assert!(last(&["come", "come", "come", "leave", "ask"]).contains("is turned away"));
        let said = last(&["come", "come", "come", "leave", "poll"]);
        assert!(said.contains("C is polled, finds its place granted"), "{said}");
    }

    #[test]
    fn a_place_that_was_granted_goes_on_when_its_waiter_gives_up() {
        let said = last(&["come", "come", "come", "come", "leave", "drop"]);
        assert!(said.contains("C is dropped. A place was granted to it: it goes on."), "{said}");
        assert!(said.contains("D is granted the place"), "{said}");
    }
}
