//! What a budget costs a request that succeeds and one that is retried: a deposit, and a deposit with
//! a withdrawal. And what it costs to be refused.

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

/// One retry for each request, so that no withdrawal fails; or none, and no floor.
macro_rules! row {
    ($row:expr, $($budget:ident)::+) => {{
        use $($budget)::+::{Config, RetryBudget};
        let budget = |ratio| {
            let config =
                Config { ratio, min_retries_per_second: 0, window: WINDOW, ..Config::default() };
            Arc::new(RetryBudget::new(config).expect("valid"))
        };
        $row.case(DEPOSIT, || {
            let budget = budget(1.0);
            move || {
                let budget = Arc::clone(&budget);
                move || {
                    budget.record_request();
                    true
                }
            }
        })
        .case(PAIR, || {
            let budget = budget(1.0);
            move || {
                let budget = Arc::clone(&budget);
                move || {
                    budget.record_request();
                    budget.try_withdraw().is_ok()
                }
            }
        })
        .case(REFUSED, || {
            let budget = budget(0.0);
            // What was not written yet shows here: a starter may refuse by chance.
            budget.record_request();
            move || {
                let budget = Arc::clone(&budget);
                move || budget.try_withdraw().is_err()
            }
        })
    }};
}

fn ours(table: &mut Table) {
    row!(table.yours(), retry_budget);
    row!(table.reference("reference"), retry_budget_solution);
    row!(table.reference("reference, fast"), retry_budget_solution::fast);
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
