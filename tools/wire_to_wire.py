#!/usr/bin/env python3
"""How long from a frame to its order, as the venue sees it, on this machine's loopback: the demo that
trades, with the hot thread spinning and sleeping, with TLS and without. One table; --json FILE keeps the
figures.

    tools/wire_to_wire.py --binary target/release/hip3 --duration 30

Two times are taken of each entry: from the return of the write that carried the frame, and from the moment
the frame was due, which leaves out no waiting (coordinated omission). Both have the venue's own work in
them, which checks the signature of one order while the next one waits to be read; so the first is told
too of those orders alone that the venue read with nothing else to do.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

RUNS = [
    ("spinning", ["--busy-poll"]),
    ("sleeping", []),
    ("spinning, TLS", ["--busy-poll", "--tls"]),
    ("sleeping, TLS", ["--tls"]),
]
SINCE = [
    ("written, venue idle", "from_frame_written_venue_idle"),
    ("frame written", "from_frame_written"),
    ("frame due", "from_frame_due"),
]
COLUMNS = ["p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns"]


def measure(args, flags):
    with tempfile.TemporaryDirectory(prefix="hip3-wire-") as directory:
        command = [args.binary, "demo", "--mode", "trading", "--latency", "--json", *flags]
        command += ["--duration", f"{args.duration}s", "--markets", str(args.markets)]
        command += ["--data-dir", pathlib.Path(directory, "signals")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=args.duration + 120, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(flags)}: the demo ended with {done.returncode}:\n{done.stderr[-2000:]}")
        told = json.loads(done.stdout)
        return told["wire_to_wire"] | {"tick_to_order": told["latency"].get("tick_to_order")}


def cell(nanoseconds):
    return "-" if nanoseconds is None else f"{nanoseconds / 1000:.1f} us"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path("target/release/hip3"))
    parser.add_argument("--duration", type=int, default=30, help="seconds of each run")
    parser.add_argument("--markets", type=int, default=126)
    parser.add_argument("--json", type=pathlib.Path, help="keeps the figures in this file")
    args = parser.parse_args()
    if not args.binary.is_file():
        parser.error(f"{args.binary}: expected the program (make build)")
    head = ["p50", "p90", "p99", "p99.9", "max"]
    print(f"{'hot thread':<18}{'since':<22}{'orders':>8}" + "".join(f"{name:>12}" for name in head))
    figures = {}
    for name, flags in RUNS:
        figures[name] = measure(args, flags)
        rows = [(since, figures[name][key]) for since, key in SINCE]
        rows.append(("last byte read (*)", figures[name]["tick_to_order"] or {"count": 0}))
        for since, row in rows:
            cells = "".join(f"{cell(row.get(column)):>12}" for column in COLUMNS)
            print(f"{name:<18}{since:<22}{row['count']:>8}{cells}", flush=True)
    print("(*) by the engine's own stamps, exits too: tick_to_order")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
