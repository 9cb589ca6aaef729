//! What the document that the workbook grew from covers, and where the book has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use scraper::Html;
use workbook::files;

use crate::check::ids;
use crate::render::render;

/// A subject of the source, and the pages and anchors that a reader finds it at.
const ROWS: [(&str, &[&str]); 21] = [
    (
        "six failure types with examples and detection",
        &["taxonomy#six-classes", "taxonomy/classify"],
    ),
    ("the cascade", &["taxonomy#the-cascade", "taxonomy#figure-cascade"]),
    ("the eight fallacies", &["taxonomy/fallacies"]),
    ("the breaker and its defaults", &["circuit-breaker#the-idea", "circuit-breaker#the-numbers"]),
    (
        "what to run instead of your own",
        &[
            "circuit-breaker/production#which-one-to-run",
            "backoff/production",
            "retry-budget/production",
            "bulkhead/production",
            "deadline/production",
            "degradation/production",
        ],
    ),
    ("backoff and its defaults", &["backoff#the-numbers", "backoff/retry"]),
    ("the thundering herd", &["backoff#figure-backoff-herd", "backoff/herd"]),
    ("the retry budget and its defaults", &["retry-budget#the-numbers"]),
    ("amplification", &["retry-budget#figure-amplification", "retry-budget/amplify"]),
    ("six isolation levels", &["bulkhead/walls"]),
    (
        "the bulkhead, its defaults, metrics and registry",
        &["bulkhead#the-idea", "bulkhead/measure"],
    ),
    ("sizing a bulkhead", &["bulkhead/size"]),
    ("six features, normal and degraded", &["degradation/features"]),
    ("four levels and their thresholds", &["degradation/levels"]),
    ("telling the user", &["degradation/say-so"]),
    ("timeouts by operation", &["deadline/timeouts#timeouts-by-operation"]),
    ("the timeout chain and its rules", &["deadline/audit"]),
    ("a deadline that travels with the request", &["deadline/instant", "deadline/wire"]),
    (
        "eight chaos experiments",
        &[
            "chaos/machine#kill",
            "chaos/network#latency",
            "chaos/network#partition",
            "chaos/machine#cpu",
            "chaos/machine#memory",
            "chaos/machine#disk",
            "chaos/network#dns",
            "chaos/network#certificate",
        ],
    ),
    ("chaos tools and GameDays", &["chaos/tools", "chaos/gameday", "chaos/plan"]),
    (
        "six questions for each dependency",
        &[
            "checklist#sheet-timeout",
            "checklist#sheet-retry",
            "checklist#sheet-breaker",
            "checklist#sheet-fallback",
            "checklist#sheet-isolation",
            "checklist#sheet-signal",
        ],
    ),
];

#[test]
fn every_subject_of_the_source_has_its_place_in_the_book() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let out = tempfile::tempdir().unwrap();
    let rendered = render(root, out.path(), false).unwrap();
    let anchors: BTreeMap<_, _> = rendered
        .sources
        .keys()
        .map(|page| {
            let html = fs::read_to_string(out.path().join(page)).unwrap();
            (page.trim_end_matches(".html"), ids(&Html::parse_document(&html)))
        })
        .collect();

    let mut missing = Vec::new();
    for (subject, places) in ROWS {
        for place in places {
            let (page, anchor) = place.split_once('#').unwrap_or((place, ""));
            match anchors.get(page) {
                None => missing.push(format!("{subject}: the book has no page {page}")),
                Some(ids) if !anchor.is_empty() && !ids.iter().any(|id| id == anchor) => {
                    missing.push(format!("{subject}: {page}.md has no `#{anchor}`"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(
        missing.is_empty(),
        "bring the subject back, or name its new place in book/builder/src/coverage.rs:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_source_of_a_chapter_stands_in_the_bibliography() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("src");
    let pages = files::read_tree(&folder).unwrap();
    let bibliography = String::from_utf8_lossy(&pages[Path::new("bibliography.md")]);
    let mut missing = Vec::new();
    let mut sources = 0;
    for (path, text) in &pages {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = String::from_utf8_lossy(text);
        let Some((_, list)) = text.split_once("\n## Sources\n") else { continue };
        // A title is what stands between asterisks; issues, versions and documentation have none.
        let titles = list.lines().filter_map(|line| line.strip_prefix("- ")?.split('*').nth(1));
        for title in titles {
            sources += 1;
            if !bibliography.contains(title) {
                missing.push(format!("{}: *{title}*", path.display()));
            }
        }
    }
    assert!(sources > 0, "no chapter has `## Sources`");
    assert!(missing.is_empty(), "add to bibliography.md:\n{}", missing.join("\n"));
}
