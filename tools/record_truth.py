"""The markets that make_records.py draws, and what their signals are worth, in closed form.

A signal finds its quote whole. From there at rate `follow = 1/follow_s` the maker moves: with the chance
`thinned` only part of the size goes first and the rest waits once more at the same rate, else the quote
is gone. At rate `back = 1/return_s` the oracle comes back and everything stands still. A fill that ends
`gone` earns the edge less half the new spread; any other pays the old spread.
"""

import dataclasses
import math

LATENCIES_MS = (50, 200, 400, 900)
EXITS_MS = (1000, 3000, 5000)
POINTS_MS = (50, 100, 200, 400, 900, 1000, 2000, 3000, 5000)
COST_ABOVE_FEES_BPS = 7.0  # Slippage and least edge.
MEAN_LEFT = 0.5  # Of a thinned quote: uniform in 0.2..0.8.


@dataclasses.dataclass(frozen=True)
class Market:
    """Waits in seconds, prices in USD, the rest in basis points."""

    name: str
    kind: str
    px: float
    weight: float
    follow_s: float
    return_s: float
    thinned: float
    extra_edge_bps: float
    spread_bps: float
    half_spread_bps: float
    fee_bps: float

    @property
    def cost_bps(self):
        """What an edge has to reach to be a signal."""
        return 2 * self.fee_bps + COST_ABOVE_FEES_BPS

    @property
    def edge_bps(self):
        """The mean edge of its signals."""
        return self.cost_bps + self.extra_edge_bps

    @property
    def rate(self):
        """At which any state is left, per second."""
        return 1 / self.follow_s + 1 / self.return_s

    def whole_and_thinned(self):
        """Signals a cross makes while its quote is whole, and while it is thinned: one a second."""
        r = math.exp(-self.rate)
        return 1 / (1 - r), self.thinned / self.follow_s * r / (1 - r) ** 2

    def signals_a_cross(self):
        return sum(self.whole_and_thinned())

    def gone(self, seconds, thinned):
        """The chance that the quote is gone so many seconds after a signal."""
        a, follow = self.rate, 1 / self.follow_s
        once = follow / a * (1 - math.exp(-a * seconds))
        twice = (follow / a) ** 2 * (1 - math.exp(-a * seconds) * (1 + a * seconds))
        return (1 - thinned) * once + thinned * twice

    def stays(self, seconds, thinned):
        """The chance that the cross still stands then."""
        return math.exp(-self.rate * seconds) * (1 + thinned / self.follow_s * seconds)

    def fill_and_gross(self, latency_s, exit_s, thinned):
        """Mean fill, and mean of fill times gross profit (bps), of a signal that meets a whole quote
        which is thinned first with the chance `thinned`."""
        a, follow, back = self.rate, 1 / self.follow_s, 1 / self.return_s
        rest = exit_s - latency_s
        alive = math.exp(-a * latency_s)
        # Where it stands at the latency: whole, thinned, or still since the oracle came back.
        whole, thin = alive, thinned * follow * latency_s * alive
        still = back / a * (1 - alive)
        still_thin = thinned * follow * back / a**2 * (1 - alive * (1 + a * latency_s))
        earns, pays = self.edge_bps - self.half_spread_bps, -self.spread_bps

        def leaving(gone):
            return gone * earns + (1 - gone) * pays

        fill = whole + still + MEAN_LEFT * (thin + still_thin)
        gross = (whole * leaving(self.gone(rest, thinned)) + still * pays
                 + MEAN_LEFT * (thin * leaving(self.gone(rest, 0.0)) + still_thin * pays))
        return fill, gross

    def mean_value_bps(self, latency_ms, exit_ms):
        """What a signal is worth, per suggested notional: after fees, a miss counting zero.

        The fee of the exit is on its own price: to first order in the gross profit, and both sides
        are as frequent, so that the order vanishes in the mean.
        """
        whole, thin = self.whole_and_thinned()
        value = 0.0
        for share, thinned in ((whole, self.thinned), (thin, 0.0)):
            fill, gross = self.fill_and_gross(latency_ms / 1e3, exit_ms / 1e3, thinned)
            value += share * (gross - 2 * self.fee_bps * fill)
        return value / (whole + thin)

    def retained(self, seconds):
        """Mean edge so many seconds after a signal, as a share of the mean edge at it."""
        whole, thin = self.whole_and_thinned()
        stays = (whole * self.stays(seconds, self.thinned) + thin * self.stays(seconds, 0.0)) / (whole + thin)
        return (stays * self.edge_bps - (1 - stays) * self.half_spread_bps) / self.edge_bps


def draw_markets(rng, count):
    """Of ten markets five lag, two have a basis that stays, three make noise."""
    kinds = ["lag", "noise", "lag", "spread", "lag", "noise", "lag", "spread", "lag", "noise"]
    markets = []
    for index in range(count):
        kind = kinds[index % len(kinds)]
        if kind == "lag":
            follow, back, extra = float(rng.uniform(0.2, 2.0)), float(rng.uniform(5, 20)), float(rng.uniform(4, 15))
        elif kind == "spread":
            follow, back, extra = 600.0, float(rng.uniform(30, 90)), float(rng.uniform(2, 8))
        else:
            follow, back, extra = 20.0, float(rng.uniform(0.5, 1.5)), float(rng.uniform(0.5, 2))
        half = float(rng.uniform(1, 3))
        markets.append(Market(
            name=f"xyz:{kind.upper()}{index:03}", kind=kind, px=float(10 ** rng.uniform(1, 2.7)),
            weight=float(rng.uniform(0.4, 1.6)), follow_s=follow, return_s=back,
            thinned=float(rng.uniform(0.05, 0.3)), extra_edge_bps=extra, spread_bps=2 * half,
            half_spread_bps=half, fee_bps=0.9 if rng.random() < 0.7 else 4.5))
    return markets


def truth(markets):
    """All of it as JSON: per market its law, values by latency and exit, survival and decay."""
    told = []
    for market in markets:
        told.append({
            "market": market.name, "kind": market.kind, "law": dataclasses.asdict(market),
            "mean_value_bps": [
                {"latency_ms": latency, "exit_ms": exit_, "value": market.mean_value_bps(latency, exit_)}
                for latency in LATENCIES_MS for exit_ in EXITS_MS],
            "survival": [{"ms": ms, "s": math.exp(-ms / 1e3 / market.follow_s)} for ms in POINTS_MS],
            "survival_median_ms": market.follow_s * math.log(2) * 1e3,
            "duration": [{"ms": ms, "s": market.stays(ms / 1e3, market.thinned)} for ms in POINTS_MS],
            "retained_5s": market.retained(5.0),
        })
    return {"markets": told}


def print_table(told):
    """One line a market: its law in short, and its value where it is usually judged."""
    print(f"{'market':16} {'follow s':>9} {'return s':>9} {'edge bps':>9} {'retained 5 s':>13} {'value 400/3000 bps':>19}")
    for market in told["markets"]:
        law = market["law"]
        value = next(v["value"] for v in market["mean_value_bps"] if (v["latency_ms"], v["exit_ms"]) == (400, 3000))
        edge = 2 * law["fee_bps"] + COST_ABOVE_FEES_BPS + law["extra_edge_bps"]
        print(f"{market['market']:16} {law['follow_s']:9.2f} {law['return_s']:9.2f} {edge:9.2f}"
              f" {market['retained_5s']:13.3f} {value:19.3f}")
