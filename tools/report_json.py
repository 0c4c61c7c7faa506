"""The JSON of `hip3 report`, made of tables that another engine counted; and what both engines are asked.

Intervals, verdicts and thresholds are left out: they need resampling. A table is a list of rows as
mappings; a null `side` is both sides, a null `market` is the total.
"""

import argparse
import datetime
import json
import math
import pathlib
import re
import statistics

PERCENTILES = ("p10", "p25", "p50", "p75", "p90", "p99")
TRIP = ("latency_ms", "exit_ms", "n", "fills", "wins", "fill_rate", "win_rate", "mean_value_bps", "mean_net_bps",
        "median_net_bps", "usd", "usd_mean", "thin_exits")
NO_TRIP = dict.fromkeys(TRIP) | {"n": 0, "fills": 0, "wins": 0, "usd": 0, "thin_exits": 0}
NO_EDGE = [None] * len(PERCENTILES)
MOMENTS = ("0", "1000", "3000", "5000")
COUNTS = ("signals", "blocked", "below_minimum", "in_gap", "unseen", "no_exit", "valued", "episodes")
TRADING = ("entry_sums", "entry_outcomes", "refusals", "answered_within", "entry_fees", "trade_sums", "trade_exits",
           "expectation")
NO_SIDE = {"signals": 0, "episodes": 0, "mean_value_bps": None, "usd": 0.0}
UNGROUPED = {"sides", "gates", "gap_s", "opens", *TRADING}
KINDS = ("signals", "followup", "entries", "crosses", "gaps", "orders", "trades")


def arguments(doc):
    """The flags that both tools share, with the command's defaults."""
    parser = argparse.ArgumentParser(description=doc.split("\n\n")[0])
    parser.add_argument("dir", type=pathlib.Path, help="records directory")
    parser.add_argument("--latency-ms", type=int, default=400)
    parser.add_argument("--exit-ms", type=int, default=3000, choices=(1000, 3000, 5000))
    parser.add_argument("--confidence", type=float, default=0.99, help="of the survival's intervals")
    parser.add_argument("--fee-bps", type=float, help="one way; each signal's own by default")
    parser.add_argument("--slippage-bps", type=float, default=2.0, help="of runs that do not say what they left for it")
    parser.add_argument("--priority-bps", type=float, default=0.0)
    parser.add_argument("--time-zone", default="America/New_York")
    parser.add_argument("--out", type=pathlib.Path, help="file for the JSON (standard output by default)")
    return parser


def days_of(folder):
    """Days with records of what was watched."""
    names = (re.fullmatch(r"(signals|crosses|gaps)_(\d{8})\.parquet", path.name) for path in folder.iterdir())
    return len({name[2] for name in names if name})


FEE_SIDES = 2  # How many times a net edge holds the fee, where no run says.


def charges(folder, usual):
    """What net edges leave out, as (moment, slippage in bps, times the fee): from that moment on, in nanoseconds
    since 1970. The first holds for whatever was before it, too."""
    import pyarrow.parquet as pq  # The rest of this file is used without it.

    runs = {}
    for kind in ("signals", "crosses", "gaps"):
        for path in folder.glob(f"{kind}_*.parquet"):
            told = json.loads((pq.read_metadata(path).metadata or {}).get(b"hip3.runs", b"[]"))
            # Runs of old counted the fee once, and do not say so.
            runs |= {(run["started_at"], run["run_id"]): (run.get("slippage_bps"), run.get("fee_sides", 1))
                     for run in told}
    told = [(began, usual if bps is None else bps, sides) for (began, _), (bps, sides) in sorted(runs.items())]
    return [(0, *told[0][1:]), *told[1:]] if told else [(0, usual, FEE_SIDES)]


def quantile_of_normal(confidence):
    """How many standard errors a two-sided interval reaches."""
    return statistics.NormalDist().inv_cdf(0.5 + confidence / 2)


def holidays(first, last):
    """Full holidays of the New York Stock Exchange between two years, by its rules of today.

    One on a Saturday is kept on Friday, one on a Sunday on Monday; New Year's Day on a Saturday is not kept.
    """
    def nth(year, month, weekday, count):
        start = datetime.date(year, month, 1)
        return start + datetime.timedelta((weekday - start.weekday()) % 7 + 7 * (count - 1))

    def good_friday(year):  # Two days before Easter (Gregorian computus).
        a, b, c = year % 19, year // 100, year % 100
        d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
        e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
        f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
        return datetime.date(year, f // 31, f % 31 + 1) - datetime.timedelta(2)

    kept = []
    for year in range(first, last + 1):
        fixed = [datetime.date(year, 1, 1), datetime.date(year, 6, 19), datetime.date(year, 7, 4),
                 datetime.date(year, 12, 25)]
        for day in fixed:
            shift = {5: -1, 6: 1}.get(day.weekday(), 0)
            if not (day.month == 1 and shift == -1):
                kept.append(day + datetime.timedelta(shift))
        last_of_may = datetime.date(year, 5, 31)
        kept += [nth(year, 1, 0, 3), nth(year, 2, 0, 3), good_friday(year),
                 last_of_may - datetime.timedelta(last_of_may.weekday()), nth(year, 9, 0, 1),
                 nth(year, 11, 3, 4)]
    return sorted(kept)


def known(value):
    """A figure as JSON holds it: none that is no number."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def by_group(rows):
    groups = {}
    for row in rows:
        groups.setdefault((row.get("market"), row.get("side")), []).append(row)
    return groups


def trip_of(row):
    trip = {name: known(row[name]) for name in TRIP}
    for name in ("win_rate", "mean_value_bps", "mean_net_bps", "median_net_bps"):
        trip[name] = {"value": trip[name]}
    return trip


def report(tables, settings, days):
    """The whole report, as far as it needs no resampling. `tables` by their names; see report_duckdb.sql."""
    grouped = {name: by_group(rows) for name, rows in tables.items() if name not in UNGROUPED}

    def lasting(what, key):
        rows = [row for row in grouped["survival"].get(key, []) if row["what"] == what]
        if not rows:
            return {"crosses": 0, "events": 0, "median_ms": None, "points": []}
        points = sorted((row for row in grouped["points"][key] if row["what"] == what), key=lambda row: row["ms"])
        return {"crosses": rows[0]["crosses"], "events": rows[0]["events"], "median_ms": known(rows[0]["median_ms"]),
                "points": [{name: known(row[name]) for name in ("ms", "s", "low", "high")} for row in points]}

    def group(key):
        counts = grouped["counts"][key][0]
        rows = {(row["latency_ms"], row["exit_ms"]): row for row in grouped["trips"].get(key, [])}

        def trip(latency, exit_):
            return trip_of(rows.get((latency, exit_), NO_TRIP | {"latency_ms": latency, "exit_ms": exit_}))

        chosen = trip(settings["latency_ms"], settings["exit_ms"])
        edges = grouped["edge"].get(key, [{"raw": NO_EDGE, "raw_mean": None, "net": NO_EDGE, "net_mean": None}])[0]
        edge = {name: dict(zip(PERCENTILES, edges[name] or [None] * len(PERCENTILES))) | {"mean": edges[f"{name}_mean"]} for name in ("raw", "net")}
        bins = sorted(grouped["histogram"].get(key, []), key=lambda row: row["bps"])
        decay = grouped["decay"].get(key, [{"n": 0, "retained": None} | {f"mean_{ms}": None for ms in MOMENTS}])[0]
        return {name: counts[name] for name in COUNTS} | {
            "usd_per_day": chosen["usd"] / days,
            "edge": edge | {"histogram": [{name: row[name] for name in ("bps", "signals")} for row in bins]},
            "decay": {"n": decay["n"], "mean": {ms: decay[f"mean_{ms}"] for ms in MOMENTS},
                      "retained_5s": {"value": decay["retained"]}},
            "trips": [trip(latency, exit_) for latency in settings["latencies_ms"] for exit_ in settings["exits_ms"] if latency < exit_],
            "chosen": chosen,
            "survival": lasting("survival", key), "duration": lasting("duration", key),
            "ends": {row["end_reason"]: row["crosses"] for row in grouped["ends"].get(key, [])},
        }

    names = sorted(market for market, side in grouped["counts"] if market and not side)
    markets = []
    for name in names:
        slices = {table: [row for (market, _), rows in grouped[table].items() if market == name for row in rows]
                  for table in ("hours", "sessions")}
        markets.append({"market": name} | group((name, None)) | {
            "sides": {side: group((name, side)) for side in ("buy", "sell") if (name, side) in grouped["counts"]},
            "hours": [{k: known(row[k]) for k in ("hour", "side", "signals", "episodes", "mean_value_bps", "usd")}
                      for row in sorted(slices["hours"], key=lambda row: (row["hour"], row["side"]))],
            "sessions": [{k: known(row[k]) for k in ("session", "signals", "episodes", "mean_value_bps", "usd")}
                         for row in sorted(slices["sessions"], key=lambda row: row["session"])]})
    markets.sort(key=lambda market: -market["chosen"]["usd"])
    total = group((None, None)) if names else None
    by_side = {row["side"]: row for row in tables["sides"]}
    gates = [{name: row[name] for name in ("gate", "first", "alone")} | {
        "trip": trip_of(row | {name: settings[name] for name in ("latency_ms", "exit_ms")})} for row in tables["gates"]]
    return {
        "schema": 1, "settings": settings,
        "coverage": {"gap_s": {row["cause"]: row["seconds"] for row in tables["gap_s"]}},
        "counts": total and {name: total[name] for name in COUNTS}
        | {name: tables["opens"][0][name] for name in ("crosses", "open_crosses")},
        "total": total, "markets": markets, "gates": gates,
        "sides": [{k: known(by_side.get(side, NO_SIDE)[k]) for k in NO_SIDE} | {"side": side}
                  for side in ("buy", "sell")],
        "trading": trading(tables),
    }


def trading(tables):
    """What became of entries and positions; None where there were none."""
    sums, trades = tables["entry_sums"][0], tables["trade_sums"][0]
    if not sums["entries"] and not trades["n"]:
        return None
    fees = tables["entry_fees"][0]
    within = {row["below_ms"]: row for row in tables["answered_within"]}
    outcomes = sorted(tables["entry_outcomes"], key=lambda row: row["outcome"])
    return {
        "entries": {name: sums[name] for name in ("sent", "filled", "partially_filled")} | {
            "outcomes": {row["outcome"]: row["orders"] for row in outcomes},
            "refusals": {row["refusal"]: row["orders"] for row in tables["refusals"]},
            "slippage_bps": known(sums["slippage_bps"]),
            "answer_ms": [{"outcome": row["outcome"], "n": row["n"]}
                          | dict(zip(("p50", "p90", "p99"), (ns / 1e6 for ns in row["answer_ns"])))
                          for row in outcomes if row["n"]],
            "fill_rate_by_latency": [
                {"below_ms": below, "n": within[below]["n"] if below in within else 0,
                 "fill_rate": within[below]["fill_rate"] if below in within else None}
                for below in (100, 200, 400, 900, None)]},
        "fees": {"paid": fees["paid"], "expected": fees["expected"],
                 "ratio": fees["paid"] / fees["expected"] if fees["expected"] else None},
        "trades": {name: known(trades[name]) for name in ("n", "wins", "usd_before_fees", "fees", "usd",
                                                          "holding_ms_p50")}
        | {"exits": {row["exit_reason"]: row["trades"] for row in tables["trade_exits"]}},
        "expected": {name: known(value) for name, value in tables["expectation"][0].items()},
    }


def settings_of(args, latencies_ms):
    """As the report tells them. Errors: a latency past all probes, of which nothing is known."""
    if args.latency_ms > max(latencies_ms, default=0):
        raise SystemExit(f"--latency-ms {args.latency_ms}: the records probe {sorted(latencies_ms)}")
    if args.latency_ms >= args.exit_ms:
        raise SystemExit(f"--latency-ms {args.latency_ms}: expected below --exit-ms, which is {args.exit_ms}")
    return {"latency_ms": args.latency_ms, "exit_ms": args.exit_ms, "confidence": args.confidence,
            "fee_bps": args.fee_bps, "priority_bps": args.priority_bps,
            "latencies_ms": sorted(latencies_ms), "exits_ms": [1000, 3000, 5000], "time_zone": args.time_zone}


def write(told, path):
    text = json.dumps(told, indent=1, allow_nan=False)
    if path:
        path.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
