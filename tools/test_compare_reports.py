#!/usr/bin/env python3
"""Tests of what checks a report: the comparison, the JSON's frame, the truth of made-up records."""

import contextlib
import datetime
import io
import json
import pathlib
import random
import sys
import tempfile
import unittest
import unittest.mock

import compare_reports
import record_truth
import report_json


def found(one, other, tolerance=1e-9):
    """The differences as {path: (value, value)}, and how many figures were compared."""
    walk, differing = compare_reports.differences(one, other, tolerance), {}
    while True:
        try:
            path, a, b = next(walk)
            differing[" / ".join(path)] = (a, b)
        except StopIteration as end:
            return differing, end.value


def market(name, usd, trips=()):
    return {"market": name, "chosen": {"usd": usd}, "trips": list(trips)}


class Comparison(unittest.TestCase):
    def test_markets_are_matched_by_name_and_not_by_rank(self):
        one = {"markets": [market("a", 1.0), market("b", 2.0)]}
        other = {"markets": [market("b", 2.0), market("a", 1.5)]}
        self.assertEqual(found(one, other)[0], {"markets / a / chosen / usd": (1.0, 1.5)})

    def test_a_part_that_one_lacks_is_told_but_a_key_is_not(self):
        one = {"markets": [market("a", 1.0), market("b", 2.0)], "thresholds": {"days": 3}}
        other = {"markets": [market("a", 1.0)]}
        self.assertEqual(found(one, other)[0], {"markets / b": ("present", "missing")})

    def test_tolerance_is_relative_above_one_and_absolute_below(self):
        for a, b, agree in [(1e6, 1e6 + 1e-4, True), (1e6, 1e6 + 1e-2, False), (0.0, 9e-10, True), (0.0, 2e-9, False),
                            (None, None, True), (None, 0, False), ("x", "x", True), ("x", "y", False), (5, 5.0, True)]:
            self.assertEqual(compare_reports.same(a, b, 1e-9), agree, (a, b))

    def test_settings_and_reasons_are_no_figures_and_the_rest_is_counted(self):
        one = {"settings": {"fee_bps": 1}, "counts": {"signals": 1, "blocked": 0}, "empty": []}
        other = {"settings": {"fee_bps": 2}, "counts": {"signals": 1, "blocked": 0}, "empty": []}
        self.assertEqual(found(one, other), ({}, 2))
        self.assertEqual(found({"trading": None}, {"trading": {"n": 1}})[0], {"trading": (None, "dict of 1")})

    def test_the_command_says_by_its_code_whether_they_agree(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / name for name in ("a.json", "b.json", "c.json", "d.json")]
            for path, told in zip(paths, ({"n": 1}, {"n": 1}, {"n": 2}, {"m": 2})):
                path.write_text(json.dumps(told), encoding="utf-8")
            for other, code in zip(paths[1:], (0, 1, 2)):
                said = io.StringIO()
                with unittest.mock.patch.object(sys, "argv", ["x", str(paths[0]), str(other)]), \
                        contextlib.redirect_stdout(said):
                    self.assertEqual(compare_reports.main(), code, said.getvalue())
        self.assertIn("0 figures compared", said.getvalue())

    def test_truths_are_sought_in_their_intervals(self):
        trips = [{"latency_ms": 50, "exit_ms": 1000, "mean_value_bps": {"value": 2, "low": 1, "high": 3}}]
        truth = {"markets": [{"market": name, "mean_value_bps": [{"latency_ms": 50, "exit_ms": 1000, "value": value}]}
                             for name, value in (("a", 1.5), ("b", 3.5), ("c", 0))]}
        report = {"markets": [market("a", 1, trips), market("b", 1, trips)]}
        counts, missed = compare_reports.held_truths(report, truth)
        self.assertEqual(counts, {"50 1000": (1, 2)})
        self.assertEqual(missed, [("b", "50 1000", 1, 3.5, 3)])


class Calendar(unittest.TestCase):
    def test_holidays_are_those_of_the_exchange(self):
        told = {day.isoformat() for day in report_json.holidays(2026, 2027)}
        # As the exchange publishes them for 2026 and 2027.
        self.assertEqual(told, {
            "2026-01-01", "2026-01-19", "2026-02-16", "2026-04-03", "2026-05-25", "2026-06-19", "2026-07-03",
            "2026-09-07", "2026-11-26", "2026-12-25", "2027-01-01", "2027-01-18", "2027-02-15", "2027-03-26",
            "2027-05-31", "2027-06-18", "2027-07-05", "2027-09-06", "2027-11-25", "2027-12-24"})

    def test_a_new_year_on_a_saturday_is_not_kept(self):
        kept = report_json.holidays(2021, 2022)
        self.assertNotIn(datetime.date(2021, 12, 31), kept)
        self.assertNotIn(datetime.date(2022, 1, 1), kept)
        self.assertEqual(len(report_json.holidays(2023, 2023)), 10)  # The Sunday goes to Monday.


class Frame(unittest.TestCase):
    def test_a_latency_past_all_probes_is_refused_by_its_name(self):
        args = report_json.arguments("x").parse_args(["dir", "--latency-ms", "901"])
        with self.assertRaisesRegex(SystemExit, r"--latency-ms 901: the records probe \[50, 900\]"):
            report_json.settings_of(args, [900, 50])

    def test_what_is_no_number_is_null(self):
        self.assertEqual([report_json.known(v) for v in (float("nan"), float("inf"), 1.5, 2, None, "a")],
                         [None, None, 1.5, 2, None, "a"])


class Truth(unittest.TestCase):
    def test_the_closed_form_is_what_the_chain_gives(self):
        """Each market's chain, walked signal by signal: the mean lies within five standard errors."""
        rng = random.Random(7)
        for law in record_truth.draw_markets(rng, 4):
            values = []
            whole, thin = law.whole_and_thinned()
            for _ in range(40_000):
                thins = rng.random() < whole / (whole + thin) * law.thinned
                values.append(walked(rng, law, 0.4, 3.0, thins))
            mean = sum(values) / len(values)
            deviation = (sum((v - mean) ** 2 for v in values) / len(values) ** 2) ** 0.5
            self.assertGreater(deviation, 0)
            self.assertLess(abs(mean - law.mean_value_bps(400, 3000)), 5 * deviation, law)

    def test_what_decides_shows_in_the_truth(self):
        markets = record_truth.draw_markets(random.Random(1), 10)
        self.assertEqual([m.kind for m in markets].count("lag"), 5)
        for market_ in markets:
            value = market_.mean_value_bps(50, 5000)
            self.assertEqual(value > 0, market_.kind == "lag", market_)
            self.assertEqual(market_.retained(5.0) > 0.5, market_.kind == "spread", market_)


def walked(rng, law, latency_s, exit_s, thins):
    """What one signal was worth, its waits drawn one by one."""
    thinned = rng.expovariate(1 / law.follow_s)
    gone = thinned + (rng.expovariate(1 / law.follow_s) if thins else 0.0)
    back = rng.expovariate(1 / law.return_s)
    arrives = min(latency_s, back)
    fill = 0.0 if arrives >= gone else record_truth.MEAN_LEFT if thins and arrives >= thinned else 1.0
    edge = law.cost_bps + rng.expovariate(1 / law.extra_edge_bps)
    gross = edge - law.half_spread_bps if min(exit_s, back) >= gone else -law.spread_bps
    return fill * (gross - 2 * law.fee_bps)


if __name__ == "__main__":
    unittest.main()
