// One row of the table of markets: made once, then only the cells whose text differs are written.

import { el, setAttr, setData, setText } from "./dom.js";
import { NONE, aligned, bps, toNumber } from "./format.js";
import * as words from "./words.js";

/** From this share of its threshold on an edge is near it. */
export const NEAR = 0.6;
// The bars end at one and a half thresholds; the style sheet draws the mark at two thirds.
const BAR_END = 1.5;
const BAR_STEPS = 50; // Finer cannot be seen.

/** A frame may have begun before the last message came: no age goes below what was told. */
const quoteAge = ({ data, at }, now) => (data.bbo_age_ms === null ? null : data.bbo_age_ms + Math.max(0, now - at));

/** The better edge as a share of its threshold; null when it is not known. */
export function closeness({ buy_edge_bps: buy, sell_edge_bps: sell, cost_bps: cost }) {
  if (buy === null && sell === null) return null;
  if (typeof cost !== "number" || cost <= 0) return null;
  return Math.max(buy ?? -Infinity, sell ?? -Infinity) / cost;
}

export const isBlocked = (data) => data.gate !== null || data.state !== "live";

const byNumber = (pick) => (record, now) => toNumber(pick(record.data, record, now));

/** In the order of the columns; `value` is what is sorted by, where null comes last either way. */
export const COLUMNS = [
  { key: "coin", label: "Market", value: ({ data }) => data.coin },
  { key: "bid", label: "Bid", value: byNumber((data) => data.bid_px) },
  { key: "ask", label: "Ask", value: byNumber((data) => data.ask_px) },
  { key: "oracle", label: "Oracle", value: byNumber((data) => data.oracle_px) },
  { key: "spread", label: "Spread", unit: "bps", value: byNumber((data) => data.spread_bps) },
  { key: "buy", label: "Buy", unit: "edge bps", value: byNumber((data) => data.buy_edge_bps), descends: true },
  { key: "sell", label: "Sell", unit: "edge bps", value: byNumber((data) => data.sell_edge_bps), descends: true },
  { key: "age", label: "Age", unit: "s", value: (record, now) => quoteAge(record, now), descends: true },
  { key: "state", label: "State", value: ({ data }) => stateOf(data).text },
];

function stateOf(data) {
  if (data.state !== "live") return { key: data.state, text: words.state(data.state), long: words.state(data.state) };
  if (data.gate !== null) return { key: "blocked", text: words.gate(data.gate), long: words.gateAtLength(data.gate) };
  return { key: "live", text: "live", long: "live" };
}

function edgeCell(key) {
  const number = el("span", { class: "value" });
  const threshold = el("span", { class: "sr" });
  const cell = el("td", { role: "gridcell", "data-col": key }, number, threshold);
  return { cell, number, threshold, step: -1 };
}

function drawEdge(parts, edge, cost) {
  setText(parts.number, bps(edge));
  setText(parts.threshold, typeof cost === "number" ? ` of ${bps(cost)} needed` : "");
  const part = typeof edge === "number" && cost > 0 ? edge / cost : 0;
  setData(parts.cell, "level", part >= 1 ? "over" : part >= NEAR ? "near" : "none");
  const step = Math.round(Math.min(1, Math.max(0, part / BAR_END)) * BAR_STEPS);
  if (parts.step === step) return;
  parts.step = step;
  // Mark, bar and track are backgrounds of the cell: elements of their own, or transforms, would make
  // every frame of 500 markets several times as dear.
  parts.cell.style.backgroundSize = `2px 6px, ${(step / BAR_STEPS) * 100}% 3px, 100% 3px`;
}

export class MarketRow {
  constructor(coin) {
    this.coin = coin;
    this.stale = true; // Whether it was changed since it was drawn.
    const plain = (key) => el("td", { role: "gridcell", "data-col": key });
    const [dex, ...name] = coin.includes(":") ? coin.split(":") : ["", coin];
    this.cells = { bid: plain("bid"), ask: plain("ask"), oracle: plain("oracle"), spread: plain("spread"), age: plain("age") };
    this.buy = edgeCell("buy");
    this.sell = edgeCell("sell");
    this.state = el("span");
    this.stateCell = el("td", { role: "gridcell", "data-col": "state" }, this.state);
    const head = el("th", { role: "rowheader", scope: "row", "data-col": "coin" });
    if (dex) head.append(el("span", { class: "dex" }, `${dex}:`));
    head.append(name.join(":"));
    const { bid, ask, oracle, spread, age } = this.cells;
    this.node = el("tr", { role: "row", tabindex: "-1", "aria-selected": "false" }, head, bid, ask, oracle, spread, this.buy.cell, this.sell.cell, age, this.stateCell);
    this.node.hip3Row = this;
  }

  draw(record, decimals, now) {
    this.stale = false;
    const { data } = record;
    setText(this.cells.bid, aligned(data.bid_px, decimals));
    setText(this.cells.ask, aligned(data.ask_px, decimals));
    setText(this.cells.oracle, aligned(data.oracle_px, decimals));
    setText(this.cells.spread, bps(data.spread_bps));
    drawEdge(this.buy, data.buy_edge_bps, data.cost_bps);
    drawEdge(this.sell, data.sell_edge_bps, data.cost_bps);
    const { key, text, long } = stateOf(data);
    setData(this.stateCell, "state", key);
    setText(this.state, text);
    setAttr(this.stateCell, "title", long);
    this.drawAge(record, now);
  }

  drawAge(record, now) {
    const ms = quoteAge(record, now);
    setText(this.cells.age, ms === null ? NONE : ms < 99_950 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000).toString());
  }

  select(selected) {
    setAttr(this.node, "aria-selected", String(selected));
  }
}
