// What was traded in fact, where anything was. The subject is the report.
"use strict";

/** `a by refusal`: outcome and, where there is one, its reason. */
const outcomeName = ({ outcome, refusal }) => (refusal ? `${word(outcome)}: ${word(refusal)}` : word(outcome));

const EXPECTED = {
  id: "trading", title: "Expected against realised", explain: "trading",
  build({ trading: { trades, entries } }, colors) {
    if (trades.n === 0) return nothing("no trade was closed");
    const bars = [["expected", trades.expected_usd, colors.muted], ["before fees", trades.usd_before_fees, colors.accent], ["realised", trades.usd, colors.buy]].filter(([, value]) => isNumber(value));
    return {
      note: `${many(trades.n, "trade")}, ${percent(trades.wins / trades.n)} won; realised less expected ${signed(trades.mean_difference_usd, 3)} USD a trade.`, height: 230,
      extra: [plainTable(["", "USD"], [
        ["expected of these fills", usd(trades.expected_usd)], ["realised before fees", usd(trades.usd_before_fees)], ["fees", usd(isNumber(trades.fees_usd) ? -trades.fees_usd : null)], ["realised after fees", usd(trades.usd)],
        ["entry fees paid against expected", `${fixed(entries.fee.paid_usd, 2)} of ${fixed(entries.fee.expected_usd, 2)}`],
      ])],
      traces: [{
        type: "bar", x: bars.map(([name]) => name), y: bars.map(([, value]) => value), marker: { color: bars.map(([, , color]) => color) }, text: bars.map(([, value]) => usd(value)), textposition: "auto",
        hoverinfo: "text", hovertext: bars.map(([name, value]) => hover(name, `${usd(value)} USD`)),
      }],
      layout: { showlegend: false, bargap: 0.5, margin: { t: 12, b: 28 }, xaxis: { type: "category", showgrid: false }, yaxis: { title: "USD" } },
    };
  },
};

const MISSES = {
  id: "misses", title: "What became of entries", explain: "misses",
  build({ trading: { entries, trades } }, colors) {
    if (entries.sent === 0) return nothing("no entry was sent");
    const outcomes = entries.outcomes.filter(({ n }) => n > 0).sort((a, b) => a.n - b.n);
    const filled = (outcome) => outcome === "filled" || outcome === "partially_filled";
    return {
      note: `${many(entries.sent, "entry", "entries")} sent; ${count(entries.filled)} filled, ${count(entries.partially_filled)} in part. Mean slippage ${bps(entries.slippage_bps)} bps against the limit.`,
      height: 60 + 30 * Math.max(2, outcomes.length),
      extra: [plainTable(["exit", "trades"], [...Object.entries(trades.exits).map(([name, n]) => [word(name), count(n)]), ["held, median", length(trades.holding_p50_ms)]])],
      traces: outcomes.length === 0 ? null : [{
        type: "bar", orientation: "h", x: outcomes.map(({ n }) => n), y: outcomes.map((_, n) => n), text: outcomes.map(({ n }) => ` ${count(n)} `), textposition: "auto", cliponaxis: false,
        marker: { color: outcomes.map(({ outcome }) => (filled(outcome) ? colors.accent : colors.muted)) }, hoverinfo: "text",
        hovertext: outcomes.map((one) => hover(outcomeName(one), `${count(one.n)}, ${percent(one.n / entries.sent, 1)} of those sent`)),
      }],
      layout: {
        showlegend: false, bargap: 0.35, margin: { t: 12, r: 44 }, xaxis: { rangemode: "tozero", nticks: 5 },
        yaxis: { showgrid: false, zeroline: false, tickvals: outcomes.map((_, n) => n), ticktext: outcomes.map((one) => `${plain(short(outcomeName(one), SMALL.matches ? 20 : 30))} `) },
      },
    };
  },
};

const ARRIVAL = {
  id: "arrival", title: "Latency against outcome", explain: "arrival",
  build({ trading: { entries } }, colors) {
    const known = entries.by_latency.filter(({ n, fill_rate: share }) => n > 0 && isNumber(share));
    const table = plainTable(["answered", "n", "p50", "p90", "p99"], entries.answer_latency.map((one) => [
      word(one.outcome), count(one.n), length(one.p50_ms), length(one.p90_ms), length(one.p99_ms),
    ]));
    if (known.length === 0) return { empty: "No answer was timed.", extra: [table] };
    const limits = entries.by_latency.map(({ below_ms: below }) => below).filter(isNumber);
    const name = ({ below_ms: below }) => (isNumber(below) ? `< ${fixed(below, 0)}` : `≥ ${fixed(limits.at(-1), 0)}`);
    return {
      note: "Share of entries that filled, by the time to the venue's answer.", height: 230, extra: [table],
      traces: [{
        type: "bar", x: known.map(name), y: known.map(({ fill_rate: share }) => share), text: known.map(({ fill_rate: share }) => percent(share)), textposition: "auto", marker: { color: colors.accent },
        hoverinfo: "text", hovertext: known.map((one) => hover(`${name(one)} ms`, `${percent(one.fill_rate, 1)} filled`, many(one.n, "entry", "entries"))),
      }],
      layout: { showlegend: false, bargap: 0.3, margin: { t: 12 }, xaxis: { type: "category", title: "ms to the answer", showgrid: false }, yaxis: { tickformat: ".0%", rangemode: "tozero" } },
    };
  },
};
