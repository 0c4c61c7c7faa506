//! Records read by the million: typed columns, a row group at a time, for whoever adds them up.
//!
//! A [`Table`](crate::persistence::Table) holds any value of any column and is for the few rows that a person asked for. A
//! batch holds vectors of plain numbers, so that a column is a loop over memory. Nothing here knows
//! the file format.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use crate::persistence::columns::{self, Cell, Field, Type};
use crate::types::record::{Row, RowKind};

/// The code of no text.
pub const NO_TEXT: u32 = u32::MAX;

/// Texts of few different values, as numbers: the first that is met is 0.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    texts: Vec<String>,
    codes: HashMap<String, u32>,
}

impl Dictionary {
    /// The number of `text`; a new one if it was not met before.
    pub fn code(&mut self, text: &str) -> u32 {
        if let Some(code) = self.codes.get(text) {
            return *code;
        }
        // Beyond that many texts they no longer fit the memory either.
        let code = u32::try_from(self.texts.len()).unwrap_or(NO_TEXT);
        self.texts.push(text.to_owned());
        self.codes.insert(text.to_owned(), code);
        code
    }

    /// The text of a number; empty for [`NO_TEXT`] and for numbers that were not given.
    pub fn text(&self, code: u32) -> &str {
        self.texts.get(code as usize).map_or("", String::as_str)
    }

    /// All texts, in the order of their numbers.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

/// The values of a column. Where there is none they hold 0, 0.0 or [`NO_TEXT`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// Signed numbers, times (nanoseconds since 1970), decimals (units of 1e-8), booleans (0 and 1).
    Ints(Vec<i64>),
    /// Unsigned numbers.
    UInts(Vec<u64>),
    /// Edges and other figures for people.
    Floats(Vec<f64>),
    /// Texts by their codes.
    Codes(Vec<u32>),
}

impl Values {
    /// None yet, of the kind that holds a `ty`.
    pub(super) fn empty(ty: Type) -> Self {
        match ty {
            Type::UInt8 | Type::UInt32 | Type::UInt64 => Self::UInts(Vec::new()),
            Type::Int32 | Type::Int64 | Type::Time | Type::Decimal | Type::Bool => {
                Self::Ints(Vec::new())
            }
            Type::Float64 => Self::Floats(Vec::new()),
            Type::Text => Self::Codes(Vec::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Ints(values) => values.len(),
            Self::UInts(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Codes(values) => values.len(),
        }
    }
}

/// A column of a batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) values: Values,
    /// Which of them are there; `None` when all are.
    pub(super) valid: Option<Vec<bool>>,
}

/// Some columns of some rows: those that were asked for, in that order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    rows: usize,
    columns: Vec<Column>,
}

impl Batch {
    /// Columns of `rows` values each.
    pub(super) fn new(rows: usize, columns: Vec<Column>) -> Self {
        debug_assert!(columns.iter().all(|column| column.values.len() == rows), "of one length");
        Self { rows, columns }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Column number `at`, if it holds signed numbers, times, decimals or booleans; else nothing.
    pub fn ints(&self, at: usize) -> &[i64] {
        match self.columns.get(at).map(|column| &column.values) {
            Some(Values::Ints(values)) => values,
            _ => &[],
        }
    }

    /// Column number `at`, if it holds unsigned numbers; else nothing.
    pub fn uints(&self, at: usize) -> &[u64] {
        match self.columns.get(at).map(|column| &column.values) {
            Some(Values::UInts(values)) => values,
            _ => &[],
        }
    }

    /// Column number `at`, if it holds figures; else nothing.
    pub fn floats(&self, at: usize) -> &[f64] {
        match self.columns.get(at).map(|column| &column.values) {
            Some(Values::Floats(values)) => values,
            _ => &[],
        }
    }

    /// Column number `at`, if it holds texts, by their codes; else nothing.
    pub fn codes(&self, at: usize) -> &[u32] {
        match self.columns.get(at).map(|column| &column.values) {
            Some(Values::Codes(values)) => values,
            _ => &[],
        }
    }

    /// Whether `row` has a value in column number `at`.
    pub fn is_there(&self, at: usize, row: usize) -> bool {
        let valid = self.columns.get(at).map(|column| &column.valid);
        match valid {
            Some(Some(valid)) => valid.get(row).copied().unwrap_or(false),
            Some(None) => row < self.rows,
            None => false,
        }
    }

    /// A batch of rows that are in no file yet.
    pub(super) fn of_rows<'a>(
        rows: impl Iterator<Item = &'a Row> + Clone,
        asked: &[Field],
        dictionary: &mut Dictionary,
    ) -> Self {
        let columns = asked.iter().map(|field| column_of_rows(rows.clone(), *field, dictionary));
        let columns = columns.collect();
        Self::new(rows.count(), columns)
    }
}

fn column_of_rows<'a>(
    rows: impl Iterator<Item = &'a Row>,
    field: Field,
    dictionary: &mut Dictionary,
) -> Column {
    let mut values = Values::empty(field.ty);
    let mut valid = Vec::new();
    for row in rows {
        let at = columns::fields(row.kind()).iter().position(|one| one.name == field.name);
        let cell = at.map_or(Cell::Null, |at| columns::cell(row, at));
        valid.push(cell != Cell::Null);
        match (&mut values, &cell) {
            (Values::Ints(to), Cell::Int(value)) => to.push(*value),
            (Values::UInts(to), Cell::UInt(value)) => to.push(*value),
            (Values::Floats(to), Cell::Float(value)) => to.push(*value),
            (Values::Codes(to), Cell::Text(text)) => to.push(dictionary.code(text)),
            (Values::Ints(to), _) => to.push(0),
            (Values::UInts(to), _) => to.push(0),
            (Values::Floats(to), _) => to.push(0.0),
            (Values::Codes(to), _) => to.push(NO_TEXT),
        }
    }
    let all = valid.iter().all(|there| *there);
    Column { values, valid: (!all).then_some(valid) }
}

/// The fields of these names.
///
/// Errors: a name that no column of `kind` has.
pub(super) fn asked(kind: RowKind, names: &[&str]) -> io::Result<Vec<Field>> {
    let fields = columns::fields(kind);
    let find = |name: &&str| {
        let field = fields.iter().find(|field| field.name == *name).copied();
        field.ok_or_else(|| {
            let stem = kind.file_stem();
            io::Error::new(io::ErrorKind::InvalidInput, format!("{stem} has no column {name}"))
        })
    };
    names.iter().map(find).collect()
}

/// Why a day file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct BatchError {
    /// The file.
    pub path: PathBuf,
    /// What is the matter with it.
    pub why: String,
    /// Whether the file itself is at fault (damaged, or not ours): then the rest of the directory can
    /// be read without it. Else the disk or its rights are.
    pub damaged: bool,
}
