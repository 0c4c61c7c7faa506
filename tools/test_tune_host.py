#!/usr/bin/env python3
"""Tests of tools/tune-host.sh on made-up machines: python3 tools/test_tune_host.py

Each machine is a directory with what the script reads of /sys, /proc and the rest; the script is
pointed at it by HIP3_SYSROOT. Nothing of the machine that runs the tests is read or changed.
"""

import json
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).with_name("tune-host.sh")
CPU = "sys/devices/system/cpu"
THP = "sys/kernel/mm/transparent_hugepage/enabled"
CLOCK = "sys/devices/system/clocksource/clocksource0"
TRACKING = "System time     : {:.9f} seconds fast of NTP time\nLeap status     : {}\n"


class Machine:
    """A tree, and runs of the script on it."""

    def __init__(self, root):
        self.root = Path(root)

    def put(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def program(self, name, output, code=0):
        self.put(f"usr/bin/{name}", f"#!/bin/sh\ncat <<'END'\n{output}\nEND\nexit {code}")
        (self.root / "usr/bin" / name).chmod(0o755)

    def read(self, path):
        return (self.root / path).read_text().strip()

    def files(self):
        return {path.relative_to(self.root): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def run(self, *args, sysroot=None):
        env = {**os.environ, "HIP3_SYSROOT": str(self.root if sysroot is None else sysroot)}
        return subprocess.run([SCRIPT, *args], env=env, capture_output=True, text=True, timeout=60)

    def checks(self, *args):
        done = self.run("--json", *args)
        assert done.returncode in (0, 1), done.stderr
        told = json.loads(done.stdout)
        return {check["check"]: check for check in told["checks"]}, told, done.returncode

    def marks(self, *args):
        return {name: check["mark"] for name, check in self.checks(*args)[0].items()}


def processor(machine, cores, flags):
    machine.put("proc/cpuinfo", "\n".join(f"processor\t: {core}\nflags\t\t: {flags}\n" for core in range(cores)))


def untuned(root):
    """A box as the installer of a distribution leaves it: 4 cores of 2 threads, 3 beside 7."""
    machine = Machine(root)
    processor(machine, 8, "fpu tsc constant_tsc nonstop_tsc")
    machine.put(f"{CPU}/online", "0-7")
    machine.put(f"{CPU}/isolated", "")
    machine.put(f"{CPU}/intel_pstate/no_turbo", "0")
    for core in range(8):
        cpu = f"{CPU}/cpu{core}"
        machine.put(f"{cpu}/cpufreq/scaling_governor", "powersave")
        machine.put(f"{cpu}/topology/thread_siblings_list", f"{core % 4},{core % 4 + 4}")
        if core > 0:
            machine.put(f"{cpu}/online", "1")
        for state, (name, latency) in enumerate([("POLL", 0), ("C1", 2), ("C6", 133)]):
            machine.put(f"{cpu}/cpuidle/state{state}/name", name)
            machine.put(f"{cpu}/cpuidle/state{state}/latency", str(latency))
            machine.put(f"{cpu}/cpuidle/state{state}/disable", "0")
    machine.put("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda1 quiet")
    machine.put("proc/1/comm", "systemd")
    machine.put("proc/1/status", "Name:\tsystemd\nCpus_allowed_list:\t0-7")
    machine.put("proc/stat", "cpu  9 9 9 9\n" + "\n".join(f"cpu{core} 1 1 1 1 0 0 0 0 0 0" for core in range(8)))
    machine.put("proc/900/comm", "irqbalance")
    machine.put("proc/irq/default_smp_affinity", "ff")
    machine.put("proc/irq/0/smp_affinity_list", "0-7")
    (machine.root / "proc/irq/0/timer").mkdir()
    for irq, device in [(24, "nvme0q1"), (30, "eth0-rx-0")]:
        machine.put(f"proc/irq/{irq}/smp_affinity_list", "0-7")
        (machine.root / f"proc/irq/{irq}/{device}").mkdir()
    machine.put("proc/irq/31/smp_affinity_list", "0")
    machine.put(THP, "[always] madvise never")
    machine.put("proc/sys/vm/swappiness", "60")
    machine.put("proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 8388604 20480 -2")
    machine.put(f"{CLOCK}/current_clocksource", "hpet")
    machine.put(f"{CLOCK}/available_clocksource", "tsc hpet acpi_pm")
    for name, value in [("net/core/busy_poll", 0), ("net/core/busy_read", 0), ("kernel/timer_migration", 1),
                        ("kernel/numa_balancing", 1), ("kernel/sched_rt_runtime_us", 950000)]:
        machine.put(f"proc/sys/{name}", str(value))
    machine.program("systemd-detect-virt", "none", 1)
    machine.program("timedatectl", "no")
    machine.program("df", "Filesystem Type 1024-blocks Used Available Capacity Mounted on\ntmpfs tmpfs 9 1 4194304 1% /")
    return machine


def tuned(root):
    """The same box after everything was done."""
    machine = untuned(root)
    machine.put(f"{CPU}/online", "0-2,4-7")
    machine.put(f"{CPU}/isolated", "7")
    machine.put(f"{CPU}/nohz_full", "7")
    machine.put(f"{CPU}/cpu7/cpufreq/scaling_governor", "performance")
    machine.put(f"{CPU}/cpu7/topology/thread_siblings_list", "7")
    machine.put(f"{CPU}/cpu7/cpuidle/state2/disable", "1")
    machine.put("proc/cmdline", "quiet isolcpus=managed_irq,domain,7 nohz_full=7 rcu_nocbs=7")
    machine.put("proc/1/status", "Name:\tsystemd\nCpus_allowed_list:\t0-2,4-6")
    machine.put("etc/systemd/system/hip3.service.d/override.conf", "[Service]\nCPUAffinity=0-2 4-7")
    machine.put("proc/irq/default_smp_affinity", "77")
    for irq in (24, 30):
        machine.put(f"proc/irq/{irq}/smp_affinity_list", "0-2,4-6")
    machine.put(THP, "always [madvise] never")
    machine.put("proc/sys/vm/swappiness", "1")
    machine.put("proc/swaps", "Filename Type Size Used Priority")
    machine.put(f"{CLOCK}/current_clocksource", "tsc")
    for name, value in [("net/core/busy_poll", 50), ("net/core/busy_read", 50), ("kernel/timer_migration", 0),
                        ("kernel/numa_balancing", 0)]:
        machine.put(f"proc/sys/{name}", str(value))
    machine.put("proc/700/comm", "hip3")
    machine.put("proc/700/limits", "Limit Soft Hard Units\nMax locked memory         unlimited            unlimited            bytes")
    machine.program("chronyc", TRACKING.format(0.000012, "Normal"))
    machine.program("df", "Filesystem Type 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 ext4 9 1 104857600 1% /")
    return machine


def container(root):
    """Next to nothing can be seen."""
    machine = Machine(root)
    machine.put(".dockerenv", "")
    processor(machine, 4, "fpu hypervisor tsc constant_tsc nonstop_tsc")
    return machine


class TuneHost(unittest.TestCase):
    def machine(self, make):
        root = tempfile.TemporaryDirectory()
        self.addCleanup(root.cleanup)
        return make(root.name)

    def test_a_tuned_box_has_no_advice_left(self):
        machine = self.machine(tuned)
        marks = machine.marks()
        self.assertEqual({name: mark for name, mark in marks.items() if mark != "ok"}, {})
        self.assertGreater(len(marks), 20)
        done = machine.run()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("hot core 7", done.stdout)
        self.assertNotIn("--apply", done.stdout)
        self.assertNotIn("isolcpus=", done.stdout)

    def test_an_untuned_box_is_told_all_of_it(self):
        machine = self.machine(untuned)
        checks, told, code = machine.checks()
        self.assertEqual(code, 1)
        self.assertEqual(told["hot_core"], 7)
        fine = {"cores", "virtualization", "turbo", "affinity", "tsc_flags", "rt_runtime"}
        self.assertEqual({name for name, check in checks.items() if check["mark"] == "ok"}, fine)
        self.assertEqual({name for name, check in checks.items() if check["mark"] == "unknown"}, {"memlock"})
        self.assertEqual(checks["governor"]["found"], "powersave")
        self.assertEqual(checks["c_states"]["found"], "deepest C6 (133 us)")
        self.assertEqual(checks["smt"]["found"], "core 3 online, 0 % busy")
        self.assertEqual(checks["irqs"]["found"], "2 of 3 may run there: 24 nvme0q1, 30 eth0-rx-0")
        self.assertEqual(checks["swap_used"]["found"], "20 MiB")
        self.assertEqual(checks["data_dir"]["found"], "4 GiB free, tmpfs")
        self.assertIn("isolcpus=managed_irq,domain,3,7 nohz_full=3,7 rcu_nocbs=3,7 irqaffinity=0,1,2,4,5,6",
                      told["kernel_command_line"])
        self.assertIn("vm.swappiness=1", told["sysctl"])

    def test_the_table_says_the_same_as_the_json(self):
        machine = self.machine(untuned)
        text = machine.run().stdout
        for name, check in machine.checks()[0].items():
            line = next(line for line in text.splitlines() if line.split()[1:2] == [name])
            self.assertEqual(line.split()[0], check["mark"])
            for part in ("found", "advised", "why"):
                self.assertIn(check[part], line)
        self.assertIn("isolcpus=", text)
        self.assertIn("CPUAffinity=0-7", text)

    def test_what_cannot_be_seen_is_unknown_and_no_error(self):
        machine = self.machine(container)
        checks, told, code = machine.checks()
        self.assertEqual(code, 0)
        self.assertEqual(told["hot_core"], 3)
        # /proc/cpuinfo tells of cores and flags; nothing else is there.
        self.assertEqual({name: check["mark"] for name, check in checks.items() if check["mark"] != "unknown"},
                         {"cores": "ok", "tsc_flags": "ok"})
        self.assertEqual(checks["swappiness"]["found"], "no /proc/sys/vm/swappiness")

    def test_an_empty_tree_is_unknown_from_end_to_end(self):
        machine = self.machine(Machine)
        self.assertEqual(set(machine.marks().values()), {"unknown"})
        done = machine.run()
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_without_apply_nothing_is_written(self):
        machine = self.machine(untuned)
        before = machine.files()
        machine.run()
        machine.run("--json")
        self.assertEqual(machine.files(), before)

    def test_apply_writes_this_and_nothing_else(self):
        machine = self.machine(untuned)
        before = machine.files()
        done = machine.run("--apply")
        self.assertEqual(done.stderr, "")
        after = machine.files()
        self.assertEqual(after.keys(), before.keys())
        written = {str(path): text.decode().strip() for path, text in after.items() if text != before[path]}
        self.assertEqual(written, {
            f"{CPU}/cpu7/cpufreq/scaling_governor": "performance",
            f"{CPU}/cpu7/cpuidle/state2/disable": "1",
            f"{CPU}/cpu3/online": "0",
            "proc/irq/24/smp_affinity_list": "0,1,2,4,5,6",
            "proc/irq/30/smp_affinity_list": "0,1,2,4,5,6",
            "proc/irq/default_smp_affinity": "7f",
            THP: "madvise",
            "proc/sys/vm/swappiness": "1",
            f"{CLOCK}/current_clocksource": "tsc",
            "proc/sys/net/core/busy_poll": "50",
            "proc/sys/net/core/busy_read": "50",
            "proc/sys/kernel/timer_migration": "0",
            "proc/sys/kernel/numa_balancing": "0",
        })
        # Each change is said before the table, with what undoes it, the last one first.
        for path, value in written.items():
            self.assertRegex(done.stdout, rf"change /{path}: .* -> {value}\n")
        undo = [line.strip() for line in done.stdout.splitlines() if line.startswith("  echo ")]
        self.assertEqual(len(undo), len(written))
        self.assertEqual(undo[0], "echo 1 > /proc/sys/kernel/numa_balancing")
        self.assertIn(f"echo always > /{THP}", undo)
        self.assertLess(done.stdout.index("change /"), done.stdout.index("hot core 7"))
        # What only a boot changes is left, and the second look at the rest finds it done.
        self.assertEqual(done.returncode, 1)
        marks = machine.marks()
        self.assertEqual([marks[name] for name in ("governor", "c_states", "irqs", "new_irqs", "huge_pages", "swappiness",
                                                   "clock_source", "busy_poll", "busy_read", "timer_migration",
                                                   "numa_balancing")], ["ok"] * 11)
        self.assertEqual(marks["isolcpus"], "advice")

    def test_the_undo_lines_undo(self):
        machine = self.machine(untuned)
        before = machine.files()
        for line in machine.run("--apply").stdout.splitlines():
            if line.startswith("  echo "):
                value, path = line.removeprefix("  echo ").split(" > ")
                machine.put(path.lstrip("/"), value)
        after = machine.files()
        differ = {str(path) for path in before if before[path] != after[path]}
        # Of a choice the kernel shows all, and takes one.
        self.assertEqual(differ, {THP})
        self.assertEqual(machine.read(THP), "always")

    def test_apply_as_json_lists_its_changes(self):
        machine = self.machine(untuned)
        _, told, _ = machine.checks("--apply")
        self.assertIn({"file": "/proc/sys/vm/swappiness", "from": "60", "to": "1"}, told["changes"])
        self.assertEqual(len(told["changes"]), 13)
        self.assertEqual(told["refused"], [])

    def test_a_refused_change_is_said_and_the_others_are_made(self):
        machine = self.machine(untuned)
        stuck = machine.root / "proc/sys/vm/swappiness"
        stuck.unlink()
        # A number that the kernel lets nobody write, root neither.
        stuck.symlink_to("/proc/sys/kernel/ngroups_max")
        _, told, code = machine.checks("--apply")
        self.assertEqual((told["refused"], code), (["/proc/sys/vm/swappiness"], 1))
        self.assertEqual(len(told["changes"]), 12)
        self.assertEqual(machine.read("proc/sys/net/core/busy_poll"), "50")
        self.assertIn("the kernel refused that", machine.run("--apply").stdout)

    def test_apply_on_a_tuned_box_changes_nothing(self):
        machine = self.machine(tuned)
        before = machine.files()
        done = machine.run("--apply")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("nothing was changed", done.stdout)
        self.assertEqual(machine.files(), before)

    def test_another_core_can_be_named(self):
        machine = self.machine(untuned)
        machine.put(f"{CPU}/cpu2/cpufreq/scaling_governor", "performance")
        checks, told, _ = machine.checks("--core", "2")
        self.assertEqual(told["hot_core"], 2)
        self.assertEqual(checks["governor"]["mark"], "ok")
        self.assertEqual(checks["smt"]["found"], "core 6 online, 0 % busy")

    def test_the_first_core_is_never_taken_offline(self):
        machine = self.machine(untuned)
        machine.run("--apply", "--core", "4")
        self.assertFalse((machine.root / f"{CPU}/cpu0/online").exists())
        self.assertEqual(machine.marks("--core", "4")["smt"], "advice")

    def test_masks_of_many_cores_have_groups(self):
        machine = self.machine(untuned)
        machine.put(f"{CPU}/online", "0-63")
        machine.put("proc/irq/default_smp_affinity", "ffffffff,ffffffff")
        machine.run("--apply", "--core", "40")
        self.assertEqual(machine.read("proc/irq/default_smp_affinity"), "fffffeff,ffffffff")
        machine.put("proc/irq/default_smp_affinity", "ffffffff")
        self.assertEqual(machine.marks("--core", "40")["new_irqs"], "ok")

    def test_isolcpus_hides_a_core_from_services_until_the_unit_names_it(self):
        machine = self.machine(tuned)
        self.assertEqual(machine.marks()["affinity"], "ok")
        machine.put("etc/systemd/system/hip3.service.d/override.conf", "[Service]\nCPUAffinity=0-2")
        self.assertEqual(machine.marks()["affinity"], "advice")

    def test_isolation_is_read_from_the_command_line_where_sys_does_not_tell(self):
        machine = self.machine(tuned)
        (machine.root / f"{CPU}/isolated").unlink()
        (machine.root / f"{CPU}/nohz_full").unlink()
        marks = machine.marks()
        self.assertEqual([marks[name] for name in ("isolcpus", "nohz_full", "rcu_nocbs")], ["ok"] * 3)
        machine.put("proc/cmdline", "isolcpus=domain,5-6 nohz_full=7")
        marks = machine.marks()
        self.assertEqual([marks[name] for name in ("isolcpus", "nohz_full", "rcu_nocbs")], ["advice", "ok", "ok"])

    def test_pm_qos_holds_sleep_back(self):
        machine = self.machine(untuned)
        limit = machine.root / "dev/cpu_dma_latency"
        limit.parent.mkdir()
        limit.write_bytes(struct.pack("<i", 0))
        check = machine.checks()[0]["c_states"]
        self.assertEqual((check["mark"], check["found"]), ("ok", "C6 (133 us), held to 0 us by PM QoS"))
        limit.write_bytes(struct.pack("<i", 2_000_000_000))
        self.assertEqual(machine.marks()["c_states"], "advice")

    def test_irqbalance_may_run_where_it_leaves_the_core_alone(self):
        machine = self.machine(untuned)
        self.assertEqual(machine.marks()["irqbalance"], "advice")
        machine.put("etc/default/irqbalance", 'IRQBALANCE_BANNED_CPULIST="3,7"')
        self.assertEqual(machine.marks()["irqbalance"], "ok")

    def test_time_that_is_off_is_told(self):
        machine = self.machine(untuned)
        for offset, leap, mark in [(0.05, "Normal", "ok"), (0.15, "Normal", "advice"), (0.0, "Not synchronised", "advice")]:
            machine.program("chronyc", TRACKING.format(offset, leap))
            self.assertEqual(machine.marks()["time_sync"], mark, (offset, leap))
        machine.program("chronyc", "506 Cannot talk to daemon", 1)
        machine.program("timedatectl", "yes")
        self.assertEqual(machine.marks()["time_sync"], "ok")

    def test_a_virtual_machine_is_told_by_a_flag_of_its_processor(self):
        machine = self.machine(untuned)
        processor(machine, 8, "fpu hypervisor tsc constant_tsc nonstop_tsc")
        self.assertEqual(machine.marks()["virtualization"], "advice")

    def test_two_cores_are_too_few(self):
        machine = self.machine(untuned)
        machine.put(f"{CPU}/online", "0-1")
        checks, told, _ = machine.checks()
        self.assertEqual((checks["cores"]["mark"], checks["cores"]["found"]), ("advice", "2 online (0-1)"))
        self.assertEqual(told["hot_core"], 1)

    def test_wrong_usage_is_2_and_says_how(self):
        machine = self.machine(untuned)
        before = machine.files()
        for args in (["--cores", "3"], ["--core"], ["--core", "x"], ["--core", "-1"], ["--core", "8"], ["3"], ["--apply", "--core", "07"]):
            done = machine.run(*args)
            self.assertEqual((done.returncode, done.stdout), (2, ""), args)
            self.assertIn("usage: ", done.stderr)
        for sysroot in ("/", "//", str(machine.root / "nowhere")):
            done = machine.run("--apply", sysroot=sysroot)
            self.assertEqual(done.returncode, 2, sysroot)
        self.assertEqual(machine.files(), before)

    def test_help_says_what_it_does(self):
        done = self.machine(untuned).run("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--apply", done.stdout)


if __name__ == "__main__":
    unittest.main()
