// The chart of the chosen market: what it shows, from when to when, and what is read at the crosshair.

import { $, el, setAttr, setData, setHidden, setText } from "./dom.js";
import { NONE, age, bps, decimalsOf, timeOfDay } from "./format.js";
import { history } from "./link.js";
import { draw, fillMark, layOut, signalMark } from "./plot.js";
import { Series } from "./series.js";
import * as words from "./words.js";

const SETTLED_MS = 150; // An arrow key that is held down should not ask for every market on its way.
const CALM_MS = 1000; // Between two pictures, for who wants little motion.
const FRAME_MS = 100; // Else: as often as there is news.
const COLORS = ["bid", "ask", "oracle", "buy", "sell", "grid", "muted", "text", "panel", "band", "threshold"];
const SUMMARY_MS = 5000;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

// A canvas knows no custom properties: an element resolves them.
function readColors() {
  const probe = document.body.appendChild(el("span", { hidden: true }));
  const colors = { font: getComputedStyle(document.body).fontFamily };
  for (const name of COLORS) {
    probe.style.color = `var(--${name})`;
    colors[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return colors;
}

function swatch(paint, colors) {
  const canvas = el("canvas", { "aria-hidden": "true", class: "swatch" });
  const ratio = devicePixelRatio || 1;
  canvas.width = canvas.height = 14 * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  paint(context, colors);
  return canvas;
}

const line = (key, width) => (context, colors) => {
  context.strokeStyle = colors[key];
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(0, 7);
  context.lineTo(14, 7);
  context.stroke();
};

const LEGEND = [
  ["bid", line("bid", 1.5)],
  ["ask", line("ask", 1.5)],
  ["oracle", line("oracle", 2.25)],
  ["threshold", line("threshold", 0.75)],
  ["buy signal", (context, colors) => signalMark(context, 7, 0, "buy", true, colors)],
  ["sell signal", (context, colors) => signalMark(context, 7, 14, "sell", true, colors)],
  ["not taken", (context, colors) => signalMark(context, 7, 0, "buy", false, colors)],
  ["entry", (context, colors) => fillMark(context, 7, 7, "buy", false, colors)],
  ["exit", (context, colors) => fillMark(context, 7, 7, "sell", true, colors)],
];

export class Chart {
  #drawnAt = -Infinity;
  #summedAt = -Infinity;
  #dirty = true;
  #asking = null;
  #timer = 0;

  constructor() {
    this.canvas = $("chart");
    this.context = this.canvas.getContext("2d");
    this.series = null;
    this.minutes = 3;
    this.cross = null;
    this.decimals = 2;
    this.size = { width: 0, height: 0 };
    this.fields = this.#makeQuote();
    new ResizeObserver(([entry]) => this.#resize(entry.contentRect)).observe(this.canvas);
    const recolor = () => this.#recolor();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolor);
    new MutationObserver(recolor).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.#recolor();
    for (const button of $("ranges").children) {
      button.addEventListener("click", () => this.setMinutes(Number(button.dataset.minutes)));
    }
    this.canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.canvas.addEventListener("pointerdown", (event) => this.#point(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.#setCross(null));
    this.canvas.addEventListener("blur", () => this.#setCross(null));
    this.canvas.addEventListener("keydown", (event) => this.#onKey(event));
  }

  focus() {
    this.canvas.focus();
  }

  setMinutes(minutes) {
    this.minutes = minutes;
    for (const button of $("ranges").children) setAttr(button, "aria-pressed", String(Number(button.dataset.minutes) === minutes));
    this.#dirty = true;
    this.#summedAt = -Infinity;
  }

  /** Shows another market, or the same anew: after a gap only the engine knows what was missed. */
  show(coin) {
    if (this.series?.coin !== coin) {
      this.series = new Series(coin);
      this.cross = null;
      this.decimals = 0;
    }
    setText($("chart-title"), coin);
    setText($("chart-empty"), "Reading the last ten minutes…");
    this.#dirty = true;
    this.#summedAt = -Infinity;
    this.#asking?.abort();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(this.series), SETTLED_MS);
  }

  onMarkets(markets, t) {
    if (!this.series) return;
    const data = markets.find((one) => one.coin === this.series.coin);
    if (!data) return;
    this.series.addQuote(t, data);
    this.#dirty = true;
  }

  onSignal(signal) {
    if (signal.coin !== this.series?.coin) return;
    this.series.addSignal(signal);
    this.#dirty = true;
  }

  /** Orders end a moment after they fill; the history has the fills themselves. */
  onOrder({ coin, time_ms, side, avg_px: px, filled, reduce_only }) {
    if (coin !== this.series?.coin || px === null || !(Number(filled) > 0)) return;
    this.series.fills.push({ time_ms, side, px, sz: filled, reduce_only });
    this.#dirty = true;
  }

  draw(store, now) {
    const record = this.series && store.markets.get(this.series.coin);
    setHidden($("quote"), !record);
    if (!record) {
      setHidden($("chart-empty"), false);
      if (store.known && store.markets.size === 0) setText($("chart-empty"), "There is no market to show yet.");
      return;
    }
    const since = now - this.#drawnAt;
    if (since < (calm.matches && this.cross === null ? CALM_MS : FRAME_MS) && !(this.#dirty && this.cross !== null)) return;
    this.#drawnAt = now;
    this.#dirty = false;
    const { data } = record;
    this.decimals = Math.max(this.decimals, ...[data.bid_px, data.ask_px, data.oracle_px].map(decimalsOf));
    this.#drawQuote(data, now - record.at);
    const to = store.engineNow(now);
    const model = {
      ...this.size, series: this.series, from: to - this.minutes * 60_000, to,
      until: store.engineNow(store.heardAt), cost: data.cost_bps, decimals: this.decimals, colors: this.colors, cross: this.cross,
    };
    this.scale = layOut(model);
    if (this.cross !== null && this.cross < model.from) this.cross = model.cross = model.from;
    draw(this.context, this.scale, model);
    setHidden($("chart-empty"), this.scale !== null);
    if (this.scale === null && !this.#asking) setText($("chart-empty"), "No price is known for this time.");
    this.#drawReadout();
    if (now - this.#summedAt >= SUMMARY_MS) {
      this.#summedAt = now;
      this.#summarize(data, model);
    }
  }

  async #ask(series) {
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const past = await history(series.coin, asking.signal);
      if (past && series === this.series) series.addHistory(past);
    } catch {
      // The next snapshot asks again; meanwhile the chart grows from now on.
    }
    if (this.#asking === asking) this.#asking = null;
    this.#dirty = true;
    this.#summedAt = -Infinity;
  }

  #resize({ width, height }) {
    const ratio = devicePixelRatio || 1;
    this.size = { width, height };
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#drawnAt = -Infinity;
  }

  #recolor() {
    this.colors = readColors();
    $("legend").replaceChildren(...LEGEND.map(([text, paint]) => el("span", {}, swatch(paint, this.colors), text)));
    this.#drawnAt = -Infinity;
  }

  #makeQuote() {
    const fields = {};
    for (const name of ["bid", "ask", "oracle", "mark", "buy edge", "sell edge", "quote age", "oracle age"]) {
      fields[name] = el("dd");
      $("quote").append(el("div", { "data-name": name }, el("dt", {}, name), fields[name]));
    }
    return fields;
  }

  #drawQuote(data, elapsed) {
    const aged = (ms) => (ms === null ? NONE : age(Math.round((ms + elapsed) / 100) * 100));
    const edge = (value) => `${bps(value)} of ${bps(data.cost_bps)}`;
    const sized = (px, sz) => (px === null ? NONE : `${px} × ${sz ?? NONE}`);
    setText(this.fields.bid, sized(data.bid_px, data.bid_sz));
    setText(this.fields.ask, sized(data.ask_px, data.ask_sz));
    setText(this.fields.oracle, data.oracle_px ?? NONE);
    setText(this.fields.mark, data.mark_px ?? NONE);
    setText(this.fields["buy edge"], edge(data.buy_edge_bps));
    setText(this.fields["sell edge"], edge(data.sell_edge_bps));
    setText(this.fields["quote age"], aged(data.bbo_age_ms));
    setText(this.fields["oracle age"], aged(data.ctx_age_ms));
    const blocked = data.state === "live" && data.gate;
    setText($("chart-state"), blocked ? words.gateAtLength(data.gate) : words.state(data.state));
    setData($("chart-state"), "state", blocked ? "blocked" : data.state);
  }

  #point(x) {
    if (!this.scale) return;
    const t = this.scale.time(x);
    this.#setCross(t < this.scale.from || t > this.scale.to ? null : t);
  }

  #setCross(t) {
    this.cross = t;
    this.#dirty = true;
    this.#drawnAt = -Infinity;
    if (t === null) setText($("chart-spoken"), "");
  }

  #onKey(event) {
    if (!this.scale || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = event.shiftKey ? 10_000 : 1000;
    const from = this.cross ?? this.scale.to;
    const target = {
      ArrowLeft: from - step, ArrowRight: from + step, Home: this.scale.from, End: this.scale.to, Escape: null,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.#setCross(target === null ? null : Math.min(this.scale.to, Math.max(this.scale.from, target)));
    if (target !== null) setText($("chart-spoken"), this.#read(this.cross));
  }

  // What stood at a moment, and the marks that are within a few pixels of it.
  #read(t) {
    const point = this.series.points[this.series.at(t)];
    const px = (value) => (value === null ? NONE : value.toFixed(this.decimals));
    const parts = [timeOfDay(t, false)];
    if (point) {
      parts.push(`bid ${px(point.bid)}`, `ask ${px(point.ask)}`, `oracle ${px(point.oracle)}`);
      if (point.bid !== null && point.ask !== null && point.oracle !== null) {
        parts.push(`spread ${bps(((point.ask - point.bid) / point.oracle) * 1e4)}`);
        parts.push(`edges ${bps(((point.oracle - point.ask) / point.oracle) * 1e4)} / ${bps(((point.bid - point.oracle) / point.oracle) * 1e4)} bps`);
      }
    }
    const near = ((this.scale.to - this.scale.from) / this.scale.inner.width) * 5;
    const close = (mark) => Math.abs(mark.time_ms - t) <= near;
    const signal = this.series.signals.findLast(close);
    if (signal) parts.push(`${signal.side} signal at ${signal.px}, ${words.decision(signal.decision).text}`);
    const fill = this.series.fills.findLast(close);
    if (fill) parts.push(`${fill.reduce_only ? "exit" : "entry"}: ${fill.side} ${fill.sz} at ${fill.px}`);
    return parts.join("  ");
  }

  #drawReadout() {
    const text = this.cross === null || !this.scale ? "" : this.#read(this.cross);
    setText($("readout"), text || "\u00a0");
  }

  #summarize(data, { from, to }) {
    const seen = this.series.points.slice(Math.max(0, this.series.at(from))).filter((point) => point.oracle !== null);
    const oracle = seen.map((point) => point.oracle);
    const inside = (mark) => mark.time_ms >= from && mark.time_ms <= to;
    const signals = this.series.signals.filter(inside);
    const range = oracle.length
      ? `oracle between ${Math.min(...oracle)} and ${Math.max(...oracle)}`
      : "no oracle price known";
    const blocked = signals.filter((signal) => !words.passed(signal)).length;
    setText(
      $("chart-summary"),
      `${this.series.coin}, last ${this.minutes} min: ${range}; now bid ${data.bid_px ?? NONE}, ask ${data.ask_px ?? NONE}, ` +
        `oracle ${data.oracle_px ?? NONE}; ${signals.length} signals, ${blocked} of them not taken, ` +
        `${this.series.fills.filter(inside).length} fills.`,
    );
    setAttr(this.canvas, "aria-label", `Prices of ${this.series.coin}, last ${this.minutes} minutes`);
  }
}
