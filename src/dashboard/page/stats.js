// The funnel, the latency of the stages, the counters.

import { $, el, setData, setHidden, setText } from "./dom.js";
import { NONE, count, nanos, share } from "./format.js";

const STEPS = [
  ["crosses", "crosses", "times the edge was there"],
  ["signals", "signals", "found by the detector"],
  ["passed", "passed the gates", "no gate blocked"],
  ["sent", "sent", "an order left for it"],
  ["filled", "filled", "in whole or in part"],
  ["profitable", "profitable", "closed with more than it cost"],
];

const STAGES = {
  turn: "turn of the loop",
  parse: "parse a frame",
  decide: "decide",
  sign: "sign",
  send: "send",
  tick_to_order: "tick to order",
  ring_lag: "ring lag",
  order_rtt: "order round trip",
};

// One cross may make many signals: what grows is a multiple, what shrinks a share.
function ofBefore(value, before) {
  if (before === null) return "";
  return value > before && before > 0 ? `× ${(value / before).toFixed(1)}` : share(value, before);
}

/** Each step as a bar, and as a share of the step before. */
export class Funnel {
  constructor() {
    const label = (text) => el("th", { scope: "col" }, text);
    this.body = el("tbody");
    $("funnel").append(el("thead", { class: "sr" }, el("tr", {}, label("Step"), label("Bar"), label("Count"), label("Of the step before"))), this.body);
    this.rows = STEPS.map(([key, text, title]) => {
      const [fill, number, part] = [el("i"), el("td", { class: "num" }), el("td", { class: "num part" })];
      const bar = el("td", { "aria-hidden": "true" }, el("span", { class: "bar" }, fill));
      const node = el("tr", {}, el("th", { scope: "row", title }, text), bar, number, part);
      this.body.append(node);
      return { key, node, fill, number, part };
    });
  }

  draw({ funnel = {} }) {
    const most = Math.max(1, ...Object.values(funnel).filter(Number.isFinite));
    let before = null;
    for (const { key, node, fill, number, part } of this.rows) {
      const value = funnel[key] ?? null;
      setHidden(node, value === null); // Observation sends nothing.
      if (value === null) continue;
      setText(number, count(value));
      setText(part, ofBefore(value, before));
      const width = `${((value / most) * 100).toFixed(1)}%`;
      if (fill.style.width !== width) fill.style.width = width;
      before = value;
    }
  }
}

export class Latency {
  #rows = new Map();

  constructor() {
    const columns = ["p50", "p99", "p99.9", "max", "count"];
    this.body = el("tbody");
    const cells = columns.map((text) => el("th", { scope: "col", class: text === "count" ? "num from-middle" : "num" }, text));
    $("latency").append(el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Stage"), ...cells)), this.body);
    this.empty = el("p", { class: "empty" }, "Nothing is measured yet.");
    $("latency").after(this.empty);
  }

  draw({ latency = {} }) {
    const stages = Object.entries(latency);
    setHidden(this.empty, stages.length > 0);
    setHidden($("latency"), stages.length === 0);
    for (const [stage, told] of stages) {
      let cells = this.#rows.get(stage);
      if (!cells) {
        cells = [0, 1, 2, 3, 4].map((i) => el("td", { class: i === 4 ? "num from-middle" : "num" }));
        this.#rows.set(stage, cells);
        this.body.append(el("tr", {}, el("th", { scope: "row" }, STAGES[stage] ?? stage.replaceAll("_", " ")), ...cells));
      }
      const none = !told || told.count === 0;
      const texts = none
        ? [NONE, NONE, NONE, NONE, "0"]
        : [nanos(told.p50_ns), nanos(told.p99_ns), nanos(told.p999_ns), nanos(told.max_ns), count(told.count)];
      cells.forEach((cell, i) => setText(cell, texts[i]));
    }
  }
}

export class Counters {
  #rows = new Map();

  draw({ counters = {} }) {
    const names = Object.keys(counters);
    setText($("counters-count"), names.length ? String(names.length) : "");
    if (!$("counters").open) return;
    for (const name of names.sort()) {
      let value = this.#rows.get(name);
      if (!value) {
        value = el("dd");
        this.#rows.set(name, value);
        $("counter-list").append(el("div", {}, el("dt", {}, name.replaceAll("_", " ").replace(".", ": ")), value));
      }
      setText(value, count(counters[name]));
      setData(value.parentElement, "zero", String(counters[name] === 0));
    }
  }
}
