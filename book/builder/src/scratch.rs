//! A small workbook in a temporary folder, for tests.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

pub struct Scratch(TempDir);

const FILES: &[(&str, &str)] = &[
    (
        "book/book.toml",
        "[book]\ntitle = \"T\"\n[build]\ncreate-missing = false\n[output.html]\ninput-404 = \"\"\n",
    ),
    (
        "book/src/SUMMARY.md",
        "# Summary\n\n- [One](one.md)\n  - [Trip](one/trip.md)\n  - [Fail fast](one/fail-fast.md)\n- [Two](two.md)\n- [Three]()\n",
    ),
    ("book/src/one.md", "# One\n\nSee [two](two.md#the-idea).\n\n## The outage\n"),
    (
        "book/src/one/trip.md",
        "# Trip\n\n## `Limits`, of *two*\n\n{{#checks 02-breaker 1}}\n\n{{#mistakes 02-breaker 1}}\n",
    ),
    ("book/src/one/fail-fast.md", "# Fail {#quick}\n\n{{#checks 02-breaker 2}}\n"),
    ("book/src/two.md", "# Two\n\n## The idea\n"),
    (
        "book/src/figures/outage.svg",
        "<svg role=\"img\" viewBox=\"0 0 9 9\" data-command=\"cargo xtask lab breaker --seed 7\">\n\n\
         <title>An outage</title>\n<desc>Calls stop for 30 s.</desc>\n\n<path d=\"M0 0\"/>\n</svg>\n",
    ),
    ("Cargo.toml", "[workspace]\nmembers = [\"exercises/02-breaker\"]\n"),
    (
        "exercises/02-breaker/exercise.toml",
        "id = \"breaker\"\ntitle = \"The breaker\"\nchapter = \"one.md\"\nsummary = \"Rejects early\"\n\
         [[step]]\nid = \"trip\"\ntitle = \"Trip\"\nhints = [\"Count `failures`.\", \"\", \"\"]\n\
         [[step]]\nid = \"fail-fast\"\ntitle = \"Fail | fast\"\nhints = [\"\", \"\", \"\"]\n",
    ),
    (
        "exercises/02-breaker/tests/steps/step_1_trip.rs",
        "#[test]\nfn failures_open_it() {}\n#[test]\nfn a_success_resets_the_streak() {}\n",
    ),
    (
        "exercises/02-breaker/tests/steps/step_2_fail_fast.rs",
        "#[tokio::test]\nasync fn open_rejects() {}\n",
    ),
    (
        "solutions/02-breaker/src/lib.rs",
        "// ANCHOR: trip\nfn trip() {}\n// ANCHOR_END: trip\n// ANCHOR: open_ended\nfn rest() {}\n",
    ),
    (
        "solutions/02-breaker/mistakes/1-stale.patch",
        "title: A stale result closes the breaker.\nwhy: It looks *harmless*.\nwhere: somelib 1.2\n\
         caught-by: step_1_trip::failures_open_it\n---\n--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n",
    ),
];

impl Scratch {
    /// A sound book with an exercise of two steps, a figure and a mistake.
    pub fn book() -> Self {
        let scratch = Self(TempDir::new().expect("a temporary folder"));
        for (path, text) in FILES {
            scratch.write(path, text);
        }
        scratch
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).expect("a file")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        let folder = path.parent().expect("a path below the root");
        fs::create_dir_all(folder).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}
