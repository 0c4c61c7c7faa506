//! Row groups of a file as batches.

use std::fs::File;
use std::path::Path;

use arrow2::array::{Array, BooleanArray, PrimitiveArray, Utf8Array};
use arrow2::datatypes::{DataType, TimeUnit};
use arrow2::io::parquet::read;
use arrow2::types::NativeType;

use super::{Metadata, ReadError, damaged};
use crate::persistence::batch::{Batch, Column, Dictionary, NO_TEXT, Values};
use crate::persistence::columns::Field;

/// Key-value metadata of a file, ours and others', without its rows.
pub(in crate::persistence) fn read_key_values(path: &Path) -> Result<Metadata, ReadError> {
    let footer = read::read_metadata(&mut File::open(path)?).map_err(damaged)?;
    Ok(key_values(&footer))
}

fn key_values(footer: &read::FileMetaData) -> Metadata {
    let entries = footer.key_value_metadata().iter().flatten();
    entries.map(|entry| (entry.key.clone(), entry.value.clone())).collect()
}

/// Reads the columns `asked` row group by row group, in that order; returns what the file says of itself.
///
/// Errors: a file that cannot be read, or whose columns are not those.
pub(in crate::persistence) fn read_batches(
    path: &Path,
    asked: &[Field],
    dictionary: &mut Dictionary,
    mut take: impl FnMut(&Batch, &Dictionary),
) -> Result<Metadata, ReadError> {
    let mut file = File::open(path)?;
    let footer = read::read_metadata(&mut file).map_err(damaged)?;
    let schema = read::infer_schema(&footer).map_err(damaged)?;
    let wanted = |name: &str| asked.iter().any(|field| field.name == name);
    let schema = schema.filter(|_, field| wanted(&field.name));
    // Where each column asked for stands among those that will be read.
    let mut places = Vec::with_capacity(asked.len());
    for field in asked {
        let place = schema.fields.iter().position(|one| one.name == field.name);
        let missing = || ReadError::Damaged(format!("it has no column {}", field.name));
        places.push(place.ok_or_else(missing)?);
    }
    let metadata = key_values(&footer);
    for chunk in read::FileReader::new(file, footer.row_groups, schema, None, None, None) {
        let chunk = chunk.map_err(damaged)?;
        let mut columns = Vec::with_capacity(asked.len());
        for (field, place) in asked.iter().zip(&places) {
            let array = chunk.arrays().get(*place);
            let column = array.and_then(|array| column(*field, array.as_ref(), dictionary));
            columns.push(column.ok_or_else(|| wrong_type(*field, array.map(AsRef::as_ref)))?);
        }
        take(&Batch::new(chunk.len(), columns), dictionary);
    }
    Ok(metadata)
}

fn wrong_type(field: Field, array: Option<&dyn Array>) -> ReadError {
    let found = array.map(|array| format!("{:?}", array.data_type())).unwrap_or_default();
    ReadError::Damaged(format!("column {} holds {found}, expected {:?}", field.name, field.ty))
}

/// The values of `array`; `None` when they are not what the field holds, or miss where they must not.
fn column(field: Field, array: &dyn Array, dictionary: &mut Dictionary) -> Option<Column> {
    let valid = match array.validity() {
        Some(bits) if bits.unset_bits() > 0 => Some(bits.iter().collect::<Vec<bool>>()),
        Some(_) | None => None,
    };
    if valid.is_some() && !field.nullable {
        return None;
    }
    let mut values = Values::empty(field.ty);
    match (&mut values, array.data_type()) {
        (Values::Ints(to), DataType::Int32) => *to = converted::<i32, i64>(array)?,
        // Another tool that wrote the file anew may have put times in other units, and decimals on another scale.
        (Values::Ints(to), DataType::Int64 | DataType::Timestamp(TimeUnit::Nanosecond, _)) => {
            to.extend_from_slice(primitive::<i64>(array)?);
        }
        (Values::Ints(to), DataType::Decimal(_, 8)) => {
            // The columns have 18 digits: what is written in them fits.
            let narrow = |units: &i128| i64::try_from(*units).ok();
            *to = primitive::<i128>(array)?.iter().map(narrow).collect::<Option<_>>()?;
        }
        (Values::Ints(to), DataType::Boolean) => {
            let array = array.as_any().downcast_ref::<BooleanArray>()?;
            to.extend(array.values().iter().map(i64::from));
        }
        (Values::UInts(to), DataType::UInt8) => *to = converted::<u8, u64>(array)?,
        (Values::UInts(to), DataType::UInt32) => *to = converted::<u32, u64>(array)?,
        (Values::UInts(to), DataType::UInt64) => to.extend_from_slice(primitive::<u64>(array)?),
        (Values::Floats(to), DataType::Float64) => to.extend_from_slice(primitive::<f64>(array)?),
        (Values::Codes(to), DataType::Utf8) => {
            *to = codes(array.as_any().downcast_ref::<Utf8Array<i32>>()?, dictionary);
        }
        _ => return None,
    }
    Some(Column { values, valid })
}

fn primitive<T: NativeType>(array: &dyn Array) -> Option<&[T]> {
    Some(array.as_any().downcast_ref::<PrimitiveArray<T>>()?.values().as_slice())
}

fn converted<T: NativeType, To: From<T>>(array: &dyn Array) -> Option<Vec<To>> {
    Some(primitive::<T>(array)?.iter().map(|value| To::from(*value)).collect())
}

fn codes(array: &Utf8Array<i32>, dictionary: &mut Dictionary) -> Vec<u32> {
    // Neighbours are often alike: only a change is looked up.
    let mut last: Option<(&str, u32)> = None;
    let mut codes = Vec::with_capacity(array.len());
    for text in array {
        codes.push(match (text, last) {
            (None, _) => NO_TEXT,
            (Some(text), Some((before, code))) if text == before => code,
            (Some(text), _) => {
                let code = dictionary.code(text);
                last = Some((text, code));
                code
            }
        });
    }
    codes
}
