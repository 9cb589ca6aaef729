//! What a budget costs a request that succeeds and one that is retried: a deposit, and a deposit with
//! a withdrawal. And what it costs to be refused.

/// One text, compiled for yours and for the reference.
#[path = "ours"]
mod yours {
    use retry_budget as subject;
    pub mod row;
}
#[path = "ours"]
mod reference {
    use retry_budget_solution as subject;
    pub mod row;
}
#[path = "ours"]
mod fast {
    use retry_budget_solution::fast as subject;
    pub mod row;
}

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use stopwatch::Table;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower_resilience_retry::{RetryBudget as Budget, RetryBudgetBuilder};

const DEPOSIT: &str = "deposit";
const PAIR: &str = "deposit and withdrawal";
const REFUSED: &str = "refused";
const WINDOW: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    stopwatch::main("retry-budget", |table| {
        table.column(DEPOSIT);
        table.column(PAIR);
        table.column(REFUSED);
        ours(table);
        table.floors(DEPOSIT);
        tower(table);
        tower_resilience(table);
        table.promise("reference, fast", PAIR, 0.3, "tower 0");
    })
}

fn ours(table: &mut Table) {
    yours::row::row(table.yours());
    reference::row::row(table.reference("reference"));
    fast::row::row(table.reference("reference, fast"));
}

fn tower(table: &mut Table) {
    let budget = |percent| Arc::new(TpsBudget::new(WINDOW, 0, percent));
    table
        .published("tower", "TpsBudget")
        .case(DEPOSIT, || {
            let budget = budget(1.0);
            move || {
                let budget = Arc::clone(&budget);
                move || {
                    budget.deposit();
                    true
                }
            }
        })
        .case(PAIR, || {
            let budget = budget(1.0);
            move || {
                let budget = Arc::clone(&budget);
                move || {
                    budget.deposit();
                    budget.withdraw()
                }
            }
        })
        .case(REFUSED, || {
            let budget = budget(0.0);
            move || {
                let budget = Arc::clone(&budget);
                move || !budget.withdraw()
            }
        });
}

fn tower_resilience(table: &mut Table) {
    let tokens = |initial| {
        let builder = RetryBudgetBuilder::new().token_bucket().tokens_per_second(0.0);
        builder.max_tokens(1_000_000).initial_tokens(initial).build().expect("valid")
    };
    pair(table.published("tower-resilience-retry", "tokens"), move || tokens(1_000)).case(
        REFUSED,
        || {
            let budget = tokens(0);
            move || {
                let budget = Arc::clone(&budget);
                move || !budget.try_withdraw()
            }
        },
    );
    let aimd = || RetryBudgetBuilder::new().aimd().max_budget(1_000_000).build().expect("valid");
    pair(table.published("tower-resilience-retry", "AIMD"), aimd);
}

fn pair(
    row: stopwatch::RowBuilder<'_>,
    budget: impl Fn() -> Arc<dyn Budget>,
) -> stopwatch::RowBuilder<'_> {
    row.case(DEPOSIT, || {
        let budget = budget();
        move || {
            let budget = Arc::clone(&budget);
            move || {
                budget.deposit();
                true
            }
        }
    })
    .case(PAIR, || {
        let budget = budget();
        move || {
            let budget = Arc::clone(&budget);
            move || {
                budget.deposit();
                budget.try_withdraw()
            }
        }
    })
}
