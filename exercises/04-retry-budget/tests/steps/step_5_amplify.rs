//! Step 5: retries at several layers multiply, and budgets at each of them hold the product down.

use std::cell::Cell;
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use retry_budget::{Config, RetryBudget};
use tokio::time::{Instant, timeout};

use super::{MILLISECOND, SECOND, budget, requests, share_only, wait};

/// Three tries are one and two retries.
const MAX_RETRIES: u32 = 2;
const LAYERS: usize = 5;

/// Services that call each other in a row, each with a budget for the next. What the last one calls
/// always fails.
struct Chain {
    budgets: Vec<RetryBudget>,
    calls: Cell<u64>,
}

impl Chain {
    fn new(config: Config) -> Self {
        let budgets = (0..LAYERS).map(|_| budget(config)).collect();
        Self { budgets, calls: Cell::new(0) }
    }

    fn call(&self, layer: usize) -> Pin<Box<dyn Future<Output = Result<(), &'static str>> + '_>> {
        Box::pin(async move {
            let Some(budget) = self.budgets.get(layer) else {
                self.calls.set(self.calls.get() + 1);
                return Err("503");
            };
            budget.call(MAX_RETRIES, || self.call(layer + 1)).await
        })
    }

    /// So many requests, a hundred a second.
    async fn requests(&self, count: usize) {
        for _ in 0..count {
            assert_eq!(self.call(0).await, Err("503"), "the error comes all the way up");
            wait(10 * MILLISECOND).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_while_the_budget_pays() {
    let budget = budget(share_only(0.1));
    requests(&budget, 29);
    let (tries, begun) = (Cell::new(0), Instant::now());
    let operation = || async {
        tries.set(tries.get() + 1);
        if tries.get() < 3 { Err("503") } else { Ok("fine") }
    };

    let answer = budget.call(5, operation).await;

    assert_eq!(answer, Ok("fine"), "the third try succeeds");
    assert_eq!(tries.get(), 3, "and is the last: a success is not tried again");
    assert_eq!(
        budget.balance(),
        1,
        "30 requests, this call's own included, earned three tokens, and two of them paid for two retries"
    );
    assert_eq!(
        begun.elapsed(),
        Duration::ZERO,
        "and nobody waited: a backoff is another part's business"
    );

    let tries_before = tries.replace(0);
    let fails = || async {
        tries.set(tries.get() + 1);
        Err::<(), _>("503")
    };
    let answer = budget.call(u32::MAX, fails).await;
    assert_eq!(
        (tries_before, answer, tries.get()),
        (3, Err("503"), 2),
        "one token is left, so there is one retry. The largest max_retries is no limit but the budget's: it is not \
         below zero, and a try more is no panic"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_counts_and_keeps_what_it_paid() {
    let budget = budget(share_only(1.0));

    let hangs = budget.call(5, pending::<Result<(), &str>>);
    assert!(timeout(MILLISECOND, hangs).await.is_err(), "the client gave up on its first try");

    assert_eq!(
        budget.balance(),
        1,
        "a request was made, and that nobody waited for its end changes nothing: it is recorded before its first \
         try, or those that hang earn nothing"
    );

    let second = super::budget(share_only(1.0));
    let seen = Cell::new(0);
    let looks = || {
        seen.set(second.balance());
        std::future::ready(Ok::<_, &str>(()))
    };
    assert_eq!(second.call(0, looks).await, Ok(()));
    assert_eq!(
        seen.get(),
        1,
        "recorded before the operation is called: what that does before it returns its future is the try as well"
    );

    let tries = Cell::new(0);
    let operation = || async {
        tries.set(tries.get() + 1);
        if tries.get() == 1 { Err::<(), _>("503") } else { pending().await }
    };
    assert!(timeout(MILLISECOND, budget.call(5, operation)).await.is_err(), "in its first retry");

    assert_eq!(
        (tries.get(), budget.balance()),
        (2, 1),
        "the retry was made, whether or not its end was awaited: two requests earned two tokens, and one is \
         spent"
    );
}

#[tokio::test(start_paused = true)]
async fn when_no_retry_is_left_the_last_error_is_returned_at_once() {
    // First the budget ends it, then the number of retries.
    for max_retries in [5, 1] {
        let budget = budget(share_only(0.1));
        requests(&budget, 9);
        let tries = Cell::new(0);
        let fails = || async {
            tries.set(tries.get() + 1);
            Err::<(), _>(format!("503, try {}", tries.get()))
        };

        let error = budget.call(max_retries, fails).await.unwrap_err();

        assert_eq!(
            tries.get(),
            2,
            "with this call's own request ten are recorded, before its first try: they pay for one retry"
        );
        assert_eq!(error, "503, try 2", "the caller is told what went wrong last");
    }
}

#[tokio::test(start_paused = true)]
async fn while_few_requests_fail_every_failure_is_retried() {
    let budget = budget(share_only(0.1));
    let tries = Cell::new(0);

    for request in 0..10_000 {
        let first_fails = request % 100 == 99;
        let before = tries.get();
        let operation = || async {
            tries.set(tries.get() + 1);
            if first_fails && tries.get() == before + 1 { Err("503") } else { Ok(()) }
        };
        // What comes of it is counted below.
        let _ = budget.call(1, operation).await;
        wait(MILLISECOND).await;
    }

    assert_eq!(
        tries.get(),
        10_000 + 100,
        "1 % fails, and 10 % may be retried, so that each of the 100 failures is: a request is recorded \
         before its first try, whatever comes of it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_earns_nothing() {
    let budget = budget(share_only(0.5));
    let tries = Cell::new(0);

    for _ in 0..1_000 {
        let fails = || async {
            tries.set(tries.get() + 1);
            Err::<(), _>("503")
        };
        budget.call(100, fails).await.unwrap_err();
    }

    let tries = tries.get();
    assert!(
        tries <= 1_500,
        "1,000 requests earn 500 retries, but {} were made: a retry that is recorded as a request earns \
         the next one, and a share of a half becomes a whole",
        tries - 1_000
    );
    assert_eq!(
        tries, 1_500,
        "1,000 requests earn 500 retries, and all of them are wanted: each request is recorded once, \
         before its first try"
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_not_made_is_not_paid_for() {
    let budget = budget(share_only(0.1));
    // Ten tokens and a half: whether the call's own request is recorded makes no difference here.
    requests(&budget, 105);

    let answer = budget.call(0, || async { Err::<(), _>("503") }).await;

    assert_eq!(answer, Err("503"), "no retries were asked for");
    assert_eq!(
        budget.balance(),
        10,
        "there were ten tokens before a call that may not retry, and there are ten after it: a retry that \
         isn't made is not paid for"
    );
}

#[tokio::test(start_paused = true)]
async fn three_tries_at_each_of_five_layers_make_243_calls() {
    let without_limit = Config { min_retries_per_second: 1_000_000, ..Config::default() };
    let chain = Chain::new(without_limit);

    chain.requests(1).await;

    let calls = chain.calls.get();
    assert!(
        calls <= 243,
        "each layer makes three tries of what it gets, 3 × 3 × 3 × 3 × 3 = 243, but {calls} calls came \
         out: `max_retries` is the most, and 2 retries are 3 tries"
    );
    assert_eq!(
        calls, 243,
        "each layer makes three tries of what it gets, 3 × 3 × 3 × 3 × 3: `max_retries` doesn't count \
         the first try (32 would be two tries at each layer)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_budget_at_each_layer_holds_the_product_down() {
    let chain = Chain::new(share_only(0.1));

    chain.requests(3_000).await;

    let amplification = chain.calls.get() as f64 / 3_000.0;
    assert!(
        amplification <= 1.1_f64.powi(5),
        "each of 5 layers adds a tenth to what it gets, so that 1.61 calls a request arrive, but \
         {amplification:.2} did"
    );
    // 100 requests a second make 10 retries exactly; further down the last token of a window is a
    // part only, which pays for nothing.
    assert!(
        amplification >= 1.55,
        "a budget is there to be used: nearly 1.61 calls a request should arrive, but only \
         {amplification:.2} did"
    );
}

#[tokio::test(start_paused = true)]
async fn the_floor_of_each_layer_comes_on_top() {
    let chain = Chain::new(Config::default());

    chain.requests(3_000).await;

    // A second's worth at the beginning, and then 10 in each of 30 s.
    let floor = 10.0 * (1.0 + 30.0 * SECOND.as_secs_f64());
    let most = (0..LAYERS).fold(3_000.0, |calls, _| calls * 1.1 + floor);
    let calls = chain.calls.get() as f64;
    assert!(
        calls <= most,
        "each of five layers makes at most 1.1 of what it gets, and 10 more a second from its floor (and 10 at \
         the beginning): {most:.0} calls of 3,000 requests in 30 s, but {calls} were made"
    );
    assert!(
        calls > 0.97 * most,
        "and with everything failing they make nearly so many, {most:.0}, but {calls} were made: a layer uses \
         its share and its floor, one beside the other"
    );
}
