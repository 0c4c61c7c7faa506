#!/usr/bin/env python3
"""Opens every record file of a data directory with pyarrow and DuckDB and checks what it promises:
columns and types, unique ids, three follow-ups and the same entry probes for every signal, a cross
for every signal, an order for every signal that was sent, profits that sum up. Prints a table; exits
with 1 when something is broken.

    pip install pyarrow duckdb
    tools/check_records.py data/signals
"""

import argparse
import glob
import json
import os
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

DECIMAL = pa.decimal128(18, 8)
TIME = pa.timestamp("ns", tz="UTC")
TEXT = pa.string()
U8, U32, U64 = pa.uint8(), pa.uint32(), pa.uint64()
I32, I64, F64 = pa.int32(), pa.int64(), pa.float64()
BOOL = pa.bool_()

# Name, type; a question mark behind the name says that it may be null.
COLUMNS = {
    "signals": [
        ("signal_id", U64), ("detected_at", TIME), ("market", TEXT), ("asset_id", U32),
        ("side", TEXT), ("oracle_px", DECIMAL), ("mark_px?", DECIMAL), ("bid_px?", DECIMAL),
        ("bid_sz?", DECIMAL), ("ask_px?", DECIMAL), ("ask_sz?", DECIMAL), ("raw_edge_bps", F64),
        ("net_edge_bps", F64), ("cost_bps", F64), ("suggested_sz", DECIMAL),
        ("suggested_notional", DECIMAL), ("size_factor", F64), ("spread_bps?", F64),
        ("spread_ewma_bps?", F64), ("bbo_age_us", I64), ("ctx_age_us", I64), ("bbo_time_ms", I64),
        ("cross_id", U64), ("cross_age_ms", I64), ("blocked_by?", TEXT), ("gate_mask", U8),
        ("decision", TEXT), ("limited_by?", TEXT), ("mode", TEXT),
    ],
    "followup": [
        ("signal_id", U64), ("market", TEXT), ("side", TEXT), ("signal_at", TIME),
        ("offset_ms", I32), ("captured_at", TIME), ("oracle_px?", DECIMAL), ("bid_px?", DECIMAL),
        ("bid_sz?", DECIMAL), ("ask_px?", DECIMAL), ("ask_sz?", DECIMAL), ("raw_edge_bps?", F64),
        ("edge_change_bps?", F64), ("oracle_moved_bps?", F64), ("market_moved_bps?", F64),
        ("markout_bps?", F64), ("bbo_age_us?", I64), ("status", TEXT),
    ],
    "entries": [
        ("signal_id", U64), ("market", TEXT), ("side", TEXT), ("latency_ms", I32),
        ("captured_at", TIME), ("limit_px", DECIMAL), ("px?", DECIMAL), ("available_sz?", DECIMAL),
        ("fillable_sz?", DECIMAL), ("oracle_px?", DECIMAL), ("status", TEXT),
    ],
    "crosses": [
        ("cross_id", U64), ("market", TEXT), ("side", TEXT), ("started_at", TIME),
        ("ended_at", TIME), ("duration_us", I64), ("quote_survival_us?", I64),
        ("max_raw_edge_bps", F64), ("signals", U32), ("end_reason", TEXT),
    ],
    "gaps": [("started_at", TIME), ("ended_at", TIME), ("cause", TEXT), ("markets", U32)],
    "orders": [
        ("cloid", TEXT), ("oid?", U64), ("nonce?", U64), ("signal_id?", U64), ("market", TEXT),
        ("asset_id", U32), ("side", TEXT), ("px", DECIMAL), ("sz", DECIMAL), ("reduce_only", BOOL),
        ("reason", TEXT), ("outcome", TEXT), ("refusal?", TEXT), ("filled", DECIMAL),
        ("avg_px?", DECIMAL), ("fee", DECIMAL), ("created_at", TIME), ("sent_at?", TIME),
        ("answered_at?", TIME), ("updated_at?", TIME), ("filled_at?", TIME), ("ended_at", TIME),
        ("send_latency_ns?", I64), ("answer_latency_ns?", I64),
    ],
    "trades": [
        ("trade_id", U64), ("signal_id?", U64), ("market", TEXT), ("asset_id", U32), ("side", TEXT),
        ("sz", DECIMAL), ("entry_px", DECIMAL), ("exit_px", DECIMAL), ("entered_at", TIME),
        ("exited_at", TIME), ("holding_ms", I64), ("exit_reason", TEXT),
        ("pnl_before_fees", DECIMAL), ("fees", DECIMAL), ("pnl", DECIMAL), ("fills", U32),
        ("adopted", BOOL),
    ],
}

METADATA = ["schema_version", "run_id", "git_commit", "config_hash", "last_seq"]

# Columns that files of an older version do not have.
YOUNGER = {b"1": {"signals": ("limited_by",)}}

EXITS = "'mark_regression', 'time_stop', 'flatten', 'shutdown', 'foreign'"

# A query that yields the offending rows, and what they are. A run that still goes on owes rows.
RULES = [
    ("signals", "SELECT signal_id FROM signals GROUP BY 1 HAVING count(*) > 1", "signal ids twice"),
    ("signals", "SELECT 1 FROM signals WHERE decision LIKE 'filtered:%' AND blocked_by IS NOT NULL",
     "signals that a filter blocked after a gate had"),
    ("crosses", "SELECT cross_id FROM crosses GROUP BY 1 HAVING count(*) > 1", "cross ids twice"),
    ("followup", "SELECT signal_id, offset_ms FROM followup GROUP BY 1, 2 HAVING count(*) > 1",
     "follow-ups twice"),
    ("entries", "SELECT signal_id, latency_ms FROM entries GROUP BY 1, 2 HAVING count(*) > 1",
     "entry probes twice"),
    ("followup", "SELECT 1 FROM followup WHERE offset_ms NOT IN (1000, 3000, 5000)",
     "follow-ups at a time of their own"),
    ("gaps", "SELECT 1 FROM gaps WHERE ended_at < started_at", "gaps that end before they begin"),
    ("crosses", "SELECT 1 FROM crosses WHERE ended_at < started_at",
     "crosses that end before they begin"),
    ("orders", "SELECT cloid FROM orders GROUP BY 1 HAVING count(*) > 1", "cloids twice"),
    ("trades", "SELECT trade_id FROM trades GROUP BY 1 HAVING count(*) > 1", "trade ids twice"),
    ("orders", "SELECT 1 FROM orders WHERE outcome NOT IN ('filled', 'partially_filled', 'expired',"
     " 'rejected', 'dropped', 'unknown')", "orders with an outcome of their own"),
    ("orders", f"SELECT 1 FROM orders WHERE reason NOT IN ('entry', {EXITS})",
     "orders with a reason of their own"),
    ("orders", "SELECT 1 FROM orders WHERE (reason = 'entry') <> (signal_id IS NOT NULL)"
     " OR (reason = 'entry') = reduce_only", "orders that are neither entry nor exit"),
    ("orders", "SELECT 1 FROM orders WHERE filled < 0 OR filled > sz"
     " OR (outcome IN ('filled', 'partially_filled')) <> (filled > 0) AND outcome <> 'unknown'"
     " OR outcome = 'partially_filled' AND filled = sz"
     " OR outcome = 'filled' AND filled < sz AND NOT reduce_only",
     "orders whose outcome and filled size contradict each other"),
    ("orders", "SELECT 1 FROM orders WHERE outcome = 'rejected' AND refusal IS NULL",
     "orders rejected without a refusal"),
    ("orders", "SELECT 1 FROM orders WHERE ended_at < created_at OR sent_at < created_at",
     "orders that end or leave before they were made"),
    ("trades", f"SELECT 1 FROM trades WHERE exit_reason NOT IN ({EXITS})",
     "trades with an exit reason of their own"),
    ("trades", "SELECT 1 FROM trades WHERE pnl <> pnl_before_fees - fees",
     "trades whose profit is not what the fees leave"),
    # Mean prices are cut after eight decimals: their product is as far off as the size is large.
    ("trades", "SELECT 1 FROM trades WHERE abs(pnl_before_fees::DOUBLE - sz::DOUBLE"
     " * (exit_px - entry_px)::DOUBLE * CASE side WHEN 'buy' THEN 1 ELSE -1 END)"
     " > 0.000002 + 0.00000003 * sz::DOUBLE", "trades whose profit is not that of their prices"),
    ("trades", "SELECT 1 FROM trades WHERE exited_at < entered_at OR sz <= 0"
     " OR fills = 0 AND NOT adopted",
     "trades that end before they begin, or are of nothing"),
]
WHOLE = [
    ("signals followup", "SELECT signal_id FROM signals LEFT JOIN followup USING (signal_id)"
     " GROUP BY 1 HAVING count(offset_ms) <> 3", "signals without three follow-ups"),
    ("signals entries", "SELECT signal_id, count(latency_ms) AS n FROM signals LEFT JOIN entries"
     " USING (signal_id) GROUP BY 1 HAVING n <> $entries", "signals without all entry probes"),
    ("signals crosses", "SELECT signal_id FROM signals ANTI JOIN crosses USING (cross_id)",
     "signals without a cross"),
]
# What only a run that ended in order promises: one that died may owe the row of an order.
IN_ORDER = [
    ("signals orders", "SELECT signal_id FROM signals ANTI JOIN orders USING (signal_id)"
     " WHERE decision = 'sent'", "signals that were sent and have no order"),
    ("trades orders", "SELECT signal_id FROM trades WHERE signal_id NOT IN"
     " (SELECT signal_id FROM orders WHERE reason = 'entry')", "trades without an entry"),
]
CUT = "SELECT 1 FROM gaps WHERE cause IN ('killed', 'ring_overflow', 'storage')"
ORPHANS = [
    ("signals followup", "SELECT 1 FROM followup ANTI JOIN signals USING (signal_id)",
     "follow-ups without their signal"),
    ("signals entries", "SELECT 1 FROM entries ANTI JOIN signals USING (signal_id)",
     "entry probes without their signal"),
    ("signals orders", "SELECT 1 FROM orders ANTI JOIN signals USING (signal_id)"
     " WHERE signal_id IS NOT NULL", "entries without their signal"),
]


def check_file(path, kind, running, problems):
    """One file, by itself: columns, types, nulls, metadata, both readers. Returns a table row."""
    name = os.path.basename(path)
    file = pq.ParquetFile(path)
    version = (file.metadata.metadata or {}).get(b"hip3.schema_version")
    younger = YOUNGER.get(version, {}).get(kind, ())
    expected = [(n.rstrip("?"), t, n.endswith("?")) for n, t in COLUMNS[kind] if n.rstrip("?") not in younger]
    actual = [(f.name, f.type, f.nullable) for f in file.schema_arrow]
    if actual != expected:
        wrong = [f"{a} instead of {e}" for a, e in zip(actual, expected) if a != e]
        problems.append(f"{name}: columns differ: {wrong or 'their number'}")
    meta = {k.decode(): v.decode() for k, v in (file.metadata.metadata or {}).items()}
    missing = [key for key in METADATA if f"hip3.{key}" not in meta]
    if missing:
        problems.append(f"{name}: metadata without {missing}")
    table = file.read()
    table.validate(full=True)
    # The hash makes DuckDB decode every value; the values themselves need not come out.
    rows = duckdb.sql(f"SELECT count(*), max(hash(t)) FROM '{path}' t").fetchall()[0][0]
    # A run that goes on may have written the next file between the two.
    if rows < table.num_rows or rows > table.num_rows and not running:
        problems.append(f"{name}: pyarrow reads {table.num_rows} rows, DuckDB {rows}")
    return (name, table.num_rows, file.metadata.num_row_groups, os.path.getsize(path),
            meta.get("hip3.run_id", "-"))


def probes_of(path):
    """How many entry probes a signal of each run in the file has."""
    meta = pq.read_metadata(path).metadata or {}
    runs = json.loads(meta.get(b"hip3.runs", b"[]"))
    return {len(run["entry_latencies_ms"]) for run in runs}


def print_table(head, rows):
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    width = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        print("  ".join(
            c.rjust(w) if c.isdigit() else c.ljust(w) for c, w in zip(row, width)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("dir", help="data directory")
    parser.add_argument("--entries", type=int, metavar="N",
                        help="entry probes of every signal (as the files' metadata say)")
    parser.add_argument("--running", action="store_true",
                        help="the run goes on: rows that are still owed are no problem")
    args = parser.parse_args()

    problems, notes, rows, kinds, probes = [], [], [], set(), set()
    paths = sorted(glob.glob(os.path.join(args.dir, "*.parquet")))
    if not paths:
        print(f"{args.dir}: no *.parquet files", file=sys.stderr)
        return 1
    for path in paths:
        kind = os.path.basename(path).split("_")[0]
        if kind not in COLUMNS:
            problems.append(f"{os.path.basename(path)}: not a name of a record file")
            continue
        try:
            rows.append(check_file(path, kind, args.running, problems))
            kinds.add(kind)
            probes |= probes_of(path)
        except Exception as error:  # Whatever a reader says is a finding, not a reason to stop.
            problems.append(f"{os.path.basename(path)}: {error}")
    print_table(("file", "rows", "groups", "bytes", "last run"), rows)

    if args.entries is not None:
        probes = {args.entries}
    if len(probes) > 1:
        notes.append(f"runs with {sorted(probes)} entry probes a signal: their number is unchecked")
    for kind in COLUMNS:
        if kind in kinds:
            pattern = os.path.join(args.dir, f"{kind}_*.parquet")
            duckdb.sql(f"CREATE VIEW {kind} AS SELECT * FROM '{pattern}'")
        else:
            columns = ", ".join(f"NULL AS {name.rstrip('?')}" for name, _ in COLUMNS[kind])
            duckdb.sql(f"CREATE VIEW {kind} AS SELECT {columns} WHERE false")
    cut = args.running or duckdb.sql(f"SELECT count(*) FROM ({CUT})").fetchall()[0][0] > 0
    for rules, found in [(RULES, problems), (WHOLE, notes if args.running else problems),
                         (IN_ORDER, notes if cut else problems), (ORPHANS, notes)]:
        for needs, query, what in rules:
            if not set(needs.split()) & kinds or ("$entries" in query and len(probes) != 1):
                continue
            query = query.replace("$entries", str(min(probes, default=0)))
            count = duckdb.sql(f"SELECT count(*) FROM ({query})").fetchall()[0][0]
            if count:
                found.append(f"{count} {what}")
    for note in notes:
        print(f"note: {note}")
    for problem in problems:
        print(f"BROKEN: {problem}")
    print("broken" if problems else "all promises kept")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
