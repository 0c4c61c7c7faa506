#!/usr/bin/env python3
"""Writes records of made-up markets whose truth is known: the same day files that the engine writes,
drawn from a seeded model, and `truth.json` with what a signal of each market is worth.

    tools/make_records.py --signals 100000 --days 5 --markets 12 --seed 1 --out /tmp/records
    tools/make_records.py --signals 10000000 --days 30 --markets 100 --out /tmp/records

A market is a small chain. The oracle jumps and a cross begins; then the maker follows (at `1/follow_s`
a second) and the quote is gone or, sometimes, only thinned first; or the oracle comes back (at
`1/return_s`) and the quote was right all along. In a `lag` market the maker follows soon, in a `spread`
market hardly ever (the gap is a basis that stays), in a `noise` market the oracle comes back. Waiting
times have no memory, so that signals seconds into a cross are worth what its first one is.

Needs numpy, pyarrow and what check_records.py needs. Days are made one by one: memory is bounded by one.
"""

import argparse
import concurrent.futures
import datetime
import json
import math
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import record_trades
import record_truth
from check_records import COLUMNS

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
PRINT_S = 3  # The oracle prints each three seconds.
SLIPPAGE_BPS, MIN_EDGE_BPS = 2.0, 5.0
FEE_SIDES = 2  # The fee is paid on the way in and on the way out.
MAX_NOTIONAL, MIN_NOTIONAL = 50.0, 10.0
LOT = 1_000  # Sizes are whole multiples of this many units of 1e-8.
TICK = 10_000  # Prices likewise: fine enough to leave the truth alone.

GATES = ["BboUpdate", "CtxUpdate", "TimeRegression", "MarkMidDivergence", "SpreadShock", "OiCap",
         "ParamChange", "Halt"]
FILTERED_SHARE = 0.002  # Of what no gate blocks, whatever its edge.
GATE_SHARES = np.array([0.04, 0.003, 0.0002, 0.02, 0.03, 0.004, 0.0, 0.0005])
SIDES = ["buy", "sell"]
STATUSES = ["captured", "stale", "disconnected", "shutdown"]
CAPTURED, STALE, DISCONNECTED, SHUTDOWN = range(4)
ENDS = ["quote", "oracle", "no_quote", "stale", "disconnected", "shutdown"]
QUOTE, ORACLE, NO_QUOTE, END_STALE, END_DISCONNECTED, END_SHUTDOWN = range(6)

# Rare things that happen to looks and crosses, whatever the price does: so they bias nothing.
STALE_LOOKS, EMPTY_EXITS, NO_QUOTE_ENDS = 0.002, 0.001, 0.05
STALE_AFTER_S = 300.0
SAME_ORACLE = 0.1  # Crosses that come with the oracle price of the one before.
NOISE_BPS = 3.0  # Of the price a second after the quote moved; grows with the root of time.


def arrow(type_, values, valid=None):
    """An arrow column; decimals and times come as int64 (1e-8 units, ns), texts as (codes, names).

    `valid` is a mask of the rows that hold a value, or None when all do.
    """
    if isinstance(values, list):
        return pa.array(values, type_)
    if isinstance(values, tuple):
        codes, names = values
        return pa.array(names, pa.string()).take(pa.array(codes, mask=None if valid is None else ~valid))
    mask = None if valid is None else ~valid
    if pa.types.is_decimal(type_):
        words = np.empty((len(values), 2), np.int64)
        words[:, 0], words[:, 1] = values, values >> 63
        bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
        return pa.Array.from_buffers(type_, len(values), [bits, pa.py_buffer(words)])
    if pa.types.is_timestamp(type_):
        return pa.array(values.view("datetime64[ns]"), mask=mask).cast(type_)
    return pa.array(values, mask=mask, from_pandas=False).cast(type_)


class Store:
    """Writes day files as the engine's store does: no statistics, no dictionaries, small groups."""

    def __init__(self, out, run, group_rows):
        self.out, self.run, self.group_rows, self.last_seq = out, run, group_rows, 0

    def write(self, kind, day_ns, columns):
        """`columns` maps names to values, or to (values, valid) where rows may hold nothing."""
        day = datetime.datetime.fromtimestamp(day_ns / 1e9, datetime.timezone.utc)
        arrays, fields = [], []
        for name, type_ in COLUMNS[kind]:
            values, valid = columns[name.rstrip("?")], None
            if name.endswith("?"):
                values, valid = values
            arrays.append(arrow(type_, values, valid))
            fields.append(pa.field(name.rstrip("?"), type_, name.endswith("?")))
        rows = len(arrays[0])
        if rows == 0:
            return 0
        self.last_seq += rows
        table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={
            "hip3.schema_version": "2", "hip3.run_id": self.run["run_id"],
            "hip3.git_commit": self.run["git_commit"], "hip3.config_hash": self.run["config_hash"],
            "hip3.last_seq": str(self.last_seq),
            "hip3.runs": json.dumps([{"first_row": 0, **self.run}]),
        }))
        pq.write_table(
            table, os.path.join(self.out, f"{kind}_{day:%Y%m%d}.parquet"), row_group_size=self.group_rows,
            compression="snappy", use_dictionary=False, write_statistics=False, version="2.6",
            store_decimal_as_integer=True)
        return rows


class World:
    """The markets, and what is common to them: prints, gaps, the end of the run."""

    def __init__(self, args):
        self.args, self.gates = args, GATES
        start = datetime.datetime.strptime(args.start, "%Y-%m-%d").replace(tzinfo=datetime.timezone.utc)
        self.start = int(start.timestamp()) * SECOND
        self.end = self.start + args.days * DAY
        rng = np.random.default_rng([args.seed, 0])
        self.markets = record_truth.draw_markets(rng, args.markets)
        self.draw_gaps(rng)
        # More happens while New York trades, and some at every hour.
        hour = np.arange(86_400 // PRINT_S) * PRINT_S / 3600
        weight = 0.4 + np.where((hour >= 14) & (hour < 21), 1.6, 0.0)
        self.clock = np.cumsum(weight) / weight.sum()
        per_day = args.signals / args.days
        busy = np.array([m.weight for m in self.markets])
        signals = per_day * busy / busy.sum()
        self.crosses_a_day = signals / np.array([m.signals_a_cross() for m in self.markets])
        self.next_signal = self.next_cross = 0
        # Crosses that would overlap are dropped: a day that is thrown away says how many to draw instead.
        trial = self.crosses(np.random.default_rng([args.seed, 2]), self.start)
        self.crosses_a_day *= per_day / max(trial["signals"].sum(), 1)
        self.next_signal = self.next_cross = (self.start // 1_000_000) << 20
        self.late = None

    def draw_gaps(self, rng):
        """Some a day: links that dropped, and once in a while a restart."""
        # The first seconds of a run, which no cross begins in.
        starts, ends, causes = [self.start], [self.start + 5 * SECOND], [0]
        for day in range(self.args.days):
            at = np.sort(rng.integers(3600, 86_000, rng.poisson(4)))
            for second in at:
                begin = self.start + day * DAY + int(second) * SECOND + int(rng.integers(0, SECOND))
                if begin < ends[-1] + 600 * SECOND:
                    continue
                starts.append(begin)
                ends.append(begin + int(rng.exponential(20) * SECOND) + SECOND)
                causes.append(1 if rng.random() < 0.8 else 2)
        self.gap_start, self.gap_end = np.array(starts), np.array(ends)
        self.gap_cause = np.array(causes)

    def column(self, what, market):
        return np.array([getattr(m, what) for m in self.markets])[market]

    def in_gap(self, at):
        index = np.searchsorted(self.gap_start, at, "right") - 1
        return (index >= 0) & (at < self.gap_end[np.maximum(index, 0)])

    def crosses(self, rng, day_ns):
        """The crosses that begin on a day, by their beginning; times in ns, waits in seconds."""
        market = np.repeat(np.arange(len(self.markets)), rng.poisson(self.crosses_a_day))
        n = len(market)
        printed = np.searchsorted(self.clock, rng.random(n))
        start = day_ns + (printed * PRINT_S * SECOND) + rng.integers(1, SECOND // 5, n)
        follow, back = self.column("follow_s", market), self.column("return_s", market)
        thins = rng.random(n) < self.column("thinned", market)
        thinned_s = rng.exponential(1, n) * follow
        gone_s = thinned_s + np.where(thins, rng.exponential(1, n) * follow, 0.0)
        back_s = rng.exponential(1, n) * back
        stale_s = rng.exponential(STALE_AFTER_S, n)
        gap = np.append(self.gap_start, self.end)[np.searchsorted(self.gap_start, start, "right")]
        cut_s = (np.minimum(gap, self.end) - start) / SECOND
        waits = np.stack([gone_s, back_s, stale_s, cut_s])
        reason = np.array([QUOTE, ORACLE, END_STALE, END_DISCONNECTED])[waits.argmin(0)]
        reason = np.where((reason == END_DISCONNECTED) & (gap >= self.end), END_SHUTDOWN, reason)
        reason = np.where((reason == QUOTE) & (rng.random(n) < NO_QUOTE_ENDS), NO_QUOTE, reason)
        lasts_us = np.maximum((waits.min(0) * 1e6).astype(np.int64), 1)
        crosses = {
            "market": market, "start": start, "printed": printed, "thinned_s": thinned_s,
            "gone_s": gone_s, "back_s": back_s, "stale_s": stale_s, "lasts_us": lasts_us,
            "reason": reason, "left": rng.uniform(0.2, 0.8, n), "side": rng.integers(0, 2, n),
            "edge": self.column("cost_bps", market)
            + rng.exponential(1, n) * self.column("extra_edge_bps", market),
            "notional": np.minimum(MAX_NOTIONAL, 120 * np.exp(1.3 * rng.standard_normal(n))),
            "shock": rng.standard_normal(n),
        }
        # One at a time in a market: a cross that begins before those ahead of it ended is dropped.
        order = np.lexsort((start, market))
        shifted = (start - day_ns + market * 4 * DAY)[order]
        ends = np.maximum.accumulate(shifted + lasts_us[order] * 1000)
        free = np.append(True, shifted[1:] > ends[:-1] + SECOND)
        crosses = {name: values[order] for name, values in crosses.items()}
        free &= ~self.in_gap(crosses["start"])
        crosses = {name: values[free] for name, values in crosses.items()}
        n, market = len(crosses["market"]), crosses["market"]
        wander = 1 + 0.01 * np.sin(crosses["start"] / (7e12 + 1e11 * market)) + 1e-3 * rng.standard_normal(n)
        oracle = np.rint(self.column("px", market) * 1e8 * wander / TICK).astype(np.int64) * TICK
        same = (rng.random(n) < SAME_ORACLE) & (market == np.roll(market, 1)) & (np.arange(n) > 0)
        kept = np.maximum.accumulate(np.where(same, 0, np.arange(n)))
        crosses["oracle"] = oracle[kept]
        order = np.argsort(crosses["start"], kind="stable")
        crosses = {name: values[order] for name, values in crosses.items()}
        crosses["id"] = np.arange(n, dtype=np.uint64) + np.uint64(self.next_cross)
        self.next_cross += n
        sign = np.where(crosses["side"] == 0, 1, -1)
        touched = crosses["oracle"] * (1 - sign * crosses["edge"] / 1e4)
        crosses["limit"] = np.rint(touched / TICK).astype(np.int64) * TICK
        crosses["edge"] = sign * (crosses["oracle"] - crosses["limit"]) / crosses["oracle"] * 1e4
        crosses["signals"] = np.maximum(-(-crosses["lasts_us"] // 1_000_000), 1)
        return crosses

    def signals(self, rng, crosses):
        """The signals of crosses, one at the start and one each second, by their time."""
        cross = np.repeat(np.arange(len(crosses["id"])), crosses["signals"])
        first = np.cumsum(crosses["signals"]) - crosses["signals"]
        second = np.arange(len(cross)) - first[cross]
        signals = {name: values[cross] for name, values in crosses.items() if name not in ("id", "signals")}
        signals["cross_id"], signals["second"] = crosses["id"][cross], second
        signals["at"] = signals["start"] + second * SECOND
        order = np.argsort(signals["at"], kind="stable")
        signals = {name: values[order] for name, values in signals.items()}
        n = len(order)
        signals["id"] = np.arange(n, dtype=np.uint64) + np.uint64(self.next_signal)
        self.next_signal += n
        size = signals["notional"] / (signals["limit"] / 1e8)
        signals["sz"] = np.maximum(np.floor(size * 1e8 / LOT).astype(np.int64), 1) * LOT
        bits = rng.random((n, 8)) < GATE_SHARES
        signals["mask"] = np.packbits(bits, axis=1, bitorder="little")[:, 0]
        signals["gate"] = np.where(bits.any(1), bits.argmax(1), -1)
        signals["filtered"] = (signals["gate"] < 0) & (rng.random(n) < FILTERED_SHARE)
        return signals

    def states(self, rng, signals, offsets_ms):
        """What stands `offsets_ms` after each signal, as arrays of (signal, offset), in time's order.

        Returns the rows' signals, offsets, times, statuses, the share of the signal's size that is
        left, and whether the quote has moved to the oracle or the oracle to the quote.
        """
        row = np.repeat(np.arange(len(signals["id"])), len(offsets_ms))
        offset = np.tile(np.array(offsets_ms), len(signals["id"]))
        at = signals["at"][row] + offset * 1_000_000 + rng.integers(0, 2_000_000, len(row))
        order = np.argsort(at, kind="stable")
        row, offset, at = row[order], offset[order], at[order]
        began = signals["second"][row].astype(float)
        seconds = began + offset / 1e3
        frozen = np.minimum(seconds, signals["back_s"][row])  # The quote was right: it stays.
        gone_s, thinned_s = signals["gone_s"][row], signals["thinned_s"][row]
        thin_from_start = began >= thinned_s  # Its size was taken of a thinned book.
        thin = (frozen >= thinned_s) & ~thin_from_start
        left = np.where(frozen >= gone_s, 0.0, np.where(thin, signals["left"][row], 1.0))
        status = np.where(rng.random(len(row)) < STALE_LOOKS, STALE, CAPTURED)
        status = np.where(seconds >= signals["stale_s"][row], STALE, status)
        status = np.where(self.in_gap(at), DISCONNECTED, status)
        status = np.where(at >= self.end, SHUTDOWN, status)
        return row, offset, at, status, left, frozen >= gone_s, seconds >= signals["back_s"][row]

    def names(self, market):
        return market.astype(np.int32), [m.name for m in self.markets]

    def write_gaps(self, store, day_ns):
        today = (self.gap_start >= day_ns) & (self.gap_start < day_ns + DAY)
        return store.write("gaps", day_ns, {
            "started_at": self.gap_start[today], "ended_at": self.gap_end[today],
            "cause": (self.gap_cause[today].astype(np.int32), ["start", "link_down", "stopped"]),
            "markets": np.full(today.sum(), len(self.markets))})

    def day(self, store, index):
        """Writes the files of one day; signals of a cross that goes on past midnight wait for the next."""
        day_ns = self.start + index * DAY
        rng = np.random.default_rng([self.args.seed, 1, index])
        prints = rng.standard_normal(86_400 // PRINT_S)
        crosses = self.crosses(rng, day_ns)
        # Shared by all markets that the same print moved, and by all signals of the cross.
        crosses["shock"] = (crosses["shock"] + prints[crosses["printed"]]) / math.sqrt(2)
        signals = self.signals(rng, crosses)
        if self.late:
            signals = {name: np.concatenate([self.late[name], signals[name]]) for name in signals}
        late = signals["at"] >= day_ns + DAY
        self.late = {name: values[late] for name, values in signals.items()}
        signals = {name: values[~late] for name, values in signals.items()}
        open_ = np.zeros(len(crosses["id"]), bool)
        if self.args.running and index == self.args.days - 1:
            # The last of each market has no row yet.
            open_[len(open_) - 1 - np.unique(crosses["market"][::-1], return_index=True)[1]] = True

        jobs = [("crosses", self.cross_columns(crosses, ~open_)),
                ("followup", self.followup_columns(rng, signals)),
                ("entries", self.entry_columns(rng, signals))]
        if self.args.trading:
            decisions, orders, trades = record_trades.trade(rng, self, signals, day_ns + DAY)
            jobs += [("orders", orders), ("trades", trades)]
        else:
            names = ["observed", *(f"blocked:{gate}" for gate in GATES), "filtered:MaxEdge"]
            code = np.where(signals["filtered"], len(names) - 1, signals["gate"] + 1)
            decisions = code.astype(np.int32), names
        jobs.append(("signals", self.signal_columns(rng, signals, decisions)))
        rows = self.write_gaps(store, day_ns)
        # Compression runs beside the interpreter; one file a thread.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            rows += sum(pool.map(lambda job: store.write(job[0], day_ns, job[1]), jobs))
        return len(signals["id"]), rows

    def signal_columns(self, rng, s, decisions):
        n, market = len(s["id"]), s["market"]
        buy, all_ = s["side"] == 0, np.ones(len(s["id"]), bool)
        spread = self.column("spread_bps", market)
        other = np.rint(s["limit"] * (1 + np.where(buy, -1, 1) * spread / 1e4) / TICK).astype(np.int64) * TICK
        bid, ask = np.where(buy, other, s["limit"]), np.where(buy, s["limit"], other)
        book = s["sz"] * 10
        fee = self.column("fee_bps", market)
        mean = spread * (1 + 0.1 * rng.standard_normal(n))
        # The engine's notional has six decimals.
        notional = np.floor(s["sz"] * (s["limit"] / 1e8) / 100).astype(np.int64) * 100
        return {
            "signal_id": s["id"], "detected_at": s["at"], "market": self.names(market),
            "asset_id": 110_000 + market, "side": (s["side"].astype(np.int32), SIDES),
            "oracle_px": s["oracle"], "mark_px": (s["oracle"], all_), "bid_px": (bid, all_),
            "bid_sz": (np.where(buy, 3 * book, book), all_), "ask_px": (ask, all_),
            "ask_sz": (np.where(buy, book, 3 * book), all_), "raw_edge_bps": s["edge"],
            "net_edge_bps": s["edge"] - FEE_SIDES * fee - SLIPPAGE_BPS,
            "cost_bps": self.column("cost_bps", market), "suggested_sz": s["sz"],
            "suggested_notional": notional, "size_factor": np.ones(n), "spread_bps": (spread, all_),
            "spread_ewma_bps": (mean, all_), "bbo_age_us": rng.integers(0, 2_000_000, n),
            "ctx_age_us": rng.integers(0, 3_000_000, n), "bbo_time_ms": s["at"] // 1_000_000 - 120,
            "cross_id": s["cross_id"], "cross_age_ms": s["second"] * 1000,
            "blocked_by": ((np.maximum(s["gate"], 0).astype(np.int32), GATES), s["gate"] >= 0),
            "gate_mask": s["mask"], "decision": decisions,
            "limited_by": ((np.zeros(n, np.int32), ["margin"]), ~all_),
            "mode": (np.zeros(n, np.int32), ["trading" if self.args.trading else "observation"]),
        }

    def followup_columns(self, rng, s):
        row, offset, at, status, _, gone, back = self.states(rng, s, record_truth.EXITS_MS)
        n, market, side = len(row), s["market"][row], s["side"][row]
        sign = np.where(side == 0, 1, -1)
        half, spread = self.column("half_spread_bps", market), self.column("spread_bps", market)
        edge, entry, oracle = s["edge"][row], s["limit"][row], s["oracle"][row]
        # Quotes stand still until the maker moves them; then they wander with the oracle.
        own = rng.standard_normal(n)
        noise = np.where(gone | back, NOISE_BPS * np.sqrt(offset / 1e3), 0) * (s["shock"][row] + own) / math.sqrt(2)
        gain = np.where(gone, edge - half, -spread) + noise
        leave = np.rint(entry * (1 + sign * gain / 1e4) / TICK).astype(np.int64) * TICK
        gap = np.where(gone, 2 * half, spread)
        touch = np.rint(leave * (1 + sign * gap / 1e4) / TICK).astype(np.int64) * TICK
        moved = np.where(gone, leave * (1 + sign * half / 1e4), touch * (1 - sign * half / 1e4))
        now = np.where(gone | back, np.rint(moved / TICK).astype(np.int64) * TICK, oracle)
        raw = sign * (now - touch) / now * 1e4
        seen = status <= STALE
        stands = seen & (rng.random(n) >= EMPTY_EXITS)
        buy, size = side == 0, s["sz"][row] * 10
        has_bid, has_ask = np.where(buy, stands, seen), np.where(buy, seen, stands)
        mid_then = entry * (1 - sign * spread / 2e4)
        mid_now = (leave + touch) / 2
        return {
            "signal_id": s["id"][row], "market": self.names(market), "side": (side.astype(np.int32), SIDES),
            "signal_at": s["at"][row], "offset_ms": offset, "captured_at": at, "oracle_px": (now, seen),
            "bid_px": (np.where(buy, leave, touch), has_bid), "bid_sz": (size, has_bid),
            "ask_px": (np.where(buy, touch, leave), has_ask), "ask_sz": (size, has_ask),
            "raw_edge_bps": (raw, seen), "edge_change_bps": (raw - edge, seen),
            "oracle_moved_bps": ((now / oracle - 1) * 1e4, seen),
            "market_moved_bps": ((mid_now / mid_then - 1) * 1e4, stands),
            "markout_bps": (sign * (leave / entry - 1) * 1e4, stands),
            "bbo_age_us": (rng.integers(0, 2_000_000, n), seen),
            "status": (status.astype(np.int32), STATUSES),
        }

    def entry_columns(self, rng, s):
        row, offset, at, status, left, gone, _ = self.states(rng, s, record_truth.LATENCIES_MS)
        market, side, sz = s["market"][row], s["side"][row], s["sz"][row]
        sign = np.where(side == 0, 1, -1)
        seen = status <= STALE
        fillable = np.where(left == 1.0, sz, np.floor(sz * left / LOT).astype(np.int64) * LOT)
        px = np.where(gone, np.rint(s["limit"][row] * (1 + sign * s["edge"][row] / 1e4) / TICK).astype(np.int64) * TICK,
                      s["limit"][row])
        return {
            "signal_id": s["id"][row], "market": self.names(market), "side": (side.astype(np.int32), SIDES),
            "latency_ms": offset, "captured_at": at, "limit_px": s["limit"][row], "px": (px, seen),
            "available_sz": (np.where(left == 1.0, sz * 10, fillable), seen),
            "fillable_sz": (fillable, seen), "oracle_px": (s["oracle"][row], seen),
            "status": (status.astype(np.int32), STATUSES),
        }

    def cross_columns(self, c, kept):
        c = {name: values[kept] for name, values in c.items()}
        survival = (c["thinned_s"] * 1e6).astype(np.int64)
        seen = (survival <= c["lasts_us"]) & (c["thinned_s"] <= c["back_s"])
        return {
            "cross_id": c["id"], "market": self.names(c["market"]),
            "side": (c["side"].astype(np.int32), SIDES), "started_at": c["start"],
            "ended_at": c["start"] + c["lasts_us"] * 1000, "duration_us": c["lasts_us"],
            "quote_survival_us": (survival, seen), "max_raw_edge_bps": c["edge"],
            "signals": c["signals"], "end_reason": (c["reason"].astype(np.int32), ENDS),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", required=True, metavar="DIR", help="made, or empty of day files")
    parser.add_argument("--signals", type=int, default=100_000, metavar="N", help="about so many in all")
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--markets", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", default="2026-11-01", metavar="YYYY-MM-DD", help="the first day, UTC")
    parser.add_argument("--group-rows", type=int, default=8192, metavar="N", help="rows of a row group")
    parser.add_argument("--trading", action="store_true", help="with orders and trades")
    parser.add_argument("--running", action="store_true", help="as if the run went on: some crosses are open")
    args = parser.parse_args()
    if min(args.signals, args.days, args.markets, args.group_rows) < 1:
        parser.error("--signals, --days, --markets and --group-rows are at least 1")
    os.makedirs(args.out, exist_ok=True)
    if any(name.endswith(".parquet") for name in os.listdir(args.out)):
        print(f"{args.out}: holds records already; name another directory", file=sys.stderr)
        return 2
    world = World(args)
    store = Store(args.out, {
        "run_id": f"made-{args.seed}", "git_commit": "none", "config_hash": "none",
        "started_at": world.start, "mode": "trading" if args.trading else "observation",
        "entry_latencies_ms": list(record_truth.LATENCIES_MS), "slippage_bps": SLIPPAGE_BPS,
        "fee_sides": FEE_SIDES}, args.group_rows)
    signals = rows = 0
    for index in range(args.days):
        made = world.day(store, index)
        signals, rows = signals + made[0], rows + made[1]
    truth = record_truth.truth(world.markets)
    with open(os.path.join(args.out, "truth.json"), "w", encoding="utf-8") as file:
        json.dump(truth, file, indent=1)
    record_truth.print_table(truth)
    print(f"{args.out}: {signals} signals, {rows} rows in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
