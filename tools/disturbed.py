#!/usr/bin/env python3
"""Does what happens on the cold side reach an order? Three runs of a demo that trades, one after the
other: undisturbed; with its recorder stopped, as a disk that hangs would stop it; and with 200 clients of
the dashboard that ask for everything and read nothing. Prints how long orders took in each, from the
frame's last byte to the write's return, and the ratio of p99 to that of the undisturbed run.

    tools/disturbed.py --binary target/release/hip3 --duration 60

Lengths are shown and not judged: on a machine with two cores the demo's venue, the cold threads and the
clients share one of them. Needs Linux, and the right to stop a thread of its own child (ptrace).
"""

import argparse
import base64
import ctypes
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

CLIENTS = 200
RECORDER = "hip3-recorder"
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
# How long after its start a run is disturbed, seconds: it has to be ready first.
SETTLED_S = 5


def ptrace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, thread, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {os.strerror(number)}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def thread_of(pid, name):
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise SystemExit(f"there is no thread {name}")


class Nothing:
    """An undisturbed run."""

    name = "undisturbed"

    def begin(self, pid, port):
        pass

    def end(self):
        pass


class StoppedRecorder(Nothing):
    """The recorder stands still until shortly before the end."""

    name = "recorder stopped"

    def begin(self, pid, port):
        self.thread = thread_of(pid, RECORDER)
        ptrace(PTRACE_SEIZE, self.thread)
        ptrace(PTRACE_INTERRUPT, self.thread)
        os.waitpid(self.thread, 0x40000000)  # __WALL

    def end(self):
        ptrace(PTRACE_DETACH, self.thread)


class SlowClients(Nothing):
    """WebSockets that are opened and never read."""

    name = f"{CLIENTS} slow clients"

    def begin(self, pid, port):
        self.clients = []
        key = base64.b64encode(bytes(16)).decode()
        ask = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: hip3\r\n\r\n"
        ).encode()
        for _ in range(CLIENTS):
            client = socket.socket()
            # A small window, so that it is full at once.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(ask)
            self.clients.append(client)

    def end(self):
        for client in self.clients:
            client.close()


def run(args, disturbance):
    with tempfile.TemporaryDirectory(prefix="hip3-disturbed-") as directory:
        port = free_port()
        command = [args.binary, "demo", "--mode", "trading", "--latency", "--busy-poll", "--json"]
        command += ["--duration", f"{args.duration}s", "--markets", str(args.markets)]
        command += ["--data-dir", pathlib.Path(directory, "signals")]
        command += ["--set", f'dashboard.bind="127.0.0.1:{port}"', "--set", f"dashboard.max_connections={CLIENTS}"]
        with open(pathlib.Path(directory, "log"), "w+", encoding="utf-8") as log:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                time.sleep(SETTLED_S)
                if child.poll() is None:
                    disturbance.begin(child.pid, port)
                    time.sleep(max(1, args.duration - SETTLED_S - 3))
                    disturbance.end()
                out, _ = child.communicate(timeout=120)
            finally:
                child.kill()
            if child.returncode != 0:
                log.seek(0)
                sys.exit(f"{disturbance.name}: the demo ended with {child.returncode}:\n{log.read()[-2000:]}")
        return json.loads(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path("target/release/hip3"))
    parser.add_argument("--duration", type=int, default=60, help="seconds of each run")
    parser.add_argument("--markets", type=int, default=400)
    args = parser.parse_args()
    if not args.binary.is_file():
        parser.error(f"{args.binary}: expected the program (make build)")
    if args.duration < SETTLED_S + 5:
        parser.error(f"--duration {args.duration}: expected {SETTLED_S + 5} or more")
    print(f"{'tick_to_order':<22}{'orders':>8}{'p50':>12}{'p99':>12}{'max':>12}{'p99 ratio':>12}{'rows lost':>12}")
    first = None
    for disturbance in [Nothing(), StoppedRecorder(), SlowClients()]:
        told = run(args, disturbance)
        times = told["latency"]["tick_to_order"]
        first = first or times
        ratio = times["p99_ns"] / first["p99_ns"]
        cells = [f"{times[key] / 1000:.1f} us" for key in ("p50_ns", "p99_ns", "max_ns")]
        lost = told.get("rows_lost", 0)
        print(
            f"{disturbance.name:<22}{times['count']:>8}" + "".join(f"{cell:>12}" for cell in cells)
            + f"{ratio:>12.2f}{lost:>12}",
            flush=True,
        )


if __name__ == "__main__":
    main()
