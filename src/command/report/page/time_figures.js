// The figures of one market over time: hours, sessions, thresholds and the days they were tried on. They are not
// told of all markets together.
"use strict";

const barred = (one) => isNumber(one.mean_value_bps);
const spotLines = (one, name) => [
  name,
  `${withInterval({ value: one.mean_value_bps, ...one })} bps`,
  `${many(one.signals, "signal")}, ${many(one.episodes, "episode")}`,
  `${usd(one.usd)} USD`,
];
const aboveZero = (spots) => spots.filter(({ low }) => isNumber(low) && low > 0).length;

/** A range that shows every value, and whiskers no further than twice that. */
function barRange(spots) {
  const values = spots.map((one) => one.mean_value_bps);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const reach = Math.max(high - low, 1);
  const ends = spots.flatMap((one) => [one.low, one.high]).filter(isNumber);
  return [
    Math.max(low - reach, Math.min(low, ...ends)) - reach * 0.05,
    Math.min(high + reach, Math.max(high, ...ends)) + reach * 0.05,
  ];
}

const HOURS = {
  id: "hours",
  title: "By hour and side",
  explain: "hours",
  wide: true,
  build({ hours }, colors) {
    if (hours === null) return { hidden: true };
    const known = hours.filter(barred);
    if (known.length === 0) return nothing("no signal was valued");
    const traces = ["buy", "sell"].map((side) => {
      const points = known.filter((one) => one.side === side);
      return {
        type: "bar",
        name: side,
        x: points.map(({ hour }) => hour),
        y: points.map((one) => one.mean_value_bps),
        marker: { color: colors[side] },
        error_y: whiskers(
          points.map((one) => ({ value: one.mean_value_bps, ...one })),
          colors.text,
        ),
        hoverinfo: "text",
        textposition: "none",
        hovertext: points.map((one) =>
          hover(...spotLines(one, `${String(one.hour).padStart(2, "0")}:00 UTC, ${side}`)),
        ),
      };
    });
    return {
      note: `Of ${known.length} hours and sides with a value, ${aboveZero(known)} lie above zero with the whole interval.`,
      traces,
      layout: {
        barmode: "group",
        bargap: 0.25,
        margin: { t: 30 },
        xaxis: {
          title: "hour, UTC",
          tickvals: SMALL.matches ? [0, 6, 12, 18] : Array.from({ length: 24 }, (_, hour) => hour),
          range: [-0.6, 23.6],
          zeroline: false,
          showgrid: false,
        },
        yaxis: { title: "bps per signal", range: barRange(known) },
      },
    };
  },
};

const SESSIONS = {
  id: "sessions",
  title: "By session",
  explain: "sessions",
  build({ sessions, settings }, colors) {
    if (sessions === null) return { hidden: true };
    const known = sessions.filter(barred);
    if (known.length === 0) return nothing("no signal was valued");
    return {
      note: `Sessions of the exchange, in ${settings.time_zone}.`,
      traces: [
        {
          type: "bar",
          x: known.map((_, n) => n),
          y: known.map((one) => one.mean_value_bps),
          marker: { color: known.map((one) => (one.mean_value_bps > 0 ? colors.buy : colors.sell)) },
          error_y: whiskers(
            known.map((one) => ({ value: one.mean_value_bps, ...one })),
            colors.text,
          ),
          hoverinfo: "text",
          textposition: "none",
          hovertext: known.map((one) => hover(...spotLines(one, word(one.session)))),
        },
      ],
      layout: {
        showlegend: false,
        bargap: 0.4,
        margin: { t: 14 },
        xaxis: {
          tickvals: known.map((_, n) => n),
          ticktext: known.map((one) => plain(word(one.session))),
          zeroline: false,
          showgrid: false,
          tickangle: SMALL.matches ? -40 : "auto",
        },
        yaxis: { title: "bps per signal", range: barRange(known) },
      },
    };
  },
};

const THRESHOLD = {
  id: "threshold",
  title: "Threshold, in and out of sample",
  explain: "threshold",
  wide: true,
  build({ market, threshold, thresholds }, colors) {
    if (market === null) return { hidden: true };
    if (!threshold || threshold.grid.length === 0)
      return {
        empty: thresholds.note === null ? "No threshold was fitted for this market." : sentence(thresholds.note),
      };
    const { grid, proposed_bps: proposed, in_sample: inside, out_of_sample: outside } = threshold;
    const line = (key, name, color, dash) => ({
      type: "scatter",
      mode: "lines+markers",
      name,
      x: grid.map(({ bps: at }) => at),
      y: grid.map((one) => one[key]),
      line: { color, width: 2, dash },
      marker: { size: 4, color },
      hoverinfo: "text",
      hovertext: grid.map((one) =>
        hover(`${one.bps} bps and more`, `${name}: ${bps(one[key])} bps`, many(one.n, "signal")),
      ),
    });
    const values = grid.flatMap((one) => [one.mean_value_bps, one.out_mean_value_bps]).filter(isNumber);
    return {
      note: `${isNumber(proposed) ? `Proposed: ${fixed(proposed, 0)} bps. ` : "None proposed. "}${sentence(threshold.reason)}`,
      height: 300,
      traces: [
        {
          type: "scatter",
          mode: "lines",
          name: "signals left",
          yaxis: "y2",
          x: grid.map(({ bps: at }) => at),
          y: grid.map(({ n }) => n),
          fill: "tozeroy",
          fillcolor: colors.band,
          line: { color: colors.band, width: 1 },
          hoverinfo: "skip",
        },
        ...(values.length > 0
          ? [
              line("mean_value_bps", "earlier half", colors.muted, "dash"),
              line("out_mean_value_bps", "later half", colors.accent, "solid"),
            ]
          : []),
      ],
      extra: [
        plainTable(
          ["", "signals", "episodes", "bps", "interval"],
          [
            ["fitted on all days", count(inside.n), count(inside.episodes), bps(inside.mean_value_bps), NONE],
            [
              "judged, walking forward",
              count(outside.n),
              count(outside.episodes),
              bps(outside.mean_value_bps.value),
              between(outside.mean_value_bps) || NONE,
            ],
          ],
        ),
      ],
      layout: {
        shapes: [
          rule("y", 0, colors.text, "solid"),
          ...(isNumber(proposed) ? [rule("x", proposed, colors.good, "solid")] : []),
        ],
        margin: { t: 34, r: 48 },
        annotations: isNumber(proposed)
          ? [{ ...ruleName(proposed, "proposed", colors), yanchor: "top", xanchor: "left", xshift: 3 }]
          : [],
        xaxis: { title: "threshold of the raw edge, bps", zeroline: false },
        yaxis: { title: "bps per signal", zeroline: false },
        yaxis2: {
          title: "signals left",
          overlaying: "y",
          side: "right",
          showgrid: false,
          rangemode: "tozero",
          zeroline: false,
        },
      },
    };
  },
};

const FOLDS = {
  id: "folds",
  title: "Day by day, out of sample",
  explain: "folds",
  build({ market, threshold, thresholds }, colors) {
    if (market === null) return { hidden: true };
    const folds = threshold?.folds ?? [];
    const judged = folds.filter(barred);
    if (judged.length === 0)
      return {
        empty:
          folds.length > 0
            ? "On no day did the days before it give a threshold with signals above it."
            : thresholds.note === null
              ? "There are no days to judge."
              : sentence(thresholds.note),
      };
    const ahead = judged.filter((one) => one.mean_value_bps > 0).length;
    return {
      note: `${many(folds.length, "day")} judged, ${judged.length} with signals; ${ahead} of them above zero.`,
      height: 300,
      traces: [
        {
          type: "bar",
          name: "value",
          x: judged.map(({ day }) => day),
          y: judged.map((one) => one.mean_value_bps),
          marker: { color: judged.map((one) => (one.mean_value_bps > 0 ? colors.buy : colors.sell)) },
          hoverinfo: "text",
          textposition: "none",
          hovertext: judged.map((one) =>
            hover(
              one.day,
              `${bps(one.mean_value_bps)} bps`,
              many(one.n, "signal"),
              `threshold ${fixed(one.threshold_bps, 0)} bps`,
            ),
          ),
        },
        {
          type: "scatter",
          mode: "lines+markers",
          name: "threshold",
          yaxis: "y2",
          x: folds.map(({ day }) => day),
          y: folds.map((one) => one.threshold_bps),
          connectgaps: false,
          line: { color: colors.muted, shape: "hv", width: 1.4, dash: "dot" },
          marker: { size: 4, color: colors.muted },
          hoverinfo: "text",
          hovertext: folds.map((one) => hover(one.day, `threshold ${fixed(one.threshold_bps, 0)} bps`)),
        },
      ],
      layout: {
        margin: { t: 34, r: 46 },
        bargap: 0.3,
        xaxis: { type: "date", tickformat: "%-d %b", zeroline: false, showgrid: false, nticks: 6 },
        yaxis: { title: "bps per signal" },
        yaxis2: {
          title: "threshold, bps",
          overlaying: "y",
          side: "right",
          showgrid: false,
          rangemode: "tozero",
          zeroline: false,
        },
      },
    };
  },
};
