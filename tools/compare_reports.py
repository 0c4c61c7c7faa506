#!/usr/bin/env python3
"""Compares the figures that two reports have in common, and prints each that differs.

    tools/compare_reports.py hip3.json duckdb.json
    tools/compare_reports.py hip3.json --truth data/made/truth.json

What only one of them tells is no difference: the intervals, verdicts and thresholds of `hip3 report` have no
counterpart. With `--truth` (of make_records.py) it says how many intervals hold the true value. Exits with 1
when something differs, with 2 when there is nothing to compare.
"""

import argparse
import json
import pathlib
import sys

# What names the parts of a list, in place of their rank.
KEYS = (("market",), ("latency_ms", "exit_ms"), ("hour", "side"), ("session",), ("gate",), ("ms",), ("bps",),
        ("day",), ("from", "cause"), ("outcome",), ("below_ms",), ("side",))
# Said of how it was made, not of the records.
LEFT_OUT = {"settings", "source", "curve", "gaps", "reason"}


def named(items):
    """A list as a mapping, when its parts have names."""
    for keys in KEYS:
        if items and all(isinstance(item, dict) and all(key in item for key in keys) for item in items):
            return {" ".join(str(item[key]) for key in keys): item for item in items}
    return dict(enumerate(items))


def same(one, other, tolerance):
    """Whether two figures agree; numbers may differ by `tolerance`, relative where they are above 1."""
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str) or isinstance(other, str):
        return one == other
    if one is None or other is None:
        return one is other
    return abs(one - other) <= tolerance * max(1.0, abs(one), abs(other))


def differences(one, other, tolerance, path=()):
    """Yields (path, value, value) of each figure that differs, and ends with the count of those compared."""
    compared = 0
    if isinstance(one, list) and isinstance(other, list):
        one, other = named(one), named(other)
        for name in one.keys() ^ other.keys():
            present = lambda where: "present" if name in where else "missing"  # noqa: E731
            yield (*path, str(name)), present(one), present(other)
    if isinstance(one, dict) and isinstance(other, dict):
        for name, value in one.items():
            if name in other and name not in LEFT_OUT:
                compared += yield from differences(value, other[name], tolerance, (*path, str(name)))
        return compared
    if isinstance(one, (dict, list)) or isinstance(other, (dict, list)):
        if (one or None) is not (other or None):
            yield path, shape(one), shape(other)
        return 1
    if not same(one, other, tolerance):
        yield path, one, other
    return 1


def shape(value):
    return value if not isinstance(value, (dict, list)) else f"{type(value).__name__} of {len(value)}"


def held_truths(report, truth):
    """Per latency and exit: markets whose interval of mean_value_bps holds the true one, and those that have one;
    and the markets that are missed, as (market, latency, exit, low, true, high)."""
    markets = named(report["markets"])
    counts, missed = {}, []
    for market in truth["markets"]:
        trips = named(markets.get(market["market"], {}).get("trips", []))
        for value in market["mean_value_bps"]:
            key = f"{value['latency_ms']} {value['exit_ms']}"
            mean = trips.get(key, {}).get("mean_value_bps") or {}
            if mean.get("low") is None or mean.get("high") is None:
                continue
            held = mean["low"] <= value["value"] <= mean["high"]
            good, all_ = counts.get(key, (0, 0))
            counts[key] = good + held, all_ + 1
            if not held:
                missed.append((market["market"], key, mean["low"], value["value"], mean["high"]))
    return counts, missed


def read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{path}: expected a report as JSON: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("reports", nargs="+", type=pathlib.Path, metavar="JSON", help="one with --truth, else two")
    parser.add_argument("--tolerance", type=float, default=1e-9)
    parser.add_argument("--truth", type=pathlib.Path, metavar="JSON")
    parser.add_argument("--most", type=int, default=50, metavar="N", help="differences to print")
    args = parser.parse_args()
    if len(args.reports) != (1 if args.truth else 2):
        parser.error("expected two reports, or one and --truth")
    reports = [read(path) for path in args.reports]
    if args.truth:
        counts, missed = held_truths(reports[0], read(args.truth))
        for key, (good, all_) in counts.items():
            print(f"latency and exit {key} ms: {good} of {all_} intervals hold the true mean value")
        for market, key, low, true, high in missed[:args.most]:
            print(f"  {market} {key}: {low:.4f} to {high:.4f} does not hold {true:.4f}")
        return 0 if counts else 2
    found, walk = [], differences(*reports, args.tolerance)
    while True:
        try:
            found.append(next(walk))
        except StopIteration as end:
            compared = end.value
            break
    for path, one, other in found[:args.most]:
        print(f"{' / '.join(path)}: {one} against {other}")
    if len(found) > args.most:
        print(f"… and {len(found) - args.most} more")
    print(f"{compared} figures compared, {len(found)} differ")
    return 2 if compared == 0 else 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
