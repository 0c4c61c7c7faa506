"""Orders and trades of made-up records: what trading on the signals of make_records.py would have met."""

import numpy as np

SECOND = 1_000_000_000
LOT, TICK = 1_000, 10_000
MILLIONTH = 100  # USD are told to six decimals, in units of 1e-8.
SENT_SHARE = 0.3
LONGEST_S = 30.0
OUTCOMES = ["filled", "partially_filled", "expired", "rejected", "dropped"]
FILLED, PARTIALLY, EXPIRED, REJECTED, DROPPED = range(5)
REFUSALS = ["no_match", "margin"]
SIDES = ["buy", "sell"]


def floor_to(values, step):
    return np.floor(values / step).astype(np.int64) * step


def usd(values):
    """USD as units of 1e-8, to the millionth."""
    return np.rint(values * 1e6).astype(np.int64) * MILLIONTH


def trade(rng, world, s, day_end):
    """Takes some of a day's signals: (decision of each, columns of orders, columns of trades).

    Lag markets alone are traded, and nothing that might end past midnight. An entry meets what the
    model left of the quote when it arrives; an exit leaves some seconds later.
    """
    small = s["sz"] * (s["limit"] / 1e8) < 10e8
    lag = np.array([market.kind == "lag" for market in world.markets])[s["market"]]
    clear = (s["gate"] < 0) & ~small & ~s["filtered"]
    sent = clear & lag & (rng.random(len(lag)) < SENT_SHARE) & (s["at"] < min(day_end, world.end) - 60 * SECOND)
    names = ["observed", *(f"blocked:{gate}" for gate in world.gates), "skipped:BelowMinimum",
             "skipped:AlreadyHasPosition", "sent", "filtered:MaxEdge"]
    code = np.where(s["gate"] >= 0, s["gate"] + 1, np.where(small, 9, np.where(sent, 11, 10)))
    code = np.where(s["filtered"], 12, code)
    t = {name: values[sent] for name, values in s.items()}
    entries, fill = enter(rng, world, t)
    exits, trades = leave(rng, world, t, entries, fill)
    orders = {name: joined(entries[name], exits[name]) for name in entries}
    return (code.astype(np.int32), names), sorted_by(orders, "ended_at"), sorted_by(trades, "exited_at")


def joined(a, b):
    if isinstance(a, tuple):
        second = [np.concatenate([a[1], b[1]])] if isinstance(a[1], np.ndarray) else [a[1]]
        return (joined(a[0], b[0]), *second)
    return a + b if isinstance(a, list) else np.concatenate([a, b])


def sorted_by(columns, name):
    order = np.argsort(columns[name], kind="stable")

    def take(values):
        if isinstance(values, tuple):
            return (take(values[0]), take(values[1]) if isinstance(values[1], np.ndarray) else values[1])
        return [values[i] for i in order] if isinstance(values, list) else values[order]

    return {key: take(values) for key, values in columns.items()}


def enter(rng, world, t):
    """The entry of each signal, and how much of it filled."""
    n = len(t["id"])
    answer_s = np.clip(rng.lognormal(np.log(0.25), 0.7, n), 0.02, 2.5)
    then = np.minimum(t["second"] + answer_s, t["back_s"])
    thin = (then >= t["thinned_s"]) & (t["second"] < t["thinned_s"])
    left = np.where(then >= t["gone_s"], 0.0, np.where(thin, t["left"], 1.0))
    odd = rng.random(n)
    left = np.where(odd < 0.03, 0.0, left)  # Refused, or never sent.
    filled = np.where(left == 1.0, t["sz"], floor_to(t["sz"] * left, LOT))
    outcome = np.where(filled == t["sz"], FILLED, np.where(filled > 0, PARTIALLY, EXPIRED))
    outcome = np.where(odd < 0.01, DROPPED, np.where(odd < 0.03, REJECTED, outcome))
    went, got = outcome != DROPPED, filled > 0
    sign = np.where(t["side"] == 0, 1, -1)
    better = np.where(rng.random(n) < 0.1, rng.exponential(1, n), 0.0)  # Bps, now and then.
    avg = np.rint(t["limit"] * (1 - sign * better / 1e4) / TICK).astype(np.int64) * TICK
    sent_at = t["at"] + rng.integers(20_000, 80_000, n)
    answered = sent_at + (answer_s * SECOND).astype(np.int64)
    refused = (outcome == EXPIRED) | (outcome == REJECTED)
    fee = usd(filled / 1e8 * avg / 1e8 * world.column("fee_bps", t["market"]) / 1e4)
    return order_columns(
        world, t, cloid=[f"0x{1:08x}{int(i):024x}" for i in t["id"]], side=t["side"], px=t["limit"], sz=t["sz"],
        signal_id=(t["id"], np.ones(n, bool)), reason=np.zeros(n, np.int32), outcome=outcome,
        refusal=((outcome == REJECTED).astype(np.int32), refused), filled=filled, avg_px=(avg, got), fee=fee,
        sent=(sent_at, went), answered=(answered, went), filled_at=(answered, got),
        ended=np.where(went, answered, t["at"] + 1_000_000)), filled


def leave(rng, world, t, entries, filled):
    """The exit of each position, and its round trip."""
    keep = filled > 0
    u = {name: values[keep] for name, values in t.items()}
    n, sz, entry = len(u["id"]), filled[keep], entries["avg_px"][0][keep]
    sign = np.where(u["side"] == 0, 1, -1)
    hold_s = np.minimum(1 + rng.exponential(5, n), LONGEST_S)
    then = np.minimum(u["second"] + hold_s, u["back_s"])
    half, spread = world.column("half_spread_bps", u["market"]), world.column("spread_bps", u["market"])
    gain = np.where(then >= u["gone_s"], u["edge"] - half, -spread) + 3 * rng.standard_normal(n)
    exit_ = np.rint(u["limit"] * (1 + sign * gain / 1e4) / TICK).astype(np.int64) * TICK
    entered = entries["filled_at"][0][keep]
    exited = entered + (hold_s * SECOND).astype(np.int64)
    stopped = hold_s >= LONGEST_S
    fee = usd(sz / 1e8 * exit_ / 1e8 * world.column("fee_bps", u["market"]) / 1e4)
    all_ = np.ones(n, bool)
    orders = order_columns(
        world, u, cloid=[f"0x{2:08x}{int(i):024x}" for i in u["id"]], side=1 - u["side"],
        px=np.rint(exit_ * (1 - sign * 50 / 1e4) / TICK).astype(np.int64) * TICK, sz=sz,
        signal_id=(u["id"], ~all_), reason=np.where(stopped, 2, 1), outcome=np.zeros(n, np.int32),
        refusal=(np.zeros(n, np.int32), ~all_), filled=sz, avg_px=(exit_, all_), fee=fee,
        sent=(exited - 200_000_000, all_), answered=(exited, all_), filled_at=(exited, all_), ended=exited)
    before = usd(sign * (sz / 1e8) * ((exit_ - entry) / 1e8))
    fees = entries["fee"][keep] + fee
    trades = {
        "trade_id": u["id"], "signal_id": (u["id"], all_), "market": world.names(u["market"]),
        "asset_id": 110_000 + u["market"], "side": (u["side"].astype(np.int32), SIDES), "sz": sz, "entry_px": entry,
        "exit_px": exit_, "entered_at": entered, "exited_at": exited, "holding_ms": (exited - entered) // 1_000_000,
        "exit_reason": (stopped.astype(np.int32), ["mark_regression", "time_stop"]), "pnl_before_fees": before,
        "fees": fees, "pnl": before - fees, "fills": np.full(n, 2), "adopted": ~all_}
    return orders, trades


def order_columns(world, s, cloid, side, px, sz, signal_id, reason, outcome, refusal, filled, avg_px, fee, sent,
                  answered, filled_at, ended):
    n = len(cloid)
    went = sent[1]
    created = np.where(went, sent[0] - 20_000, s["at"])
    return {
        "cloid": cloid, "oid": (s["id"] & np.uint64((1 << 40) - 1), went),
        "nonce": ((created // 1_000_000).astype(np.uint64), went), "signal_id": signal_id,
        "market": world.names(s["market"]), "asset_id": 110_000 + s["market"], "side": (side.astype(np.int32), SIDES),
        "px": px, "sz": sz, "reduce_only": ~signal_id[1],
        "reason": (reason.astype(np.int32), ["entry", "mark_regression", "time_stop"]),
        "outcome": (outcome.astype(np.int32), OUTCOMES),
        "refusal": ((refusal[0], REFUSALS), refusal[1]), "filled": filled, "avg_px": avg_px, "fee": fee,
        "created_at": created, "sent_at": sent, "answered_at": answered, "updated_at": answered,
        "filled_at": filled_at, "ended_at": ended, "send_latency_ns": (np.full(n, 20_000), went),
        "answer_latency_ns": (answered[0] - sent[0], went),
    }
