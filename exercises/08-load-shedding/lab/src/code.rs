//! What a scene runs. There are two crates with the same names, so the types here are the lab's own.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use storm::Failure;
use tokio::time::Instant;

/// Work of a server: nothing happens until it is polled.
pub type Work = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// What a server knows of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// 0 to 3, the highest first.
    pub class: usize,
    pub deadline: Option<Instant>,
}

/// Does the work of a request, or refuses it.
pub type Serve = Arc<dyn Fn(Ask, Work) -> Work + Send + Sync>;
/// The limit of now.
pub type Look = Box<dyn Fn() -> usize>;

/// How a server limits its work.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub limit: Limit,
    pub max_waiting: usize,
    pub target: Duration,
    pub interval: Duration,
    pub reserve: usize,
}

#[derive(Clone, Copy, Debug)]
pub enum Limit {
    Fixed(usize),
    /// Work that takes longer than this is an overload.
    Aimd(Duration),
    /// With so much time between two probes.
    Gradient(Duration),
}

/// The parts, yours or the reference's.
#[derive(Clone, Copy)]
pub struct Code {
    /// Steps 1 to 4.
    pub server: fn(Setting, u64) -> (Serve, Look),
    /// Step 5: K, the window, the seed.
    pub client: fn(f64, Duration, u64) -> Arc<dyn Client>,
    /// Step 6: requests a second and at once of each tenant.
    pub tenants: fn(u32, u32) -> Admit,
}

/// A client that may hold back.
pub trait Client: Send + Sync {
    fn may_ask(&self) -> bool;
    fn was_accepted(&self);
}

/// Whether a request of this tenant is admitted.
pub type Admit = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Everybody is served, and everybody asks.
pub const NAIVE: Code = Code {
    server: |_, _| (Arc::new(|_, work| work), Box::new(|| 0)),
    client: |_, _, _| Arc::new(Asks),
    tenants: |_, _| Arc::new(|_| true),
};

struct Asks;

impl Client for Asks {
    fn may_ask(&self) -> bool {
        true
    }

    fn was_accepted(&self) {}
}
