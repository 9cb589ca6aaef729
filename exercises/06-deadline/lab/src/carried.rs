//! The chain with a deadline that travels.

use std::sync::Arc;
use std::time::SystemTime;

use axum::http::HeaderMap;
use storm::Failure;
use tokio::time::Instant;

use super::subject::{Deadline, Gate, Limits, RunError};
use crate::services::{Answer, BUFFER, CHAIN, Requests, World, answered};

/// What makes a user's request, until the user goes, the first call of the chain. One gate serves all services:
/// what it counts, rejections, is not what this storm is about.
pub fn requests(world: Arc<World>) -> Requests {
    let gate = Arc::new(Gate::new(Limits::default()).expect("the defaults are valid"));
    Box::new(move |user| {
        let left = user.saturating_duration_since(Instant::now());
        Box::pin(call(Arc::clone(&world), Arc::clone(&gate), Deadline::after(left), 0, user))
    })
}

/// A call. The service is a task of its own, and knows of its caller what the headers say.
async fn call(
    world: Arc<World>,
    gate: Arc<Gate>,
    deadline: Deadline,
    service: usize,
    user: Instant,
) -> Result<(), Failure> {
    let (_, patience) = CHAIN[service];
    let send = |headers| answered(tokio::spawn(serve(world, gate, headers, service, user)));
    deadline.carry(patience, BUFFER, send).await.map_err(|error| match error {
        RunError::Expired(_) => Failure::Failed,
        RunError::Work(failure) => failure,
    })
}

fn serve(
    world: Arc<World>,
    gate: Arc<Gate>,
    headers: HeaderMap,
    service: usize,
    user: Instant,
) -> Answer {
    Box::pin(async move {
        let deadline = gate.admit(&headers, SystemTime::UNIX_EPOCH).map_err(|_| Failure::Shed)?;
        let work = async || {
            world.work(service, user).await;
            if service + 1 == CHAIN.len() {
                return Ok(());
            }
            call(Arc::clone(&world), Arc::clone(&gate), deadline, service + 1, user).await
        };
        deadline.run(work).await.map_err(|_| Failure::Failed)
    })
}
