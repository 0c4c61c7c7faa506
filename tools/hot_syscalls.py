#!/usr/bin/env python3
"""What the hot thread asks of the kernel between a frame's read and its order's write: nothing.

Runs a demo that trades under strace, follows the hot thread, and counts the system calls between each
read that brought bytes and the writes that followed from it. Prints a table, and exits with 1 when there
was one that is neither, the first seconds aside, in which buffers grow. An order's way allocates nothing either: that is a test (tests/trading).

    tools/hot_syscalls.py --binary target/release/hip3 --duration 10

Needs strace and /proc. A traced run is slow: no length of time in it means anything.
"""

import argparse
import collections
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

READS = {"read", "recvfrom", "recvmsg", "readv"}
WRITES = {"write", "sendto", "sendmsg", "writev"}
CALL = re.compile(r"^(\d+\.\d+) (\w+)\(.*= (-?\d+)")
HOT = "hip3-hot"
# Connecting and subscribing grows buffers; so long it is let be.
WARM_UP_S = 4


def hot_thread(pid, until):
    """The id of the thread that spins; None when it does not come."""
    while time.monotonic() < until:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            try:
                if (task / "comm").read_text().strip() == HOT:
                    return int(task.name)
            except (FileNotFoundError, ProcessLookupError):
                pass
        time.sleep(0.05)
    return None


def child_of(pid, until):
    """The traced process."""
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    while time.monotonic() < until:
        try:
            children = path.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        if children:
            return int(children[0])
        time.sleep(0.02)
    return None


def judge(lines):
    """Ways from a read to a write: how many, and what else was called on them, by name."""
    ways, between = 0, collections.Counter()
    pending = None  # Calls since a read that brought bytes; None while there was none.
    began = None
    for line in lines:
        match = CALL.match(line)
        if not match:
            continue
        at, name, result = float(match[1]), match[2], int(match[3])
        began = began or at
        if at - began < WARM_UP_S:
            continue
        if name in READS:
            if result > 0:
                pending = []
            continue  # A read that finds nothing ends a turn, and causes nothing.
        if name in WRITES:
            if pending is not None:
                ways += 1
                between.update(pending)
                pending = []  # The same read may have caused another.
            continue
        if name.startswith("epoll"):
            pending = None
        elif pending is not None:
            pending.append(name)
    return ways, between


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path("target/release/hip3"))
    parser.add_argument("--duration", type=int, default=10, help="seconds")
    parser.add_argument("--tls", action="store_true", help="over TLS")
    args = parser.parse_args()
    if not args.binary.is_file():
        parser.error(f"{args.binary}: expected the program (make build)")
    if not shutil.which("strace"):
        parser.error("strace is not there")
    with tempfile.TemporaryDirectory(prefix="hip3-syscalls-") as directory:
        trace = pathlib.Path(directory, "trace")
        command = ["strace", "-ff", "-qq", "-ttt", "-s", "0", "-o", trace, args.binary, "demo", "--mode", "trading"]
        command += ["--latency", "--busy-poll", "--duration", f"{args.duration}s"]
        command += ["--data-dir", pathlib.Path(directory, "signals")] + (["--tls"] if args.tls else [])
        with open(pathlib.Path(directory, "log"), "w+", encoding="utf-8") as log:
            run = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                until = time.monotonic() + args.duration
                pid = child_of(run.pid, until)
                thread = pid and hot_thread(pid, until)
                code = run.wait(timeout=args.duration + 120)
            finally:
                run.kill()
            if code != 0 or thread is None:
                log.seek(0)
                what = f"the demo ended with {code}" if code != 0 else f"no thread was called {HOT} in time"
                sys.exit(f"{what}:\n{log.read()[-2000:]}")
        with open(f"{trace}.{thread}", encoding="utf-8") as lines:
            ways, between = judge(lines)
    print(f"{ways} writes that a read of the hot thread caused")
    for name, count in between.most_common():
        print(f"  {name:<20}{count:>8}   between the two")
    if not ways:
        sys.exit("no order was sent: nothing is shown")
    if between:
        sys.exit(f"{sum(between.values())} system calls lie between a frame's read and its order's write")
    print("no system call lies between a frame's read and its order's write")


if __name__ == "__main__":
    main()
