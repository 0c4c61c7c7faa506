// What was traded in fact, where anything was. The subject is the report.
"use strict";

const EXPECTED = {
  id: "trading",
  title: "Expected against realised",
  explain: "trading",
  build({ trading: { trades, fees, expected } }, colors) {
    if (trades.n === 0) return nothing("no trade was closed");
    const bars = [
      ["expected", expected.expected_usd, colors.muted],
      ["realised", expected.realised_usd, colors.accent],
    ].filter(([, value]) => isNumber(value));
    const drawn = expected.n > 0 && bars.length > 0;
    return {
      note: `${many(trades.n, "trade")}, ${percent(trades.wins / trades.n)} won. ${drawn ? `Of ${count(expected.n)} whose signals have a value: realised less expected ${signed(expected.mean_difference_usd, 3)} USD a trade.` : "Their signals have no value."}`,
      height: 230,
      extra: [
        plainTable(
          ["", "USD"],
          [
            ["all trades before fees", usd(trades.usd_before_fees)],
            ["fees, both ways", usd(isNumber(trades.fees) ? -trades.fees : null)],
            ["all trades after fees", usd(trades.usd)],
            [
              "entry fees paid, of those expected",
              `${fixed(fees.paid, 2)} of ${fixed(fees.expected, 2)} (${percent(fees.ratio)})`,
            ],
          ],
        ),
      ],
      traces: !drawn
        ? null
        : [
            {
              type: "bar",
              x: bars.map(([name]) => name),
              y: bars.map(([, value]) => value),
              marker: { color: bars.map(([, , color]) => color) },
              text: bars.map(([, value]) => usd(value)),
              textposition: "auto",
              insidetextfont: { color: colors.panel },
              hoverinfo: "text",
              hovertext: bars.map(([name, value]) =>
                hover(name, `${usd(value)} USD over ${many(expected.n, "trade")}`),
              ),
            },
          ],
      empty: drawn ? null : "Nothing to compare with.",
      layout: {
        showlegend: false,
        bargap: 0.5,
        margin: { t: 12, b: 28 },
        xaxis: { type: "category", showgrid: false },
        yaxis: { title: "USD" },
      },
    };
  },
};

const MISSES = {
  id: "misses",
  title: "What became of entries",
  explain: "misses",
  build({ trading: { entries, trades } }, colors) {
    const outcomes = Object.entries(entries.outcomes)
      .filter(([, n]) => n > 0)
      .sort((a, b) => a[1] - b[1]);
    const all = outcomes.reduce((sum, [, n]) => sum + n, 0);
    const exits = [
      ...Object.entries(trades.exits).map(([name, n]) => [word(name), count(n)]),
      ["held, median", length(trades.holding_ms_p50)],
    ];
    const refusals = Object.entries(entries.refusals)
      .sort((a, b) => b[1] - a[1])
      .map(([name, n]) => [word(name), count(n)]);
    const extra = [
      ...(refusals.length > 0 ? [plainTable(["refused because", "entries"], refusals)] : []),
      ...(trades.n > 0 ? [plainTable(["closed because", "trades"], exits)] : []),
    ];
    if (all === 0) return { ...nothing("no entry was made"), extra };
    const filled = (outcome) => outcome === "filled" || outcome === "partially_filled";
    return {
      note: `${many(entries.sent, "entry", "entries")} sent; ${count(entries.filled)} filled, ${count(entries.partially_filled)} in part. Mean slippage ${bps(entries.slippage_bps)} bps against the price that the signal touched; worse is positive.`,
      height: 50 + 30 * Math.max(2, outcomes.length),
      extra,
      traces: [
        {
          type: "bar",
          orientation: "h",
          x: outcomes.map(([, n]) => n),
          y: outcomes.map((_, n) => n),
          text: outcomes.map(([, n]) => ` ${count(n)} `),
          textposition: "auto",
          insidetextfont: { color: colors.panel },
          cliponaxis: false,
          marker: { color: outcomes.map(([outcome]) => (filled(outcome) ? colors.accent : colors.muted)) },
          hoverinfo: "text",
          hovertext: outcomes.map(([outcome, n]) =>
            hover(word(outcome), `${many(n, "entry", "entries")}, ${percent(n / all, 1)}`),
          ),
        },
      ],
      layout: {
        showlegend: false,
        bargap: 0.35,
        margin: { t: 12, r: 44 },
        xaxis: { rangemode: "tozero", nticks: 5 },
        yaxis: {
          showgrid: false,
          zeroline: false,
          tickvals: outcomes.map((_, n) => n),
          ticktext: outcomes.map(([outcome]) => `${plain(short(word(outcome)))} `),
        },
      },
    };
  },
};

const ARRIVAL = {
  id: "arrival",
  title: "Latency against outcome",
  explain: "arrival",
  wide: true,
  build({ trading: { entries } }, colors) {
    const known = entries.fill_rate_by_latency.filter(({ n, fill_rate: share }) => n > 0 && isNumber(share));
    const table = plainTable(
      ["answered", "n", "p50", "p90", "p99"],
      entries.answer_ms.map((one) => [
        word(one.outcome),
        count(one.n),
        length(one.p50),
        length(one.p90),
        length(one.p99),
      ]),
    );
    if (known.length === 0) return { empty: "No answer was timed.", extra: [table] };
    const limits = entries.fill_rate_by_latency.map(({ below_ms: below }) => below).filter(isNumber);
    const name = ({ below_ms: below }) => (isNumber(below) ? `< ${fixed(below, 0)}` : `≥ ${fixed(limits.at(-1), 0)}`);
    return {
      note: "Mean share of an entry that filled, by the time to the venue's answer.",
      height: 230,
      extra: [table],
      traces: [
        {
          type: "bar",
          x: known.map(name),
          y: known.map(({ fill_rate: share }) => share),
          text: known.map(({ fill_rate: share }) => percent(share)),
          textposition: "auto",
          insidetextfont: { color: colors.panel },
          marker: { color: colors.accent },
          hoverinfo: "text",
          hovertext: known.map((one) =>
            hover(`${name(one)} ms`, `${percent(one.fill_rate, 1)} filled`, many(one.n, "entry", "entries")),
          ),
        },
      ],
      layout: {
        showlegend: false,
        bargap: 0.3,
        margin: { t: 12 },
        xaxis: { type: "category", title: "ms to the answer", showgrid: false },
        yaxis: { tickformat: ".0%", rangemode: "tozero" },
      },
    };
  },
};
