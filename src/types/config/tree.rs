//! TOML text as a tree that remembers what was written where. Numbers stay text, so that no value
//! passes through floating point; secrets are taken out before anything can show them.

use std::collections::BTreeMap;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, shown};
use super::secret;

/// A table.
pub(super) type Table = BTreeMap<String, Entry>;

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The value.
    pub(super) node: Node,
    /// The value as written.
    pub(super) written: String,
    /// The file, or `--set`.
    pub(super) source: Rc<str>,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    /// Whole number, decimal digits with an optional `-`.
    Integer(String),
    /// Number with a point or an exponent, as written without underscores.
    Decimal(String),
    Flag(bool),
    Date,
    List(Vec<Entry>),
    Table(Table),
}

/// How `--set` is named in problems.
pub(super) const SET: &str = "--set";

/// Reads a file's text. Every syntax error is told with line and column and without the text
/// there, which may be half a secret.
pub(super) fn parse(text: &str, file: &str, problems: &mut Vec<Problem>) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = place(text, error.span().map_or(0, |span| span.start));
        problems.push(Problem::new(file, place, None, format!("not TOML: {}", error.message())));
    }
    if !errors.is_empty() {
        return Table::new();
    }
    let source = Rc::from(file);
    let mut table = table_of(table.get_ref(), text, &source);
    screen(&mut table, "", problems);
    table
}

/// Line and column of a byte, both counted from 1.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    format!("line {line}, column {column}")
}

fn table_of(table: &DeTable<'_>, text: &str, source: &Rc<str>) -> Table {
    let entry = |(key, value): (&Spanned<_>, &_)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        (key.clone().into_owned(), entry_of(value, text, source))
    };
    table.iter().map(entry).collect()
}

fn entry_of(value: &Spanned<DeValue<'_>>, text: &str, source: &Rc<str>) -> Entry {
    let node = match value.get_ref() {
        DeValue::String(text) => Node::Text(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => {
            Node::Integer(number.as_str().trim_start_matches('+').to_owned())
        }
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) => Node::Integer(value.to_string()),
            Err(_) => Node::Integer(i128::MAX.to_string()), // Out of every range all the same.
        },
        DeValue::Float(number) => Node::Decimal(number.as_str().trim_start_matches('+').to_owned()),
        DeValue::Boolean(flag) => Node::Flag(*flag),
        DeValue::Datetime(_) => Node::Date,
        DeValue::Array(list) => {
            Node::List(list.iter().map(|item| entry_of(item, text, source)).collect())
        }
        DeValue::Table(table) => Node::Table(table_of(table, text, source)),
    };
    let written = text.get(value.span()).unwrap_or_default().trim().to_owned();
    Entry { node, written, source: Rc::clone(source) }
}

/// Takes out whatever is or looks like a secret, with a problem for each that does not show it.
/// Says whether it took something out: then what surrounds it must not be shown either.
fn screen(table: &mut Table, path: &str, problems: &mut Vec<Problem>) -> bool {
    let before = table.len();
    let mut inside = false;
    table.retain(|key, entry| {
        let refusal = secret::refused_name(path, key).or_else(|| secret::refused_text(path, key));
        let path = join(path, key);
        if let Some(refusal) = refusal {
            problems.push(Problem::new(&*entry.source, path, None, refusal));
            return false;
        }
        match screen_entry(entry, &path, problems) {
            Screened::Clean => true,
            Screened::Inside => {
                inside = true;
                true
            }
            Screened::Secret => false,
        }
    });
    inside || table.len() < before
}

enum Screened {
    Clean,
    Inside,
    Secret,
}

fn screen_entry(entry: &mut Entry, path: &str, problems: &mut Vec<Problem>) -> Screened {
    let section = path.split('.').next().unwrap_or_default();
    let inside = match &mut entry.node {
        Node::Table(table) => screen(table, path, problems),
        Node::List(list) => {
            let before = list.len();
            let mut inside = false;
            let mut at = 0;
            list.retain_mut(|item| {
                let path = format!("{path}[{at}]");
                at += 1;
                match screen_entry(item, &path, problems) {
                    Screened::Clean => true,
                    Screened::Inside => {
                        inside = true;
                        true
                    }
                    Screened::Secret => false,
                }
            });
            inside || list.len() < before
        }
        node => {
            let text = if let Node::Text(text) = node { text.as_str() } else { "" };
            let refusal = secret::refused_text(section, text)
                .or_else(|| secret::refused_text(section, &entry.written));
            if let Some(refusal) = refusal {
                problems.push(Problem::new(&*entry.source, path, None, refusal));
                return Screened::Secret;
            }
            false
        }
    };
    if inside {
        entry.written = "(not shown)".to_owned();
        return Screened::Inside;
    }
    Screened::Clean
}

/// Lays `section.key=value` over the table. The value is TOML, or else a text as it stands.
pub(super) fn set(table: &mut Table, over: &str, problems: &mut Vec<Problem>) {
    let hidden = |text: &str| {
        let looks = secret::refused_text("alerts", text).is_some() || secret::is_secret_name(text);
        (!looks).then(|| shown(text))
    };
    let Some((path, value)) = split(over) else {
        let what = hidden(over).unwrap_or_else(|| "(not shown)".to_owned());
        let fault = "expected section.key=value, for example risk.max_ctx_age_ms=5000";
        problems.push(Problem::new(SET, what, None, fault));
        return;
    };
    let source = Rc::from(SET);
    let node = match DeValue::parse(value) {
        Ok(parsed) => entry_of(&parsed, value, &source).node,
        Err(_) => Node::Text(value.to_owned()),
    };
    // A date means nothing to any key, and no key takes a number as large as an address; a directory
    // named like the one, and the other, mean something.
    let address = value.len() == 42 && value.starts_with("0x");
    let text = address || matches!(node, Node::Date);
    let node = if text { Node::Text(value.to_owned()) } else { node };
    let entry = Entry { node, written: value.to_owned(), source };

    let mut lone = Table::new();
    let mut inner = &mut lone;
    let Some((key, sections)) = path.split_last() else { return };
    for section in sections {
        let entry = Entry {
            node: Node::Table(Table::new()),
            written: String::new(),
            source: Rc::from(SET),
        };
        let Node::Table(next) = &mut inner.entry(section.clone()).or_insert(entry).node else {
            return;
        };
        inner = next;
    }
    inner.insert(key.clone(), entry);
    screen(&mut lone, "", problems);
    merge(table, lone);
}

/// Splits at the first `=` outside quotes, and the path at its points outside quotes.
fn split(over: &str) -> Option<(Vec<String>, &str)> {
    let mut path = vec![String::new()];
    let mut quoted = false;
    for (at, c) in over.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '=' if !quoted => {
                for part in &mut path {
                    *part = part.trim().to_owned();
                }
                let whole = path.iter().all(|part| !part.is_empty());
                return whole.then(|| (path, over[at + 1..].trim()));
            }
            '.' if !quoted => path.push(String::new()),
            _ => path.last_mut()?.push(c),
        }
    }
    None
}

/// Lays `over` on `table`: tables are merged, everything else is replaced.
fn merge(table: &mut Table, over: Table) {
    for (key, entry) in over {
        match (table.get_mut(&key).map(|old| &mut old.node), entry.node) {
            (Some(Node::Table(old)), Node::Table(new)) => merge(old, new),
            (_, node) => {
                table.insert(key, Entry { node, ..entry });
            }
        }
    }
}

/// `path.key`, the key quoted where TOML would need it.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let key = if secret::refused_text(path, key).is_some() {
        "(not shown)".to_owned()
    } else if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        format!("\"{}\"", shown(key))
    };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
