//! Step 2: what is on at which level, as data.

use std::fmt::Write as _;

use degradation::{Feature, Features, Level, Mode, SHOP, TableError};

use Mode::{Full, Off, Reduced};

fn shop() -> Features {
    Features::new(&SHOP).expect("the table of the shop is right")
}

fn row(name: &'static str, modes: [Mode; 4]) -> Feature {
    Feature { name, modes, notice: "" }
}

#[test]
fn each_feature_has_its_mode_at_each_level() {
    let features = shop();
    let mut table = String::new();

    for feature in SHOP {
        write!(table, "{:<15}", feature.name).unwrap();
        for level in Level::ALL {
            let mode = features.mode(feature.name, level).expect("a feature of the table");
            write!(table, "  {:<7}", format!("{mode:?}")).unwrap();
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }

    insta::assert_snapshot!(
        table,
        "normal, degraded, minimal, emergency",
        @"
        catalogue        Full     Full     Full     Reduced
        checkout         Full     Full     Full     Off
        sign-in          Full     Full     Reduced  Off
        search           Full     Reduced  Reduced  Off
        inventory        Full     Reduced  Reduced  Off
        pricing          Full     Reduced  Reduced  Off
        reviews          Full     Reduced  Off      Off
        recommendations  Full     Reduced  Off      Off
        "
    );
}

#[test]
fn an_unknown_feature_is_an_error_and_not_off() {
    let features =
        Features::new(&[row("search", [Full; 4]), row("checkout", [Off; 4])]).expect("two rows");

    let unknown = features.mode("chekout", Level::Normal);

    assert_eq!(
        unknown.map_err(|error| error.to_string()),
        Err("there is no feature \"chekout\": the table has search, checkout".to_owned()),
        "a slip of the pen that reads as \"off\" closes the checkout, and no test and no log says why"
    );
}

#[test]
fn a_name_is_the_whole_name() {
    let features = shop();
    let mut found = Vec::new();

    for name in ["", "sear", "search ", "Search", "search2", "recommendation"] {
        if features.mode(name, Level::Normal).is_ok() {
            found.push(name);
        }
    }

    assert_eq!(found, [""; 0], "none of these is a feature of the shop, though some come near");
    assert!(
        Features::new(&[row("search", [Full; 4]), row("Search", [Off; 4])]).is_ok(),
        "and where names are different, their rows are too"
    );
}

#[test]
fn two_rows_for_one_feature_are_refused() {
    let rows = [row("search", [Full; 4]), row("checkout", [Full; 4]), row("search", [Off; 4])];

    assert_eq!(
        Features::new(&rows).map(|_| ()),
        Err(TableError::Twice("search")),
        "the first row would win, and an edit of the second would change nothing; the two needn't be neighbours"
    );
}

#[test]
fn no_feature_comes_back_as_things_get_worse() {
    let mut refused = Vec::new();

    for modes in [
        [Reduced, Full, Full, Full],
        [Full, Off, Reduced, Off],
        [Full, Full, Off, Full],
        [Off, Off, Off, Reduced],
        [Off, Reduced, Reduced, Full],
        [Full, Reduced, Off, Off],
    ] {
        refused.push(Features::new(&[row("search", modes)]).map(|_| ()));
    }

    let improves = |worse| Err(TableError::Improves { name: "search", worse });
    assert_eq!(
        refused,
        [
            improves(Level::Degraded),
            improves(Level::Minimal),
            improves(Level::Emergency),
            improves(Level::Emergency),
            improves(Level::Degraded),
            Ok(())
        ],
        "the first level that is better than the one before is named. A level is reached because there is less to spend: no feature may cost more there"
    );
}

#[test]
fn the_first_wrong_row_is_named() {
    let wrong = row("pricing", [Off, Full, Full, Full]);
    let good = row("search", [Full; 4]);

    assert_eq!(
        [
            Features::new(&[good, wrong, good]).map(|_| ()),
            Features::new(&[good, good, wrong]).map(|_| ()),
            Features::new(&[good, Feature { name: "search", ..wrong }]).map(|_| ()),
            Features::new(&[]).map(|_| ())
        ],
        [
            Err(TableError::Improves { name: "pricing", worse: Level::Degraded }),
            Err(TableError::Twice("search")),
            Err(TableError::Twice("search")),
            Ok(())
        ],
        "row by row, from the top; a row that is wrong in both ways has its name twice; a table without a row has nothing wrong"
    );
}
