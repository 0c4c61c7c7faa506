#!/usr/bin/env python3
"""Writes what the benchmarks found as one page: the machine, what was promised beside what was found, and
the median of every contestant by group. `make bench` calls it.

    tools/bench_report.py --target target --out target/bench-report.md

Medians are criterion's; ratios are those that the benchmarks take themselves, in rounds that take turns,
and leave below TARGET/tmp/ratios. Needs nothing but Python's own library.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

# What is promised: group and kind, what is wanted of the ratio ours / theirs, and in words.
TARGETS = [
    ("feed/decode_bbo", "median", 1 / 4, "at least 4 times as fast as serde_json"),
    ("feed/decode_ctx", "median", 1 / 4, "at least 4 times as fast as serde_json"),
    ("engine/on_bbo", "median", 1.5, "with the most markets at most 1.5 times its cost with 1"),
    ("pipeline/tick_to_order", "median", 1 / 20, "at least 20 times as fast as the baseline"),
    ("pipeline/tick_to_order", "tail", 3.0, "p99 below 3 times p50, in a quiet run"),
]


def nanoseconds(value):
    """A length, for people."""
    for unit, factor in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if value < 1000 * factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value / 1e9:.1f} s"


def read_ratios(target):
    """By group and kind."""
    ratios = {}
    for path in sorted((target / "tmp" / "ratios").glob("*.json")):
        line = json.loads(path.read_text(encoding="utf-8"))
        ratios[line["group"], line["of"]] = line
    return ratios


def read_medians(target):
    """By group: contestants and the medians of their latest runs, ns."""
    groups = {}
    for path in sorted((target / "criterion").glob("*/**/new/estimates.json")):
        told = json.loads((path.parent / "benchmark.json").read_text(encoding="utf-8"))
        median = json.loads(path.read_text(encoding="utf-8"))["median"]["point_estimate"]
        contestant = told["function_id"] or told["value_str"]
        groups.setdefault(told["group_id"], []).append((contestant, median))
    return groups


def first_line(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def machine():
    """What it ran on, as pairs."""
    try:
        cpuinfo = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        cpuinfo = ""
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.M)
    return [
        ("processor", model[1] if model else platform.processor() or "unknown"),
        ("cores", str(len(re.findall(r"^processor\s*:", cpuinfo, re.M)) or "unknown")),
        ("system", f"{platform.system()} {platform.release()}"),
        ("virtual", "yes" if re.search(r"\bhypervisor\b", cpuinfo) else "no"),
        ("compiler", first_line(["rustc", "--version"])),
        ("flags", os.environ.get("RUSTFLAGS", "").strip() or "none"),
        ("commit", first_line(["git", "rev-parse", "--short=12", "HEAD"])),
    ]


def table(head, rows, right=()):
    """A table in Markdown whose columns align in plain text too; `right` are aligned to the right."""
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    cells = lambda row: [c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths))]
    rule = ["-" * (w - 1) + ":" if n in right else "-" * w for n, w in enumerate(widths)]
    return ["| " + " | ".join(line) + " |" for line in [cells(head), rule, *map(cells, rows)]]


def judged(ratios):
    """Targets beside figures."""
    rows = []
    for group, kind, most, words in TARGETS:
        line = ratios.get((group, kind))
        if line is None:
            rows.append([group, words, "not run", ""])
            continue
        ratio = line["ratio"]
        found = f"{1 / ratio:.1f} times as fast" if most < 1 else f"{ratio:.2f} times"
        verdict = "met" if ratio <= most else f"missed: {ratio / most:.2f} times what it may be"
        rows.append([group, words, found, verdict])
    return rows


def report(ratios, medians, facts):
    lines = ["# Benchmarks", "", *table(["", ""], [list(pair) for pair in facts]), ""]
    lines += ["Ratios are of medians taken in turns in one run. Absolute times are of this machine alone.", ""]
    lines += ["## Targets", "", *table(["group", "target", "found", ""], judged(ratios)), ""]
    lines += ["## Ratios", ""]
    rows = [
        [line["group"], line["of"], line["ours"], nanoseconds(line["our_ns"]), line["theirs"],
         nanoseconds(line["their_ns"]), f"{line['ratio']:.3f}"]
        for line in ratios.values()
    ]
    lines += [*table(["group", "of", "ours", "time", "against", "time", "ratio"], rows, right=(3, 5, 6)), ""]
    lines += ["## Medians", ""]
    rows = [[group, name, nanoseconds(median)] for group in medians for name, median in medians[group]]
    return "\n".join(lines + table(["group", "contestant", "median"], rows, right=(2,))) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--target", type=pathlib.Path, default=pathlib.Path("target"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/bench-report.md"))
    args = parser.parse_args()
    ratios, medians = read_ratios(args.target), read_medians(args.target)
    if not ratios or not medians:
        sys.exit(f"{args.target}: no benchmark has left anything there: make bench")
    text = report(ratios, medians, machine())
    args.out.write_text(text, encoding="utf-8")
    print(text, end="")
    print(f"\nwritten to {args.out}")


if __name__ == "__main__":
    main()
