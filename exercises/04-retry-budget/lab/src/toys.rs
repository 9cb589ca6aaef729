//! A budget to touch, request by request; and what tries multiply to.

use std::time::Duration;

use lab_kit::{Knob, Play, Seen, Toy, Values, thousands};
use retry_budget_solution::{Config, Feed, RetryBudget};
use tokio::runtime;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);
/// The seconds of the window, the newest last.
const WINDOW: u32 = 10;

pub static BUDGET: Toy = Toy {
    name: "budget",
    about: "A retry budget, request by request",
    play: Play::Actions {
        of: &[
            ("succeed", "A request succeeds"),
            ("fail", "A request fails, and wants a retry"),
            ("crowd", "Five requests succeed"),
            ("wait", "+1 s"),
            ("idle", "+10 s"),
        ],
        example: &["crowd", "fail", "fail", "fail", "wait", "fail", "idle"],
        seen,
    },
    sheet: None,
};

/// What one second held.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Second {
    requests: u32,
    retries: u32,
}

fn seen(actions: &[usize]) -> anyhow::Result<Seen> {
    let runtime =
        runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let budget = RetryBudget::new(Config {
            ratio: 0.25,
            min_retries_per_second: 1,
            window: WINDOW * SECOND,
            feed: Feed::Requests,
        })?;
        let mut seconds = vec![Second::default()];
        let mut said =
            "Four requests earn a retry, and one retry a second needs no deposit.".to_owned();
        for action in actions {
            said = act(*action, &budget, &mut seconds).await;
        }
        let window = &seconds[seconds.len().saturating_sub(WINDOW as usize)..];
        let list = |of: fn(&Second) -> u32| {
            window.iter().map(|second| of(second).to_string()).collect::<Vec<_>>().join(" ")
        };
        let sum = |of: fn(&Second) -> u32| window.iter().map(of).sum::<u32>();
        Ok(Seen::new(said)
            .fact("retries to be had", budget.balance().to_string())
            .fact("requests, by second", list(|second| second.requests))
            .fact("retries, by second", list(|second| second.retries))
            .fact("requests in these 10 s", sum(|second| second.requests).to_string())
            .fact("retries in these 10 s", sum(|second| second.retries).to_string()))
    })
}

async fn act(action: usize, budget: &RetryBudget, seconds: &mut Vec<Second>) -> String {
    let now = seconds.len() - 1;
    match action {
        0 | 2 => {
            let count = if action == 0 { 1 } else { 5 };
            for _ in 0..count {
                budget.record_request();
                budget.record_success();
            }
            seconds[now].requests += count;
            if count == 1 {
                "Deposited: a quarter of a retry."
            } else {
                "Deposited: five quarters of a retry."
            }
            .to_owned()
        }
        1 => {
            budget.record_request();
            seconds[now].requests += 1;
            match budget.try_withdraw() {
                Ok(()) => {
                    seconds[now].retries += 1;
                    "Deposited: a quarter. The retry is paid for, and made.".to_owned()
                }
                Err(exhausted) => {
                    format!(
                        "Deposited: a quarter. No retry ({exhausted}): the failure is reported."
                    )
                }
            }
        }
        _ => {
            let count = if action == 3 { 1 } else { WINDOW };
            advance(count * SECOND).await;
            seconds.extend(std::iter::repeat_n(Second::default(), count as usize));
            if count == 1 {
                "A second passes."
            } else {
                "Ten seconds pass: what was deposited is gone."
            }
            .to_owned()
        }
    }
}

const LAYERS: Knob =
    Knob::number("layers", "How many services are above the dependency?", 1..=8, 3, "");
const TRIES: Knob =
    Knob::number("tries", "How often does each try, the first time included?", 1..=6, 3, "");
const BUDGET_OF: Knob = Knob::number(
    "budget",
    "How many retries does a budget grant, of a hundred requests?",
    0..=100,
    10,
    "%",
)
.at(&[0, 5, 10, 20, 50, 100]);

/// While all calls fail, each layer makes the most tries that it may.
pub static AMPLIFICATION: Toy = Toy {
    name: "amplify",
    about: "What one click becomes at the bottom, while all calls fail",
    play: Play::Numbers { knobs: &[LAYERS, TRIES, BUDGET_OF], seen: amplified },
    sheet: Some("retry"),
};

#[expect(clippy::unnecessary_wraps, reason = "the type of all toys")]
fn amplified(values: &Values) -> anyhow::Result<Seen> {
    let [layers, tries, budget] = [LAYERS, TRIES, BUDGET_OF].map(|knob| values.number(&knob));
    let (calls, bounded) = at_the_bottom(layers, tries, budget);
    let said = format!(
        "{} at each of {} make {} of the dependency for one request; with budgets of {budget} %, {bounded:.2} at most.",
        plural(tries, "try", "tries"),
        plural(layers, "layer", "layers"),
        plural(calls, "call", "calls"),
    );
    Ok(Seen::new(said)
        .fact("calls without a limit", thousands(calls))
        .fact("with a budget at each layer, at most", format!("{bounded:.2}")))
}

/// Calls for one request: with so many tries at each layer, and at most with a budget of so many per cent there.
fn at_the_bottom(layers: u64, tries: u64, budget: u64) -> (u64, f64) {
    let each = (1.0 + budget as f64 / 100.0).min(tries as f64);
    let layers = u32::try_from(layers).unwrap_or(u32::MAX);
    (tries.saturating_pow(layers), each.powf(layers.into()))
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amplification;
    use crate::policy::{REQUESTS, UNBOUNDED};

    #[test]
    fn the_calculator_says_what_the_storm_counts() {
        let lab = &crate::LAB;
        let runs = amplification::runs(&lab.defaults().scene(&amplification::SCENE)).unwrap();
        for (depth, counted) in runs.get(UNBOUNDED.name).unwrap() {
            let (calls, _) = at_the_bottom(*depth as u64, 3, 10);
            assert!(
                (calls as f64 - counted).abs() < 1e-9,
                "{depth} layers: {calls}, counted {counted}"
            );
        }
        for (depth, counted) in runs.get(REQUESTS.name).unwrap() {
            let (_, bound) = at_the_bottom(*depth as u64, 3, 10);
            assert!(*counted <= bound, "{depth} layers: at most {bound}, counted {counted}");
            assert!(*counted > bound * 0.97, "{depth} layers: {bound} is far from {counted}");
        }
    }

    #[test]
    fn a_budget_pays_what_was_deposited_and_forgets_it_with_its_window() {
        let retries = |actions: &[&str]| {
            let Play::Actions { of, seen, .. } = BUDGET.play else { unreachable!() };
            let place = |name: &&str| of.iter().position(|(known, _)| known == name).unwrap();
            let actions: Vec<usize> = actions.iter().map(place).collect();
            serde_json::to_value(seen(&actions).unwrap()).unwrap()["facts"][0][1].clone()
        };
        assert_eq!(retries(&[]), "1", "the floor alone");
        assert_eq!(retries(&["crowd"]), "2", "five quarters, and the floor");
        assert_eq!(retries(&["crowd", "fail"]), "1", "six quarters less one, and the floor");
        assert_eq!(retries(&["crowd", "crowd", "idle"]), "1", "the floor alone, again");
    }
}
