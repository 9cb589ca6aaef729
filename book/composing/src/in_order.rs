//! What the chapter shows: the whole order in one function, as a service would write it. The lab runs a list
//! of layers; this holds the two together.

use tokio::time::timeout;

use crate::orders::{ALL_LAYERS, TRY_TIMEOUT};
use crate::outage::{Run, run, run_by};
use crate::stack::{Answer, DEADLINE, Fault, Stack};

// ANCHOR: in_order
async fn charge(stack: &Stack, id: u64) -> Answer {
    let call = || async {
        let _permit = stack.bulkhead.try_acquire().map_err(|_| Fault::Full)?;
        timeout(TRY_TIMEOUT, stack.call()).await.unwrap_or(Err(Fault::TimedOut))
    };
    let one_try = || async {
        let answer = stack.breaker.call_classified(call, |result| stack.outcome(*result)).await;
        answer.map_err(Fault::from)
    };
    match timeout(DEADLINE, stack.with_retries(one_try, id)).await {
        Ok(Ok(answer)) => answer,
        _ => Answer::Fallback,
    }
}
// ANCHOR_END: in_order

#[test]
fn the_function_and_the_list_are_the_same() {
    let seed = 7;
    let list = run(ALL_LAYERS, seed).unwrap();
    let written =
        run_by(ALL_LAYERS, seed, |stack, id| async move { Ok(charge(&stack, id).await) }).unwrap();

    let numbers = |run: &Run| (run.calls_in_the_outage(), run.rejections, run.report.counts());
    assert_eq!(numbers(&written), numbers(&list));
}
