//! Five services in a row, the last of which is the database.

use std::ops::Range;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use storm::Failure;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// The services, the outermost first, and how long each is waited for.
pub const CHAIN: [(&str, Duration); 5] = [
    ("gateway", Duration::from_millis(1_800)),
    ("shop", Duration::from_millis(1_600)),
    ("orders", Duration::from_millis(1_400)),
    ("stock", Duration::from_millis(1_200)),
    ("database", Duration::from_millis(1_000)),
];
/// When the database is slow.
pub const SLOW: Range<Duration> = Duration::from_secs(10)..Duration::from_secs(20);
/// How long a user waits.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// What each caller keeps for itself.
pub const BUFFER: Duration = Duration::from_millis(50);
pub const CONNECTIONS: usize = 20;
/// A unit of work. A service does one before it calls the next; a query takes five.
pub const UNIT: Duration = Duration::from_millis(5);
pub const QUERY_UNITS: u32 = 5;

/// What a user, or the service before, gets.
pub type Answer = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Makes a user's request, until the user goes.
pub type Requests = Box<dyn Fn(Instant) -> Answer>;

/// What all requests share.
pub struct World {
    start: Instant,
    /// How many times as long a query takes while the database is slow.
    slower_by: u32,
    connections: Semaphore,
    /// Work done, and that of it which was done for users who had gone, in milliseconds.
    pub done: AtomicU64,
    pub wasted: AtomicU64,
}

impl World {
    pub fn new(slower_by: u32) -> Self {
        Self {
            start: Instant::now(),
            slower_by,
            connections: Semaphore::new(CONNECTIONS),
            done: AtomicU64::new(0),
            wasted: AtomicU64::new(0),
        }
    }

    /// One unit of work for a user who waits until `user`.
    async fn unit(&self, slower_by: u32, user: Instant) {
        let takes = UNIT * slower_by;
        sleep(takes).await;
        let takes = u64::try_from(takes.as_millis()).unwrap_or(u64::MAX);
        self.done.fetch_add(takes, Relaxed);
        if Instant::now() > user {
            self.wasted.fetch_add(takes, Relaxed);
        }
    }

    /// The work of a service before its call, or all of the database's.
    pub async fn work(&self, service: usize, user: Instant) {
        if service + 1 < CHAIN.len() {
            return self.unit(1, user).await;
        }
        let _connection = self.connections.acquire().await.expect("it is never closed");
        for _ in 0..QUERY_UNITS {
            let slow = SLOW.contains(&self.start.elapsed());
            self.unit(if slow { self.slower_by } else { 1 }, user).await;
        }
    }
}

/// What a service's task has answered. A reader's panic goes on here.
pub async fn answered(task: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    task.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// A user's request, with a timeout at each link.
pub fn request(world: Arc<World>, user: Instant) -> Answer {
    let gateway = tokio::spawn(timeouts(world, 0, user));
    Box::pin(async move {
        let answer = timeout(PATIENCE.min(CHAIN[0].1), answered(gateway)).await;
        answer.unwrap_or(Err(Failure::Failed))
    })
}

/// With a timeout at each link: a service is a task of its own, and goes on when its caller has given up.
fn timeouts(world: Arc<World>, service: usize, user: Instant) -> Answer {
    Box::pin(async move {
        world.work(service, user).await;
        let Some((_, patience)) = CHAIN.get(service + 1) else { return Ok(()) };
        let next = tokio::spawn(timeouts(Arc::clone(&world), service + 1, user));
        timeout(*patience, answered(next)).await.unwrap_or(Err(Failure::Failed))
    })
}
