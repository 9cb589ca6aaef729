//! Trials: a situation for each step from the third on, in which retries without that step do worse.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lab_kit::{Needs, Scene, Trial, Values, Whose};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use storm::StormError;

use crate::reference;
use crate::requests::{
    self, Answer, Attempt, Call, ClientRng, Done, LENGTH, MakeRequest, REQUESTS_PER_SECOND, REST,
    Reply, Seen, Setting, after, answer,
};
#[cfg(feature = "yours")]
use crate::yours;

/// How long a caller has, and how long an attempt of its takes.
const PATIENCE: Duration = Duration::from_secs(2);
const SLOW: Duration = Duration::from_millis(300);

const SETTING: Setting = Setting {
    base: Duration::from_millis(100),
    additive: None,
    max_attempts: 5,
    max_total: None,
    once: false,
};
/// There is one second chance, within a second.
const TWICE: Setting = Setting { base: Duration::from_secs(1), max_attempts: 2, ..SETTING };
const ONCE: Setting = Setting { once: true, ..SETTING };

/// Whose retries, and whose generators.
#[derive(Clone, Copy)]
struct Contestant {
    request: MakeRequest,
    client_rng: ClientRng,
}

const REFERENCE: Contestant = Contestant {
    request: reference::retrying::request,
    client_rng: reference::jittered::client_rng,
};
#[cfg(feature = "yours")]
const YOURS: Contestant =
    Contestant { request: yours::retrying::request, client_rng: yours::jittered::client_rng };

const CONTESTANTS: &[(Whose, &str, Contestant)] = &[
    (Whose::Naive, "naive", Contestant { request: at_once, client_rng: one_for_all }),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", YOURS),
    (Whose::Reference, "reference", REFERENCE),
];

/// Tries again at once and whatever the answer was, until there have been as many attempts as may be.
fn at_once(setting: Setting, _: Xoshiro256PlusPlus, attempt: Attempt) -> Done {
    Box::pin(async move {
        for number in 1..=setting.max_attempts {
            if attempt(number, None).await.is_ok() {
                return true;
            }
        }
        false
    })
}

fn one_for_all(seed: u64, _client: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

impl Contestant {
    /// The trials of other steps don't need the reader's generators.
    fn run(
        self,
        setting: Setting,
        seed: u64,
        server: fn(&Call) -> Reply,
    ) -> Result<Seen, StormError> {
        let client_rng = REFERENCE.client_rng;
        Ok(requests::run(self.request, client_rng, setting, seed, server)?.1)
    }
}

type Count = fn(Contestant, u64) -> Result<u64, StormError>;

const TRIALS: [Trial<Count>; 9] = [
    Trial {
        name: "hopeless",
        step: 3,
        question: "Half of the requests are wrong: 400. How much work do they make?",
        counted: "attempts after a 400",
        situation: |whose, seed| Ok(whose.run(SETTING, seed, half_wrong)?.retries.len() as u64),
    },
    Trial {
        name: "throttled",
        step: 4,
        question: "A server asks for rest, some callers with a number, some with a date. Does it get any?",
        counted: "attempts in a rest that was asked for",
        situation: |whose, seed| {
            let seen = whose.run(SETTING, seed, |call| match call.way(2) {
                _ if !call.in_rest() => answer(Ok(())),
                0 => answer(Err(call.busy_until_the_end())),
                _ => answer(Err(call.busy_to_the_end())),
            })?;
            Ok(seen.retries.iter().filter(|(_, at)| REST.contains(at)).count() as u64)
        },
    },
    Trial {
        name: "together",
        step: 4,
        question: "The rest ends for all callers at one moment. Who finds room?",
        counted: "failed, with a second attempt",
        situation: |whose, seed| {
            let server: fn(&Call) -> Reply = |call| {
                if call.in_rest() { answer(Err(call.busy_until_the_end())) } else { call.work() }
            };
            failed(whose.request, REFERENCE.client_rng, seed, server)
        },
    },
    Trial {
        name: "away",
        step: 4,
        question: "A server asks for an hour, which no caller has. Are the callers told?",
        counted: "tried again, or never told",
        situation: |whose, seed| {
            let seen = whose.run(SETTING, seed, |call| answer(Err(call.busy_for(3_600))))?;
            let again = seen.retries.iter().map(|(request, _)| *request);
            let untold = (0..).zip(&seen.took).filter(|(_, took)| took.is_none());
            let requests: BTreeSet<u64> = again.chain(untold.map(|(request, _)| request)).collect();
            Ok(requests.len() as u64)
        },
    },
    Trial {
        name: "in-time",
        step: 4,
        question: "A caller has two seconds, and every attempt fails after 0.3 s. When is it told?",
        counted: "told when their time was over",
        situation: |whose, seed| {
            let setting = Setting {
                additive: Some(Duration::from_millis(500)),
                max_attempts: 10,
                max_total: Some(PATIENCE),
                ..SETTING
            };
            let seen = whose.run(setting, seed, |_| after(SLOW, Err(Answer::Lost)))?;
            // The last attempt may begin just in time, and tokio rounds its pause up to a millisecond.
            let last = PATIENCE + SLOW + Duration::from_millis(1);
            Ok(seen.took.iter().filter(|took| took.is_none_or(|took| took > last)).count() as u64)
        },
    },
    Trial {
        name: "sessions",
        step: 5,
        question: "A server restarts, and all connections break at one moment. Who finds room?",
        counted: "failed, with a second attempt",
        situation: |whose, seed| {
            let server: fn(&Call) -> Reply =
                |call| if call.in_rest() { call.breaks_after_the_rest() } else { call.work() };
            failed(whose.request, whose.client_rng, seed, server)
        },
    },
    Trial {
        name: "runs",
        step: 5,
        question: "Thirty runs with a hundred clients each, of two regions. Is each client's chance its own?",
        counted: "clients with the chance of another",
        situation: |whose, seed| {
            let mut clients_of: BTreeMap<u64, u64> = BTreeMap::new();
            for run in seed..seed + 30 {
                for client in (0..50).chain(1 << 32..(1 << 32) + 50) {
                    let first = (whose.client_rng)(run, client).next_u64();
                    *clients_of.entry(first).or_default() += 1;
                }
            }
            Ok(clients_of.values().filter(|clients| **clients > 1).sum())
        },
    },
    Trial {
        name: "lost-answers",
        step: 6,
        question: "Payments are made, and of each up to two answers are lost. What is paid?",
        counted: "purchases not paid exactly once",
        situation: |whose, seed| {
            let seen = whose.run(ONCE, seed, |call| {
                call.pay();
                let is_lost = call.attempt <= call.way(3);
                answer(if is_lost { Err(Answer::Lost) } else { Ok(()) })
            })?;
            let mut payments = vec![0; seen.took.len()];
            for request in seen.payments {
                payments[usize::try_from(request).expect("few")] += 1;
            }
            Ok(payments.iter().filter(|payments| **payments != 1).count() as u64)
        },
    },
    Trial {
        name: "declined",
        step: 6,
        question: "The bank declines half of the payments. How often is it asked?",
        counted: "attempts after a payment was declined",
        situation: |whose, seed| Ok(whose.run(ONCE, seed, half_wrong)?.retries.len() as u64),
    },
];

fn half_wrong(call: &Call) -> Reply {
    answer(if call.way(2) == 0 { Err(Answer::Wrong) } else { Ok(()) })
}

/// How many requests fail of those that have two attempts.
fn failed(
    request: MakeRequest,
    client_rng: ClientRng,
    seed: u64,
    server: fn(&Call) -> Reply,
) -> Result<u64, StormError> {
    Ok(requests::run(request, client_rng, TWICE, seed, server)?.0.counts().failed)
}

pub static SCENE: Scene = Scene {
    name: "trials",
    about: "Situations that steps 3 to 6 are for; the numbers count what is bad",
    knobs: &[],
    figures: &[],
    needs: Some(Needs {
        step: 3,
        text: "The trials need `run` (step 3); the last two need `run_once` (step 6).",
    }),
    parameters,
    run: |values| {
        Trial::all(&TRIALS, values, CONTESTANTS, |trial, _, whose| {
            Ok((trial.situation)(whose, values.seed())?)
        })
    },
};

fn parameters(values: &Values) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time; what rests does so from {} s to {} s. Seed {}.",
        LENGTH.as_secs(),
        REST.start.as_secs(),
        REST.end.as_secs(),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(whose: Contestant) -> Vec<(&'static str, u64)> {
        let count = |trial: &Trial<Count>| {
            (trial.name, (trial.situation)(whose, 7).expect("the load is valid"))
        };
        TRIALS.iter().map(count).collect()
    }

    /// The trials in which this contestant does worse than the reference.
    fn worse(whose: Contestant) -> Vec<&'static str> {
        let bad = counts(whose).into_iter().filter(|(_, count)| *count > 0);
        bad.map(|(trial, _)| trial).collect()
    }

    #[test]
    fn the_reference_does_nothing_of_what_is_counted() {
        assert_eq!(worse(REFERENCE), [""; 0]);
    }

    #[test]
    fn the_naive_client_does_all_of_it() {
        let (_, _, naive) = CONTESTANTS[0];
        assert_eq!(worse(naive), TRIALS.map(|trial| trial.name));
    }

    /// The reference's retries, with attempts, or what came of them, changed on the way.
    fn through(
        setting: Setting,
        rng: Xoshiro256PlusPlus,
        attempt: Attempt,
        change: fn(Answer) -> Answer,
    ) -> Done {
        let changed = move |number, key| -> Reply {
            let reply = attempt(number, key);
            Box::pin(async move { reply.await.map_err(change) })
        };
        (REFERENCE.request)(setting, rng, Box::new(changed))
    }

    #[test]
    fn each_of_these_mistakes_fails_its_own_trials() {
        let cases: [(MakeRequest, &[&str]); 5] = [
            // All errors alike.
            (
                |setting, rng, attempt| through(setting, rng, attempt, |_| Answer::Lost),
                &["hopeless", "throttled", "together", "away", "declined"],
            ),
            // A header that isn't read.
            (
                |setting, rng, attempt| {
                    through(setting, rng, attempt, |answer| match answer {
                        Answer::Busy { .. } => Answer::Lost,
                        other => other,
                    })
                },
                &["throttled", "together", "away"],
            ),
            // One generator for all: the same delays, and the same key.
            (
                |setting, _, attempt| (REFERENCE.request)(setting, one_for_all(7, 0), attempt),
                &["together", "sessions", "lost-answers"],
            ),
            // No limit in time.
            (
                |setting, rng, attempt| {
                    let setting = Setting { max_total: None, ..setting };
                    (REFERENCE.request)(setting, rng, attempt)
                },
                &["in-time"],
            ),
            // No key.
            (
                |setting, rng, attempt| {
                    let setting = Setting { once: false, ..setting };
                    (REFERENCE.request)(setting, rng, attempt)
                },
                &["lost-answers"],
            ),
        ];
        for (request, trials) in cases {
            assert_eq!(worse(Contestant { request, ..REFERENCE }), trials);
        }
    }

    #[test]
    fn generators_that_are_shared_fail_the_trials_of_their_step() {
        let of = |client_rng| worse(Contestant { client_rng, ..REFERENCE });

        assert_eq!(of(one_for_all), ["sessions", "runs"]);
        let meeting: [ClientRng; 3] = [
            |seed, client| Xoshiro256PlusPlus::seed_from_u64(seed + client),
            |seed, client| Xoshiro256PlusPlus::seed_from_u64((seed << 32) | client),
            |seed, client| Xoshiro256PlusPlus::seed_from_u64(31 * seed + client),
        ];
        for client_rng in meeting {
            assert_eq!(of(client_rng), ["runs"]);
        }
    }
}
