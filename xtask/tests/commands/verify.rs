use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::workbook::{Ran, STEPS, Workbook};

#[test]
fn a_fresh_clone_says_that_failing_is_the_start_and_what_to_do() {
    let workbook = Workbook::new();

    let ran = workbook.xtask(&["verify"]);

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.lines().count() <= 25);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder    not started
    02 summer   not started

    Every check fails until you write its code: that is the starting point.
    Open exercises/01-adder/src/lib.rs, replace the todo!() of step 1,
    and run `cargo xtask verify` again.

    next: step 1, add-1                exercises/01-adder/src/lib.rs:2
      to do   zero_grows_by_1
              step 1: add 1 to 0
      to do   one_grows_by_1
              step 1: add 1 to 1
      to do   ten_grows_by_1
              step 1: add 1 to 10
      read    cargo xtask book --open adder/add-1
      hint    cargo xtask hint adder 1
    ");
    assert!(
        !workbook
            .path("target/debug/deps")
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains("summer") }),
        "an exercise that is not begun, and not the next, is not built"
    );
}

#[test]
fn a_check_that_comes_to_a_later_task_has_failed_and_one_that_passed_before_is_named() {
    let workbook = Workbook::new();
    let source = "exercises/01-adder/src/lib.rs";
    workbook.replace(source, "todo!(\"step 1: add 1 to {x}\")", "x + 1");
    workbook.xtask(&["verify", "adder"]);
    workbook.replace(source, "x + 1", "add_2(x) - 1");

    let ran = workbook.xtask(&["verify", "adder"]);
    insta::assert_snapshot!(ran.stdout, @r#"
    01 adder   0 of 5 steps
       step 1, add-1, passed before: your last change broke it

    next: step 1, add-1                exercises/01-adder/src/lib.rs
      FAILED  zero_grows_by_1
              your code came to "step 2: add 2 to 0", where this check should not lead: see what it does in step 1
              in exercises/01-adder/tests/steps/step_1_add_1.rs:3
      FAILED  one_grows_by_1
              your code came to "step 2: add 2 to 1", where this check should not lead: see what it does in step 1
              in exercises/01-adder/tests/steps/step_1_add_1.rs:7
      FAILED  ten_grows_by_1
              your code came to "step 2: add 2 to 10", where this check should not lead: see what it does in step 1
              in exercises/01-adder/tests/steps/step_1_add_1.rs:11
      read    cargo xtask book --open adder/add-1
      hint    cargo xtask hint adder 1
    "#);

    let again = workbook.xtask(&["verify", "adder"]);
    assert!(!again.stdout.contains("passed before"), "told once:\n{}", again.stdout);

    workbook.replace(source, "add_2(x) - 1", "panic!(\"oops\")");
    let ran = workbook.xtask(&["verify", "adder"]);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder   0 of 5 steps

    next: step 1, add-1                exercises/01-adder/src/lib.rs
      FAILED  zero_grows_by_1
              oops
              at exercises/01-adder/src/lib.rs:2
              in exercises/01-adder/tests/steps/step_1_add_1.rs:3
      FAILED  one_grows_by_1
              as above
              in exercises/01-adder/tests/steps/step_1_add_1.rs:7
      FAILED  ten_grows_by_1
              as above
              in exercises/01-adder/tests/steps/step_1_add_1.rs:11
      read    cargo xtask book --open adder/add-1
      hint    cargo xtask hint adder 1
    ");
}

#[test]
fn the_first_open_step_is_shown_and_then_what_comes_after_all_have_passed() {
    let workbook = Workbook::new();
    let source = "exercises/01-adder/src/lib.rs";
    workbook.solve("01-adder");
    workbook.replace(source, "x + 2", "x + x + 2");
    workbook.replace(source, "x + 4", "todo!(\"step 4: {x}\")");

    let ran = workbook.xtask(&["verify"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder    3 of 5 steps
    02 summer   not started

    next: step 2, add-2                exercises/01-adder/src/lib.rs
      passed  zero_grows_by_2
      FAILED  one_grows_by_2
              adding is more than copying
              got 4, expected 3
              in exercises/01-adder/tests/steps/step_2_add_2.rs:8
      FAILED  ten_grows_by_2
              adding is more than copying
              got 22, expected 12
              in exercises/01-adder/tests/steps/step_2_add_2.rs:12
      read    cargo xtask book --open adder/add-2
      hint    cargo xtask hint adder 2
    ");

    workbook.solve("01-adder");
    let ran = workbook.xtask(&["verify"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder    5 of 5 steps, passed
    02 summer   not started

    adder is done. See it work, and compare:
      lab      cargo xtask lab adder
      compare  cargo xtask solution adder --diff
      play     cargo xtask mistakes adder
      read     cargo xtask book --open adder

    next: step 1, add-1                exercises/02-summer/src/lib.rs:2
      to do   zero_grows_by_1
              step 1: add 1 to 0
      to do   one_grows_by_1
              step 1: add 1 to 1
      to do   ten_grows_by_1
              step 1: add 1 to 10
      read    cargo xtask book --open summer/add-1
      hint    cargo xtask hint summer 1
    ");

    // A compile error hides nothing of the other exercise.
    workbook.write(source, &format!("{}\nfn wrong() -> u32 {{ \"text\" }}", workbook.read(source)));
    workbook.solve("02-summer");
    let ran = workbook.xtask(&["verify"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r#"
    01 adder    does not compile
       error[E0308]: mismatched types
         --> exercises/01-adder/src/lib.rs:17:21
          |
       17 | fn wrong() -> u32 { "text" }
          |               ---   ^^^^^^ expected `u32`, found `&str`
          |               |
          |               expected `u32` because of return type
    02 summer   5 of 5 steps, passed

    next: mend what is named above, then cargo xtask verify adder
    "#);

    let json = workbook.xtask(&["verify", "--json"]);
    assert!(
        json.stdout.contains(r#""title":"The adder","status":"does_not_compile""#),
        "{}",
        json.stdout
    );
    assert!(
        json.stdout.contains(r#""notes":["error[E0308]: mismatched types\n"#),
        "without colour: {}",
        json.stdout
    );

    workbook.solve("01-adder");
    let ran = workbook.xtask(&["verify"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder    5 of 5 steps, passed
    02 summer   5 of 5 steps, passed

    All passed: 30 checks. What comes next:
      lab      cargo xtask lab adder
      compare  cargo xtask solution adder --diff
      play     cargo xtask mistakes adder
      read     cargo xtask book --open adder
      lab      cargo xtask lab summer
      compare  cargo xtask solution summer --diff
      play     cargo xtask mistakes summer
      read     cargo xtask book --open summer
    ");

    // By number, by folder, and from a folder inside.
    let mut command = workbook.command(&["verify", "2", "01-adder"]);
    let ran = Ran::of(command.current_dir(workbook.path("exercises/01-adder/src")));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("01 adder") && ran.stdout.contains("02 summer"), "{}", ran.stdout);
}

#[test]
fn the_solutions_pass_and_json_has_the_promised_form() {
    let workbook = Workbook::new();

    let ran = workbook.xtask(&["verify", "--solutions"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder    5 of 5 steps, passed
    02 summer   5 of 5 steps, passed

    All passed: 30 checks on 2 solutions.
    ");

    let ran = workbook.xtask(&["verify", "--json", "adder"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let document: serde_json::Value =
        serde_json::from_str(&ran.stdout).expect("one document and nothing else");
    assert_eq!(keys(&document), ["exercises", "summary"]);
    assert_eq!(
        document["summary"],
        serde_json::json!({"checks": 3 * STEPS, "passed": 0, "failed": 3 * STEPS})
    );
    let exercise = &document["exercises"][0];
    assert_eq!(keys(exercise), ["changed", "errors", "id", "notes", "status", "steps", "title"]);
    assert_eq!(exercise["status"], "not_started");
    assert_eq!(keys(&exercise["steps"][4]), ["checks", "id", "status", "title"]);
    let check = &exercise["steps"][4]["checks"][0];
    assert_eq!(keys(check), ["at", "message", "millis", "name", "status"]);
    assert_eq!(check["name"], "zero_grows_by_5");
    assert_eq!(check["message"], "step 5: add 5 to 0");
}

/// Every way in which a reader's code can go wrong: the function that step 1 calls, by the check
/// that calls it; then the status, and what the message must say.
const TROUBLE: &[(&str, &str, &str, &str)] = &[
    (
        "panics_within_std",
        "let _ = std::time::Instant::now() + std::time::Duration::MAX;",
        "failed",
        "overflow when adding duration to instant\nat exercises/01-adder/src/lib.rs:2",
    ),
    (
        "panics_within_std_the_first_time",
        "if std::fs::create_dir(\"once\").is_ok() {
             let _ = std::time::Instant::now() + std::time::Duration::MAX;
         }",
        "failed",
        "overflow when adding duration to instant",
    ),
    (
        "panics_while_panicking",
        "struct Guard(u32);
         impl Drop for Guard { fn drop(&mut self) { self.0 -= 1; } }
         let _guard = Guard(0); panic!(\"the first\")",
        "crashed",
        "\nbefore that, a panic: the first (at exercises/01-adder/src/lib.rs:10)\n\
         and while it unwound, another: attempt to subtract with overflow (at exercises/01-adder/src/lib.rs:9)",
    ),
    (
        "asks_for_too_much_memory",
        "let bytes: Vec<u8> = Vec::with_capacity(std::hint::black_box(1 << 62)); std::hint::black_box(&bytes);",
        "crashed",
        "memory allocation of 4611686018427387904 bytes failed (at exercises/01-adder/src/lib.rs:12)",
    ),
    ("loops_for_ever", "loop { std::hint::spin_loop() }", "timed_out", "stopped after 5 s"),
    (
        "waits_for_ever",
        "let (_keep, never) = std::sync::mpsc::channel::<()>(); let _ = never.recv();",
        "timed_out",
        "stopped after 5 s",
    ),
    (
        "prints_for_ever",
        "loop { println!(\"{}\", \"spam\".repeat(1000)) }",
        "timed_out",
        "stopped after 5 s",
    ),
    (
        "a_thread_panics_and_leaves_the_others_waiting",
        "let (keep, never) = std::sync::mpsc::channel::<()>();
         std::thread::spawn(|| panic!(\"the worker is gone\"));
         let _ = never.recv(); drop(keep);",
        "timed_out",
        "before that, a panic: the worker is gone (at exercises",
    ),
    (
        "a_thread_panics_and_is_joined",
        "std::thread::spawn(|| panic!(\"the worker is gone\")).join().unwrap();",
        "failed",
        "the worker is gone\nin a spawned task or thread\nat exercises",
    ),
    (
        "calls_itself_without_end",
        "fn down(n: u64) -> u64 { if n == 1 { 0 } else { down(std::hint::black_box(n + 2)) + 1 } } println!(\"{}\", down(2));",
        "crashed",
        "stack overflow",
    ),
    (
        "exits_with_success",
        "std::process::exit(0)",
        "crashed",
        "ended itself with exit code 0 before the check was finished",
    ),
    ("aborts", "std::process::abort()", "crashed", "the process was ended by"),
    (
        "panics",
        "None::<u32>.unwrap();",
        "failed",
        "called `Option::unwrap()` on a `None` value\nat exercises",
    ),
    ("is_left_to_do", "todo!(\"step 1: write it\")", "not_started", "step 1: write it"),
    (
        "prints_on_after_its_end",
        "for _ in 0..8 { std::thread::spawn(|| loop { print!(\"tick\") }); }
         std::thread::sleep(std::time::Duration::from_millis(5));",
        "passed",
        "",
    ),
    ("prints_much_and_passes", "for _ in 0..100_000 { println!(\"much\") }", "passed", ""),
];

#[test]
fn each_way_to_go_wrong_is_explained_as_what_it_is() {
    let workbook = Workbook::new();
    let (mut source, mut spec) = (String::new(), String::new());
    for (name, body, ..) in TROUBLE {
        source +=
            &format!("#[allow(unreachable_code, clippy::all)]\npub fn {name}() {{ {body} }}\n");
        spec += &format!("#[test]\nfn {name}() {{ adder::{name}(); }}\n");
    }
    // The last two concern the spec itself.
    spec += "#[test]\nfn compares_long_values() { assert_eq!(vec![\"a long value\"; 8], [\"b\"], \"why\\nit matters\"); }\n";
    spec += "#[test]\nfn states_a_fact() { let fact = false; assert!(fact, \"the fact is that {}\", 1); }\n";
    workbook.write("exercises/01-adder/src/lib.rs", &source);
    workbook.write("exercises/01-adder/tests/steps/mod.rs", "mod step_1_add_1;\n");
    workbook.write("exercises/01-adder/tests/steps/step_1_add_1.rs", &spec);

    let ran = workbook.xtask(&["verify", "adder", "--json", "--time-limit", "5"]);

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let checks = document["exercises"][0]["steps"][0]["checks"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let found: BTreeMap<String, (String, String)> = checks
        .iter()
        .map(|c| (text(&c["name"]), (text(&c["status"]), text(&c["message"]))))
        .collect();
    assert_eq!(found.len(), TROUBLE.len() + 2);
    for (name, _, status, told) in TROUBLE {
        let (found_status, message) = &found[*name];
        assert_eq!(found_status, status, "{name}: {message}");
        assert!(message.contains(told), "{name}: {message}");
    }
    if cfg!(target_os = "linux") {
        assert!(
            found["loops_for_ever"].1.contains("still computing"),
            "{:?}",
            found["loops_for_ever"]
        );
        assert!(
            found["waits_for_ever"].1.contains("still waiting"),
            "{:?}",
            found["waits_for_ever"]
        );
    }
    assert_eq!(found["states_a_fact"].1, "the fact is that 1");
    insta::assert_snapshot!(found["compares_long_values"].1, @r#"
    why
    it matters
    got       ["a long value", "a long value", "a long value", "a long value", "a long value", "a long value", "a long value", "a long value"]
    expected  ["b"]
    "#);
    // The other steps have lost their checks: they are not passed for that.
    assert_eq!(document["exercises"][0]["steps"][1]["status"], "not_started");
}

#[test]
fn no_file_of_the_readers_has_every_snapshot_pass() {
    let workbook = Workbook::new();
    let step = "exercises/01-adder/tests/steps/step_1_add_1.rs";
    // Where it is empty, insta looks for `force_pass` in an `insta.yaml`.
    workbook.write(
        step,
        "#[test]\nfn told() { assert_eq!(std::env::var(\"INSTA_FORCE_PASS\").as_deref(), Ok(\"0\")); }\n",
    );
    let ran = workbook.xtask(&["verify", "adder"]);
    assert!(ran.stdout.contains(" next: step 2, add-2 "), "{}", ran.stdout);
}

#[test]
fn the_time_limit_that_was_asked_for_is_that_of_every_check() {
    let workbook = Workbook::new();
    for n in [1, 2] {
        let task = format!("todo!(\"step {n}: add {n} to {{x}}\")");
        workbook.replace("exercises/01-adder/src/lib.rs", &task, "loop { std::thread::park() }");
    }
    let ran = workbook.xtask(&["verify", "adder", "--json", "--time-limit", "2"]);

    let ended = |seconds| ran.stdout.matches(&format!("stopped after {seconds} s, still")).count();
    assert_eq!((ended(2), ended(1)), (6, 0), "three checks of each step:\n{}", ran.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_check_leaves_no_descendant_behind_whether_it_was_ended_or_ended_well() {
    let workbook = Workbook::new();
    workbook.write("exercises/01-adder/tests/steps/mod.rs", "mod step_1_add_1;\n");
    // A descendant does not hear that the command has ended, and ends by itself after ten minutes at last.
    let descendant = |name: &str| {
        format!(
            "#[test]\nfn {name}() {{ if std::env::var_os(\"DESCENDANT\").is_none() {{ return; }} std::fs::write(\"{name}.pid\", std::process::id().to_string()).unwrap(); std::thread::sleep(std::time::Duration::from_secs(600)); }}\n"
        )
    };
    let begin = |name: &str| {
        format!(
            "std::process::Command::new(std::env::current_exe().unwrap()).args([\"--exact\", \"steps::step_1_add_1::{name}\"]).env_remove(\"WITNESS\").env(\"DESCENDANT\", \"1\").stdin(std::process::Stdio::null()).spawn().unwrap()"
        )
    };
    let spec = descendant("waited_for")
        + &format!("#[test]\nfn waits() {{ {}.wait().unwrap(); }}\n", begin("waited_for"))
        + &descendant("left_alone")
        + &format!(
            "#[test]\nfn leaves() {{ {}; while !std::path::Path::new(\"left_alone.pid\").exists() {{ std::thread::yield_now() }} }}\n",
            begin("left_alone")
        );
    workbook.write("exercises/01-adder/tests/steps/step_1_add_1.rs", &spec);

    let ran = workbook.xtask(&["verify", "adder", "--json", "--time-limit", "5"]);

    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let checks = document["exercises"][0]["steps"][0]["checks"].as_array().unwrap();
    for (name, status) in [("waits", "timed_out"), ("leaves", "passed")] {
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        assert_eq!(check["status"], status, "{}", ran.stdout);
    }
    for name in ["waited_for", "left_alone"] {
        let pid = workbook.read(&format!("exercises/01-adder/{name}.pid"));
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{name} is still there: {stat}");
    }
}

#[test]
fn files_that_were_edited_or_deleted_are_named_with_the_way_back() {
    let workbook = Workbook::new();
    workbook.solve("01-adder");
    let step = "exercises/01-adder/tests/steps/step_1_add_1.rs";
    workbook.replace(step, "\"adding is", "\"edited: adding is");
    let ran = workbook.xtask(&["verify", "adder"]);
    assert_eq!(ran.code, 1, "an edited spec still runs: {}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder   5 of 5 steps, but not with the files that were published: no pass
       exercises/01-adder/tests/steps/step_1_add_1.rs was edited. To bring it back: take exercises/01-adder/tests/steps/step_1_add_1.rs from another copy of the workbook

    next: bring back what is named above, then cargo xtask verify adder
    ");

    fs::create_dir(workbook.path(".git")).unwrap();
    fs::remove_file(workbook.path("exercises/01-adder/tests/spec.rs")).unwrap();
    let ran = workbook.xtask(&["verify", "adder"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder   does not compile
       exercises/01-adder/tests/spec.rs is missing. To bring it back: git checkout -- exercises/01-adder/tests/spec.rs
       exercises/01-adder/tests/steps/step_1_add_1.rs was edited. To bring it back: git checkout -- exercises/01-adder/tests/steps/step_1_add_1.rs

    next: mend what is named above, then cargo xtask verify adder
    ");

    let mut below = workbook.command(&["verify", "adder"]);
    let ran = Ran::of(below.current_dir(workbook.path("exercises/01-adder")));
    let way_back = format!("To bring it back: git -C ../.. checkout -- {step}");
    assert!(ran.stdout.contains(&way_back), "{}", ran.stdout);
}

#[test]
fn what_a_reader_leaves_below_exercises_stops_nothing() {
    let workbook = Workbook::new();
    workbook.solve("02-summer");
    // A copy to compare with, a folder for notes, and a file that was moved away.
    let copy = "exercises/02-summer copy";
    for file in ["exercise.toml", "Cargo.toml", "src/lib.rs"] {
        workbook.write(
            &format!("{copy}/{file}"),
            &workbook.read(&format!("exercises/02-summer/{file}")),
        );
    }
    workbook.replace(&format!("{copy}/exercise.toml"), "title", "tittle");
    workbook.write("exercises/notes/monday.md", "Ask about the window.\n");
    fs::remove_file(workbook.path("exercises/01-adder/src/lib.rs")).unwrap();

    let ran = workbook.xtask(&["verify"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder    does not compile
       exercises/01-adder/src/lib.rs is missing. To bring the starter back: cargo xtask reset adder
    02 summer   5 of 5 steps, passed

    next: mend what is named above, then cargo xtask verify adder
    ");
    let note =
        "note: exercises/02-summer copy is left out: it is not among those that Cargo.toml names\n";
    assert!(ran.stderr.starts_with(note), "{}", ran.stderr);

    let ran = workbook.xtask(&["reset", "adder"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, "exercises/01-adder/src is the starter again.\n");
}

#[test]
fn a_step_for_which_nothing_is_written_has_not_failed() {
    let workbook = Workbook::new();
    let source = "exercises/01-adder/src/lib.rs";
    workbook.replace(
        source,
        "todo!(\"step 1: add 1 to {x}\")",
        "if x == 10 { panic!(\"ten\") } else { x + 1 }",
    );
    // Step 2 asks for more of the function of step 1, on the way to its own.
    workbook.replace(
        "exercises/01-adder/tests/steps/step_2_add_2.rs",
        "assert_eq!(add_2(10)",
        "assert_eq!(adder::add_1(10), 11);\n    assert_eq!(add_2(10)",
    );
    let check_of = |step: usize, name: &str| {
        let ran = workbook.xtask(&["verify", "adder", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let checks = document["exercises"][0]["steps"][step - 1]["checks"].clone();
        let found = checks.as_array().unwrap().iter().find(|check| check["name"] == name).cloned();
        let check = found.unwrap();
        (
            check["status"].as_str().unwrap().to_owned(),
            check["message"].as_str().unwrap().to_owned(),
        )
    };

    let (status, message) = check_of(2, "ten_grows_by_2");
    assert_eq!(status, "not_started", "{message}");
    assert_eq!(
        message,
        "what you wrote for an earlier step fails on the way: ten\nat exercises/01-adder/src/lib.rs:2"
    );
    assert_eq!(check_of(1, "ten_grows_by_1").0, "failed", "of the step that is written");

    workbook.replace(source, "todo!(\"step 2: add 2 to {x}\")", "x + 2");
    assert_eq!(check_of(2, "ten_grows_by_2").0, "failed", "once it is begun");
}

#[test]
fn what_keeps_verify_from_its_work_ends_with_code_2_and_the_reason() {
    let workbook = Workbook::new();

    let ran = workbook.xtask(&["verify", "ader"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.stderr, @r"
    error: there is no exercise `ader`. Did you mean `adder`? The exercises are:
      01  adder
      02  summer
    ");

    let ran = Ran::of(workbook.command(&["verify"]).env("CARGO", "no-such-cargo"));
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("cannot start `no-such-cargo`: is Rust installed"),
        "{}",
        ran.stderr
    );

    // The one unwritable place that holds for root too.
    fs::remove_dir_all(workbook.path("target")).unwrap();
    workbook.write("target", "a file in the way");
    let ran = workbook.xtask(&["verify"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("cargo could not build the checks of `adder`"), "{}", ran.stderr);

    let ran = Ran::of(workbook.command(&["verify"]).current_dir(std::env::temp_dir()));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("is not inside the workbook"), "{}", ran.stderr);

    workbook.replace("exercises/02-summer/exercise.toml", "title", "tittle");
    let ran = workbook.xtask(&["verify"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: exercises/02-summer/exercise.toml is malformed:
    TOML parse error at line 2, column 1
      |
    2 | tittle = "The summer"
      | ^^^^^^
    unknown field `tittle`, expected one of `id`, `title`, `chapter`, `summary`, `kind`, `draft`, `yours`, `sockets`, `step`
    To bring it back: take exercises/02-summer/exercise.toml from another copy of the workbook
    "#);
}

#[test]
fn a_name_is_understood_as_a_shell_completes_it() {
    let workbook = Workbook::new();
    let hint = |name: &str, below: &str| {
        let mut command = workbook.command(&["hint", name]);
        Ran::of(command.current_dir(workbook.path(below))).stdout
    };
    for name in [
        "2",
        "002",
        "Summer",
        "summer/",
        "02-summer/",
        "02_summer",
        "exercises/02-summer",
        "./exercises/02-summer/",
        "exercises/02-summer/src/lib.rs",
    ] {
        assert!(hint(name, "").starts_with("summer, step 1"), "{name}");
    }
    assert!(hint("../02-summer/src", "exercises/01-adder").starts_with("summer, step 1"));
}

#[test]
fn a_closed_standard_output_ends_quietly() {
    let workbook = Workbook::new();
    let mut child = workbook
        .command(&["verify"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());

    let output = child.wait_with_output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked") && !stderr.contains("error"), "{stderr}");
}

#[test]
fn colour_is_for_terminals_and_never_against_no_color() {
    let workbook = Workbook::new();

    let forced = workbook.command(&["verify"]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(forced.stdout.contains(&b'\x1b'), "there is colour to be left out");

    // `Ran::of` fails on an escape code.
    let plain =
        Ran::of(workbook.command(&["verify"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"));
    assert!(plain.stdout.contains("to do   "), "each mark is a word: {}", plain.stdout);
}

#[test]
fn watch_runs_what_changed_and_goes_on() {
    let workbook = Workbook::new();
    let mut command = workbook.command(&["verify", "--watch", "1", "2"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (send, lines) = mpsc::channel();
    for pipe in [
        Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
        Box::new(child.stderr.take().unwrap()),
    ] {
        let send = send.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let _ = send.send(line.unwrap());
            }
        });
    }
    // In any order: what goes to the two pipes arrives by two threads.
    let wait_for = |wanted: &[&str]| {
        let mut wanted = wanted.to_vec();
        while !wanted.is_empty() {
            let line = lines
                .recv_timeout(Duration::from_secs(60))
                .unwrap_or_else(|_| panic!("no {wanted:?}"));
            wanted.retain(|text| !line.contains(text));
        }
    };

    wait_for(&["watching exercises/01-adder/src, exercises/02-summer/src; Ctrl-C ends it"]);
    workbook.solve("02-summer");
    wait_for(&["──── summer changed ────", "5 of 5 steps, passed", "watching exercises"]);
    workbook.solve("01-adder");
    wait_for(&["──── adder changed ────", "All passed: 15 checks."]);

    if cfg!(unix) {
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
    let _ = child.kill();
    child.wait().unwrap();
}

fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
