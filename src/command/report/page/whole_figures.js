// What is told of all markets together: gates, what was left out, sides, gaps. The subject is the report.
"use strict";

const GATES_FIGURE = {
  id: "gates",
  title: "What the gates kept out",
  explain: "gates",
  wide: true,
  build({ gates, settings }, colors) {
    const table = () =>
      plainTable(
        ["gate", "first", "alone", "bps", "USD", "interval"],
        gates.map(({ gate, first, alone, trip }) => [
          word(gate),
          count(first),
          count(alone),
          bps(trip.mean_value_bps.value),
          trip.n > 0 ? usd(trip.usd) : NONE,
          between(trip.mean_value_bps) || NONE,
        ]),
      );
    const known = gates.filter(({ trip }) => isNumber(trip.mean_value_bps.value)).reverse();
    const blocked = gates.reduce((sum, { first }) => sum + first, 0);
    if (known.length === 0)
      return {
        empty: blocked > 0 ? "No blocked signal has a value." : "No gate blocked a signal.",
        extra: gates.length > 0 ? [table()] : [],
      };
    return {
      note: `${many(blocked, "signal")} were blocked. What each gate's would have been worth, ${terms(settings)}:`,
      height: 70 + 30 * Math.max(2, known.length),
      extra: [table()],
      traces: [
        {
          type: "bar",
          orientation: "h",
          x: known.map(({ trip }) => trip.mean_value_bps.value),
          y: known.map((_, n) => n),
          error_x: whiskers(
            known.map(({ trip }) => trip.mean_value_bps),
            colors.text,
          ),
          marker: { color: known.map(({ trip }) => (trip.mean_value_bps.value > 0 ? colors.buy : colors.sell)) },
          hoverinfo: "text",
          textposition: "none",
          hovertext: known.map(({ gate, first, alone, trip }) =>
            hover(
              word(gate),
              `${withInterval(trip.mean_value_bps)} bps`,
              `${count(first)} first, ${count(alone)} alone`,
              `${usd(trip.usd)} USD`,
            ),
          ),
        },
      ],
      layout: {
        showlegend: false,
        bargap: 0.4,
        margin: { t: 12 },
        xaxis: { title: "bps per blocked signal" },
        yaxis: {
          showgrid: false,
          zeroline: false,
          tickvals: known.map((_, n) => n),
          ticktext: known.map(({ gate }) => `${plain(short(word(gate)))} `),
        },
      },
    };
  },
};

const COUNTS = {
  id: "counts",
  title: "What was valued, and what was not",
  explain: "counts",
  build({ counts }, colors) {
    const parts = [
      ["valued", counts.valued],
      ["blocked by a gate", counts.blocked],
      ["below 10 USD", counts.below_minimum],
      ["in a gap", counts.in_gap],
      ["look not captured", counts.unseen],
      ["nothing to exit against", counts.no_exit],
    ].reverse();
    if (counts.signals === 0) return nothing("there are no signals");
    return {
      note: `${many(counts.signals, "signal")} in ${many(counts.crosses, "cross", "crosses")}, ${count(counts.open_crosses)} of them still open; ${many(counts.episodes, "episode")} with a value.`,
      height: 270,
      traces: [
        {
          type: "bar",
          orientation: "h",
          x: parts.map(([, n]) => n),
          y: parts.map((_, n) => n),
          text: parts.map(([, n]) => ` ${count(n)} `),
          textposition: "auto",
          insidetextfont: { color: colors.panel },
          cliponaxis: false,
          marker: { color: parts.map(([name]) => (name === "valued" ? colors.accent : colors.muted)) },
          hoverinfo: "text",
          hovertext: parts.map(([name, n]) => hover(name, `${many(n, "signal")}, ${percent(n / counts.signals, 1)}`)),
        },
      ],
      layout: {
        showlegend: false,
        bargap: 0.35,
        margin: { t: 12, r: 56 },
        xaxis: { rangemode: "tozero", nticks: 5 },
        yaxis: {
          showgrid: false,
          zeroline: false,
          tickvals: parts.map((_, n) => n),
          ticktext: parts.map(([name]) => `${name} `),
        },
      },
    };
  },
};

const SIDES = {
  id: "side",
  title: "Buy against sell",
  explain: "side",
  build({ sides }, colors) {
    const known = sides.filter((one) => isNumber(one.mean_value_bps));
    if (known.length === 0) return nothing("no signal was valued");
    const all = sides.reduce((sum, { signals }) => sum + signals, 0);
    const ranged = known.map((one) => ({ value: one.mean_value_bps, ...one }));
    return {
      note: `${percent(sides.find(({ side }) => side === "buy")?.signals / all)} of the signals were to buy.`,
      height: 190,
      extra: [
        plainTable(
          ["", "signals", "episodes", "bps", "USD"],
          sides.map((one) => [
            one.side,
            count(one.signals),
            count(one.episodes),
            bps(one.mean_value_bps),
            isNumber(one.mean_value_bps) ? usd(one.usd) : NONE,
          ]),
        ),
      ],
      traces: [
        {
          type: "bar",
          x: known.map(({ side }) => side),
          y: ranged.map(({ value }) => value),
          marker: { color: known.map(({ side }) => colors[side] ?? colors.muted) },
          error_y: whiskers(ranged, colors.text),
          hoverinfo: "text",
          textposition: "none",
          hovertext: known.map((one) => hover(...spotLines(one, one.side))),
        },
      ],
      layout: {
        showlegend: false,
        bargap: 0.5,
        margin: { t: 12, b: 26 },
        xaxis: { type: "category", showgrid: false },
        yaxis: { title: "bps per signal" },
      },
    };
  },
};

const COVERAGE = {
  id: "coverage",
  title: "Coverage and gaps",
  explain: "coverage",
  wide: true,
  build({ coverage, source }, colors) {
    const causes = [...new Set([...Object.keys(coverage.gap_s), ...coverage.gaps.map(({ cause }) => cause)])];
    const table = plainTable(
      ["cause", "in all", "of the time"],
      causes.map((cause) => {
        const seconds = look(coverage.gap_s, cause);
        return [
          word(cause),
          duration(seconds),
          percent(isNumber(seconds) && coverage.span_s > 0 ? seconds / coverage.span_s : null, 2),
        ];
      }),
    );
    if (coverage.gaps.length === 0)
      return {
        empty: coverage.span_s > 0 ? "No gap was recorded." : "Nothing was watched.",
        extra: causes.length > 0 ? [table] : [],
      };
    const at = (text) => Date.parse(text);
    const paint = [colors.sell, colors.accent, colors.third, colors.bad, colors.muted];
    return {
      note: `${percent(coverage.span_s > 0 ? coverage.observed_s / coverage.span_s : null, 1)} of ${duration(coverage.span_s)} was watched; ${many(coverage.gaps.length, "gap")} drawn.`,
      height: 76 + 34 * Math.max(2, causes.length),
      extra: [table],
      traces: causes
        .map((cause, n) => {
          const gaps = coverage.gaps.filter((gap) => gap.cause === cause);
          const color = paint[n % paint.length];
          return {
            type: "bar",
            orientation: "h",
            base: gaps.map(({ from }) => from),
            x: gaps.map(({ from, to }) => at(to) - at(from)),
            y: gaps.map(() => n),
            width: 0.6,
            marker: { color, line: { color, width: 1.5 } },
            hoverinfo: "text",
            textposition: "none",
            hovertext: gaps.map((gap) =>
              hover(
                word(cause),
                `${moment(gap.from)} UTC, ${duration((at(gap.to) - at(gap.from)) / 1000)}`,
                gap.markets > 0 ? many(gap.markets, "market") : "",
              ),
            ),
          };
        })
        .filter(({ x }) => x.length > 0),
      layout: {
        showlegend: false,
        margin: { t: 12 },
        barmode: "overlay",
        xaxis: { type: "date", range: [source.from, source.to], nticks: SMALL.matches ? 4 : 10, zeroline: false },
        yaxis: {
          showgrid: false,
          zeroline: false,
          range: [causes.length - 0.4, -0.6],
          tickvals: causes.map((_, n) => n),
          ticktext: causes.map((cause) => `${plain(short(word(cause)))} `),
        },
      },
    };
  },
};

const PROPOSED_FEW = 40; // The table has the rest.

const PROPOSED = {
  id: "proposed",
  title: "Proposed thresholds",
  explain: "proposed",
  wide: true,
  build({ markets, thresholds }, colors) {
    const all = markets.filter(({ threshold }) => isNumber(threshold?.proposed_bps));
    if (all.length === 0) {
      return { empty: thresholds.note === null ? "No threshold is proposed." : sentence(thresholds.note) };
    }
    const outside = ({ threshold }) => threshold.out_of_sample.mean_value_bps;
    const known = all.filter((one) => isNumber(outside(one).value)).slice(0, PROPOSED_FEW);
    return {
      note: `For ${many(all.length, "market")}, fitted on ${many(thresholds.days, "day")}; drawn is what they were worth on days that the fit had not seen.`,
      height: 60 + 26 * Math.max(2, known.length),
      extra: [
        plainTable(
          ["market", "threshold", "in sample", "out of sample", "interval", "episodes"],
          all.map((one) => [
            one.market,
            `${fixed(one.threshold.proposed_bps, 0)} bps`,
            bps(one.threshold.in_sample.mean_value_bps),
            bps(outside(one).value),
            between(outside(one)) || NONE,
            count(one.threshold.out_of_sample.episodes),
          ]),
        ),
      ],
      empty: known.length > 0 ? null : "None of them was judged on a day of its own.",
      traces:
        known.length === 0
          ? null
          : [
              {
                type: "scatter",
                mode: "markers",
                x: known.map((one) => outside(one).value),
                y: known.map((_, n) => n),
                error_x: whiskers(known.map(outside), colors.good),
                marker: { color: colors.good, size: 8 },
                hoverinfo: "text",
                hovertext: known.map((one) =>
                  hover(
                    one.market,
                    `threshold ${fixed(one.threshold.proposed_bps, 0)} bps`,
                    `${withInterval(outside(one))} bps out of sample`,
                  ),
                ),
              },
            ],
      layout: {
        showlegend: false,
        shapes: [rule("x", 0, colors.text, "solid")],
        margin: { t: 12 },
        xaxis: { title: "bps per signal, out of sample", rangemode: "tozero", zeroline: false },
        yaxis: {
          showgrid: false,
          zeroline: false,
          range: [known.length - 0.4, -0.6],
          tickvals: known.map((_, n) => n),
          ticktext: known.map((one) => `${plain(short(one.market, SMALL.matches ? 14 : 24))} `),
        },
      },
    };
  },
};
