//! Parquet: rows to row groups, row groups to a footer, and back to what a file holds. The only
//! place that knows `arrow2`.
//!
//! A day file grows by whole row groups. `arrow2` encodes new rows as a small file in memory; the
//! pages are taken out of it, placed behind those that stand, and one footer is written over all.
//! No statistics are written: those of unsigned and text columns are read differently by different
//! readers, and a wrong minimum hides rows.

mod batches;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use arrow2::array::{Array, BooleanArray, PrimitiveArray, Utf8Array};
use arrow2::chunk::Chunk;
use arrow2::datatypes::{DataType, Field as ArrowField, Schema, TimeUnit};
use arrow2::io::parquet::read;
use arrow2::io::parquet::write::{
    CompressionOptions, Encoding, FileWriter, RowGroupIterator, ThriftFileMetaData, Version,
    WriteOptions,
};
use arrow2::types::NativeType;
use parquet_format_safe::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
use parquet_format_safe::{ColumnMetaData, KeyValue, RowGroup};

use crate::persistence::columns::{self, Cell, Field, Type};
use crate::persistence::table::{Table, Value};
use crate::types::record::{Row, RowKind};

pub(super) use self::batches::{read_batches, read_key_values};

/// How a Parquet file begins and ends.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// Length of the footer and the magic behind it.
const TRAILER: u64 = 8;

/// Longest footer read: far above what a day of the largest groups needs.
const FOOTER_MAX: u64 = 256 << 20;

const OPTIONS: WriteOptions = WriteOptions {
    write_statistics: false,
    compression: CompressionOptions::Snappy,
    version: Version::V1,
    data_pagesize_limit: None,
};

/// Why rows could not be encoded: an error of ours, since every row fits its columns.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode: {0}")]
pub(super) struct EncodeError(String);

impl From<arrow2::error::Error> for EncodeError {
    fn from(e: arrow2::error::Error) -> Self {
        Self(e.to_string())
    }
}

/// Why a file cannot be continued.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// It could not be read; nothing is known about it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is damaged, or no Parquet file.
    #[error("{0}")]
    Damaged(String),
}

/// Where a row group lies, and its pages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Group(RowGroup);

impl Group {
    /// Its rows.
    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.0.num_rows).unwrap_or(0)
    }

    /// First byte of its pages, and the one past the last.
    pub(super) fn range(&self) -> (u64, u64) {
        let columns = self.0.columns.iter().filter_map(|column| column.meta_data.as_ref());
        let ranges = columns.filter_map(byte_range);
        ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0))
    }

    /// The same group with its first byte at `at`.
    pub(super) fn moved(&self, at: u64) -> Result<Self, EncodeError> {
        let shift = i128::from(at) - i128::from(self.range().0);
        let too_far = || EncodeError("a file past 2^63 bytes".into());
        let moved = |offset: i64| i64::try_from(i128::from(offset) + shift).map_err(|_| too_far());
        let mut group = self.0.clone();
        group.file_offset = group.file_offset.map(moved).transpose()?;
        for meta in group.columns.iter_mut().filter_map(|column| column.meta_data.as_mut()) {
            meta.data_page_offset = moved(meta.data_page_offset)?;
            meta.dictionary_page_offset = meta.dictionary_page_offset.map(moved).transpose()?;
        }
        Ok(Self(group))
    }
}

/// What a footer says.
#[derive(Debug)]
pub(super) struct Footer {
    /// Whether the columns are those we would write.
    pub(super) same_columns: bool,
    /// The row groups, in order.
    pub(super) groups: Vec<Group>,
    /// Where the last of them ends: the length of what a continued file keeps.
    pub(super) groups_end: u64,
    /// Key-value metadata, ours and others'.
    pub(super) metadata: Vec<(String, Option<String>)>,
}

/// Encodes `rows`, all of `kind`, as one row group whose first byte will stand at `at`.
pub(super) fn encode<'a>(
    kind: RowKind,
    rows: &(impl Iterator<Item = &'a Row> + Clone),
    at: u64,
) -> Result<(Group, Vec<u8>), EncodeError> {
    let fields = columns::fields(kind);
    let mut arrays = Vec::with_capacity(fields.len());
    for (i, field) in fields.iter().enumerate() {
        arrays.push(array(*field, rows.clone().map(|row| columns::cell(row, i)))?);
    }
    let chunk = Chunk::try_new(arrays)?;
    let schema = schema(kind);
    let plain = vec![vec![Encoding::Plain]; fields.len()];
    let groups = RowGroupIterator::try_new(std::iter::once(Ok(chunk)), &schema, OPTIONS, plain)?;
    let mut writer = FileWriter::try_new(Vec::new(), schema, OPTIONS)?;
    for group in groups {
        writer.write(group?)?;
    }
    writer.end(None)?;
    let (small, footer) = writer.into_inner_and_metadata();
    let group = footer.row_groups.into_iter().next();
    relocate(group.ok_or_else(|| EncodeError("no row group".into()))?, &small, at)
}

/// Takes the pages of `group` out of `small` and places them, one column behind the other, at `at`.
fn relocate(mut group: RowGroup, small: &[u8], at: u64) -> Result<(Group, Vec<u8>), EncodeError> {
    let mut pages = Vec::with_capacity(small.len());
    group.file_offset = i64::try_from(at).ok();
    group.ordinal = None;
    for column in &mut group.columns {
        let meta = column.meta_data.as_mut();
        let meta = meta.ok_or_else(|| EncodeError("a column without metadata".into()))?;
        let range = byte_range(meta).and_then(|(start, end)| {
            small.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
        });
        let range = range.ok_or_else(|| EncodeError("a column outside its file".into()))?;
        let start = at + pages.len() as u64;
        // No dictionary is written, so that the data pages come first.
        meta.data_page_offset =
            i64::try_from(start).map_err(|_| EncodeError("a file past 2^63 bytes".into()))?;
        pages.extend_from_slice(range);
        // Column metadata stand in the footer alone; zero says so.
        column.file_offset = 0;
        column.offset_index_offset = None;
        column.offset_index_length = None;
        column.column_index_offset = None;
        column.column_index_length = None;
    }
    Ok((Group(group), pages))
}

/// First byte of a column's pages, and the one past the last.
fn byte_range(meta: &ColumnMetaData) -> Option<(u64, u64)> {
    let start = meta.dictionary_page_offset.unwrap_or(meta.data_page_offset);
    let start = u64::try_from(start).ok()?;
    Some((start, start.checked_add(u64::try_from(meta.total_compressed_size).ok()?)?))
}

/// The end of a file of `kind` that holds `groups`: footer, its length, magic.
pub(super) fn footer<'a>(
    kind: RowKind,
    groups: impl Iterator<Item = &'a Group>,
    metadata: &[(&str, String)],
) -> Result<Vec<u8>, EncodeError> {
    let mut file = template(kind)?;
    file.row_groups = groups.map(|group| group.0.clone()).collect();
    file.num_rows = file.row_groups.iter().map(|group| group.num_rows).sum();
    file.created_by = Some(concat!("hip3 version ", env!("CARGO_PKG_VERSION")).to_owned());
    // What `template` wrote there is the Arrow schema, which tells readers the exact types.
    let entries = file.key_value_metadata.get_or_insert_default();
    for (key, value) in metadata {
        entries.push(KeyValue { key: (*key).to_owned(), value: Some(value.clone()) });
    }
    let mut bytes = Vec::new();
    file.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut bytes))
        .map_err(|e| EncodeError(e.to_string()))?;
    let length = u32::try_from(bytes.len()).map_err(|_| EncodeError("footer too long".into()))?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(MAGIC);
    Ok(bytes)
}

/// Reads what `file` says of itself, and checks that every row group lies where it may.
pub(super) fn read_footer(file: &File, kind: RowKind) -> Result<Footer, ReadError> {
    let damaged = |what: &str| ReadError::Damaged(what.to_owned());
    let length = file.metadata()?.len();
    if length < TRAILER + MAGIC.len() as u64 {
        return Err(ReadError::Damaged(format!("{length} bytes are too few for a Parquet file")));
    }
    let mut first = [0; 4];
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut first, 0)?;
    file.read_exact_at(&mut trailer, length - TRAILER)?;
    let [a, b, c, d, last @ ..] = trailer;
    if first != *MAGIC || last != *MAGIC {
        return Err(damaged("it does not begin and end as a Parquet file does"));
    }
    let footer_length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if footer_length > (length - TRAILER - MAGIC.len() as u64).min(FOOTER_MAX) {
        return Err(damaged("its footer is longer than it"));
    }
    let footer_start = length - TRAILER - footer_length;
    let mut bytes = vec![0; footer_length as usize];
    file.read_exact_at(&mut bytes, footer_start)?;
    // The reader's bound on what a hostile footer may make it allocate.
    let bound = bytes.len().saturating_mul(64).saturating_add(1 << 20);
    let mut protocol = TCompactInputProtocol::new(bytes.as_slice(), bound);
    let footer = ThriftFileMetaData::read_from_in_protocol(&mut protocol)
        .map_err(|e| ReadError::Damaged(format!("its footer cannot be read: {e}")))?;

    let mut groups_end = MAGIC.len() as u64;
    let mut rows = 0_i64;
    for group in &footer.row_groups {
        for column in &group.columns {
            let range = column.meta_data.as_ref().and_then(byte_range);
            let (start, end) = range.ok_or_else(|| damaged("a column has no place"))?;
            if start < MAGIC.len() as u64 || end > footer_start {
                return Err(damaged("a column lies outside of it"));
            }
            groups_end = groups_end.max(end);
        }
        rows = rows.saturating_add(group.num_rows);
    }
    if rows != footer.num_rows {
        return Err(damaged("its row groups do not add up"));
    }
    let ours = template(kind).map_err(|e| ReadError::Damaged(e.to_string()))?;
    Ok(Footer {
        same_columns: footer.schema == ours.schema,
        groups: footer.row_groups.into_iter().map(Group).collect(),
        groups_end,
        metadata: footer
            .key_value_metadata
            .into_iter()
            .flatten()
            .map(|entry| (entry.key, entry.value))
            .collect(),
    })
}

/// Reads the columns of these names; names that the file does not have are left out.
pub(super) fn read_columns(path: &Path, names: &[&str]) -> Result<Table, ReadError> {
    let mut table = Table::default();
    read_groups(path, names, |group| table.append(group))?;
    Ok(table)
}

/// Key-value metadata of a file, ours and others'.
pub(super) type Metadata = Vec<(String, Option<String>)>;

/// The same row group by row group; returns what the file says of itself.
pub(super) fn read_groups(
    path: &Path,
    names: &[&str],
    mut take: impl FnMut(Table),
) -> Result<Metadata, ReadError> {
    let mut file = File::open(path)?;
    let footer = read::read_metadata(&mut file).map_err(damaged)?;
    let schema = read::infer_schema(&footer).map_err(damaged)?;
    let schema = schema.filter(|_, field| names.contains(&field.name.as_str()));
    let fields: Vec<String> = schema.fields.iter().map(|field| field.name.clone()).collect();
    let metadata = footer.key_value_metadata().iter().flatten();
    let metadata = metadata.map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    for chunk in read::FileReader::new(file, footer.row_groups, schema, None, None, None) {
        let chunk = chunk.map_err(damaged)?;
        let mut table = Table { rows: chunk.len(), ..Table::default() };
        for (array, name) in chunk.arrays().iter().zip(&fields) {
            take_column(table.columns.entry(name.clone()).or_default(), array.as_ref())?;
        }
        take(table);
    }
    Ok(metadata)
}

/// What an error of the format's reader means.
fn damaged(error: arrow2::error::Error) -> ReadError {
    match error {
        // A file that ends too early is damaged; the disk did what it was asked to.
        arrow2::error::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            ReadError::Damaged("it ends too early".to_owned())
        }
        arrow2::error::Error::Io(error) => ReadError::Io(error),
        other => ReadError::Damaged(other.to_string()),
    }
}

/// Appends the values of `array`.
fn take_column(column: &mut Vec<Value>, array: &dyn Array) -> Result<(), ReadError> {
    fn numbers<T: NativeType>(
        column: &mut Vec<Value>,
        array: &dyn Array,
        value: impl Fn(T) -> Value,
    ) -> Option<()> {
        let array = array.as_any().downcast_ref::<PrimitiveArray<T>>()?;
        column.extend(array.iter().map(|one| one.map_or(Value::Null, |one| value(*one))));
        Some(())
    }
    let taken = match array.data_type() {
        DataType::UInt8 => numbers::<u8>(column, array, |v| Value::Int(v.into())),
        DataType::UInt32 => numbers::<u32>(column, array, |v| Value::Int(v.into())),
        DataType::UInt64 => numbers::<u64>(column, array, |v| Value::Int(v.into())),
        DataType::Int32 => numbers::<i32>(column, array, |v| Value::Int(v.into())),
        DataType::Int64 | DataType::Timestamp(..) => {
            numbers::<i64>(column, array, |v| Value::Int(v.into()))
        }
        DataType::Decimal(..) => numbers::<i128>(column, array, Value::Int),
        DataType::Float64 => numbers::<f64>(column, array, Value::Float),
        DataType::Boolean => array.as_any().downcast_ref::<BooleanArray>().map(|array| {
            let one = |one: Option<bool>| one.map_or(Value::Null, |one| Value::Int(one.into()));
            column.extend(array.iter().map(one));
        }),
        DataType::Utf8 => array.as_any().downcast_ref::<Utf8Array<i32>>().map(|array| {
            let one = |one: Option<&str>| one.map_or(Value::Null, |one| Value::Text(one.into()));
            column.extend(array.iter().map(one));
        }),
        _ => None,
    };
    let what = || format!("a column of type {:?}", array.data_type());
    taken.ok_or_else(|| ReadError::Damaged(what()))
}

/// The footer of a file of `kind` without rows.
fn template(kind: RowKind) -> Result<ThriftFileMetaData, EncodeError> {
    let mut writer = FileWriter::try_new(Vec::new(), schema(kind), OPTIONS)?;
    writer.end(None)?;
    Ok(writer.into_inner_and_metadata().1)
}

fn schema(kind: RowKind) -> Schema {
    let field = |f: &Field| ArrowField::new(f.name, data_type(f.ty), f.nullable);
    Schema::from(columns::fields(kind).iter().map(field).collect::<Vec<_>>())
}

fn data_type(ty: Type) -> DataType {
    match ty {
        Type::UInt8 => DataType::UInt8,
        Type::UInt32 => DataType::UInt32,
        Type::UInt64 => DataType::UInt64,
        Type::Int32 => DataType::Int32,
        Type::Int64 => DataType::Int64,
        Type::Float64 => DataType::Float64,
        Type::Decimal => DataType::Decimal(18, 8),
        Type::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".to_owned())),
        Type::Text => DataType::Utf8,
        Type::Bool => DataType::Boolean,
    }
}

fn array<'a>(
    field: Field,
    cells: impl Iterator<Item = Cell<'a>>,
) -> Result<Box<dyn Array>, EncodeError> {
    let to = data_type(field.ty);
    match field.ty {
        Type::UInt8 => primitive::<u8>(field, to, cells, unsigned),
        Type::UInt32 => primitive::<u32>(field, to, cells, unsigned),
        Type::UInt64 => primitive::<u64>(field, to, cells, unsigned),
        Type::Int32 => primitive::<i32>(field, to, cells, signed),
        Type::Int64 | Type::Time => primitive::<i64>(field, to, cells, signed),
        Type::Decimal => primitive::<i128>(field, to, cells, signed),
        Type::Float64 => primitive::<f64>(field, to, cells, |cell| match cell {
            Cell::Float(value) => Some(*value),
            _ => None,
        }),
        Type::Bool => {
            let values = collect(field, cells, |cell| match cell {
                Cell::Int(value) => Some(*value != 0),
                _ => None,
            })?;
            Ok(if field.nullable {
                BooleanArray::from(values).boxed()
            } else {
                BooleanArray::from_trusted_len_values_iter(
                    values.into_iter().flatten().collect::<Vec<_>>().into_iter(),
                )
                .boxed()
            })
        }
        Type::Text => {
            let texts = collect(field, cells, |cell| match cell {
                Cell::Text(text) => Some(text.clone()),
                _ => None,
            })?;
            Ok(if field.nullable {
                Utf8Array::<i32>::from(texts).boxed()
            } else {
                Utf8Array::<i32>::from_iter_values(texts.into_iter().flatten()).boxed()
            })
        }
    }
}

fn signed<T: TryFrom<i64>>(cell: &Cell<'_>) -> Option<T> {
    match cell {
        Cell::Int(value) => T::try_from(*value).ok(),
        _ => None,
    }
}

fn unsigned<T: TryFrom<u64>>(cell: &Cell<'_>) -> Option<T> {
    match cell {
        Cell::UInt(value) => T::try_from(*value).ok(),
        _ => None,
    }
}

fn primitive<'a, T: NativeType>(
    field: Field,
    to: DataType,
    cells: impl Iterator<Item = Cell<'a>>,
    value: impl Fn(&Cell<'a>) -> Option<T>,
) -> Result<Box<dyn Array>, EncodeError> {
    let values = collect(field, cells, value)?;
    Ok(if field.nullable {
        PrimitiveArray::from(values).to(to).boxed()
    } else {
        PrimitiveArray::from_vec(values.into_iter().flatten().collect()).to(to).boxed()
    })
}

/// The values of a column; an error when one is missing that must not be, or has another type.
fn collect<'a, T>(
    field: Field,
    cells: impl Iterator<Item = Cell<'a>>,
    value: impl Fn(&Cell<'a>) -> Option<T>,
) -> Result<Vec<Option<T>>, EncodeError> {
    cells
        .map(|cell| match value(&cell) {
            Some(value) => Ok(Some(value)),
            None if cell == Cell::Null && field.nullable => Ok(None),
            None => Err(EncodeError(format!("{} does not hold {cell:?}", field.name))),
        })
        .collect()
}
