//! Rows to record, and readers of what was recorded.
#![allow(dead_code, reason = "each test binary uses its share")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow2::array::{Array, BooleanArray, PrimitiveArray, Utf8Array};
use arrow2::datatypes::{DataType, Field};
use arrow2::io::parquet::read;

use hip3::persistence::RunInfo;
use hip3::types::ids::{AssetId, Coin, CrossId, SignalId};
use hip3::types::market::Level;
use hip3::types::num::{Bps, Px, Ratio, Side, Sz, Usd};
use hip3::types::order::{Cloid, Purpose, Refusal};
use hip3::types::record::{
    CrossEnd, CrossRow, Decision, EntryRow, ExitReason, FollowUpRow, GapCause, GapRow, Gate, Mode,
    OrderRow, Outcome, Row, SampleStatus, SignalRow, SizeLimit, TradeRow,
};
use hip3::types::time::{Nanos, VenueMs, Wall};

/// 2026-11-22 12:00 UTC.
pub(crate) const NOON: Wall = Wall(1_795_348_800_000_000_000);

/// The entry probes of every test run.
pub(crate) const LATENCIES: [u32; 2] = [50, 400];

pub(crate) fn run(id: &str) -> RunInfo {
    RunInfo {
        run_id: id.to_owned(),
        git_commit: "abc123".to_owned(),
        config_hash: format!("config of {id}"),
        started_at: NOON,
        mode: Mode::Observation,
        entry_latencies_ms: LATENCIES.to_vec(),
        slippage_bps: Some(Bps::from_int(2)),
        fee_sides: 2,
    }
}

pub(crate) fn secs(at: Wall, s: u64) -> Wall {
    at.plus(Nanos::from_secs(s))
}

pub(crate) fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

pub(crate) fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

pub(crate) fn level(price: &str, size: &str) -> Option<Level> {
    Some(Level { px: px(price), sz: sz(size) })
}

fn coin() -> Coin {
    Coin::new("xyz:SILVER").expect("a name")
}

/// Signal `id` of cross `id / 10`.
pub(crate) fn signal(id: u64, at: Wall) -> Row {
    Row::Signal(SignalRow {
        id: SignalId(id),
        detected_at: at,
        coin: coin(),
        asset: AssetId(110_027),
        side: Side::Buy,
        oracle_px: px("80.6"),
        mark_px: Some(px("80.55")),
        bid: level("80.1", "12"),
        ask: level("80.2", "3.5"),
        raw_edge: Bps::parse(b"49.5").expect("bps"),
        net_edge: Bps::parse(b"38.25").expect("bps"),
        cost: Bps::parse(b"16").expect("bps"),
        suggested_sz: sz("0.35"),
        suggested_notional: Usd::from_units(28_070_000),
        size_factor: Ratio::from_units(700_000_000),
        spread: Some(Bps::parse(b"12.5").expect("bps")),
        spread_ewma: Some(Bps::parse(b"11.75").expect("bps")),
        bbo_age: Nanos::from_millis(12),
        ctx_age: Nanos(1_500_999),
        bbo_time: VenueMs(1_795_348_799_988),
        cross: CrossId(id / 10),
        cross_age: Nanos::from_millis(1_000),
        blocked_by: Some(Gate::SpreadShock),
        gate_mask: Gate::SpreadShock.bit() | Gate::Halt.bit(),
        decision: Decision::Blocked(Gate::SpreadShock),
        limited_by: Some(SizeLimit::Margin),
        mode: Mode::Observation,
    })
}

pub(crate) fn follow_up(id: u64, offset_ms: u32, at: Wall) -> Row {
    Row::FollowUp(FollowUpRow {
        signal: SignalId(id),
        coin: coin(),
        side: Side::Buy,
        signal_at: at,
        offset_ms,
        captured_at: at.plus(Nanos::from_millis(offset_ms.into())),
        oracle_px: Some(px("80.61")),
        bid: level("80.5", "1"),
        ask: level("80.7", "2"),
        raw_edge: Some(Bps::parse(b"1.5").expect("bps")),
        edge_change: Some(Bps::from_int(-48)),
        oracle_moved: Some(Bps::parse(b"1.25").expect("bps")),
        market_moved: Some(Bps::from_int(50)),
        markout: Some(Bps::parse(b"37.5").expect("bps")),
        bbo_age: Some(Nanos::from_millis(3)),
        status: SampleStatus::Captured,
    })
}

pub(crate) fn entry(id: u64, latency_ms: u32, at: Wall) -> Row {
    Row::Entry(EntryRow {
        signal: SignalId(id),
        coin: coin(),
        side: Side::Buy,
        signal_at: at,
        latency_ms,
        captured_at: at.plus(Nanos::from_millis(latency_ms.into())),
        limit_px: px("80.2"),
        px: Some(px("80.25")),
        available_sz: Some(Sz::ZERO),
        fillable_sz: Some(Sz::ZERO),
        oracle_px: Some(px("80.61")),
        status: SampleStatus::Stale,
    })
}

pub(crate) fn cross(id: u64, at: Wall) -> Row {
    Row::Cross(CrossRow {
        id: CrossId(id),
        coin: coin(),
        side: Side::Sell,
        started_at: at,
        ended_at: at.plus(Nanos::from_millis(2_500)),
        duration: Nanos::from_millis(2_501),
        quote_survival: Some(Nanos::from_millis(650)),
        max_raw_edge: Bps::parse(b"49.5").expect("bps"),
        signals: 3,
        end: CrossEnd::Quote,
    })
}

pub(crate) fn gap(at: Wall) -> Row {
    Row::Gap(GapRow {
        started_at: at,
        ended_at: at.plus(Nanos::from_secs(1)),
        cause: GapCause::LinkDown,
        markets: 42,
    })
}

/// Everything that signal `id`, alone in its cross, makes, in the order the engine would.
pub(crate) fn episode(id: u64, at: Wall) -> Vec<Row> {
    let id = id * 10;
    vec![
        signal(id, at),
        entry(id, 50, at),
        entry(id, 400, at),
        follow_up(id, 1000, at),
        cross(id / 10, at),
        follow_up(id, 3000, at),
        follow_up(id, 5000, at),
    ]
}

/// The entry that took signal `id`, filled in part.
pub(crate) fn entry_order(id: u64, at: Wall) -> Row {
    let after = |ms| at.plus(Nanos::from_millis(ms));
    Row::Order(OrderRow {
        cloid: cloid(id, 0),
        oid: Some(id + 300_000_000_000),
        nonce: Some(1_795_348_800_001),
        coin: coin(),
        asset: AssetId(110_027),
        side: Side::Buy,
        px: px("80.2"),
        sz: sz("0.35"),
        reduce_only: false,
        purpose: Purpose::Entry(SignalId(id)),
        outcome: Outcome::PartiallyFilled,
        refusal: None,
        filled: sz("0.3"),
        avg_px: Some(px("80.15")),
        fee: Usd::from_units(2_164),
        created_at: at,
        sent_at: Some(at.plus(Nanos(2_500))),
        answered_at: Some(after(200)),
        updated_at: Some(after(201)),
        filled_at: Some(after(250)),
        ended_at: after(260),
        send_latency: Some(Nanos(2_345)),
        answer_latency: Some(Nanos::from_millis(199)),
    })
}

/// An exit of what it filled, refused before anything else was known of it.
pub(crate) fn exit_order(id: u64, at: Wall) -> Row {
    let Row::Order(entry) = entry_order(id, at) else { unreachable!() };
    Row::Order(OrderRow {
        cloid: cloid(id, 1),
        oid: None,
        nonce: None,
        side: Side::Sell,
        sz: sz("0.3"),
        reduce_only: true,
        purpose: Purpose::Exit(ExitReason::MarkRegression),
        outcome: Outcome::Rejected,
        refusal: Some(Refusal::MinNotional),
        filled: Sz::ZERO,
        avg_px: None,
        fee: Usd::ZERO,
        sent_at: None,
        answered_at: None,
        updated_at: None,
        filled_at: None,
        send_latency: None,
        answer_latency: None,
        ..entry
    })
}

/// What became of it: bought at 80.15, sold at 80.05.
pub(crate) fn trade(id: u64, at: Wall) -> Row {
    Row::Trade(TradeRow {
        id,
        signal: Some(SignalId(id)),
        coin: coin(),
        asset: AssetId(110_027),
        side: Side::Buy,
        sz: sz("0.3"),
        entry_px: px("80.15"),
        exit_px: px("80.05"),
        entered_at: at.plus(Nanos::from_millis(250)),
        exited_at: at.plus(Nanos::from_millis(2_750)),
        held: Nanos(2_500_999_999),
        exit: ExitReason::TimeStop,
        gross: Usd::from_units(-30_000),
        fees: Usd::from_units(4_325),
        net: Usd::from_units(-34_325),
        fills: 3,
        adopted: false,
    })
}

/// The `n`th order of signal `id`.
fn cloid(id: u64, n: u128) -> Cloid {
    Cloid((u128::from(id) << 8) | n)
}

/// All of a round trip.
pub(crate) fn round_trip(id: u64, at: Wall) -> Vec<Row> {
    vec![entry_order(id, at), exit_order(id, at), trade(id, at)]
}

/// What tells a row from all others.
pub(crate) fn key(row: &Row) -> String {
    match row {
        Row::Signal(row) => format!("signal {}", row.id.0),
        Row::FollowUp(row) => format!("followup {} {}", row.signal.0, row.offset_ms),
        Row::Entry(row) => format!("entry {} {}", row.signal.0, row.latency_ms),
        Row::Cross(row) => format!("cross {}", row.id.0),
        Row::Gap(row) => format!("gap {} {}", row.cause.name(), row.started_at.0),
        Row::Order(row) => format!("order {}", row.cloid),
        Row::Trade(row) => format!("trade {}", row.id),
    }
}

/// One file as another program reads it.
pub(crate) struct Table {
    pub(crate) fields: Vec<Field>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) row_groups: usize,
    pub(crate) rows: Vec<BTreeMap<String, String>>,
}

pub(crate) fn read_file(path: &Path) -> Table {
    let footer = read_footer(path);
    let fields = read::infer_schema(&footer).expect("a schema").fields;
    let metadata = footer.key_value_metadata().iter().flatten();
    let metadata =
        metadata.map(|kv| (kv.key.clone(), kv.value.clone().unwrap_or_default())).collect();
    let (row_groups, stated) = (footer.row_groups.len(), footer.num_rows);
    let rows = read_with(path, footer);
    assert_eq!(rows.len(), stated, "{}", path.display());
    Table { fields, metadata, row_groups, rows }
}

/// A footer, as a reader holds it.
pub(crate) fn read_footer(path: &Path) -> read::FileMetaData {
    read::read_metadata(&mut File::open(path).expect("the file")).expect("a whole footer")
}

/// The rows that `footer`, read at any time, finds in the file as it is now.
pub(crate) fn read_with(path: &Path, footer: read::FileMetaData) -> Vec<BTreeMap<String, String>> {
    let schema = read::infer_schema(&footer).expect("a schema");
    let fields = schema.fields.clone();
    let file = File::open(path).expect("the file");
    let mut rows = Vec::new();
    for chunk in read::FileReader::new(file, footer.row_groups, schema, None, None, None) {
        let chunk = chunk.expect("whole pages");
        for i in 0..chunk.len() {
            let cells = chunk.arrays().iter().zip(&fields);
            rows.push(cells.map(|(a, f)| (f.name.clone(), text(a.as_ref(), i))).collect());
        }
    }
    rows
}

/// A value as text: decimals in units of 1e-8, times in nanoseconds.
fn text(array: &dyn Array, i: usize) -> String {
    if array.is_null(i) {
        return "null".to_owned();
    }
    macro_rules! primitive {
        ($t:ty) => {
            array
                .as_any()
                .downcast_ref::<PrimitiveArray<$t>>()
                .expect("its type")
                .value(i)
                .to_string()
        };
    }
    match array.data_type() {
        DataType::UInt8 => primitive!(u8),
        DataType::UInt32 => primitive!(u32),
        DataType::UInt64 => primitive!(u64),
        DataType::Int32 => primitive!(i32),
        DataType::Int64 | DataType::Timestamp(..) => primitive!(i64),
        DataType::Decimal(..) => primitive!(i128),
        DataType::Float64 => primitive!(f64),
        DataType::Boolean => {
            let array = array.as_any().downcast_ref::<BooleanArray>();
            array.expect("its type").value(i).to_string()
        }
        DataType::Utf8 => {
            let array = array.as_any().downcast_ref::<Utf8Array<i32>>();
            array.expect("text").value(i).to_owned()
        }
        other => panic!("a column of type {other:?}"),
    }
}

/// The `*.parquet` files of `dir`, by name. Every one of them has to be whole.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect();
    paths.sort();
    paths
}

/// The keys of all rows in the files of `dir`, and how often each is there.
pub(crate) fn recorded(dir: &Path) -> BTreeMap<String, usize> {
    let mut keys = BTreeMap::new();
    for path in files(dir) {
        for row in read_file(&path).rows {
            *keys.entry(key_of(&path, &row)).or_insert(0) += 1;
        }
    }
    keys
}

/// The key of a row as it was read.
pub(crate) fn key_of(path: &Path, row: &BTreeMap<String, String>) -> String {
    let stem = path.file_stem().expect("a name").to_string_lossy();
    match stem.split('_').next().expect("a kind") {
        "signals" => format!("signal {}", row["signal_id"]),
        "followup" => format!("followup {} {}", row["signal_id"], row["offset_ms"]),
        "entries" => format!("entry {} {}", row["signal_id"], row["latency_ms"]),
        "crosses" => format!("cross {}", row["cross_id"]),
        "gaps" => format!("gap {} {}", row["cause"], row["started_at"]),
        "orders" => format!("order {}", row["cloid"]),
        "trades" => format!("trade {}", row["trade_id"]),
        other => panic!("a file named {other}"),
    }
}

/// The names in `dir`.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the directory");
    let mut names: Vec<_> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
