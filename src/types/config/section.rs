//! Taking keys out of a section, one by one: what is taken is checked, what is left is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::rc::Rc;

use super::error::Problem;
use super::tree::{Entry, Node, Table, join};
use super::words::Word;
use crate::types::num::{Bps, Ratio, Usd};
use crate::types::time::Nanos;

/// What reading has found so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What is wrong.
    problems: Vec<Problem>,
    /// Keys whose values were refused: no rule over several keys is told about them.
    wrong: BTreeSet<String>,
    /// Source and text of every value that was taken; a table has no text worth showing.
    written: BTreeMap<String, (Rc<str>, Option<String>)>,
    /// Paths of every key there is.
    known: Vec<String>,
    /// Keys that nobody took.
    unknown: Vec<Unknown>,
}

#[derive(Debug)]
struct Unknown {
    section: String,
    key: String,
    source: Rc<str>,
}

impl Reading {
    /// Starts with the problems found so far.
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems, ..Self::default() }
    }

    /// Reads a section's keys with `read`; what it leaves is unknown. A missing section is empty.
    pub(super) fn section<T>(
        &mut self,
        path: &str,
        table: Table,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let mut section = Section { reading: self, path: path.to_owned(), table };
        let value = read(&mut section);
        let Section { table, .. } = section;
        self.unknown.extend(table.into_iter().map(|(key, entry)| Unknown {
            section: path.to_owned(),
            key,
            source: entry.source,
        }));
        value
    }

    /// Whether the file or an override says anything of `path`.
    pub(super) fn is_written(&self, path: &str) -> bool {
        self.written.contains_key(path)
    }

    /// What was written at `path` is no value of this key.
    fn refuse(&mut self, path: &str, fault: impl Into<String>) {
        self.tell(path, fault);
        self.wrong.insert(path.to_owned());
    }

    fn tell(&mut self, path: &str, fault: impl Into<String>) {
        let (source, written) = match self.written.get(path) {
            Some((source, written)) => (&**source, written.as_deref()),
            None => ("defaults", None),
        };
        self.problems.push(Problem::new(source, path, written, fault));
    }

    /// A rule over several keys is broken. Told once, at the first of them that was written, and
    /// not at all when one of them is wrong already: then the rule was not asked of its value.
    pub(super) fn clash(&mut self, paths: &[&str], fault: impl Into<String>) {
        if paths.iter().any(|path| self.wrong.contains(*path)) {
            return;
        }
        let written = paths.iter().find(|path| self.written.contains_key(**path));
        if let Some(path) = written.or(paths.first()) {
            self.tell(path, fault);
        }
    }

    /// Tells of the keys that nobody took, with the nearest that exists.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        for Unknown { section, key, source } in std::mem::take(&mut self.unknown) {
            let fault = match self.nearest(&section, &key) {
                Some(near) => format!("unknown key; did you mean \"{near}\"?"),
                None => "unknown key".to_owned(),
            };
            // The value is not shown: nobody knows what it is.
            self.problems.push(Problem::new(&*source, join(&section, &key), None, fault));
        }
        self.problems
    }

    /// The key of the section that looks most like `key`; else the same key of another section, by
    /// its whole path.
    fn nearest(&self, section: &str, key: &str) -> Option<String> {
        let wanted = key.to_lowercase().replace('-', "_");
        let keys = self.known.iter().map(|path| match path.rsplit_once('.') {
            Some((parent, leaf)) => (path, parent, leaf),
            None => (path, "", path.as_str()),
        });
        let near = keys
            .clone()
            .filter(|(_, parent, _)| *parent == section)
            .map(|(_, _, leaf)| (strsim::osa_distance(&wanted, leaf), leaf))
            .filter(|(distance, leaf)| *distance <= 2.max(leaf.len() / 3))
            .min();
        if let Some((_, leaf)) = near {
            return Some(leaf.to_owned());
        }
        keys.filter(|(_, _, leaf)| *leaf == wanted).map(|(path, _, _)| path.clone()).next()
    }
}

/// A section that is being read.
pub(super) struct Section<'r> {
    reading: &'r mut Reading,
    path: String,
    table: Table,
}

impl Section<'_> {
    /// Takes `key` and reads it with `parse`; whatever that refuses is told with `expected`, and
    /// reading goes on with `default`.
    pub(super) fn take<T>(
        &mut self,
        key: &str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&Node) -> Option<T>,
    ) -> T {
        let Some((path, entry)) = self.pull(key) else { return default };
        parse(&entry.node).unwrap_or_else(|| {
            self.reading.refuse(&path, format!("expected {expected}"));
            default
        })
    }

    /// Takes `key` out and remembers what was written.
    fn pull(&mut self, key: &str) -> Option<(String, Entry)> {
        let path = join(&self.path, key);
        self.reading.known.push(path.clone());
        let entry = self.table.remove(key)?;
        let written = (Rc::clone(&entry.source), Some(entry.written.clone()));
        self.reading.written.insert(path.clone(), written);
        Some((path, entry))
    }

    /// Takes the table `key`; empty when it is missing.
    pub(super) fn table(&mut self, key: &str) -> Table {
        match self.pull(key) {
            None => Table::new(),
            Some((path, Entry { node: Node::Table(table), source, .. })) => {
                self.reading.written.insert(path, (source, None));
                table
            }
            Some((path, _)) => {
                self.reading.refuse(&path, "expected a table");
                Table::new()
            }
        }
    }

    /// Takes every table there is: for sections whose keys are names.
    pub(super) fn tables(&mut self) -> Vec<(String, Table)> {
        let names: Vec<String> = self.table.keys().cloned().collect();
        names.into_iter().map(|name| (name.clone(), self.table(&name))).collect()
    }

    /// Takes a list of texts, each read by `parse`.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        default: Vec<T>,
        expected: &str,
        parse: impl Fn(&Node) -> Option<T>,
    ) -> Vec<T> {
        let Some((path, entry)) = self.pull(key) else { return default };
        let Node::List(items) = entry.node else {
            self.reading.refuse(&path, format!("expected a list of {expected}"));
            return default;
        };
        let mut values = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            match parse(&item.node) {
                Some(value) => values.push(value),
                None => {
                    let fault = format!("expected {expected}");
                    let path = format!("{path}[{at}]");
                    let problem = Problem::new(&*item.source, path, Some(&item.written), fault);
                    self.reading.problems.push(problem);
                }
            }
        }
        if values.len() < items.len() {
            self.reading.wrong.insert(path);
        }
        values
    }

    pub(super) fn word<T: Word>(&mut self, key: &str, default: T) -> T {
        self.take(key, default, &T::choices(), |node| T::of(text(node)?))
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        self.take(key, default, "true or false", |node| match node {
            Node::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    pub(super) fn count(&mut self, key: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let expected = format!("a whole number in {}..={}", range.start(), range.end());
        self.take(key, default, &expected, |node| whole(node, &range))
    }

    pub(super) fn millis(
        &mut self,
        key: &str,
        range: RangeInclusive<u64>,
        default: Nanos,
    ) -> Nanos {
        let expected = format!("milliseconds in {}..={}", range.start(), range.end());
        self.take(key, default, &expected, |node| whole(node, &range).map(Nanos::from_millis))
    }

    /// Milliseconds, or `"off"` for `None`. Zero is a value, never "no limit": it lies outside of
    /// every range used here.
    pub(super) fn millis_or_off(
        &mut self,
        key: &str,
        range: RangeInclusive<u64>,
        default: Option<Nanos>,
    ) -> Option<Nanos> {
        let expected = format!("milliseconds in {}..={}, or \"off\"", range.start(), range.end());
        self.take(key, default, &expected, |node| match text(node) {
            Some("off") => Some(None),
            _ => whole(node, &range).map(Nanos::from_millis).map(Some),
        })
    }

    pub(super) fn secs(&mut self, key: &str, range: RangeInclusive<u64>, default: Nanos) -> Nanos {
        let expected = format!("seconds in {}..={}", range.start(), range.end());
        self.take(key, default, &expected, |node| whole(node, &range).map(Nanos::from_secs))
    }

    pub(super) fn bps(&mut self, key: &str, max: i32, default: Bps) -> Bps {
        let expected = format!("basis points in 0..={max}");
        self.take(key, default, &expected, |node| bps(node, max))
    }

    /// Basis points, or `word` for `None`.
    pub(super) fn bps_or(
        &mut self,
        key: &str,
        max: i32,
        other: &str,
        default: Option<Bps>,
    ) -> Option<Bps> {
        let expected = format!("basis points in 0..={max}, or \"{other}\"");
        self.take(key, default, &expected, |node| match text(node) {
            Some(word) if word == other => Some(None),
            _ => bps(node, max).map(Some),
        })
    }

    pub(super) fn ratio(
        &mut self,
        key: &str,
        range: RangeInclusive<Ratio>,
        default: Ratio,
    ) -> Ratio {
        let expected = match range.start().units() {
            1 => format!("a number above 0 and at most {}", range.end()),
            _ => format!("a number in {}..={}", range.start(), range.end()),
        };
        self.take(key, default, &expected, |node| {
            Ratio::parse(number(node)?).filter(|value| range.contains(value))
        })
    }

    /// USD, at most `max`; zero only if `zero` says so.
    pub(super) fn usd(&mut self, key: &str, zero: bool, max: Usd, default: Usd) -> Usd {
        let expected = match zero {
            true => format!("USD in 0..={max}"),
            false => format!("USD above 0 and at most {max}"),
        };
        self.take(key, default, &expected, |node| {
            let value = Usd::parse(number(node)?)?;
            ((zero || value.is_positive()) && value <= max).then_some(value)
        })
    }

    pub(super) fn path(&mut self, key: &str, default: PathBuf) -> PathBuf {
        self.take(key, default, "a path", path)
    }

    pub(super) fn path_or_none(&mut self, key: &str) -> Option<PathBuf> {
        self.take(key, None, "a path", |node| path(node).map(Some))
    }
}

pub(super) fn text(node: &Node) -> Option<&str> {
    match node {
        Node::Text(text) => Some(text),
        _ => None,
    }
}

/// The decimal text of a number.
pub(super) fn number(node: &Node) -> Option<&[u8]> {
    match node {
        Node::Integer(text) | Node::Decimal(text) => Some(text.as_bytes()),
        _ => None,
    }
}

pub(super) fn whole<T>(node: &Node, range: &RangeInclusive<T>) -> Option<T>
where
    T: std::str::FromStr + PartialOrd,
{
    match node {
        Node::Integer(text) => text.parse().ok().filter(|value| range.contains(value)),
        _ => None,
    }
}

pub(super) fn bps(node: &Node, max: i32) -> Option<Bps> {
    Bps::parse(number(node)?).filter(|value| *value <= Bps::from_int(max))
}

/// A path that is not empty and holds no NUL, which no file system takes.
fn path(node: &Node) -> Option<PathBuf> {
    text(node).filter(|text| !text.is_empty() && !text.contains('\0')).map(PathBuf::from)
}
