// How a figure is framed and drawn: a heading, what it says in a sentence, the plot, and its explanation.
// A figure is `{ id, title, explain, wide, build }`; `build` returns `{ note, traces, layout, height }`, or
// `{ empty }` with the reason why there is nothing to draw, or `{ hidden }` where the figure has no meaning.
"use strict";

const COARSE = matchMedia("(pointer: coarse)");
const SMALL = matchMedia("(max-width: 640px)");

/** Text for a plot, where `<b>` and its like would be read as markup. */
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Lines of what is shown at the pointer. */
const hover = (...lines) => lines.filter(Boolean).map(plain).join("<br>");

/** A name that fits beside an axis. */
const short = (name, most = 22) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

/** Bars of uncertainty from `low` to `high`; where one is not known there is none. */
function whiskers(points, color) {
  const reach = (from, to) => (isNumber(from) && isNumber(to) ? Math.max(0, to - from) : NaN);
  return {
    type: "data",
    symmetric: false,
    color,
    thickness: 1.4,
    width: 3,
    array: points.map(({ value, high }) => reach(value, high)),
    arrayminus: points.map(({ value, low }) => reach(low, value)),
  };
}

/** A straight line across the plot, upright or level. */
function rule(axis, at, color, dash = "dot") {
  const along =
    axis === "x" ? { x0: at, x1: at, y0: 0, y1: 1, yref: "paper" } : { y0: at, y1: at, x0: 0, x1: 1, xref: "paper" };
  return { type: "line", ...along, line: { color, width: 1.2, dash }, layer: "below" };
}

/** A word at the top of an upright rule. */
function ruleName(at, text, colors, more = {}) {
  return {
    x: at,
    y: 1,
    yref: "paper",
    yanchor: "bottom",
    text: plain(text),
    showarrow: false,
    font: { size: 10.5, color: colors.muted },
    ...more,
  };
}

function axis(colors, more = {}) {
  const { title, ...rest } = more;
  return {
    gridcolor: colors.grid,
    linecolor: colors.edge,
    zerolinecolor: colors.muted,
    zerolinewidth: 1,
    automargin: true,
    ticks: "",
    tickfont: { size: 11, color: colors.muted },
    title: { text: title ?? "", font: { size: 11.5, color: colors.muted }, standoff: 8 },
    ...rest,
  };
}

function layoutOf(colors, { xaxis, yaxis, margin, ...more }, height) {
  return {
    height,
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: colors.font, size: 12, color: colors.text },
    margin: { l: 46, r: 12, t: 26, b: 40, ...margin },
    // A finger that moves over a plot scrolls the page.
    dragmode: COARSE.matches ? false : "zoom",
    hovermode: "closest",
    hoverlabel: {
      bgcolor: colors.raised,
      bordercolor: colors.muted,
      font: { family: colors.font, size: 12, color: colors.text },
      align: "left",
    },
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { size: 11, color: colors.muted } },
    ...more,
    xaxis: axis(colors, xaxis),
    yaxis: axis(colors, yaxis),
    ...(more.yaxis2 && { yaxis2: axis(colors, more.yaxis2) }),
  };
}

const CONFIG = {
  displaylogo: false,
  doubleClick: "reset",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toggleSpikelines"],
};

class Figure {
  constructor(figure) {
    this.figure = figure;
    this.note = el("p", { class: "note" });
    this.plot = el("div", { class: "plot", id: `plot-${figure.id}`, role: "img" });
    this.empty = el("p", { class: "empty" });
    this.extra = el("div", { class: "extra" });
    this.node = el(
      "section",
      { class: `panel figure ${figure.wide ? "wide" : ""}`, id: figure.id, "aria-labelledby": `${figure.id}-title` },
      el(
        "header",
        {},
        el("h3", { id: `${figure.id}-title` }, figure.title),
        el("button", { type: "button", class: "ask", "data-explain": figure.explain }),
      ),
      this.note,
      this.plot,
      this.empty,
      this.extra,
    );
  }

  /** Draws what `build` makes of `subject`. */
  draw(subject) {
    const colors = Theme.colors();
    const {
      note = "",
      empty = null,
      traces = null,
      layout = {},
      height = 280,
      extra = [],
      onClick = null,
      hidden = false,
    } = this.figure.build(subject, colors);
    this.node.hidden = hidden;
    this.note.textContent = note;
    this.note.hidden = note === "";
    this.plot.setAttribute("aria-label", `${this.figure.title}. ${note}`);
    this.empty.textContent = empty ?? "";
    this.empty.hidden = empty === null;
    this.extra.replaceChildren(...extra);
    this.plot.hidden = traces === null;
    if (traces === null) {
      if (this.plot.data) Plotly.purge(this.plot);
      return;
    }
    this.height = height;
    this.plot.style.height = `${height}px`;
    Plotly.react(this.plot, traces, layoutOf(colors, layout, height), CONFIG);
    this.plot.removeAllListeners?.("plotly_click");
    if (onClick) this.plot.on("plotly_click", onClick);
  }

  /** Room that taller neighbors leave above the plot, in pixels. */
  get spare() {
    if (this.plot.hidden) return 0;
    const above = [...this.node.children].filter(
      (node) => !node.hidden && node.compareDocumentPosition(this.plot) & Node.DOCUMENT_POSITION_FOLLOWING,
    );
    return this.plot.getBoundingClientRect().top - above.at(-1).getBoundingClientRect().bottom;
  }
}

/** Draws figures, then lets those whose neighbors are taller fill their row. */
function drawAll(figures, subject) {
  for (const figure of figures) figure.draw(subject);
  // All is measured before anything is changed: each change would cost a layout.
  for (const [figure, spare] of figures.map((each) => [each, each.spare])) {
    if (spare < 16) continue;
    figure.plot.style.height = `${figure.height + spare}px`;
    Plotly.relayout(figure.plot, { height: figure.height + spare });
  }
}
