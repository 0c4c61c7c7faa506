// The forest plot: every market that the table shows, in its order, on the scale of its bars.
"use strict";

const FOREST_FEW = 60; // More than that are drawn when asked for.
const FOREST_ROW = 17;
const SYMBOLS = { genuine: "circle", structural: "square", negative: "triangle-down", "too few": "circle-open" };

const verdictColor = (kind, colors) =>
  ({ genuine: colors.good, structural: colors.warn, negative: colors.bad })[kind] ?? colors.muted;

const FOREST = {
  id: "forest-plot",
  title: "Mean value by market",
  explain: "forest",
  build({ markets, all, settings, onSelect, onAll }, colors) {
    const known = markets.filter((one) => isNumber(one.chosen.mean_value_bps.value));
    if (known.length === 0)
      return { empty: markets.length === 0 ? "No market to show." : "None of these markets has a value." };
    const shown = all ? known : known.slice(0, FOREST_FEW);
    const scale = valueScale(shown);
    const traces = Object.keys(VERDICTS)
      .map((kind) => {
        const points = shown
          .map((one, n) => ({ one, n, ...one.chosen.mean_value_bps }))
          .filter(({ one }) => one.verdict.kind === kind);
        const color = verdictColor(kind, colors);
        return {
          type: "scatter",
          mode: "markers",
          name: kind,
          hoverinfo: "text",
          marker: { color, size: 7, symbol: SYMBOLS[kind] },
          x: points.map(({ value }) => value),
          y: points.map(({ n }) => n),
          customdata: points.map(({ one }) => one.market),
          error_x: whiskers(points, color),
          hovertext: points.map(({ one }) =>
            hover(
              one.market,
              `${withInterval(one.chosen.mean_value_bps)} bps`,
              `${many(one.episodes, "episode")}, ${one.verdict.kind}`,
            ),
          ),
        };
      })
      .filter(({ x }) => x.length > 0);
    const rest = known.length - shown.length;
    const button = el(
      "button",
      { type: "button" },
      all ? `Draw ${FOREST_FEW} only` : `Draw all ${count(known.length)}`,
    );
    button.addEventListener("click", onAll);
    return {
      note: `bps per signal, ${terms(settings)}, with intervals at ${confidence(settings)}.${rest > 0 ? ` The first ${shown.length} of ${count(known.length)}, as the table has them.` : ""}`,
      traces,
      height: 76 + FOREST_ROW * Math.max(3, shown.length),
      extra: known.length > FOREST_FEW ? [button] : [],
      onClick: ({ points }) => onSelect(points[0].customdata),
      layout: {
        showlegend: false,
        shapes: [rule("x", 0, colors.text, "solid")],
        margin: { t: 30, b: 12, l: 60 },
        xaxis: { side: "top", range: [scale.low, scale.high], zeroline: false },
        yaxis: {
          range: [shown.length - 0.4, -0.6],
          showgrid: false,
          tickvals: shown.map((_, n) => n),
          ticktext: shown.map((one) => plain(short(one.market, SMALL.matches ? 14 : 20))),
          zeroline: false,
        },
      },
    };
  },
};
