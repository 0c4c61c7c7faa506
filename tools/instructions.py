#!/usr/bin/env python3
"""Counts the instructions of four functions of the hot path under callgrind, and compares them with the
baseline that lies beside the benchmarks. More than 10 % above it is an error; so much below it is told,
since a baseline that is too high lets the next loss pass.

    tools/instructions.py            compares
    tools/instructions.py --accept   takes what it finds as the new baseline

A count is the difference of two runs, one with twice as many calls, so that start and preparation fall
out. Valgrind shows programs a processor of its own, without AVX-512 and the like, so counts are the same on
every machine with the same compiler; with another compiler than the baseline's they are told, not judged.
Needs valgrind, cargo, and nothing but Python's own library.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys

BASELINE = pathlib.Path(__file__).resolve().parent.parent / "benches" / "instructions.json"
ALLOWED_PERCENT = 10
# Calls: so many more in the second run. A presigned half takes long to make.
CALLS = {"decode_bbo": 2000, "decode_ctx": 2000, "engine_on_bbo": 2520, "encode_and_sign": 100}
PROFILE = "counted"


def run(command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def build():
    """The program whose functions are counted."""
    command = ["cargo", "bench", "--locked", "--profile", PROFILE, "--bench", "instructions", "--no-run"]
    for line in run(command + ["--message-format=json"]).splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message["target"]["name"] == "instructions":
            return message["executable"]
    sys.exit("cargo told of no program called instructions")


def count(program, name, calls, prepared):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        command + [program, name, str(calls), str(prepared)], text=True, capture_output=True, check=False
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{name}: callgrind counted nothing (exit {done.returncode}):\n{done.stderr[-1500:]}")
    return int(found[1])


def measure(program):
    counts = {}
    for name, calls in CALLS.items():
        once, twice = (count(program, name, times * calls, 2 * calls) for times in (1, 2))
        counts[name] = round((twice - once) / calls)
    return counts


def judge(baseline, counts):
    """Lines of a table, and whether any function has become too expensive."""
    lines, worse = [f"{'function':<20}{'baseline':>10}{'found':>10}{'change':>9}"], []
    for name, found in counts.items():
        known = baseline.get(name)
        if known is None:
            lines.append(f"{name:<20}{'-':>10}{found:>10}{'new':>9}")
            continue
        change = found / known - 1
        lines.append(f"{name:<20}{known:>10}{found:>10}{change:>+9.1%}")
        if 100 * (found - known) > ALLOWED_PERCENT * known:
            worse.append(f"{name} takes {found} instructions, {change:.1%} more than its baseline of {known}")
        elif 100 * (known - found) > ALLOWED_PERCENT * known:
            lines.append(f"  {name} has become cheaper: make instructions ARGS=--accept keeps it so")
    return lines, worse


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--accept", action="store_true", help="keeps what is found as the new baseline")
    args = parser.parse_args()
    if not shutil.which("valgrind"):
        parser.error("valgrind is not there")
    compiler = run(["rustc", "--version"]).strip()
    counts = measure(build())
    baseline = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {"instructions": {}}
    lines, worse = judge(baseline["instructions"], counts)
    print("\n".join(lines))
    if args.accept:
        BASELINE.write_text(
            json.dumps({"compiler": compiler, "instructions": counts}, indent=2) + "\n", encoding="utf-8"
        )
        print(f"{BASELINE.name} is the new baseline")
    elif worse and baseline.get("compiler") != compiler:
        print(f"not judged: the baseline is of {baseline.get('compiler')}, this is {compiler}")
    elif worse:
        sys.exit("\n".join(worse) + "\nif that is meant: make instructions ARGS=--accept, and say why in the commit")


if __name__ == "__main__":
    main()
