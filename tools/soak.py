#!/usr/bin/env python3
"""Runs a demo that trades, as dense as the simulated venue makes it, and watches it from outside:
memory, file descriptors, threads, the size of the records. At the end says whether memory and
descriptors stood still, and shows how long turns of the hot loop took. Exits with 1, and one sentence,
when something grows without bound or the demo itself does not end well. Lengths of turns are shown and
never judged: they are of one machine.

    tools/soak.py --binary target/release/hip3 --duration 3600

Needs /proc, and nothing but Python's own library.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

MIB = 1 << 20

# Growth within the second half that is no leak: the records hold up to 8192 rows of each kind before
# they are sealed, in buffers that grow to 4.6 MiB each. The rarer kinds take half an hour to get there.
RSS_SLACK = 16 * MIB
RSS_SLACK_SHARE = 0.05
# The footers of the day's files are held until the day is over, and copied when they are written: so
# much of what is recorded. It is the one thing that grows by design, and ends with the day.
RSS_SLACK_RECORDS = 0.15
FD_SLACK = 2

# Every cross is a signal, every signal may be taken, positions last two seconds, and amounts are the
# least that the venue takes, so that the money lasts.
SETTINGS = [
    "risk.max_bbo_age_ms=off",
    "risk.max_ctx_age_ms=off",
    "risk.max_mark_mid_divergence_bps=off",
    "risk.spread_shock_multiplier=1000",
    "risk.min_ewma_samples=1",
    "detector.taker_fee_bps=0",
    "detector.slippage_bps=0",
    "detector.min_edge_bps=0",
    "detector.min_book_notional=1",
    "detector.normal_book_notional=2",
    "detector.max_notional=12",
    "detector.sizing_alpha=1",
    "position.max_concurrent_positions=30",
    "position.max_total_notional=400",
    "position.max_notional_per_market=13",
    "time_stop.threshold_ms=2000",
    "websocket.reconnect_base_delay_ms=200",
    "risk_monitor.max_loss_usd=1000000",
    "risk_monitor.max_daily_loss_usd=1000000",
    "risk_monitor.max_consecutive_failures=1000",
    "risk_monitor.max_flatten_failures=1000",
    "telemetry.latency_interval_s=5",
]


def seconds(text):
    """Reads 40, 40s, 10m or 1h."""
    match = re.fullmatch(r"(\d+)(s|m|h|)", text)
    if not match or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text}: expected a duration such as 40s, 10m or 1h")
    return int(match[1]) * {"s": 1, "": 1, "m": 60, "h": 3600}[match[2]]


def read_sample(pid, began, records):
    """What /proc says now; None once the process is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        fds = len(os.listdir(f"/proc/{pid}/fd"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    rss = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)
    threads = re.search(r"^Threads:\s+(\d+)$", status, re.M)
    if not rss or not threads:
        return None  # A process that is ending has no memory any more.
    size = 0
    for path in records.rglob("*"):
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            pass  # Renamed meanwhile.
    return {
        "at_s": round(time.monotonic() - began, 2),
        "rss": int(rss[1]) * 1024,
        "fds": fds,
        "threads": int(threads[1]),
        "data_bytes": size,
    }


def slope(samples, key):
    """Least squares, per second."""
    times = [sample["at_s"] for sample in samples]
    values = [sample[key] for sample in samples]
    if len(samples) < 2 or times[0] == times[-1]:
        return 0.0
    return statistics.linear_regression(times, values).slope


def at_share(samples, share):
    """The sample in this part of the run; the median of its neighbours, so that no spike counts."""
    middle = round(share * (len(samples) - 1))
    near = samples[max(0, middle - 2) : middle + 3]
    return {key: statistics.median_low(one[key] for one in near) for key in samples[0]}


def judge(samples):
    """What grows without bound, in sentences."""
    half = samples[len(samples) // 2 :]
    span = half[-1]["at_s"] - half[0]["at_s"]
    complaints = []
    rss_slope = slope(half, "rss")
    slack = max(RSS_SLACK, RSS_SLACK_SHARE * at_share(samples, 0.5)["rss"])
    slack += RSS_SLACK_RECORDS * max(0, half[-1]["data_bytes"] - half[0]["data_bytes"])
    if rss_slope * span > slack:
        complaints.append(
            f"memory grows: {rss_slope * span / MIB:.1f} MiB over the second half "
            f"({rss_slope * 3600 / MIB:.1f} MiB an hour); {slack / MIB:.1f} MiB would be noise"
        )
    fd_slope = slope(half, "fds")
    if fd_slope * span > FD_SLACK:
        complaints.append(
            f"file descriptors grow: {fd_slope * span:.1f} over the second half; "
            f"{FD_SLACK} would be noise"
        )
    return complaints, {"rss_bytes_per_hour": rss_slope * 3600, "fds_per_hour": fd_slope * 3600}


def drift(intervals, lasted):
    """Median p99.9 of the first and of the last quarter, in nanoseconds."""
    longest = max((i["to_s"] - i["from_s"] for i in intervals), default=0)
    # The end may leave one that is too short to say anything.
    whole = [i for i in intervals if i["count"] and i["to_s"] - i["from_s"] > longest / 2]
    middle = lambda i: (i["from_s"] + i["to_s"]) / 2
    of = lambda told: statistics.median(told) if told else 0
    first = of([i["p99_9_ns"] for i in whole if middle(i) <= lasted / 4])
    last = of([i["p99_9_ns"] for i in whole if middle(i) >= lasted * 3 / 4])
    return first, last


def tables(samples, summary):
    """The tables at the end, as lines."""
    lines = [f"{'':<22}{'start':>12}{'quarter':>12}{'half':>12}{'end':>12}"]
    points = [at_share(samples, share) for share in (0, 0.25, 0.5, 1)]
    for name, key, show in [
        ("RSS, MiB", "rss", lambda v: f"{v / MIB:.1f}"),
        ("file descriptors", "fds", str),
        ("threads", "threads", str),
        ("records, MiB", "data_bytes", lambda v: f"{v / MIB:.1f}"),
    ]:
        lines.append(f"{name:<22}" + "".join(f"{show(point[key]):>12}" for point in points))
    if summary:
        turns = summary["turn_lengths"]
        lines += ["", f"{'turns from, to (s)':<22}{'count':>12}{'p50 µs':>12}{'p99 µs':>12}{'p99.9 µs':>12}{'max µs':>12}"]
        us = lambda ns: f"{ns / 1e3:.1f}"
        for one in turns["intervals"]:
            span = f"{one['from_s']:.0f} - {one['to_s']:.0f}"
            figures = [us(one[key]) for key in ("p50_ns", "p99_ns", "p99_9_ns", "max_ns")]
            lines.append(f"{span:<22}{one['count']:>12}" + "".join(f"{f:>12}" for f in figures))
        figures = [us(turns[key]) for key in ("p50_ns", "p99_ns", "p99_9_ns", "max_ns")]
        lines.append(f"{'all':<22}{turns['count']:>12}" + "".join(f"{f:>12}" for f in figures))
        first, last = drift(turns["intervals"], summary["seconds"])
        change = f"{(last / first - 1) * 100:+.0f} %" if first else "-"
        lines.append(f"p99.9 drift, first to last quarter: {us(first)} to {us(last)} µs ({change})")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", default="target/release/hip3")
    parser.add_argument("--duration", type=seconds, default=3600, help="e.g. 40s, 10m, 1h")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markets", type=int, default=490)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two samples")
    parser.add_argument("--faults", default=str(pathlib.Path(__file__).with_name("soak_faults.toml")))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/soak"))
    args = parser.parse_args()
    if not os.path.isdir("/proc/self/fd"):
        sys.exit("soak: there is no /proc here to read memory and descriptors from")

    shutil.rmtree(args.out, ignore_errors=True)
    records = args.out / "records"
    records.mkdir(parents=True)
    command = [args.binary, "demo", "--mode", "trading", "--json"]
    command += ["--duration", f"{args.duration}s", "--seed", str(args.seed)]
    command += ["--markets", str(args.markets), "--faults", args.faults]
    command += ["--data-dir", str(records)]
    command += [word for setting in SETTINGS for word in ("--set", setting)]
    print("soak:", " ".join(command[:14]), "…", flush=True)

    samples = []
    began = time.monotonic()
    patience = args.duration + 180  # It closes its positions first.
    with open(args.out / "demo.log", "wb") as log, open(args.out / "summary.json", "wb") as told:
        demo = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=log)
        try:
            while demo.poll() is None:
                sample = read_sample(demo.pid, began, records)
                # What is made at the start, and what the end costs, is no growth.
                if sample and 3 <= sample["at_s"] <= args.duration:
                    samples.append(sample)
                    left = args.duration - sample["at_s"]
                    print(
                        f"\r{sample['at_s']:8.0f} s  rss {sample['rss'] / MIB:7.1f} MiB  "
                        f"fds {sample['fds']:4}  threads {sample['threads']:3}  "
                        f"records {sample['data_bytes'] / MIB:7.1f} MiB  {left:6.0f} s left ",
                        end="" if sys.stdout.isatty() else "\n",
                        flush=True,
                    )
                if time.monotonic() - began > patience:
                    sys.exit("soak: the demo does not end")
                try:
                    demo.wait(timeout=args.every)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            if demo.poll() is None:
                demo.kill()
                demo.wait()

    complaints = []
    summary = None
    try:
        summary = json.loads((args.out / "summary.json").read_text())
    except ValueError:
        complaints.append(f"the demo left no summary: see {args.out / 'demo.log'}")
    if demo.returncode != 0:
        tail = (args.out / "demo.log").read_text(errors="replace").strip().splitlines()[-1:]
        complaints.append(f"the demo ended with {demo.returncode}: {' '.join(tail)}")
    if len(samples) < 10:
        complaints.append(f"{len(samples)} samples say nothing: make it longer than 30 s")
    else:
        grown, slopes = judge(samples)
        complaints += grown
    if summary and not complaints:
        trading = summary.get("trading", {})
        if summary["frames"] == 0 or trading.get("fills", 0) == 0:
            complaints.append("nothing was traded, so that nothing was tested")

    print()
    lines = tables(samples, summary) if len(samples) >= 10 else []
    print("\n".join(lines))
    verdict = "memory and file descriptors stand still" if not complaints else "; ".join(complaints)
    report = {
        "duration_s": args.duration,
        "seed": args.seed,
        "markets": args.markets,
        "exit_code": demo.returncode,
        "verdict": verdict,
        "flat": not complaints,
        "slopes_of_second_half": slopes if len(samples) >= 10 else None,
        "samples": samples,
        "summary": summary,
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    text = ["# Soak", "", f"{args.duration} s, {args.markets} markets, seed {args.seed}: {verdict}."]
    text += ["", "```text", *lines, "```", ""]
    (args.out / "report.md").write_text("\n".join(text))
    print(f"\nsoak: {verdict} ({args.out / 'report.md'})")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
