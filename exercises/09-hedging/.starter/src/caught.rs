// A panic as a value. Given: nothing to write here.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::thread;

/// Runs `future`, and returns what it panicked with as an `Err`, as a thread's `join` does;
/// [`std::panic::resume_unwind`] lets the panic go on.
///
/// Cancellation: dropping the future drops `future`.
#[allow(unused, reason = "another way will do")]
pub async fn caught<F: Future>(future: F) -> thread::Result<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}
