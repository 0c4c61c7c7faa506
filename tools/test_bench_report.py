#!/usr/bin/env python3
"""Tests of tools/bench_report.py on results that are made up."""

import json
import pathlib
import tempfile
import unittest

import bench_report


def leave(target, name, line):
    folder = target / "tmp" / "ratios"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(line), encoding="utf-8")


def median(target, group, function, value):
    folder = target / "criterion" / group.replace("/", "_") / function / "new"
    folder.mkdir(parents=True)
    (folder / "benchmark.json").write_text(
        json.dumps({"group_id": group, "function_id": function, "value_str": None}), encoding="utf-8"
    )
    (folder / "estimates.json").write_text(
        json.dumps({"median": {"point_estimate": value}}), encoding="utf-8"
    )


class Report(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.target = pathlib.Path(self.directory.name)

    def line(self, group, kind, ratio):
        return {"group": group, "of": kind, "ours": "engine", "theirs": "other", "ratio": ratio,
                "our_ns": 1000 * ratio, "their_ns": 1000.0}

    def test_targets_are_judged_by_their_ratios(self):
        leave(self.target, "a", self.line("feed/decode_bbo", "median", 0.2))
        leave(self.target, "b", self.line("feed/decode_ctx", "median", 0.5))
        leave(self.target, "c", self.line("pipeline/tick_to_order", "tail", 2.5))
        rows = {(row[0], row[1][:3]): row[2:] for row in bench_report.judged(bench_report.read_ratios(self.target))}
        self.assertEqual(rows["feed/decode_bbo", "at "], ["5.0 times as fast", "met"])
        self.assertEqual(rows["feed/decode_ctx", "at "], ["2.0 times as fast", "missed: 2.00 times what it may be"])
        self.assertEqual(rows["pipeline/tick_to_order", "p99"], ["2.50 times", "met"])
        self.assertEqual(rows["engine/on_bbo", "wit"], ["not run", ""])

    def test_the_page_has_machine_targets_ratios_and_medians(self):
        leave(self.target, "a", self.line("feed/decode_bbo", "median", 0.2))
        median(self.target, "feed/decode_bbo", "engine", 77.3)
        median(self.target, "feed/decode_bbo", "serde_json", 1_234.0)
        text = bench_report.report(
            bench_report.read_ratios(self.target), bench_report.read_medians(self.target), [("cores", "2")]
        )
        self.assertIn("| cores | 2 |", text)
        self.assertIn("77.3 ns", text)
        self.assertIn("1.2 µs", text)
        for block in text.split("\n\n"):
            widths = {len(line) for line in block.splitlines() if line.startswith("|")}
            self.assertLessEqual(len(widths), 1, block)

    def test_lengths_are_told_in_units_that_fit(self):
        told = [bench_report.nanoseconds(value) for value in (0.4, 999.0, 1_000.0, 2.5e6, 3e9)]
        self.assertEqual(told, ["0.4 ns", "999.0 ns", "1.0 µs", "2.5 ms", "3.0 s"])


if __name__ == "__main__":
    unittest.main()
