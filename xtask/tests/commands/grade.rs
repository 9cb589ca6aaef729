//! A class, graded: answers of every kind, each with the verdict that it deserves.
//!
//! `CLASS=200 cargo test --package xtask --test commands grade -- --nocapture` grades as many, and says how long it took.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use ::workbook::files::{self, Tree};
use serde_json::Value;

use crate::cheats::{CHANGES, CHEATS, SOURCE, cheat, solved};
use crate::workbook::{Ran, STEPS, Workbook};

/// What an answer does before it gives the right result, and how its checks end where it may not; empty for one
/// way or another.
const HOSTILE: &[(&str, &str, &str)] = &[
    ("loop", "loop { std::hint::spin_loop() }", "timed_out"),
    ("wait", "loop { std::thread::park() }", "timed_out"),
    ("output", "loop { println!(\"{}\", \"spam\".repeat(10_000)) }", "timed_out"),
    ("memory", "std::hint::black_box(vec![1_u8; 3 << 30]);", "crashed"),
    (
        "fork",
        "let me = std::env::args().next().unwrap(); std::process::Command::new(me).spawn().unwrap();",
        "failed",
    ),
    (
        "shell",
        "std::process::Command::new(\"/bin/sh\").arg(\"-c\").arg(\"kill -9 $PPID\").status().unwrap();",
        "failed",
    ),
    ("thread bomb", "loop { std::thread::spawn(|| loop { std::thread::park() }); }", ""),
    ("file", "std::fs::write(\"mine\", \"mine\").unwrap();", "failed"),
    (
        "file elsewhere",
        "std::fs::write(std::env::temp_dir().join(\"mine\"), \"mine\").unwrap();",
        "failed",
    ),
    ("secret", "std::fs::read(\"/etc/passwd\").unwrap();", "failed"),
    ("memory of the process", "std::fs::File::open(\"/proc/self/mem\").unwrap();", "failed"),
    ("environment", "std::env::var(\"SECRET\").unwrap();", "failed"),
    ("network", "std::net::TcpListener::bind(\"127.0.0.1:0\").unwrap();", "failed"),
    ("datagram", "std::net::UdpSocket::bind(\"127.0.0.1:0\").unwrap();", "failed"),
];

/// Somebody's workbook, and what the grader must find.
struct Person {
    name: String,
    files: Tree,
    status: &'static str,
    passed: usize,
    changed: Option<&'static str>,
}

const ALL: usize = 3 * STEPS as usize;

/// One of each kind, again and again; the answers differ by a comment.
fn class(base: &Workbook, size: usize) -> Vec<Person> {
    let starter = base.read("exercises/01-adder/.starter/src/lib.rs");
    let right = base.read("solutions/01-adder/src/lib.rs");
    let root = base.path("");
    let as_it_is = || {
        let parts = ["exercises", "xtask"].map(|part| {
            let tree = files::read_tree(&root.join(part)).unwrap();
            tree.into_iter().map(move |(path, text)| (Path::new(part).join(path), text))
        });
        parts.into_iter().flatten().collect::<Tree>()
    };
    let published = as_it_is();
    let person = |kind: &str, source: &str, status, passed| {
        let mut files = published.clone();
        files.insert(SOURCE.into(), source.into());
        Person { name: kind.replace(' ', "-"), files, status, passed, changed: None }
    };
    let half = |from: u32| {
        (from..=STEPS).fold(right.clone(), |text, n| {
            text.replace(&format!("x + {n}\n"), &format!("todo!(\"step {n}: add\")\n"))
        })
    };
    let mut kinds = vec![
        person("right", &right, "passed", ALL),
        person(
            "right in two files",
            &format!("{}\nmod more;\n", right.replace("x + 1", "more::one(x)")),
            "passed",
            ALL,
        ),
        person("wrong once", &right.replace("x + 2", "x * 2 + 2"), "failed", ALL - 2),
        person("half", &half(4), "failed", ALL - 6),
        person("not begun", &starter, "not_started", 0),
        person("does not compile", &right.replace("x + 1", "\"x\""), "does_not_compile", 0),
    ];
    kinds[1].files.insert(
        "exercises/01-adder/src/more.rs".into(),
        b"pub fn one(x: u32) -> u32 { x + 1 }".into(),
    );
    for (name, above, instead) in CHEATS {
        let status = match *name {
            "an assertion of its own"
            | "the line, and then a panic"
            | "a quiet end of the thread" => "failed",
            "a function that runs before main"
            | "an allocator of its own"
            | "a function of the system's by its name"
            | "a lint that is allowed again" => "does_not_compile",
            "a macro by the name of todo" | "a panic hook" | "an exit" => "crashed",
            _ => "",
        };
        kinds.push(person(name, &cheat(&starter, above, instead), status, 0));
    }
    for (name, act, status) in HOSTILE {
        let (text, first) = (right.clone(), "pub fn add_1(x: u32) -> u32 {");
        // The act of one function, so that a class takes no hour.
        let text = text.replace(first, &format!("#[allow(unreachable_code)]\n{first}\n    {act}"));
        kinds.push(person(&format!("hostile {name}"), &text, status, ALL - 3));
    }
    for (name, change, path, _) in CHANGES {
        base.write(SOURCE, &right);
        change(base);
        let status = match *path {
            "solutions/01-adder/src/lib.rs" => "does_not_compile",
            "exercises/01-adder/Cargo.toml" if name.contains("solution") => "does_not_compile",
            _ => "passed",
        };
        let passed = if status == "passed" { ALL } else { 0 };
        let changed =
            Some(*path).filter(|path| path.starts_with("exercises") && !name.contains("gone"));
        kinds.push(Person {
            name: name.replace(' ', "-"),
            files: as_it_is(),
            status,
            passed,
            changed,
        });
        for part in ["exercises", "xtask"] {
            fs::remove_dir_all(root.join(part)).unwrap();
        }
        files::write_tree(&root, &published).unwrap();
    }
    (0..size)
        .map(|number| {
            let Person { name, files, status, passed, changed } = &kinds[number % kinds.len()];
            let mut files = files.clone();
            if *status != "not_started" {
                let round = format!("\n// round {}\n", number / kinds.len());
                files.get_mut(Path::new(SOURCE)).unwrap().extend(round.bytes());
            }
            Person {
                name: format!("{number:03}-{name}"),
                files,
                status,
                passed: *passed,
                changed: *changed,
            }
        })
        .collect()
}

/// `xtask/confine`, beside xtask.
fn confine() -> PathBuf {
    let mut command = Command::new(env::var_os("CARGO").unwrap());
    command.args(["build", "--quiet", "--package", "confine"]);
    assert!(command.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("confine")
}

#[test]
fn a_class_gets_the_verdicts_that_it_deserves_and_an_interrupted_run_goes_on() {
    let kinds = 6 + CHEATS.len() + HOSTILE.len() + CHANGES.len();
    let size = env::var("CLASS").map_or(kinds, |size| size.parse().unwrap());
    let base = solved();
    let folder = tempfile::tempdir().unwrap();
    let class = class(&base, size);
    for person in &class {
        files::write_tree(&folder.path().join(&person.name), &person.files).unwrap();
    }
    // A given file by another name for it, as some systems have it.
    let case = folder.path().join("case");
    files::write_tree(&case, &class[0].files).unwrap();
    fs::write(case.join("exercises/01-adder/src/Given.rs"), "// More to my taste.\n").unwrap();
    // Another's file by a link, and a pipe that nobody writes to.
    let theirs = |name: &str| folder.path().join(name).join("exercises/01-adder/src");
    fs::create_dir_all(theirs("link")).unwrap();
    std::os::unix::fs::symlink(
        base.path("solutions/01-adder/src/lib.rs"),
        theirs("link").join("lib.rs"),
    )
    .unwrap();
    fs::create_dir_all(theirs("pipe")).unwrap();
    assert!(Command::new("mkfifo").arg(theirs("pipe").join("lib.rs")).status().unwrap().success());

    let out = folder.path().join("out");
    let confine = confine();
    let begun = Instant::now();
    let grade = || {
        let mut command =
            base.command(&["grade", "--exercise", "adder", "--time-limit", "2", "--out"]);
        command.arg(&out).arg("--confine").arg(&confine).env("SECRET", "of the grader");
        command.args(class.iter().map(|person| folder.path().join(&person.name)));
        command.args(["case", "link", "pipe"].map(|name| folder.path().join(name)));
        command
    };
    // Half-way through, the machine is switched off.
    let mut first = grade().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(first.stderr.take().unwrap()).lines().map(Result::unwrap);
    let half = format!("[{} of ", size / 2);
    let told: Vec<_> = lines.take_while(|line| !line.starts_with(&half)).collect();
    assert!(told.iter().any(|line| line.starts_with("held to: ")), "{told:#?}");
    first.kill().unwrap();
    first.wait().unwrap();

    let ran = Ran::of(&mut grade());

    assert_eq!(ran.code, 1, "not all pass: {}", ran.stderr);
    let again = ran.stderr.matches("judged before").count();
    assert!(again + 2 >= size / 2, "{again} of {size} were kept:\n{}", ran.stderr);
    println!("{size} submissions in {:.0} s\n{}", begun.elapsed().as_secs_f64(), ran.stdout);
    let report: Value =
        serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    let found: BTreeMap<_, _> = report["submissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), it))
        .collect();
    for Person { name, status, passed, changed, .. } in &class {
        let graded = found[name.as_str()];
        let verdict = &graded["exercises"]["adder"];
        assert_eq!(verdict["of"], ALL, "{name}");
        assert_eq!(verdict["passed"], *passed, "{name}: {verdict:#}");
        let is_hostile = name.contains("hostile");
        let said = if is_hostile { &verdict["checks"][0]["status"] } else { &verdict["status"] };
        let is_known = is_hostile && !status.is_empty();
        if is_known || ["passed", "not_started", "does_not_compile"].contains(status) {
            assert_eq!(said, *status, "{name}: {verdict:#}");
        } else {
            assert_ne!(said, "passed", "{name}: {verdict:#}");
        }
        if let Some(path) = changed {
            let told = graded["changed"].to_string();
            assert!(told.contains(path), "{name}: {told}");
        }
    }
    let told = &found["case"]["left_out"][0];
    let expected =
        "exercises/01-adder/src/Given.rs differs from the name of a given file by its case alone";
    assert_eq!(told, expected);
    assert_eq!(found["case"]["exercises"]["adder"]["status"], "passed");
    for name in ["link", "pipe"] {
        assert_eq!(found[name]["left_out"][0], "exercises/01-adder/src/lib.rs is no regular file");
        assert_eq!(found[name]["exercises"]["adder"]["status"], "does_not_compile");
    }
    let markdown = fs::read_to_string(out.join("report.md")).unwrap();
    assert!(markdown.contains("| 000-right | adder | 15 of 15 | passed |  |"), "{markdown}");
    let junit = fs::read_to_string(out.join("junit.xml")).unwrap();
    assert_eq!(junit.matches("<testcase ").count(), ALL * (size + 3));
}

#[test]
fn checks_that_open_sockets_reach_themselves_and_nobody_else() {
    let base = Workbook::new();
    base.replace("exercises/01-adder/exercise.toml", "summary", "sockets = true\nsummary");
    base.publish();
    let confine = confine();
    let offers = Command::new(&confine).arg("--offers").output().unwrap().stdout;
    if !String::from_utf8(offers).unwrap().contains("loopback") {
        println!("this system keeps namespaces to its administrators: nothing was tried");
        return;
    }
    let graders = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let graders = graders.local_addr().unwrap();
    let right = base.read("solutions/01-adder/src/lib.rs");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut command = base.command(&["grade", "--exercise", "adder", "--out"]);
    command.arg(&out).arg("--confine").arg(&confine);
    for (name, act) in [
        (
            "itself",
            "let it = std::net::TcpListener::bind(\"127.0.0.1:0\").unwrap(); std::net::TcpStream::connect(it.local_addr().unwrap()).unwrap();",
        ),
        ("grader", &*format!("std::net::TcpStream::connect(\"{graders}\").unwrap();")),
        ("local", "std::os::unix::net::UnixDatagram::unbound().unwrap();"),
    ] {
        let first = "pub fn add_1(x: u32) -> u32 {";
        let text = right.replace(first, &format!("{first}\n    {act}"));
        let sources = Tree::from([(SOURCE.into(), text.into())]);
        files::write_tree(&folder.path().join(name), &sources).unwrap();
        command.arg(folder.path().join(name));
    }

    let ran = Ran::of(&mut command);

    let report = fs::read_to_string(out.join("report.md"));
    let report = report.unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert!(report.contains("| itself | adder | 15 of 15 | passed |"), "{report}");
    for name in ["grader", "local"] {
        assert!(report.contains(&format!("| {name} | adder | 12 of 15 | failed |")), "{report}");
    }
}

#[test]
fn machines_share_a_class_by_its_shards() {
    let workbook = Workbook::new();
    let ran = workbook.xtask(&["grade", "--matrix", "3"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "{\"shard\":[\"1/3\",\"2/3\",\"3/3\"]}\n"));
    let ran = workbook.xtask(&["grade", "--shard", "4/3", "a"]);
    assert!(ran.code == 2 && ran.stderr.contains("I from 1 to N"), "{}", ran.stderr);
    let ran = workbook.xtask(&["grade", "a"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, "error: a has no folder `exercises`\n"));
}
