//! N clients, one row, optimistic locking: the simulation of Marc Brooker's "Exponential Backoff And
//! Jitter" (2015), rewritten.
//!
//! Each client wants to commit one write. It reads the row's version, and writes on the condition that
//! the version is still the same. If another was faster, it waits, reads again and writes again. Each
//! message takes |N(10, 2)| ms; the server takes no time. An event simulation: no clock, no runtime.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Normal};

/// One run: when the last client has committed, and how many writes the server was sent for it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub finished: Duration,
    pub writes: u64,
}

/// What reaches whom. A client's read and write carry the version that it has seen.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Message {
    Read,
    Version(u64),
    Write(u64),
    Conflict,
}

struct Net {
    normal: Normal<f64>,
    rng: Xoshiro256PlusPlus,
    /// By time, then in the order in which they were sent.
    queue: BinaryHeap<Reverse<(Duration, u64, usize, Message)>>,
    sent: u64,
}

impl Net {
    fn send(&mut self, at: Duration, client: usize, message: Message) {
        let hop = self.normal.sample(&mut self.rng).abs() / 1_000.0;
        self.queue.push(Reverse((at + Duration::from_secs_f64(hop), self.sent, client, message)));
        self.sent += 1;
    }
}

/// One client per iterator of delays.
pub fn run(clients: &mut [Box<dyn Iterator<Item = Duration>>], net: Xoshiro256PlusPlus) -> Outcome {
    let normal = Normal::new(10.0, 2.0).expect("a deviation above zero");
    let mut net = Net { normal, rng: net, queue: BinaryHeap::new(), sent: 0 };
    let mut outcome = Outcome { finished: Duration::ZERO, writes: 0 };
    let mut version = 0;
    for client in 0..clients.len() {
        net.send(Duration::ZERO, client, Message::Read);
    }
    while let Some(Reverse((now, _, client, message))) = net.queue.pop() {
        match message {
            Message::Read => net.send(now, client, Message::Version(version)),
            Message::Version(seen) => net.send(now, client, Message::Write(seen)),
            Message::Write(seen) => {
                outcome.writes += 1;
                if seen == version {
                    version += 1;
                    // Its answer is on the way; nothing comes after it.
                    let hop = net.normal.sample(&mut net.rng).abs() / 1_000.0;
                    outcome.finished = outcome.finished.max(now + Duration::from_secs_f64(hop));
                } else {
                    net.send(now, client, Message::Conflict);
                }
            }
            Message::Conflict => {
                let pause = clients[client].next().unwrap_or_default();
                net.send(now + pause, client, Message::Read);
            }
        }
    }
    outcome
}
