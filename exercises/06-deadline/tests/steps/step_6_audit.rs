//! Step 6: check a chain on paper.

use std::time::Duration;

use deadline::{Chain, Link, Rule, Violation};

use super::{MILLISECOND, SECOND};

/// The chain of the document that the workbook grew from.
fn links() -> Vec<Link> {
    [("client", 30), ("gateway", 25), ("orders", 20), ("stock", 15), ("database", 10)]
        .map(|(name, seconds)| Link::new(name, seconds * SECOND))
        .into()
}

fn audit(links: Vec<Link>) -> Vec<Violation> {
    Chain::new(links).expect("this chain is valid").audit()
}

fn report(links: Vec<Link>) -> String {
    let found: Vec<_> = audit(links).iter().map(ToString::to_string).collect();
    if found.is_empty() { "nothing to complain of".to_owned() } else { found.join("\n") }
}

/// A caller with this timeout, and what it calls. The caller's own tries, pauses and overhead are its own caller's.
fn pair(timeout: Duration, inner: Link) -> Vec<Link> {
    let (backoff, overhead) = (11 * SECOND, 13 * SECOND);
    vec![Link { name: "caller".to_owned(), timeout, tries: 7, backoff, overhead }, inner]
}

#[test]
fn thirty_to_ten_seconds_in_steps_of_five_is_sound_for_one_try() {
    assert_eq!(
        report(links()),
        "nothing to complain of",
        "each waits 5 s longer than the one that it calls"
    );

    let with_overhead =
        links().into_iter().map(|link| Link { overhead: 4_999 * MILLISECOND, ..link });
    assert_eq!(
        report(with_overhead.collect()),
        "nothing to complain of",
        "and has room for that much of its own"
    );
}

#[test]
fn with_three_tries_each_it_breaks_at_every_link() {
    let three_tries = links().into_iter().map(|link| Link { tries: 3, ..link });

    insta::assert_snapshot!(
        report(three_tries.collect()),
        "each link is named, from the outside in, with what it waits for and by how much it is too short; how often \
         the user tries is nobody's timeout",
        @"
        client has 30s and needs more than 75s for gateway (outer > inner × tries + backoff), short by 45s
        gateway has 25s and needs more than 60s for orders (outer > inner × tries + backoff), short by 35s
        orders has 20s and needs more than 45s for stock (outer > inner × tries + backoff), short by 25s
        stock has 15s and needs more than 30s for database (outer > inner × tries + backoff), short by 15s
        "
    );
}

#[test]
fn as_long_as_is_not_longer() {
    let needs = 10 * SECOND;
    let inner = Link {
        tries: 3,
        backoff: SECOND,
        overhead: 3 * SECOND,
        ..Link::new("database", 2 * SECOND)
    };

    let [violation] = audit(pair(needs, inner.clone())).try_into().expect(
        "2 s × 3 + 1 s + 3 s are 10 s: at 10 s the caller gives up just when the answer comes",
    );
    assert_eq!(violation.short_by(), Duration::ZERO, "equal, and too short");
    assert_eq!(audit(pair(needs + MILLISECOND, inner)), [], "a millisecond more is longer");
}

#[test]
fn the_first_rule_that_is_broken_is_named() {
    let inner = Link {
        tries: 3,
        backoff: SECOND,
        overhead: 3 * SECOND,
        ..Link::new("database", 2 * SECOND)
    };
    let rule =
        |timeout| audit(pair(timeout, inner.clone())).first().map(|violation| violation.rule);

    assert_eq!(rule(SECOND), Some(Rule::Order), "shorter than one try");
    assert_eq!(rule(2 * SECOND), Some(Rule::Order), "as long as one try");
    assert_eq!(
        rule(6 * SECOND),
        Some(Rule::Retries),
        "longer than one, as long as three without the pauses"
    );
    assert_eq!(
        rule(7 * SECOND),
        Some(Rule::Retries),
        "as long as three tries with the pauses between them"
    );
    assert_eq!(
        rule(8 * SECOND),
        Some(Rule::Overhead),
        "longer than these, but nothing is left for the rest"
    );
    assert_eq!(rule(11 * SECOND), None, "longer than all of it");
    let once = Link { backoff: SECOND, ..Link::new("database", 2 * SECOND) };
    let violations = audit(pair(3 * SECOND, once));
    assert_eq!(
        violations.first().map(|violation| violation.rule),
        Some(Rule::Retries),
        "a pause counts also where one try is all, for a first try that is held back, say"
    );
    let violations = audit(pair(SECOND, inner.clone()));
    assert_eq!(
        violations[0].needs,
        10 * SECOND,
        "whichever rule is broken, what is needed is all of it"
    );
    assert_eq!(violations[0].short_by(), 9 * SECOND, "and so is what it is short by");
}

#[test]
fn one_weak_link_is_found_among_sound_ones() {
    let mut links = links();
    links[2].timeout = 14 * SECOND;

    insta::assert_snapshot!(
        report(links),
        "orders gives up after 14 s on a stock that may take 15: the others are as they were",
        @"orders has 14s and needs more than 15s for stock (outer > inner), short by 1s"
    );
}

#[test]
fn numbers_of_any_size_are_audited() {
    let endless = Link {
        tries: u32::MAX,
        backoff: Duration::MAX,
        overhead: Duration::MAX,
        ..Link::new("database", Duration::MAX)
    };

    let violations = audit(pair(Duration::MAX, endless));

    assert_eq!(violations.len(), 1, "as long as the longest is not longer: {violations:?}");
    assert_eq!(
        violations[0].needs,
        Duration::MAX,
        "a sum that is too large stays at the largest number"
    );
    let half = Link::new("database", Duration::MAX / 2 + SECOND);
    for (inner, what) in [
        (Link { tries: 2, ..half.clone() }, "two tries"),
        (Link { backoff: Duration::MAX / 2, ..half.clone() }, "a try and the pauses"),
        (Link { overhead: Duration::MAX / 2, ..half }, "a try and the overhead"),
    ] {
        let violations = audit(pair(SECOND, inner));
        assert_eq!(
            violations.first().map(|violation| violation.needs),
            Some(Duration::MAX),
            "{what} are more than the largest number"
        );
    }
    assert_eq!(
        audit(vec![Link::new("alone", SECOND)]),
        [],
        "and a link that calls nobody can't be too short"
    );
}
