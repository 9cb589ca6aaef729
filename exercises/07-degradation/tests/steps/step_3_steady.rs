//! Step 3: down fast, up slowly.

use std::fmt::Write as _;
use std::time::Duration;

use degradation::{Level, Steady};
use tokio::time::Instant;

use super::{NANOSECOND, SECOND};

use Level::{Degraded, Emergency, Minimal, Normal};

const DWELL: Duration = Duration::from_secs(30);

/// Takes these looks, each so long after the begin, and writes down what came of it.
struct Diary {
    steady: Steady,
    begun: Instant,
    text: String,
    changes: usize,
}

impl Diary {
    fn new() -> Self {
        let begun = Instant::now();
        Self { steady: Steady::new(DWELL, begun), begun, text: String::new(), changes: 0 }
    }

    fn look(&mut self, after: Duration, assessed: Level) {
        if let Some(change) = self.steady.observe(assessed, self.begun + after) {
            self.changes += 1;
            let at = format!("{:.3}s", change.at.duration_since(self.begun).as_secs_f64());
            writeln!(self.text, "{at:<9} {change} (change {})", change.number).unwrap();
            assert_eq!(change.to, self.steady.level(), "a change leads to the level that it names");
        }
    }

    /// A look every second, from one second to another, both included.
    fn looks(&mut self, seconds: std::ops::RangeInclusive<u32>, assessed: Level) {
        for second in seconds {
            self.look(second * SECOND, assessed);
        }
    }
}

#[test]
fn it_goes_down_at_the_first_worse_look() {
    let mut diary = Diary::new();

    diary.look(SECOND, Normal);
    diary.look(2 * SECOND, Degraded);
    diary.look(3 * SECOND, Degraded);
    diary.look(4 * SECOND, Emergency);

    insta::assert_snapshot!(
        diary.text,
        "what is worse is answered at once, and all the way: a dwell on the way down means to go on \
         asking a dependency that is known to be down",
        @"
        2.000s    normal → degraded (change 1)
        4.000s    degraded → emergency (change 2)
        "
    );
}

#[test]
fn it_goes_up_one_step_a_dwell() {
    let mut diary = Diary::new();

    diary.looks(1..=9, Emergency);
    diary.looks(10..=120, Normal);

    insta::assert_snapshot!(
        diary.text,
        "the first better look is that of 10 s. Each step turns something on, which is load, and the next \
         one waits for a dwell that begins with it",
        @"
        1.000s    normal → emergency (change 1)
        40.000s   emergency → minimal (change 2)
        70.000s   minimal → degraded (change 3)
        100.000s  degraded → normal (change 4)
        "
    );

    let mut sparse = Diary::new();
    sparse.look(Duration::ZERO, Emergency);
    for second in [1, 100, 101, 129, 130] {
        sparse.look(second * SECOND, Normal);
    }

    insta::assert_snapshot!(
        sparse.text,
        "nobody looked from 1 s to 100 s, and that look is one step, however many dwells it comes after. \
         The next dwell begins with the step, at 100 s, and not when the last one was over, at 31 s",
        @"
        0.000s    normal → emergency (change 1)
        100.000s  emergency → minimal (change 2)
        130.000s  minimal → degraded (change 3)
        "
    );
}

#[test]
fn only_time_that_was_seen_to_be_better_counts() {
    let mut diary = Diary::new();

    diary.look(Duration::ZERO, Degraded);
    diary.looks(1..=29, Normal);
    diary.look(30 * SECOND, Degraded);
    diary.looks(31..=61, Normal);

    insta::assert_snapshot!(
        diary.text,
        "it was bad again at 30 s. That changes no level, but the dwell begins after it: it runs from the first \
         better look, at 31 s, to 61 s",
        @"
        0.000s    normal → degraded (change 1)
        61.000s   degraded → normal (change 2)
        "
    );

    diary.look(62 * SECOND, Degraded);
    diary.look(3_600 * SECOND, Normal);
    let after_silence = diary.steady.level();
    diary.look(3_630 * SECOND, Normal);

    assert_eq!(
        (after_silence, diary.steady.level()),
        (Degraded, Normal),
        "nobody looked for an hour: that it was better is known since the first look that said so"
    );
}

#[test]
fn a_worse_look_ends_the_wait() {
    let mut diary = Diary::new();

    diary.look(Duration::ZERO, Minimal);
    diary.looks(1..=20, Normal);
    diary.look(21 * SECOND, Emergency);
    diary.looks(22..=60, Minimal);

    insta::assert_snapshot!(
        diary.text,
        "20 good seconds, then the fall at 21 s. They were before it, and say nothing of what came after: \
         the first better look is that of 22 s, and its dwell ends at 52 s",
        @"
        0.000s    normal → minimal (change 1)
        21.000s   minimal → emergency (change 2)
        52.000s   emergency → minimal (change 3)
        "
    );
}

#[test]
fn a_dwell_ends_when_it_is_over() {
    let mut diary = Diary::new();
    diary.look(Duration::ZERO, Minimal);
    diary.look(SECOND, Normal);

    diary.look(SECOND + DWELL - NANOSECOND, Normal);
    let early = diary.changes;
    diary.look(SECOND + DWELL, Normal);

    assert_eq!((early, diary.changes), (1, 2), "not a nanosecond early, and no look late");

    let mut steady = Steady::new(NANOSECOND, diary.begun);
    let levels = [(Minimal, 0), (Normal, 0), (Normal, 1)].map(|(assessed, nanos)| {
        steady.observe(assessed, diary.begun + nanos * NANOSECOND);
        steady.level()
    });
    assert_eq!(levels, [Minimal, Minimal, Degraded], "a dwell of a nanosecond is a dwell");

    let mut steady = Steady::new(Duration::ZERO, diary.begun);
    let levels = [Minimal, Normal, Normal, Normal].map(|assessed| {
        steady.observe(assessed, diary.begun);
        steady.level()
    });
    assert_eq!(
        levels,
        [Minimal, Degraded, Normal, Normal],
        "without a dwell each better look is a step, and none leads above normal"
    );
}

#[test]
fn flapping_faster_than_the_dwell_causes_one_change() {
    let mut diary = Diary::new();

    for second in 0..600 {
        let assessed = if second % 30 == 0 { Degraded } else { Normal };
        diary.look(second * SECOND, assessed);
    }

    assert_eq!(
        diary.changes, 1,
        "ten minutes of 29 s good and 1 s bad: it went down, and was never well for a dwell"
    );
}

#[test]
fn flapping_slower_never_leads_up_within_a_dwell_of_a_change() {
    let mut diary = Diary::new();

    for round in 0..3 {
        diary.looks(round * 40..=round * 40 + 4, Minimal);
        diary.looks(round * 40 + 5..=round * 40 + 39, Normal);
    }

    insta::assert_snapshot!(
        diary.text,
        "5 s bad, 35 s good: one step up each time, and down again at once when it is bad again",
        @"
        0.000s    normal → minimal (change 1)
        35.000s   minimal → degraded (change 2)
        40.000s   degraded → minimal (change 3)
        75.000s   minimal → degraded (change 4)
        80.000s   degraded → minimal (change 5)
        115.000s  minimal → degraded (change 6)
        "
    );
}

#[test]
fn better_is_better_than_the_level_and_not_always_the_same() {
    let mut diary = Diary::new();
    diary.look(Duration::ZERO, Emergency);

    for second in 1..=31 {
        diary.look(second * SECOND, [Normal, Minimal, Degraded][second as usize % 3]);
    }
    diary.looks(32..=120, Degraded);

    insta::assert_snapshot!(
        diary.text,
        "all looks from 1 s on were better than emergency, if not the same. That of 31 s is as bad as the new \
         level; those from 32 s on are better, and a dwell of them ends at 62 s. From then on they are as bad \
         as the level, and that is no reason to go up",
        @"
        0.000s    normal → emergency (change 1)
        31.000s   emergency → minimal (change 2)
        62.000s   minimal → degraded (change 3)
        "
    );
}

#[test]
fn the_newest_time_seen_is_the_time() {
    let mut diary = Diary::new();
    diary.steady = Steady::new(DWELL, diary.begun + 50 * SECOND);

    diary.look(10 * SECOND, Degraded);
    diary.look(100 * SECOND, Degraded);
    for second in [60, 129, 120, 130] {
        diary.look(second * SECOND, Normal);
    }
    diary.look(90 * SECOND, Minimal);
    for second in [140, 150] {
        diary.look(second * SECOND, Normal);
    }
    diary.look(145 * SECOND, Emergency);

    insta::assert_snapshot!(
        diary.text,
        "new has seen 50 s, so that the look of 10 s counts as one of 50 s. Nothing came of the look of \
         100 s, but its time was seen: the better look of 60 s counts as one of 100 s, and the dwell ends at \
         130 s. That of 150 s was only part of a wait, and its time was seen as well",
        @"
        50.000s   normal → degraded (change 1)
        130.000s  degraded → normal (change 2)
        130.000s  normal → minimal (change 3)
        150.000s  minimal → emergency (change 4)
        "
    );
}
