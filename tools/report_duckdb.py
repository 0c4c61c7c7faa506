#!/usr/bin/env python3
"""The figures of `hip3 report --json` that need no resampling, counted by DuckDB over the files as they lie.

    tools/report_duckdb.py data/signals --out duckdb.json

What is counted, and how, stands in report_duckdb.sql. Rows that are still in a journal are not seen, so
compare records of a run that ended.
"""

import pathlib
import sys

import duckdb

import report_json
from check_records import COLUMNS

TABLES = ("counts", "trips", "edge", "histogram", "decay", "survival", "points", "ends", "hours", "sessions",
          "sides", "gates", "gap_s", "opens", *report_json.TRADING)
TYPES = {"decimal128(18, 8)": "DECIMAL(18,8)", "timestamp[ns, tz=UTC]": "TIMESTAMPTZ", "string": "VARCHAR",
         "uint8": "UTINYINT", "uint32": "UINTEGER", "uint64": "UBIGINT", "int32": "INTEGER", "int64": "BIGINT",
         "double": "DOUBLE", "bool": "BOOLEAN"}


def open_records(connection, folder):
    """One view a kind; an empty one where there is no file."""
    for kind in report_json.KINDS:
        if any(folder.glob(f"{kind}_*.parquet")):
            pattern = str(folder / f"{kind}_*.parquet").replace("'", "''")
            connection.execute(f"CREATE VIEW {kind} AS SELECT * FROM "
                               f"read_parquet('{pattern}', union_by_name = true)")
        else:
            columns = ", ".join(f"NULL::{TYPES[str(type_)]} AS {name.rstrip('?')}" for name, type_ in COLUMNS[kind])
            connection.execute(f"CREATE VIEW {kind} AS SELECT {columns} WHERE false")


def rows(connection, query):
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row)) for row in result.fetchall()]


def main():
    parser = report_json.arguments(__doc__)
    parser.add_argument("--memory", default="6GB", help="what DuckDB may take before it spills")
    args = parser.parse_args()
    connection = duckdb.connect(config={"memory_limit": args.memory})
    connection.execute("SET TimeZone = 'UTC'")
    open_records(connection, args.dir)
    latencies = [row[0] for row in connection.execute("SELECT DISTINCT latency_ms FROM entries").fetchall()]
    settings = report_json.settings_of(args, latencies)
    for name in ("latency_ms", "exit_ms", "fee_bps", "priority_bps", "time_zone"):
        connection.execute(f"SET VARIABLE {name} = ?", [settings[name]])
    connection.execute("SET VARIABLE z = ?", [report_json.quantile_of_normal(args.confidence)])
    connection.execute("CREATE TABLE charge (began BIGINT, slippage_bps DOUBLE, fee_sides DOUBLE)")
    connection.executemany("INSERT INTO charge VALUES (?, ?, ?)", report_json.charges(args.dir, args.slippage_bps))
    days = connection.execute("SELECT DISTINCT detected_at::DATE FROM signals").fetchall()
    if not days:
        print(f"{args.dir}: no signals", file=sys.stderr)
        return 1
    years = [day[0].year for day in days]
    kept = report_json.holidays(min(years) - 1, max(years) + 1)
    connection.execute("CREATE TABLE holidays (day DATE)")
    connection.executemany("INSERT INTO holidays VALUES (?)", [[day] for day in kept])
    connection.execute(pathlib.Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    tables = {name: rows(connection, f"FROM {name}") for name in TABLES}
    report_json.write(report_json.report(tables, settings, report_json.days_of(args.dir)), args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
