// The figures of one market, or of all together: how long quotes stand, how large the edge is and whether it
// goes away, and what signals were worth. A subject is `{ market, group, settings, confidence }`, where `group`
// is the market's, or one of its sides'.
"use strict";

const EXIT_DASHES = ["solid", "dash", "dot"];
const LEAST_MS = 20; // Where the axis of survival begins: what is shorter no order can meet.
const MOST_MS = 10_000;

const nothing = (what) => ({ empty: `Nothing to draw: ${what}.` });

/** A step curve on a logarithmic axis: the last point before its beginning stands at it. */
function steps(curve) {
  const first = curve.findLastIndex(({ ms }) => ms <= LEAST_MS);
  const rest = curve.slice(first + 1);
  return first < 0 ? rest : [{ ms: LEAST_MS, s: curve[first].s }, ...rest];
}

const SURVIVAL = {
  id: "survival",
  title: "Quote survival",
  explain: "survival",
  build({ group, settings }, colors) {
    const { survival, duration } = group;
    const points = survival.points.filter(({ s }) => isNumber(s)).map((one) => ({ ...one, value: one.s }));
    if (survival.crosses === 0 || points.length === 0) return nothing("no cross was recorded");
    const line = (of, name, style) => ({
      type: "scatter",
      mode: "lines",
      name,
      x: steps(of.curve).map(({ ms }) => ms),
      y: steps(of.curve).map(({ s }) => s),
      line: { shape: "hv", ...style },
      hoverinfo: "text",
      hovertext: steps(of.curve).map(({ ms, s }) => hover(name, `${percent(s, 1)} after ${length(ms)}`)),
    });
    const here = points.find(({ ms }) => ms === settings.latency_ms);
    const quotes = many(survival.crosses, "stale quote");
    const half = isNumber(survival.median_ms)
      ? `Half of ${quotes} stand longer than ${length(survival.median_ms)}`
      : `More than half of ${quotes} stand to the end`;
    return {
      note: `${half}${here ? `; ${withInterval(here, percent)} still stand at ${length(here.ms)}` : ""}. The ends of ${count(survival.events)} were seen.`,
      traces: [
        ...(duration.crosses > 0 ? [line(duration, "cross", { color: colors.muted, width: 1.2 })] : []),
        line(survival, "quote", { color: colors.accent, width: 2 }),
        {
          type: "scatter",
          mode: "markers",
          name: "intervals",
          showlegend: false,
          x: points.map(({ ms }) => ms),
          y: points.map(({ value }) => value),
          marker: { color: colors.accent, size: 6 },
          error_y: whiskers(points, colors.accent),
          hoverinfo: "text",
          hovertext: points.map(({ ms, s, low, high }) =>
            hover(
              `quote, ${length(ms)}`,
              `${percent(s, 1)} still stand`,
              between({ low, high }, (share) => percent(share, 1)),
            ),
          ),
        },
      ],
      layout: {
        shapes: [...new Set([...settings.latencies_ms, settings.latency_ms])].map((ms) =>
          rule("x", ms, ms === settings.latency_ms ? colors.text : colors.muted),
        ),
        margin: { t: 34 },
        legend: {
          orientation: "v",
          x: 1,
          xanchor: "right",
          y: 1,
          yanchor: "top",
          font: { size: 11, color: colors.muted },
          bgcolor: "rgba(0,0,0,0)",
        },
        xaxis: {
          type: "log",
          title: "since the cross began",
          range: [Math.log10(LEAST_MS), Math.log10(MOST_MS)],
          tickvals: [50, 100, 200, 400, 900, 2000, 5000],
          ticktext: ["50", "100", "200", "400", "900 ms", "2", "5 s"],
        },
        yaxis: { range: [0, 1.03], tickformat: ".0%" },
      },
    };
  },
};

const EDGE = {
  id: "edge",
  title: "Raw edge at the signal",
  explain: "edge",
  build({ group, threshold }, colors) {
    const { histogram, raw, net } = group.edge;
    if (histogram.length === 0) return nothing("no signal that a gate let pass");
    const marks = [
      [raw.p50, "median", "dash", colors.text],
      [threshold?.proposed_bps, "proposed", "solid", colors.good],
    ].filter(([at]) => isNumber(at));
    const lowest = Math.min(...marks.map(([at]) => at));
    const most = histogram.at(-1).bps;
    const reach = isNumber(raw.p99) ? Math.min(most + 1, Math.max(raw.p99 * 1.15, histogram[0].bps + 10)) : most + 1;
    return {
      note: `Half of the edges lie above ${fixed(raw.p50, 1)} bps, one in ten above ${fixed(raw.p90, 1)}; after fees and slippage ${fixed(net.p50, 1)} and ${fixed(net.p90, 1)}.`,
      traces: [
        {
          type: "bar",
          x: histogram.map(({ bps: at }) => at + 0.5),
          y: histogram.map(({ signals }) => signals),
          width: 1,
          marker: { color: colors.accent, line: { color: colors.panel, width: 0.5 } },
          hoverinfo: "text",
          textposition: "none",
          hovertext: histogram.map(({ bps: at, signals }) =>
            hover(at >= 200 ? "200 bps and more" : `${at} to ${at + 1} bps`, many(signals, "signal")),
          ),
        },
      ],
      layout: {
        showlegend: false,
        bargap: 0,
        shapes: marks.map(([at, , dash, color]) => rule("x", at, color, dash)),
        annotations: marks.map(([at, text]) =>
          ruleName(at, text, colors, { xanchor: marks.length === 1 ? "center" : at === lowest ? "right" : "left" }),
        ),
        xaxis: { title: "raw edge, bps", range: [Math.max(0, histogram[0].bps - 1), reach], zeroline: false },
        yaxis: { title: "signals", rangemode: "tozero" },
      },
    };
  },
};

const DECAY = {
  id: "decay",
  title: "Edge decay",
  explain: "decay",
  build({ group }, colors) {
    const { n, mean, retained_5s: retained } = group.decay;
    const points = ["0", "1000", "3000", "5000"]
      .map((ms) => ({ s: Number(ms) / 1000, value: mean[ms] }))
      .filter(({ value }) => isNumber(value));
    if (n === 0 || points.length === 0) return nothing("no signal has all three follow-ups");
    const half = isNumber(mean["0"]) ? mean["0"] / 2 : null;
    return {
      note: `${withInterval(retained, percent)} of the edge is left after 5 s, over ${many(n, "signal")}.`,
      traces: [
        {
          type: "scatter",
          mode: "lines+markers",
          x: points.map(({ s }) => s),
          y: points.map(({ value }) => value),
          line: { color: colors.accent, width: 2 },
          marker: { size: 8, color: colors.accent },
          cliponaxis: false,
          hoverinfo: "text",
          hovertext: points.map(({ s, value }) =>
            hover(s === 0 ? "at the signal" : `${s} s later`, `${fixed(value, 1)} bps`),
          ),
        },
      ],
      layout: {
        showlegend: false,
        shapes: half === null ? [] : [rule("y", half, colors.warn, "dash")],
        annotations:
          half === null
            ? []
            : [
                {
                  x: 1,
                  xref: "paper",
                  xanchor: "right",
                  y: half,
                  yanchor: "bottom",
                  text: "half",
                  showarrow: false,
                  font: { size: 10.5, color: colors.muted },
                },
              ],
        xaxis: { title: "seconds after the signal", tickvals: [0, 1, 3, 5], range: [-0.2, 5.2], zeroline: false },
        yaxis: { title: "mean raw edge, bps", rangemode: "tozero" },
      },
    };
  },
};

const tripAt = (trips, latency, exit) => trips.find((trip) => trip.latency_ms === latency && trip.exit_ms === exit);

/** What a round trip came to, in lines. */
const tripLines = (trip) => [
  `${length(trip.latency_ms)} in, ${length(trip.exit_ms)} out`,
  `${withInterval(trip.mean_value_bps)} bps`,
  `fill rate ${percent(trip.fill_rate)}, wins ${percent(trip.win_rate.value)}`,
  `${usd(trip.usd)} USD over ${many(trip.n, "signal")}`,
];

const HEAT = {
  id: "heat",
  title: "Value by latency and exit",
  explain: "heat",
  build({ group, settings }, colors) {
    const { latencies_ms: latencies, exits_ms: exits } = settings;
    const cells = exits.map((exit) => latencies.map((latency) => tripAt(group.trips, latency, exit)));
    const values = cells
      .flat()
      .map((trip) => trip?.mean_value_bps.value)
      .filter(isNumber);
    if (values.length === 0) return nothing("no signal was valued");
    const reach = Math.max(1, ...values.map(Math.abs));
    const best = group.trips.reduce((a, b) =>
      (b.mean_value_bps.value ?? -Infinity) > (a.mean_value_bps.value ?? -Infinity) ? b : a,
    );
    return {
      note: `Most at ${length(best.latency_ms)} in and ${length(best.exit_ms)} out: ${withInterval(best.mean_value_bps)} bps per signal.`,
      traces: [
        {
          type: "heatmap",
          z: cells.map((row) => row.map((trip) => trip?.mean_value_bps.value ?? null)),
          x: latencies.map(length),
          y: exits.map(length),
          zmin: -reach,
          zmid: 0,
          zmax: reach,
          colorscale: [
            [0, colors.sell],
            [0.5, colors.raised],
            [1, colors.buy],
          ],
          showscale: false,
          xgap: 3,
          ygap: 3,
          text: cells.map((row) => row.map((trip) => bps(trip?.mean_value_bps.value))),
          texttemplate: "%{text}",
          textfont: { size: 14 },
          hoverinfo: "text",
          hovertext: cells.map((row) => row.map((trip) => (trip ? hover(...tripLines(trip)) : NONE))),
        },
      ],
      layout: {
        margin: { t: 12 },
        xaxis: {
          title: "latency: signal to fill",
          type: "category",
          showgrid: false,
          zeroline: false,
          fixedrange: true,
        },
        yaxis: { title: "exit after", type: "category", showgrid: false, zeroline: false, fixedrange: true },
      },
    };
  },
};

const LINES = {
  id: "lines",
  title: "Value by latency, with intervals",
  explain: "lines",
  build({ group, settings }, colors) {
    const { latencies_ms: latencies, exits_ms: exits } = settings;
    const paint = [colors.accent, colors.sell, colors.third];
    const traces = exits
      .map((exit, k) => {
        const points = latencies
          .map((latency, n) => ({ n, trip: tripAt(group.trips, latency, exit) }))
          .filter(({ trip }) => isNumber(trip?.mean_value_bps.value));
        const color = paint[k % paint.length];
        return {
          type: "scatter",
          mode: "lines+markers",
          name: `out after ${length(exit)}`,
          line: { color, width: exit === settings.exit_ms ? 2.4 : 1.2, dash: EXIT_DASHES[k % 3] },
          marker: { size: 6, color },
          // Beside each other, so that whiskers do not cover one another.
          x: points.map(({ n }) => n + (k - (exits.length - 1) / 2) * 0.09),
          y: points.map(({ trip }) => trip.mean_value_bps.value),
          error_y: whiskers(
            points.map(({ trip }) => trip.mean_value_bps),
            color,
          ),
          hoverinfo: "text",
          hovertext: points.map(({ trip }) => hover(...tripLines(trip))),
        };
      })
      .filter(({ x }) => x.length > 0);
    if (traces.length === 0) return nothing("no signal was valued");
    const { chosen } = group;
    return {
      note: `${withInterval(chosen.mean_value_bps)} bps a signal, ${terms(chosen)}; per fill ${withInterval(chosen.mean_net_bps)} bps, the middle one ${withInterval(chosen.median_net_bps)}.`,
      traces,
      layout: {
        shapes: [rule("y", 0, colors.text, "solid")],
        margin: { t: 30 },
        xaxis: {
          title: "latency: signal to fill",
          tickvals: latencies.map((_, n) => n),
          ticktext: latencies.map(length),
          range: [-0.4, latencies.length - 0.6],
          zeroline: false,
          showgrid: false,
        },
        yaxis: { title: "bps per signal" },
      },
    };
  },
};

const ENDS = {
  id: "ends",
  title: "How crosses ended",
  explain: "ends",
  build({ group }, colors) {
    const ends = Object.entries(group.ends)
      .filter(([, n]) => n > 0)
      .sort((a, b) => a[1] - b[1]);
    const all = ends.reduce((sum, [, n]) => sum + n, 0);
    if (all === 0) return nothing("no cross was recorded");
    const [name, most] = ends.at(-1);
    return {
      note: `Of ${many(all, "cross", "crosses")}, ${percent(most / all)} ended because ${word(name)}.`,
      traces: [
        {
          type: "bar",
          orientation: "h",
          x: ends.map(([, n]) => n / all),
          y: ends.map((_, n) => n),
          text: ends.map(([, n]) => `${percent(n / all)} `),
          textposition: "auto",
          insidetextfont: { color: colors.panel },
          marker: { color: ends.map(([end]) => ({ quote: colors.accent, oracle: colors.sell })[end] ?? colors.muted) },
          hoverinfo: "text",
          hovertext: ends.map(([end, n]) => hover(word(end), `${many(n, "cross", "crosses")}, ${percent(n / all, 1)}`)),
        },
      ],
      layout: {
        showlegend: false,
        bargap: 0.35,
        margin: { t: 12 },
        xaxis: { tickformat: ".0%", rangemode: "tozero" },
        yaxis: {
          showgrid: false,
          tickvals: ends.map((_, n) => n),
          ticktext: ends.map(([end]) => `${plain(short(word(end)))} `),
          zeroline: false,
        },
      },
    };
  },
};
