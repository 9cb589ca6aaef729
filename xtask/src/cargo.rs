//! Driving cargo: it compiles, shows its own progress on standard error, and reports as JSON.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use workbook::Workbook;

use crate::children;

/// A compiled spec, or why it did not compile.
#[derive(Debug)]
pub enum Build {
    Ready {
        executable: PathBuf,
        warnings: Vec<String>,
        /// The dep-info of the package's library: the files that rustc took in.
        dep_info: Option<PathBuf>,
    },
    /// rustc's rendered errors, with colour (which `output` drops where it doesn't belong).
    Broken(Vec<String>),
}

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on cargo says only what goes wrong: for a command that runs several side by side.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Cargo in the root of a workbook.
pub fn cargo(workbook: &Workbook) -> Command {
    // Cargo names itself to what it runs; so the toolchain stays the one that the reader chose.
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(&workbook.root);
    if QUIET.load(Ordering::Relaxed) {
        command.env("CARGO_TERM_QUIET", "true");
    }
    if let Some(dir) = workbook.target_dir() {
        command.env("CARGO_TARGET_DIR", dir);
    }
    insta_environment(&mut command, workbook);
    command
}

/// Settles insta's behaviour whatever the reader's shell says: no file is written, and the diff is
/// printed in the one form that `explain` reads. The same values as in `.cargo/config.toml`, to the
/// letter: insta reads the root at compile time too, and another value would recompile every spec.
pub fn insta_environment(command: &mut Command, workbook: &Workbook) {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("INSTA_") {
            command.env_remove(name);
        }
    }
    command
        .env("INSTA_UPDATE", "no")
        .env("INSTA_OUTPUT", "diff")
        // Without a value, an `insta.yaml` decides.
        .env("INSTA_FORCE_PASS", "0")
        .env("INSTA_WORKSPACE_ROOT", workbook.root.join(""));
}

/// Runs cargo with the terminal as it is; whether it succeeded.
pub fn stream(workbook: &Workbook, args: &[&str]) -> Result<bool> {
    let mut command = cargo(workbook);
    command.args(args);
    let status = children::status(&mut command).with_context(|| cannot_start(&command))?;
    Ok(status.success())
}

/// Runs cargo with the terminal as it is for a command that has nothing else to do: where cargo or
/// `what` it runs fails, its own message is the reason.
pub fn must_stream(workbook: &Workbook, args: &[&str], what: &str) -> Result<()> {
    if stream(workbook, args)? {
        return Ok(());
    }
    bail!("{what} did not run to its end: the reason is above");
}

/// Compiles the program of a package, with the terminal as it is, and says where it is. `flags` are cargo's own:
/// `--release`, features.
pub fn build_program(
    workbook: &Workbook,
    package: &str,
    flags: &[&str],
    what: &str,
) -> Result<PathBuf> {
    let mut command = cargo(workbook);
    command.args(["build", "--package", package]).args(flags);
    command.arg("--message-format=json-render-diagnostics");
    let output = children::output(&mut command).with_context(|| cannot_start(&command))?;
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let mut programs = lines.filter_map(|line| match serde_json::from_slice(line) {
        Ok(Event::CompilerArtifact { executable, .. }) => executable,
        _ => None,
    });
    match programs.next_back() {
        Some(program) if output.status.success() => Ok(program),
        _ => bail!("{what} did not compile: the reason is above"),
    }
}

/// What a program that cargo runs prints.
pub fn text(workbook: &Workbook, args: &[&str]) -> Result<String> {
    let mut command = cargo(workbook);
    command.args(args);
    let output = children::output(&mut command).with_context(|| cannot_start(&command))?;
    if !output.status.success() {
        bail!("`cargo {}` failed: the reason is above", args.join(" "));
    }
    String::from_utf8(output.stdout).context("what cargo ran printed no text")
}

/// Compiles the spec of one package.
pub fn build_spec(workbook: &Workbook, package: &str) -> Result<Build> {
    build_specs(workbook, &[package]).map(|mut one| one.remove(0))
}

/// Compiles the specs of some packages in one go; what does not compile leaves the others alone.
/// What is built is what `cargo test` runs.
pub fn build_specs(workbook: &Workbook, packages: &[&str]) -> Result<Vec<Build>> {
    let mut command = cargo(workbook);
    command.args(["build", "--keep-going", "--message-format=json-diagnostic-rendered-ansi"]);
    command.args(["--test", "spec"]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    let output = children::output(&mut command).with_context(|| cannot_start(&command))?;

    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Event::CompilerArtifact { package_id, executable: Some(path), .. }) => {
                told.entry(name_of(&package_id)).or_default().executable = Some(path);
            }
            Ok(Event::CompilerArtifact { package_id, executable: None, filenames }) => {
                let dep_info = filenames.iter().find_map(|library| dep_info_of(library));
                told.entry(name_of(&package_id)).or_default().dep_info = dep_info;
            }
            Ok(Event::CompilerMessage { package_id, message }) => {
                told.entry(name_of(&package_id)).or_default().add(message);
            }
            _ => {}
        }
    }
    // Without a line of code at fault: a full disk, a folder that can't be written, a missing linker …
    let elsewhere = told.values().find_map(|told| told.elsewhere.first()).cloned();
    let build = |package: &&str| {
        let Told { executable, dep_info, in_code, warnings, .. } =
            told.remove(*package).unwrap_or_default();
        match executable {
            _ if !in_code.is_empty() => Ok(Build::Broken(in_code)),
            Some(executable) => Ok(Build::Ready { executable, warnings, dep_info }),
            None => {
                let reason = elsewhere.as_deref().unwrap_or("see its message above");
                bail!("cargo could not build the checks of `{package}`:\n{}", reason.trim_end())
            }
        }
    };
    packages.iter().map(build).collect()
}

/// What rustc said of a package.
#[derive(Default)]
struct Told {
    executable: Option<PathBuf>,
    dep_info: Option<PathBuf>,
    in_code: Vec<String>,
    elsewhere: Vec<String>,
    warnings: Vec<String>,
}

impl Told {
    fn add(&mut self, message: Diagnostic) {
        // The closing "aborting due to 2 previous errors" has no place in the code.
        let has_place = !message.spans.is_empty();
        match message.level.as_str() {
            // PowerShell's `>` writes UTF-16: no line of it can be read.
            "error" if message.message.ends_with("did not contain valid UTF-8") => {
                self.in_code.push(
                    message.rendered.trim_end().to_owned() + "\n  = help: save the file as UTF-8",
                );
            }
            "error" if has_place => self.in_code.push(message.rendered),
            "error" => self.elsewhere.push(message.rendered),
            "warning" if has_place => self.warnings.push(message.rendered),
            _ => {}
        }
    }
}

/// `deps/name-1234.d`, beside `deps/libname-1234.rlib`.
fn dep_info_of(library: &Path) -> Option<PathBuf> {
    let name = library.file_stem()?.to_str()?.strip_prefix("lib")?;
    Some(library.with_file_name(format!("{name}.d"))).filter(|path| path.is_file())
}

/// The package's name in cargo's id: `…#name@1.0.0`, or `…/name#1.0.0`.
fn name_of(package_id: &str) -> String {
    let (source, version) = package_id.rsplit_once('#').unwrap_or((package_id, ""));
    let name = match version.split_once('@') {
        Some((name, _)) => name,
        None => source.rsplit('/').next().unwrap_or(source),
    };
    name.to_owned()
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start `{}`: is Rust installed and on the PATH (https://rustup.rs)?",
        command.get_program().display()
    )
}

/// What cargo's JSON says of interest here.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Event {
    CompilerArtifact {
        package_id: String,
        executable: Option<PathBuf>,
        #[serde(default)]
        filenames: Vec<PathBuf>,
    },
    CompilerMessage {
        package_id: String,
        message: Diagnostic,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    message: String,
    rendered: String,
    spans: Vec<serde_json::Value>,
}

/// What cargo knows of the workspace.
#[derive(Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
    target_directory: PathBuf,
    pub workspace_default_members: Vec<String>,
}

#[derive(Deserialize)]
pub struct Package {
    pub id: String,
    pub name: String,
    targets: Vec<Target>,
    #[serde(default)]
    metadata: Option<Tables>,
}

/// `[package.metadata]`
#[derive(Deserialize)]
struct Tables {
    workbook: Option<Part>,
}

/// `[package.metadata.workbook]`: what the package is to the workbook.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    role: Roles,
    /// The id of an exercise, or a name of its own such as `composing`: what a reader types.
    of: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Roles {
    One(Role),
    Several(Vec<Role>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// In virtual time.
    Lab,
    /// Over real sockets.
    LiveLab,
    Bench,
    /// Draws figures or tables of the book: `--figures FOLDER`.
    Figures,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lab => "lab",
            Self::LiveLab => "live lab",
            Self::Bench => "bench",
            Self::Figures => "figures",
        })
    }
}

impl Metadata {
    pub fn load(workbook: &Workbook) -> Result<Self> {
        let mut command = cargo(workbook);
        command.args(["metadata", "--no-deps", "--format-version=1"]);
        let output = children::output(&mut command).with_context(|| cannot_start(&command))?;
        if !output.status.success() {
            bail!("cargo cannot read the workspace: see its message above");
        }
        let mut metadata: Self = serde_json::from_slice(&output.stdout)
            .context("cannot read what cargo metadata printed")?;
        metadata.packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(metadata)
    }

    /// Whether its program has been built before, in release mode.
    pub fn has_built(&self, package: &Package) -> bool {
        let program = format!("{}{}", package.name, env::consts::EXE_SUFFIX);
        self.target_directory.join("release").join(program).is_file()
    }

    /// The packages of this role, by name.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(move |package| package.has_role(role))
    }

    /// The package that has this role for what a reader means by `name`: an exercise, or a name of its own.
    pub fn of(&self, workbook: &Workbook, role: Role, name: &str) -> Result<&Package> {
        let find = |of| self.with_role(role).find(|package| package.of() == of);
        if let Some(found) = find(name) {
            return Ok(found);
        }
        let id = workbook.exercise(name)?.id;
        find(&id).with_context(|| format!("the exercise `{id}` has no {role}"))
    }
}

impl Package {
    fn part(&self) -> Option<&Part> {
        self.metadata.as_ref()?.workbook.as_ref()
    }

    pub fn has_role(&self, role: Role) -> bool {
        match self.part().map(|part| &part.role) {
            Some(Roles::One(one)) => *one == role,
            Some(Roles::Several(roles)) => roles.contains(&role),
            None => false,
        }
    }

    /// What it belongs to: the id of an exercise, or a name of its own.
    pub fn of(&self) -> &str {
        self.part().map(|part| part.of.as_str()).unwrap_or_default()
    }

    /// The name of its first target of a kind: `bench`, `bin`.
    pub fn target(&self, kind: &str) -> Option<&str> {
        let target = self.targets.iter().find(|target| target.kind.iter().any(|k| k == kind))?;
        Some(&target.name)
    }
}
