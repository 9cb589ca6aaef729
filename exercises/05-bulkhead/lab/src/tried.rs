//! What the trials do with a bulkhead.

use std::pin::Pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use storm::Failure;
use tokio::runtime;
use tokio::task::yield_now;

use super::subject::{Bulkhead, Config, Counts, Snapshot, Workload, size_for};
use crate::trials::{Guard, Limits, Look, ON_THREADS, THREADS};

fn bulkhead(limits: Limits) -> Bulkhead {
    let Limits { places, may_wait, for_up_to } = limits;
    let config = Config { max_concurrent: places, max_waiting: may_wait, max_wait: for_up_to };
    Bulkhead::new(config).expect("valid")
}

fn around(bulkhead: Bulkhead) -> Guard {
    Arc::new(move |call| {
        let bulkhead = bulkhead.clone();
        Box::pin(async move { bulkhead.call(|| call).await.unwrap_or(Err(Failure::Shed)) })
    })
}

pub fn guard(limits: Limits) -> Guard {
    around(bulkhead(limits))
}

/// The same without `call`.
pub fn acquired(limits: Limits) -> Guard {
    let bulkhead = bulkhead(limits);
    Arc::new(move |call| {
        let bulkhead = bulkhead.clone();
        Box::pin(async move {
            let _permit = bulkhead.acquire().await.map_err(|_| Failure::Shed)?;
            call.await
        })
    })
}

/// A guard, and a look at its numbers: whether they agree with so many arrivals and rejections.
pub fn observed(limits: Limits) -> (Guard, Look) {
    let bulkhead = bulkhead(limits);
    let seen = bulkhead.clone();
    let look = move |arrived, shed| {
        let Snapshot { active, waiting, counts, .. } = seen.snapshot();
        let Counts { admitted, finished, rejected, timed_out, cancelled } = counts;
        let ended = admitted + rejected + timed_out + cancelled;
        admitted == finished + active as u64
            && arrived == ended + waiting as u64
            && shed == rejected + timed_out
    };
    (around(bulkhead), Box::new(look))
}

/// How many pieces of work are under way at a time, on threads and without an end, when each caller goes away as
/// soon as its piece has begun.
pub fn on_threads() -> u64 {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime starts").block_on(async {
        let bulkhead = bulkhead(ON_THREADS);
        let ((begins, has_begun), (end, ended)) = (channel(), channel::<()>());
        let ended = Arc::new(Mutex::new(ended));
        let mut callers: Vec<_> = (0..THREADS)
            .map(|_| {
                let (begins, ended) = (begins.clone(), Arc::clone(&ended));
                Box::pin(bulkhead.spawn_blocking(move || {
                    let _ = begins.send(());
                    let _ = ended.lock().unwrap_or_else(PoisonError::into_inner).recv();
                }))
            })
            .collect();
        let mut under_way = 0;
        for _ in 0..3 {
            let mut handles = Vec::new();
            callers.retain_mut(|caller| {
                match Pin::as_mut(caller).poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Pending => true,
                    Poll::Ready(handle) => {
                        handles.extend(handle);
                        false
                    }
                }
            });
            for handle in handles {
                // Work that has not begun may be cancelled: wait until it has.
                for _ in 0..1_000_000 {
                    if has_begun.try_recv().is_ok() {
                        under_way += 1;
                        break;
                    }
                    yield_now().await;
                }
                handle.abort();
            }
            // What an abort drops is dropped by the runtime.
            for _ in 0..10 {
                yield_now().await;
            }
        }
        drop(end);
        under_way
    })
}

pub fn size(arrivals_per_second: f64, service_time: Duration, utilisation: f64) -> usize {
    size_for(Workload { arrivals_per_second, service_time, utilisation }).expect("valid")
}
