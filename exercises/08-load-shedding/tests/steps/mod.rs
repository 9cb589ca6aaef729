//! What the checks share: ways to make a shedder, to fill it, and to wait in it.
//!
//! Time is virtual: `#[tokio::test(start_paused = true)]` stops tokio's clock, and `wait` moves it.

use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use load_shedding::{Config, Limit, Permit, Priority, Reason, Request, Shed, Shedder};
use tokio::time::Instant;

mod step_1_bound;
mod step_2_age;
mod step_3_priority;
mod step_4_adapt;
mod step_5_throttle;
mod step_6_fair;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
/// Of the default configuration.
const TARGET: Duration = Duration::from_millis(5);
/// Of the default configuration.
const INTERVAL: Duration = Duration::from_millis(100);

fn shedder(config: Config) -> Shedder {
    Shedder::seeded(config, 7).expect("this configuration is valid")
}

/// So many places and so many chairs, where one may sit for the default times.
fn sized(limit: usize, max_waiting: usize) -> Shedder {
    shedder(Config { limit: Limit::Fixed(limit), max_waiting, ..Config::default() })
}

fn of(priority: Priority) -> Request {
    Request { priority, ..Request::default() }
}

fn until(deadline: Instant) -> Request {
    Request { deadline: Some(deadline), ..Request::default() }
}

/// A request that moves only when a check polls it, so that a check decides who comes first, who looks late, and
/// who goes at which moment.
struct Caller {
    name: &'static str,
    future: Pin<Box<dyn Future<Output = Result<Permit, Shed>>>>,
}

impl Caller {
    /// A caller that has come: it is served, waits, or is refused.
    fn comes(
        name: &'static str,
        shedder: &Shedder,
        request: Request,
    ) -> (Self, Poll<Result<Permit, Shed>>) {
        let shedder = shedder.clone();
        let future = Box::pin(async move { shedder.acquire(request).await });
        let mut caller = Self { name, future };
        let answer = caller.poll();
        (caller, answer)
    }

    /// A caller that has come. What it is told at once is kept for whoever asks.
    fn comes_and_stays(name: &'static str, shedder: &Shedder, request: Request) -> Self {
        match Self::comes(name, shedder, request) {
            (_, Poll::Ready(answer)) => Self { name, future: Box::pin(std::future::ready(answer)) },
            (caller, Poll::Pending) => caller,
        }
    }

    /// A caller that has to wait.
    #[track_caller]
    fn waits(name: &'static str, shedder: &Shedder, request: Request) -> Self {
        match Self::comes(name, shedder, request) {
            (caller, Poll::Pending) => caller,
            (_, Poll::Ready(Ok(_permit))) => {
                panic!("{name} should wait, but begins, and with it: {:?}", shedder.snapshot())
            }
            (_, Poll::Ready(Err(shed))) => panic!("{name} should wait, but is refused: {shed}"),
        }
    }

    fn poll(&mut self) -> Poll<Result<Permit, Shed>> {
        self.poll_with(Waker::noop())
    }

    fn poll_with(&mut self, waker: &Waker) -> Poll<Result<Permit, Shed>> {
        self.future.as_mut().poll(&mut Context::from_waker(waker))
    }
}

/// What is told to a caller that comes now. It has its answer at the first poll.
#[track_caller]
fn at_once(shedder: &Shedder, request: Request) -> Result<Permit, Shed> {
    match Caller::comes("a caller", shedder, request).1 {
        Poll::Ready(answer) => answer,
        Poll::Pending => {
            panic!(
                "a caller should be served or refused at once, but waits: {:?}",
                shedder.snapshot()
            )
        }
    }
}

/// A place that must be free for this request.
#[track_caller]
fn begun(shedder: &Shedder, request: Request) -> Permit {
    at_once(shedder, request).unwrap_or_else(|shed| panic!("a place should be free, but: {shed}"))
}

/// Takes so many places.
#[track_caller]
fn take(shedder: &Shedder, places: usize) -> Vec<Permit> {
    (0..places).map(|_| begun(shedder, Request::default())).collect()
}

/// Why a caller that comes now is refused.
#[track_caller]
fn refusal(shedder: &Shedder, request: Request) -> Reason {
    match at_once(shedder, request) {
        Err(shed) => shed.reason,
        Ok(_permit) => {
            panic!(
                "this request should be refused, but begins, and with it: {:?}",
                shedder.snapshot()
            )
        }
    }
}

/// Moves the clock.
async fn wait(time: Duration) {
    tokio::time::advance(time).await;
}

/// Writes down what happened, and when.
struct Diary {
    begun: Instant,
    text: String,
}

impl Diary {
    fn begin() -> Self {
        Self { begun: Instant::now(), text: String::new() }
    }

    fn note(&mut self, what: &str) {
        let at = format!("{:.3}s", self.begun.elapsed().as_secs_f64());
        writeln!(self.text, "{at:<8} {what}").unwrap();
    }

    /// Writes down who of these has an answer now. Who has begun ends at once, which gives the place to the next.
    fn ask(&mut self, callers: &mut Vec<Caller>) {
        while let Some((index, told, permit)) = first_told(callers) {
            let caller = callers.remove(index);
            self.note(&format!("{:<9} {told}", caller.name));
            drop((caller, permit));
        }
    }
}

/// The first of these that has an answer, and what it is.
fn first_told(callers: &mut [Caller]) -> Option<(usize, String, Option<Permit>)> {
    callers.iter_mut().enumerate().find_map(|(index, caller)| match caller.poll() {
        Poll::Pending => None,
        Poll::Ready(Ok(permit)) => Some((index, "begins".to_owned(), Some(permit))),
        Poll::Ready(Err(shed)) => Some((index, format!("refused: {}", shed.reason), None)),
    })
}
