//! A disk that crashes, fills up, and knows what a power cut would leave.

use std::io;
use std::sync::{Arc, Mutex};

use gameday_solution::journal::Disk;
use tokio::sync::Notify;

/// What happens around the shop, event by event: a write, a sync, a request that arrives, its answer.
#[derive(Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
    crash: Arc<Notify>,
}

struct Inner {
    /// How many more events happen; then everything stops.
    events_left: u32,
    written: Vec<u8>,
    synced: usize,
    /// The bytes that fit, if not all do.
    room: Option<usize>,
    cuts_fail: bool,
    /// Under which key what was charged.
    charges: Vec<(String, u32)>,
}

impl World {
    pub fn ending_after(events: u32) -> Self {
        let inner = Inner {
            events_left: events,
            written: Vec::new(),
            synced: 0,
            room: None,
            cuts_fail: false,
            charges: Vec::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), crash: Arc::default() }
    }

    pub fn without_end() -> Self {
        Self::ending_after(u32::MAX)
    }

    /// Whether one more event happens.
    pub fn goes_on(&self) -> bool {
        let mut inner = self.inner.lock().unwrap();
        if let Some(left) = inner.events_left.checked_sub(1) {
            inner.events_left = left;
            return true;
        }
        self.crash.notify_one();
        false
    }

    /// Returns when the end has come.
    pub async fn crashed(&self) {
        self.crash.notified().await;
    }

    pub fn has_ended(&self) -> bool {
        self.inner.lock().unwrap().events_left == 0
    }

    /// What a power cut leaves: what was synced, and so many bytes of what was not.
    pub fn survives(&self, unsynced: impl Fn(usize) -> usize) -> Vec<u8> {
        let inner = self.inner.lock().unwrap();
        let kept = unsynced(inner.written.len() - inner.synced);
        inner.written[..inner.synced + kept].to_vec()
    }

    /// The same payments, another disk with this on it.
    pub fn after_restart(&self, content: &[u8]) -> Self {
        let world = Self::without_end();
        {
            let mut inner = world.inner.lock().unwrap();
            inner.written = content.to_vec();
            inner.synced = content.len();
            inner.charges = self.charges();
        }
        world
    }

    pub fn on_disk(&self) -> Vec<u8> {
        self.survives(|_| 0)
    }

    pub fn has_room_for(&self, bytes: Option<usize>) {
        self.inner.lock().unwrap().room = bytes;
    }

    pub fn cuts_fail(&self, they_do: bool) {
        self.inner.lock().unwrap().cuts_fail = they_do;
    }

    /// Payments: at most one charge for a key.
    pub fn charge(&self, key: &str, amount: u32) {
        let charges = &mut self.inner.lock().unwrap().charges;
        if !charges.iter().any(|(known, _)| known == key) {
            charges.push((key.to_owned(), amount));
        }
    }

    pub fn charges(&self) -> Vec<(String, u32)> {
        self.inner.lock().unwrap().charges.clone()
    }
}

impl Disk for World {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.goes_on() {
            return Err(io::Error::other("the machine is off"));
        }
        let mut inner = self.inner.lock().unwrap();
        let fits = inner.room.unwrap_or(bytes.len()).min(bytes.len());
        inner.written.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if !self.goes_on() {
            return Err(io::Error::other("the machine is off"));
        }
        let mut inner = self.inner.lock().unwrap();
        inner.synced = inner.written.len();
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap();
        if inner.events_left == 0 || inner.cuts_fail {
            return Err(io::Error::other("it can't be cut"));
        }
        inner.written.truncate(usize::try_from(length).unwrap());
        inner.synced = inner.synced.min(inner.written.len());
        Ok(())
    }
}
