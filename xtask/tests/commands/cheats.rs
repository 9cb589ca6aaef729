//! Passes that are none: code that talks the verdict round, and a workbook that is not the published one.

use std::fs;

use ::workbook::files;
use serde_json::Value;

use crate::workbook::{Ran, Workbook};

pub const SOURCE: &str = "exercises/01-adder/src/lib.rs";

/// What libtest prints and how it ends, by code that never came to its answer.
const LIE: &str = r#"{
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 14 filtered out; finished in 0.00s");
    std::process::exit(0)
}"#;

/// Ways to a verdict without an answer: above the starter, and in the place of each `todo!`.
pub const CHEATS: &[(&str, &str, &str)] = &[
    ("a macro by the name of todo", "macro_rules! todo { ($($t:tt)*) => { LIE } }", "todo!()"),
    ("a panic hook", "", "std::panic::set_hook(Box::new(|_| LIE)); panic!()"),
    ("an exit", "", "LIE"),
    (
        "a destructor at the end of the thread",
        "struct Late; impl Drop for Late { fn drop(&mut self) LIE }
         thread_local! { static LATE: Late = const { Late }; }",
        "LATE.with(|_| ()); x + 77",
    ),
    (
        "a destructor while the check unwinds",
        "struct Late; impl Drop for Late { fn drop(&mut self) LIE }",
        "let _late = Late; panic!()",
    ),
    (
        "a thread that stays behind",
        "",
        "std::thread::spawn(|| { std::thread::yield_now(); LIE }); loop { std::thread::park() }",
    ),
    (
        "another process that speaks",
        "",
        "let _ = std::process::Command::new(\"echo\").arg(\"test result: ok. 1 passed\").status();
         std::process::exit(0)",
    ),
    (
        "every word in its environment",
        "",
        "for (name, value) in std::env::vars_os() { println!(\"{name:?} {}\", value.display()); }
         for word in std::env::args() { println!(\"{word}\"); }
         for file in [\"cmdline\", \"environ\"] { println!(\"{:?}\", std::fs::read(format!(\"/proc/self/{file}\"))); }
         LIE",
    ),
    (
        "what is left on standard input",
        "",
        "std::thread::spawn(|| for line in std::io::stdin().lines() { println!(\"{line:?}\") });
         std::thread::sleep(std::time::Duration::from_millis(20));
         LIE",
    ),
    (
        "an assertion of its own",
        "#[macro_export] macro_rules! assert_eq { ($($t:tt)*) => {} }
         #[macro_export] macro_rules! panic { ($($t:tt)*) => {} }",
        "x + 77",
    ),
    ("the line, and then a panic", "", "println!(\"test result: ok. 1 passed\"); panic!()"),
    (
        "a function that runs before main",
        "extern \"C\" fn early() LIE
         #[used] #[unsafe(link_section = \".init_array\")] static EARLY: extern \"C\" fn() = early;",
        "x + 77",
    ),
    (
        "an allocator of its own",
        "struct Mine; #[global_allocator] static MINE: Mine = Mine;
         unsafe impl std::alloc::GlobalAlloc for Mine {
             unsafe fn alloc(&self, _: std::alloc::Layout) -> *mut u8 LIE
             unsafe fn dealloc(&self, _: *mut u8, _: std::alloc::Layout) {}
         }",
        "x + 77",
    ),
    (
        "the word, out of the pipe",
        "",
        "std::thread::spawn(|| {
             let mut pipe = std::fs::File::open(\"/proc/self/fd/0\").unwrap();
             let mut text = [0_u8; 99];
             let _ = std::io::Read::read(&mut pipe, &mut text);
             println!(\"{}\", String::from_utf8_lossy(&text));
         });
         std::thread::sleep(std::time::Duration::from_millis(20));
         LIE",
    ),
    (
        "the program once more, on the same input",
        "",
        "let _ = std::process::Command::new(std::env::current_exe().unwrap()).args(std::env::args().skip(1)).status();
         LIE",
    ),
    (
        "a hook that waits while another thread lies",
        "",
        "std::panic::set_hook(Box::new(|_| { std::thread::spawn(|| LIE); loop { std::thread::park() } }));
         panic!()",
    ),
    ("a quiet end of the thread", "", "std::panic::resume_unwind(Box::new(()))"),
    (
        "the line, and an end by a signal",
        "",
        "println!(\"test result: ok. 1 passed\");
         let me = std::process::id().to_string();
         let _ = std::process::Command::new(\"kill\").arg(me).status();
         loop { std::thread::park() }",
    ),
    (
        "a function of the system's by its name",
        "#[unsafe(no_mangle)] pub extern \"C\" fn write(_: i32, _: *const u8, n: usize) -> usize { n }",
        "x + 77",
    ),
    ("a lint that is allowed again", "#![allow(unsafe_code)]", "unsafe { std::hint::unreachable_unchecked() }"),
];

#[test]
fn no_code_talks_the_verdict_round() {
    let workbook = Workbook::new();
    let starter = workbook.read(SOURCE);
    for (name, above, instead) in CHEATS {
        workbook.write(SOURCE, &cheat(&starter, above, instead));

        let ran = workbook.xtask(&["verify", "adder", "--json", "--time-limit", "2"]);

        let found = json(&ran);
        assert_eq!(found["summary"]["passed"], 0, "{name}: {found:#}");
        assert_eq!(ran.code, 1, "{name}: {}", ran.stderr);
    }

    // Not because of the others' remains: an answer still passes.
    workbook.solve("01-adder");
    let ran = workbook.xtask(&["verify", "adder"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// The starter with something above it, and in the place of each `todo!`.
pub fn cheat(starter: &str, above: &str, instead: &str) -> String {
    let mut text = format!("#![allow(unused, unreachable_code)]\n{above}\n");
    for line in starter.lines() {
        text += if line.contains("todo!") { instead } else { line };
        text += "\n";
    }
    text.replace("LIE", LIE)
}

/// A solved exercise, the change, and what must be said of which file.
pub type Change = (&'static str, fn(&Workbook), &'static str, &'static str);

pub const CHANGES: &[Change] = &[
    (
        "a check is edited",
        |it| {
            it.replace(
                "exercises/01-adder/tests/steps/step_1_add_1.rs",
                "assert_eq!",
                "assert!(true); //",
            );
        },
        "exercises/01-adder/tests/steps/step_1_add_1.rs",
        "was edited",
    ),
    (
        "a step's module is left out",
        |it| it.replace("exercises/01-adder/tests/steps/mod.rs", "mod step_5_add_5;", ""),
        "exercises/01-adder/tests/steps/mod.rs",
        "was edited",
    ),
    (
        "the sums are gone",
        |it| remove(it, "exercises/01-adder/.starter/spec.sum"),
        "exercises/01-adder/.starter/spec.sum",
        "is missing",
    ),
    (
        "the sums are edited",
        |it| it.write("exercises/01-adder/.starter/spec.sum", ""),
        "exercises/01-adder/.starter/spec.sum",
        "was edited",
    ),
    (
        "the sums of the sums are gone",
        |it| remove(it, "xtask/published.sum"),
        "xtask/published.sum",
        "is missing",
    ),
    (
        "a step is taken out of the declaration",
        |it| {
            let toml = it.read("exercises/01-adder/exercise.toml");
            let last = toml.rfind("[[step]]").unwrap();
            it.write("exercises/01-adder/exercise.toml", &toml[..last]);
        },
        "exercises/01-adder/exercise.toml",
        "was edited",
    ),
    (
        "another spec is named",
        |it| {
            it.write("exercises/01-adder/tests/easy.rs", "mod steps;\n");
            let manifest = it.read("exercises/01-adder/Cargo.toml");
            let other = format!("{manifest}[[test]]\nname = \"spec\"\npath = \"tests/easy.rs\"\n");
            it.write("exercises/01-adder/Cargo.toml", &other);
        },
        "exercises/01-adder/Cargo.toml",
        "was edited",
    ),
    (
        "the solution is a dependency",
        |it| {
            let manifest = it.read("exercises/01-adder/Cargo.toml");
            let other =
                "[dependencies]\nadder-solution = { path = \"../../solutions/01-adder\" }\n";
            it.write("exercises/01-adder/Cargo.toml", &format!("{manifest}{other}"));
            it.write(SOURCE, "pub use adder_solution::*;");
        },
        "exercises/01-adder/Cargo.toml",
        "was edited",
    ),
    (
        "a given file is edited",
        |it| it.write("exercises/01-adder/src/given.rs", "// More to my taste.\n"),
        "exercises/01-adder/src/given.rs",
        "was edited",
    ),
    (
        "the solution is a module",
        |it| {
            it.write(
                SOURCE,
                "#[path = \"../../../solutions/01-adder/src/lib.rs\"]\nmod mine;\npub use mine::*;",
            );
        },
        "solutions/01-adder/src/lib.rs",
        "is compiled in",
    ),
    (
        "the solution is included",
        |it| {
            it.write(SOURCE, "include!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../../solutions/\", \"01-adder/src/lib.rs\"));");
        },
        "solutions/01-adder/src/lib.rs",
        "is compiled in",
    ),
    (
        "a program runs before the build",
        |it| it.write("exercises/01-adder/build.rs", "fn main() {}\n"),
        "exercises/01-adder/build.rs",
        "was added",
    ),
];

#[test]
fn an_answer_counts_with_the_files_that_were_published() {
    let workbook = solved();
    let root = workbook.path("");
    let given =
        ["exercises", "xtask"].map(|part| (part, files::read_tree(&root.join(part)).unwrap()));
    for (name, change, path, what) in CHANGES {
        change(&workbook);

        let ran = workbook.xtask(&["verify", "adder", "--json"]);

        let found = json(&ran);
        let exercise = &found["exercises"][0];
        assert_eq!(exercise["changed"][0]["path"], *path, "{name}: {found:#}");
        assert_eq!(exercise["changed"][0]["what"], *what, "{name}");
        let note = exercise["notes"][0].as_str().unwrap();
        assert!(note.starts_with(&format!("{path} {what}. ")), "{name}: {note}");
        let status = exercise["status"].as_str().unwrap();
        assert!(["changed", "failed"].contains(&status), "{name}: {found:#}");
        assert_eq!(ran.code, 1, "{name}");
        for (part, tree) in &given {
            fs::remove_dir_all(root.join(part)).unwrap();
            files::write_tree(&root.join(part), tree).unwrap();
        }
    }
    let ran = workbook.xtask(&["verify", "adder"]);
    assert!(ran.stdout.contains("All passed: 15 checks."), "{}", ran.stdout);
}

#[cfg(unix)]
#[test]
fn a_link_to_the_solution_is_the_solution() {
    let workbook = solved();
    remove(&workbook, SOURCE);
    let solution = workbook.path("solutions/01-adder/src/lib.rs");
    std::os::unix::fs::symlink(solution, workbook.path(SOURCE)).unwrap();

    let found = json(&workbook.xtask(&["verify", "adder", "--json"]));

    let changed = &found["exercises"][0]["changed"][0];
    assert_eq!(changed["path"], "solutions/01-adder/src/lib.rs", "{found:#}");
}

#[test]
fn an_exercise_that_is_gone_is_not_passed() {
    let workbook = solved();
    remove(&workbook, "exercises/02-summer/exercise.toml");

    let ran = workbook.xtask(&["verify"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder   5 of 5 steps, passed
    02-summer   is gone
       exercises/02-summer/exercise.toml is missing. To bring it back: take exercises/02-summer/exercise.toml from another copy of the workbook
    ");
}

#[test]
fn what_does_not_compile_is_counted_and_its_errors_are_all_told() {
    let workbook = solved();
    workbook.replace(SOURCE, "x + 1", "\"1\"");
    workbook.replace(SOURCE, "x + 2", "\"2\"");
    workbook.replace(SOURCE, "x + 3", "\"3\"");

    let found = json(&workbook.xtask(&["verify", "--json"]));

    // Those of the exercise that is not begun, too.
    assert_eq!(found["summary"], serde_json::json!({"checks": 30, "passed": 0, "failed": 30}));
    let exercise = &found["exercises"][0];
    assert_eq!(exercise["steps"][4]["checks"][2]["status"], "does_not_compile", "{found:#}");
    assert_eq!(exercise["errors"].as_array().unwrap().len(), 3, "{found:#}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let workbook = solved();
    let mut command = workbook.command(&["verify", "adder", "--json"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();

    let output = command.stdout(full).output().unwrap();

    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("cannot write to standard output: No space left on device"),
        "{stderr}"
    );
}

/// A loop that nobody watches would take a core until the machine is switched off.
#[cfg(target_os = "linux")]
#[test]
fn a_check_ends_with_the_verify_that_began_it() {
    use std::process::Stdio;
    use std::thread;
    use std::time::Duration;

    let workbook = Workbook::new();
    workbook.write(
        SOURCE,
        "pub fn add_1(_: u32) -> u32 { std::fs::write(\"pid\", std::process::id().to_string()).unwrap(); loop { std::hint::spin_loop() } }\n",
    );
    workbook.write("exercises/01-adder/tests/steps/mod.rs", "mod step_1_add_1;\n");
    let mut command = workbook.command(&["verify", "adder", "--time-limit", "3600"]);
    let mut verify = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = loop {
        let pid = fs::read_to_string(workbook.path("exercises/01-adder/pid")).unwrap_or_default();
        if !pid.is_empty() {
            break pid;
        }
        assert!(verify.try_wait().unwrap().is_none(), "verify ended before a check began");
        thread::sleep(Duration::from_millis(10));
    };

    verify.kill().unwrap();
    verify.wait().unwrap();

    let is_there = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    while is_there() {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Both exercises, with a file that is given; the adder is solved.
pub fn solved() -> Workbook {
    let workbook = Workbook::new();
    for folder in ["src", ".starter/src"] {
        workbook.write(&format!("exercises/01-adder/{folder}/given.rs"), "// As it came.\n");
    }
    workbook.publish();
    workbook.solve("01-adder");
    workbook
}

fn remove(workbook: &Workbook, path: &str) {
    fs::remove_file(workbook.path(path)).unwrap();
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr))
}
