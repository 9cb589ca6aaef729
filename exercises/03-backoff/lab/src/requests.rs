//! Requests to a server that answers by a plan, tried again by somebody's code, in virtual time.

use std::collections::BTreeSet;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rand::rngs::Xoshiro256PlusPlus;
use storm::{Dependency, Failure, Load, Model, Report, ServiceTime, StormError};
use tokio::time::{Instant, sleep, sleep_until};

pub const LENGTH: Duration = Duration::from_secs(40);
/// When the server is in no state to work.
pub const REST: Range<Duration> = Duration::from_secs(20)..Duration::from_secs(30);
pub const REQUESTS_PER_SECOND: f64 = 50.0;
const ROUND_TRIP: Duration = Duration::from_millis(50);
const SERVERS: u32 = 10;
const SERVICE: Duration = Duration::from_millis(10);
const QUEUE: usize = 20;

/// How an attempt failed.
#[derive(Clone, Debug)]
pub enum Answer {
    /// No answer came.
    Lost,
    /// The request can't be answered, however often it is sent.
    Wrong,
    /// With a `Retry-After`, and what time it is.
    Busy { retry_after: String, now: SystemTime },
}

/// What comes of an attempt.
pub type Reply = Pin<Box<dyn Future<Output = Result<(), Answer>> + Send>>;
/// Makes an attempt, of a number and perhaps with an idempotency key.
pub type Attempt = Box<dyn Fn(u32, Option<String>) -> Reply + Send + Sync>;
/// Whether a request succeeded in the end.
pub type Done = Pin<Box<dyn Future<Output = bool> + Send>>;
/// Makes a request, with as many attempts as it wants.
pub type MakeRequest = fn(Setting, Xoshiro256PlusPlus, Attempt) -> Done;
/// The generator of one client.
pub type ClientRng = fn(u64, u64) -> Xoshiro256PlusPlus;

/// What retries have beside the defaults of the book.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub base: Duration,
    /// If none: full jitter.
    pub additive: Option<Duration>,
    pub max_attempts: u32,
    pub max_total: Option<Duration>,
    /// Whether the request must not be done twice.
    pub once: bool,
}

/// An attempt as the server sees it.
pub struct Call {
    world: Arc<World>,
    request: u64,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    key: Option<String>,
    at: Duration,
}

impl Call {
    /// One of `ways`, by the number of the request.
    pub fn way(&self, ways: u32) -> u32 {
        u32::try_from(self.request % u64::from(ways)).expect("less than `ways`")
    }

    pub fn in_rest(&self) -> bool {
        REST.contains(&self.at)
    }

    /// No answer comes, and the connections of all break when the rest ends.
    pub fn breaks_after_the_rest(&self) -> Reply {
        let end = self.world.start + REST.end;
        Box::pin(async move {
            sleep_until(end).await;
            Err(Answer::Lost)
        })
    }

    /// Answers when the work is done, or has none to spare.
    pub fn work(&self) -> Reply {
        let server = self.world.server.clone();
        Box::pin(async move { server.call().await.map_err(|_| Answer::Lost) })
    }

    /// "Come back in so many seconds".
    pub fn busy_for(&self, seconds: u64) -> Answer {
        Answer::Busy { retry_after: seconds.to_string(), now: clock(self.at) }
    }

    /// "Come back when the rest is over", as a date.
    pub fn busy_until_the_end(&self) -> Answer {
        let retry_after = httpdate::fmt_http_date(clock(REST.end));
        Answer::Busy { retry_after, now: clock(self.at + ROUND_TRIP) }
    }

    /// The same in seconds.
    pub fn busy_to_the_end(&self) -> Answer {
        let left = REST.end.saturating_sub(self.at);
        self.busy_for(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }

    /// Makes a payment, if none was made under its key.
    pub fn pay(&self) {
        let mut seen = self.world.seen();
        if self.key.as_ref().is_none_or(|key| seen.keys.insert(key.clone())) {
            seen.payments.push(self.request);
        }
    }
}

/// Answers after a round trip.
pub fn answer(answer: Result<(), Answer>) -> Reply {
    after(ROUND_TRIP, answer)
}

/// Answers after `wait`.
pub fn after(wait: Duration, answer: Result<(), Answer>) -> Reply {
    Box::pin(async move {
        sleep(wait).await;
        answer
    })
}

/// What o'clock it is at a moment of the storm.
fn clock(at: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + at
}

struct World {
    start: Instant,
    server: Dependency,
    seen: Mutex<Seen>,
}

impl World {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the server and the callers saw.
#[derive(Default)]
pub struct Seen {
    /// Attempts after the first: of which request, and when.
    pub retries: Vec<(u64, Duration)>,
    /// Payments: for which request.
    pub payments: Vec<u64>,
    keys: BTreeSet<String>,
    /// How long each request took, whatever its end; none if it didn't end in this run.
    pub took: Vec<Option<Duration>>,
}

/// Sends requests, and tells what became of them.
pub fn run(
    make: MakeRequest,
    client_rng: ClientRng,
    setting: Setting,
    seed: u64,
    server: fn(&Call) -> Reply,
) -> Result<(Report, Seen), StormError> {
    let load =
        Load { rate_per_second: REQUESTS_PER_SECOND, length: LENGTH, seed, ..Load::default() };
    let model = Model::new(SERVERS, ServiceTime::Constant(SERVICE))
        .expect("the constants above make sense")
        .with_queue(QUEUE);
    let mut shared = None;
    let report = storm::run("retries", &load, |scene| {
        let world = Arc::new(World {
            start: Instant::now(),
            server: scene.dependency("server", &model),
            seen: Mutex::default(),
        });
        shared = Some(Arc::clone(&world));
        move |request| {
            let (request, due, world) = (request.id, request.due, Arc::clone(&world));
            world.seen().took.push(None);
            let calls = Arc::clone(&world);
            let attempt = move |attempt, key| {
                let (world, at) = (Arc::clone(&calls), calls.start.elapsed());
                if attempt > 1 {
                    world.seen().retries.push((request, at));
                }
                server(&Call { world, request, attempt, key, at })
            };
            let done = make(setting, client_rng(seed, request), Box::new(attempt));
            async move {
                let is_done = done.await;
                world.seen().took[usize::try_from(request).expect("few")] = Some(due.elapsed());
                if is_done { Ok(()) } else { Err(Failure::Failed) }
            }
        }
    })?;
    let world = shared.expect("a run is set up");
    let all = std::mem::take(&mut *world.seen());
    Ok((report, all))
}
