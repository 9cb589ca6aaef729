//! Bulkheads around the calls.

use std::sync::Arc;

use storm::Failure;

use super::subject::{Bulkhead, Config};
use crate::{MAX_WAIT, Pools};

/// A bulkhead for each dependency, or one for all.
pub fn pools(places: &[usize]) -> Pools {
    let bulkhead = |&max_concurrent: &usize| {
        let max_waiting = max_concurrent / 2;
        Bulkhead::new(Config { max_concurrent, max_waiting, max_wait: MAX_WAIT }).expect("valid")
    };
    let bulkheads: Vec<_> = places.iter().map(bulkhead).collect();
    Arc::new(move |target, call| {
        let bulkhead = bulkheads[(target as usize).min(bulkheads.len() - 1)].clone();
        Box::pin(async move { bulkhead.call(|| call).await.unwrap_or(Err(Failure::Shed)) })
    })
}
