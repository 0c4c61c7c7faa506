//! Records read back: columns by name, whatever runs and versions wrote them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::persistence::parquet;
use crate::types::record::RowKind;

/// One value; decimals in units of 1e-8, times in nanoseconds since 1970, booleans as 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A null.
    Null,
    /// A number without a fraction, or a decimal in units.
    Int(i128),
    /// An edge, or another figure for people.
    Float(f64),
    /// A name.
    Text(String),
}

/// Some columns of a file, or of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Number of rows.
    pub rows: usize,
    /// Their values by column, all of that length.
    pub columns: BTreeMap<String, Vec<Value>>,
}

impl Table {
    /// A value; `Null` where there is no such column or row.
    pub fn get(&self, column: &str, row: usize) -> &Value {
        self.columns.get(column).and_then(|values| values.get(row)).unwrap_or(&Value::Null)
    }

    /// A number; `None` where there is none.
    pub fn int(&self, column: &str, row: usize) -> Option<i128> {
        if let Value::Int(value) = self.get(column, row) { Some(*value) } else { None }
    }

    /// A figure for people; `None` where there is none.
    pub fn float(&self, column: &str, row: usize) -> Option<f64> {
        if let Value::Float(value) = self.get(column, row) { Some(*value) } else { None }
    }

    /// A text; `None` where there is none.
    pub fn text(&self, column: &str, row: usize) -> Option<&str> {
        if let Value::Text(value) = self.get(column, row) { Some(value) } else { None }
    }

    /// Puts the rows of `other` behind these; a column that one of them lacks is `Null` there.
    pub(super) fn append(&mut self, other: Table) {
        let rows = self.rows + other.rows;
        for (name, values) in other.columns {
            let column = self.columns.entry(name).or_default();
            column.resize(self.rows, Value::Null);
            column.extend(values);
        }
        for column in self.columns.values_mut() {
            column.resize(rows, Value::Null);
        }
        self.rows = rows;
    }

    /// Drops the rows that `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Table, usize) -> bool) {
        let kept: Vec<bool> = (0..self.rows).map(|row| keep(self, row)).collect();
        for column in self.columns.values_mut() {
            let mut kept = kept.iter();
            column.retain(|_| kept.next().copied().unwrap_or(false));
        }
        self.rows = kept.into_iter().filter(|kept| *kept).count();
    }
}

/// Reads columns of all day files of `kind` below `dir`, oldest day first; none is an empty table.
///
/// Errors: a directory or a file that cannot be read, by its path.
pub fn read_days(dir: &Path, kind: RowKind, columns: &[&str]) -> io::Result<Table> {
    let stem = format!("{}_", kind.file_stem());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&stem) && name.ends_with(".parquet") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut all = Table::default();
    for path in paths {
        let table = parquet::read_columns(&path, columns)
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        all.append(table);
    }
    Ok(all)
}
