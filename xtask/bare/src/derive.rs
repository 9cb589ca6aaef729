//! Cuts a guided starter down to its public API. What stays is its text, to the letter; rustfmt then
//! closes the gaps.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::ops::Range;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use syn::spanned::Spanned as _;
use syn::{
    Fields, FnArg, GenericParam, ImplItem, Item, ItemImpl, ItemStruct, Type, UseTree, Visibility,
};

use crate::steps::Steps;

/// Stands in for what the guided starter says of its tasks.
const YOURS: [&str; 3] = [
    "This file is yours: here is the public API and what it promises, and nothing of its inside. Which",
    "fields, types and functions it needs is your design. Public names and signatures stay as they are:",
    "the spec in `tests/steps/` uses them.",
];

/// The bare starter of this guided one.
pub fn bare(guided: &str, steps: &Steps) -> Result<String> {
    let file = syn::parse_file(guided).context("it does not parse")?;
    let first = file.items.first().context("it has no item")?;
    let head = &guided[..first.span().byte_range().start];
    let bare = Bare { text: guided, steps, hidden: hidden(&file.items) };

    // The imports come first, and which of them are needed is known at the end.
    let mut kept: Vec<Kept> = Vec::new();
    for item in &file.items {
        let at = item.span().byte_range();
        if let Some(text) = bare.item(item) {
            kept.push(Kept { at, text, import: import(item) });
        }
    }
    let code: String = kept.iter().filter(|kept| kept.import.is_none()).map(Kept::code).collect();
    let mut text = header(head);
    ensure!(
        !text.contains("every `todo!`"),
        "its head is not written as those of the other starters"
    );
    let mut end = None;
    for item in kept {
        let line = match &item.import {
            Some(tree) => needed(tree, &code),
            None => Some(item.text),
        };
        let Some(line) = line else { continue };
        let close =
            end.is_some_and(|end| !guided[end..item.at.start].trim_matches(' ').contains("\n\n"));
        text += if close { "\n" } else { "\n\n" };
        text += &line;
        end = Some(item.at.end);
    }
    rustfmt(&text)
}

struct Kept {
    at: Range<usize>,
    text: String,
    /// Of a `use` that is not `pub`.
    import: Option<UseTree>,
}

impl Kept {
    /// Without docs: a name that only they mention needs no import.
    fn code(&self) -> String {
        self.text.lines().filter(|line| !line.trim_start().starts_with("///")).collect()
    }
}

fn import(item: &Item) -> Option<UseTree> {
    match item {
        Item::Use(import) if !is_pub(&import.vis) => Some(import.tree.clone()),
        _ => None,
    }
}

fn is_pub(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The types that only the inside knows.
fn hidden(items: &[Item]) -> BTreeSet<String> {
    let names = items.iter().filter_map(|item| match item {
        Item::Struct(item) if !is_pub(&item.vis) => Some(item.ident.to_string()),
        Item::Enum(item) if !is_pub(&item.vis) => Some(item.ident.to_string()),
        Item::Trait(item) if !is_pub(&item.vis) => Some(item.ident.to_string()),
        _ => None,
    });
    names.collect()
}

struct Bare<'a> {
    text: &'a str,
    steps: &'a Steps,
    hidden: BTreeSet<String>,
}

impl Bare<'_> {
    fn slice(&self, at: Range<usize>) -> &str {
        &self.text[at]
    }

    /// What stays of an item, if anything.
    fn item(&self, item: &Item) -> Option<String> {
        let whole = || self.slice(item.span().byte_range()).to_owned();
        match item {
            Item::Struct(item) => is_pub(&item.vis).then(|| self.structure(item)),
            Item::Impl(item) => self.implementation(item),
            Item::Fn(item) => is_pub(&item.vis).then(|| {
                let name = item.sig.ident.to_string();
                self.function(
                    item.span().byte_range(),
                    item.block.span().byte_range(),
                    &name,
                    &[format!("{name}(")],
                )
            }),
            Item::Enum(item) => is_pub(&item.vis).then(whole),
            Item::Trait(item) => is_pub(&item.vis).then(whole),
            Item::Const(item) => is_pub(&item.vis).then(whole),
            Item::Static(item) => is_pub(&item.vis).then(whole),
            Item::Type(item) => is_pub(&item.vis).then(whole),
            _ => Some(whole()),
        }
    }

    /// Without its private fields. Parameters that nothing else uses then are held by a marker.
    fn structure(&self, item: &ItemStruct) -> String {
        let at = item.span().byte_range();
        let (open, public) = match &item.fields {
            Fields::Named(fields) => {
                let public = fields.named.iter().filter(|field| is_pub(&field.vis));
                let public = public.map(|field| self.slice(field.span().byte_range()).to_owned());
                (fields.brace_token.span.open().byte_range().start, public.collect::<Vec<_>>())
            }
            Fields::Unnamed(fields) if !fields.unnamed.iter().any(|field| is_pub(&field.vis)) => {
                (fields.paren_token.span.open().byte_range().start, Vec::new())
            }
            _ => return self.slice(at).to_owned(),
        };
        let mut fields = public;
        let held: Vec<_> = item
            .generics
            .params
            .iter()
            .filter_map(|parameter| match parameter {
                GenericParam::Lifetime(lifetime) => Some(format!("&{} ()", lifetime.lifetime)),
                GenericParam::Type(parameter) => Some(parameter.ident.to_string()),
                GenericParam::Const(_) => None,
            })
            .collect();
        if let [first, others @ ..] = &held[..] {
            let all =
                if others.is_empty() { first.clone() } else { format!("({})", held.join(", ")) };
            fields.push(format!("_held: std::marker::PhantomData<{all}>"));
        }
        format!("{}{{{}}}", self.slice(at.start..open), fields.join(", "))
    }

    /// The public part of an `impl`. How a value is dropped is a matter of the inside.
    fn implementation(&self, item: &ItemImpl) -> Option<String> {
        let of = self_name(&item.self_ty);
        let of_trait = item.trait_.as_ref().and_then(|(path, _)| path.segments.last());
        let of_trait = of_trait.map(|segment| segment.ident.to_string());
        if self.hidden.contains(&of) || of_trait.as_deref() == Some("Drop") {
            return None;
        }
        let at = item.span().byte_range();
        let open = item.brace_token.span.open().byte_range().end;
        let mut text = self.slice(at.start..open).to_owned();
        let mut any = false;
        for inner in &item.items {
            let range = inner.span().byte_range();
            let kept = match inner {
                ImplItem::Fn(function) if of_trait.is_some() || is_pub(&function.vis) => {
                    let name = function.sig.ident.to_string();
                    let body = function.block.span().byte_range();
                    // What a trait asks for and needs nothing of the inside is given.
                    let given = of_trait.is_some() && {
                        let body = self.slice(body.clone());
                        !body.contains("self") && !body.contains("todo!")
                    };
                    let mut calls = vec![format!("{of}::{name}(")];
                    if matches!(function.sig.inputs.first(), Some(FnArg::Receiver(_))) {
                        calls.push(format!(".{name}("));
                    }
                    Some(if given {
                        self.slice(range).to_owned()
                    } else {
                        self.function(range, body, &name, &calls)
                    })
                }
                ImplItem::Fn(_) => None,
                ImplItem::Const(constant) if of_trait.is_none() && !is_pub(&constant.vis) => None,
                _ => Some(self.slice(range).to_owned()),
            };
            if let Some(kept) = kept {
                text += if any { "\n\n" } else { "\n" };
                text += &kept;
                any = true;
            }
        }
        text += "\n}";
        (any || item.items.is_empty()).then_some(text)
    }

    /// The signature with its docs, and the step whose checks come to it first as the task.
    fn function(
        &self,
        at: Range<usize>,
        body: Range<usize>,
        name: &str,
        calls: &[String],
    ) -> String {
        let tasks = self.slice(body.clone()).split("todo!(").skip(1).filter_map(|rest| {
            let (_, rest) = rest.split_once("\"step ")?;
            rest.split(':').next()?.parse::<usize>().ok()
        });
        let step = tasks.min().or_else(|| self.steps.first_to_say(calls)).unwrap_or(1);
        let signature = self.slice(at.start..body.start);
        format!("{signature}{{\n    todo!(\"step {step}: {name}\")\n}}")
    }
}

fn self_name(of: &Type) -> String {
    match of {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
    .unwrap_or_default()
}

/// What the file says of itself, without what it says of the inside (the tasks, the list of the parts),
/// and its attributes.
fn header(head: &str) -> String {
    let blocks = head.trim_end().split("\n\n").filter_map(|block| {
        if !block.lines().all(|line| line.starts_with("//")) {
            return Some(with_attributes(block));
        }
        let mark = if block.starts_with("//!") { "//!" } else { "//" };
        let lines: Vec<_> =
            block.lines().map(|line| line.trim_start_matches(mark).trim_start()).collect();
        let kept: Vec<_> = lines.split(|line| line.is_empty()).filter_map(paragraph).collect();
        let text = kept.join("\n\n");
        let commented = text.lines().map(|line| format!("{mark} {line}").trim_end().to_owned());
        (!text.is_empty()).then(|| commented.collect::<Vec<_>>().join("\n"))
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}

/// The block of the attributes may begin with the paragraph on the tasks.
fn with_attributes(block: &str) -> String {
    match block.find("// The tasks leave") {
        Some(at) if block.starts_with("// This file is yours") => {
            format!("// {}\n{}", YOURS.join("\n// "), &block[at..])
        }
        _ => block.to_owned(),
    }
}

/// What stays of a paragraph, if anything.
fn paragraph(lines: &[&str]) -> Option<String> {
    let (first, last) = (lines.first()?, lines.last()?);
    if first.starts_with("This file is yours") {
        return Some(YOURS.join("\n"));
    }
    if first.starts_with("- ") {
        return None;
    }
    let text = lines.join("\n");
    if last.ends_with(':') {
        // Its last sentence announces the list.
        return text.rfind(". ").map(|end| text[..=end].to_owned());
    }
    Some(text)
}

/// What of an import the code still names.
fn needed(tree: &UseTree, code: &str) -> Option<String> {
    let mut leaves = Vec::new();
    flatten(tree, "", &mut leaves);
    let kept: Vec<_> = leaves.into_iter().filter(|(_, name, _)| names(code, name)).collect();
    let mut prefixes: Vec<&str> = kept.iter().map(|(prefix, ..)| prefix.as_str()).collect();
    prefixes.dedup();
    let line = |prefix: &str| {
        let of_prefix = kept.iter().filter(|(other, ..)| other == prefix);
        match of_prefix.map(|(.., leaf)| leaf.as_str()).collect::<Vec<_>>()[..] {
            [leaf] => format!("use {prefix}{leaf};"),
            ref leaves => format!("use {prefix}{{{}}};", leaves.join(", ")),
        }
    };
    let lines: Vec<_> = prefixes.into_iter().map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Prefix, name in the code, and text of each leaf.
fn flatten(tree: &UseTree, prefix: &str, leaves: &mut Vec<(String, String, String)>) {
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &format!("{prefix}{}::", path.ident), leaves),
        UseTree::Name(name) => {
            leaves.push((prefix.to_owned(), name.ident.to_string(), name.ident.to_string()));
        }
        UseTree::Rename(name) => {
            let text = format!("{} as {}", name.ident, name.rename);
            leaves.push((prefix.to_owned(), name.rename.to_string(), text));
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, prefix, leaves);
            }
        }
        UseTree::Glob(_) => {}
    }
}

/// Whether the code says this name, other than to give it to a function of its own.
fn names(code: &str, name: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        !before.ends_with(is_of_name)
            && !before.ends_with("fn ")
            && !code[at + name.len()..].starts_with(is_of_name)
    })
}

fn rustfmt(text: &str) -> Result<String> {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--emit", "stdout"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start rustfmt: `rustup component add rustfmt`")?;
    let mut stdin = child.stdin.take().context("rustfmt has no standard input")?;
    stdin.write_all(text.as_bytes()).context("cannot write to rustfmt")?;
    drop(stdin);
    let output = child.wait_with_output().context("cannot wait for rustfmt")?;
    ensure!(output.status.success(), "rustfmt refuses what was derived:\n{text}");
    String::from_utf8(output.stdout).context("rustfmt wrote no text")
}

#[cfg(test)]
mod tests {
    use super::bare;
    use crate::steps::Steps;

    #[test]
    fn what_the_public_api_forces_stays_and_nothing_else() {
        let guided = r#"// A counter.
//
// The idea is Ada's (1843). The parts:
//
// - `Counter`, the shell.
// - `Core`, what it counts.
//
// Counts begin at 0.

// This file is yours: every `todo!` is a task.
// The tasks leave things unused.
#![allow(unused)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

mod types;

pub use types::Full;

// ---------------------------------------------------------------------------------------------
// The shell

/// Counts.
#[derive(Clone)]
pub struct Counter<'a, T> {
    core: Arc<Mutex<Core<'a, T>>>, // step 2: and the limit
    /// The name on the dashboard.
    pub name: String,
}

impl<'a, T> Counter<'a, T> {
    /// The most.
    pub const MOST: u32 = 9;

    /// An empty one.
    pub fn new(core: Arc<T>) -> Self {
        Self::with(core)
    }

    fn with(core: Arc<T>) -> Self {
        todo!("step 1: a private part")
    }

    // -----------------------------------------------------------------------------------------

    /// One more.
    pub fn add(&mut self) -> Result<(), Full> {
        if self.is_full() {
            todo!("step 3: reject")
        }
        todo!("step 2: count")
    }
}

impl<T> Drop for Counter<'_, T> {
    fn drop(&mut self) {}
}

impl<T> fmt::Debug for Counter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }
}

/// What is counted.
struct Core<'a, T>(BTreeMap<u32, &'a T>);

impl<T> Core<'_, T> {
    pub fn enter(&mut self) {}
}

/// By hand.
pub fn count(of: &[u32]) -> usize {
    helper(of)
}

fn helper(of: &[u32]) -> usize {
    of.len()
}
"#;
        let steps = Steps::of(vec!["Counter::new(x)".to_owned(), "count(&[1])".to_owned()], "");

        let expected = r#"// A counter.
//
// The idea is Ada's (1843).
//
// Counts begin at 0.

// This file is yours: here is the public API and what it promises, and nothing of its inside. Which
// fields, types and functions it needs is your design. Public names and signatures stay as they are:
// the spec in `tests/steps/` uses them.
// The tasks leave things unused.
#![allow(unused)]

use std::fmt;
use std::sync::Arc;

mod types;

pub use types::Full;

/// Counts.
#[derive(Clone)]
pub struct Counter<'a, T> {
    /// The name on the dashboard.
    pub name: String,
    _held: std::marker::PhantomData<(&'a (), T)>,
}

impl<'a, T> Counter<'a, T> {
    /// The most.
    pub const MOST: u32 = 9;

    /// An empty one.
    pub fn new(core: Arc<T>) -> Self {
        todo!("step 1: new")
    }

    /// One more.
    pub fn add(&mut self) -> Result<(), Full> {
        todo!("step 2: add")
    }
}

impl<T> fmt::Debug for Counter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }
}

/// By hand.
pub fn count(of: &[u32]) -> usize {
    todo!("step 2: count")
}
"#;
        assert_eq!(bare(guided, &steps).unwrap(), expected);
    }
}
