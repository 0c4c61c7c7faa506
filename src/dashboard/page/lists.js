// Signals, trades and orders as they come, newest first; and the positions, which tick.

import { $, el, setData, setHidden, setText } from "./dom.js";
import { NONE, age, bps, clock, fixed, iso, timeOfDay, toNumber, usd } from "./format.js";
import * as words from "./words.js";

const NEW_MS = 2000;

const SIDES = { buy: "▲ buy", sell: "▼ sell", long: "▲ long", short: "▼ short" };

/** Numbers stand at the right. `from` names the width that a column needs: */
const classOf = ({ number, from }) => `${number ? "num" : ""} ${from ? `from-${from}` : ""}`.trim() || null;

function head(table, columns) {
  const cells = columns.map((column) => el("th", { scope: "col", class: classOf(column) }, column.label));
  const body = el("tbody");
  table.append(el("thead", {}, el("tr", {}, ...cells)), body);
  return body;
}

function coinButton(coin, onSelect) {
  const button = el("button", { type: "button", class: "link", title: "show in the chart" }, coin);
  button.addEventListener("click", () => onSelect(coin));
  return button;
}

function sideOf(side) {
  return el("span", { class: "side", "data-side": side }, SIDES[side] ?? side);
}

function money(text) {
  const value = toNumber(text);
  return el("span", { "data-sign": value > 0 ? "plus" : value < 0 ? "minus" : "zero" }, usd(text, { sign: true }));
}

function when(ms) {
  return el("time", { title: iso(ms), datetime: new Date(ms ?? 0).toISOString() }, timeOfDay(ms, false));
}

const MARKET = { label: "Market", cell: (item, select) => coinButton(item.coin, select) };
const TIME = { label: "Time", cell: (item) => when(item.time_ms) };
const SIDE = { label: "Side", cell: (item) => sideOf(item.side) };

export const SIGNALS = [
  TIME,
  MARKET,
  SIDE,
  { label: "Price", number: true, cell: (item) => item.px },
  { label: "Oracle", number: true, from: "wide", cell: (item) => item.oracle_px },
  {
    label: "Edge, bps",
    number: true,
    cell: (item) => el("span", { title: `net ${bps(item.net_edge_bps)} bps` }, bps(item.raw_edge_bps), el("small", {}, ` of ${bps(item.cost_bps)}`)),
  },
  { label: "USD", number: true, from: "wide", cell: (item) => el("span", { title: `size ${item.suggested_sz}` }, fixed(toNumber(item.suggested_notional), 0)) },
  {
    label: "Decision",
    cell(item) {
      const { kind, text, title } = words.decision(item.decision);
      return el("span", { class: "decision", "data-kind": kind, title }, text);
    },
  },
];

export const TRADES = [
  TIME,
  MARKET,
  SIDE,
  { label: "Size", from: "middle", number: true, cell: (item) => item.sz },
  { label: "Entry", from: "middle", number: true, cell: (item) => item.entry_px },
  { label: "Exit", from: "middle", number: true, cell: (item) => item.exit_px },
  { label: "Held", number: true, cell: (item) => age(item.held_ms) },
  { label: "Why", from: "middle", cell: (item) => words.purpose(item.exit) },
  { label: "Gross", number: true, from: "wide", cell: (item) => usd(item.gross, { sign: true }) },
  { label: "Fees", from: "middle", number: true, cell: (item) => usd(item.fees) },
  { label: "Net USD", number: true, cell: (item) => money(item.net) },
];

export const ORDERS = [
  TIME,
  MARKET,
  SIDE,
  { label: "Why", cell: (item) => words.purpose(item.purpose) },
  { label: "Limit", from: "middle", number: true, cell: (item) => item.px },
  { label: "Size", from: "middle", number: true, cell: (item) => item.sz },
  { label: "Filled", from: "middle", number: true, cell: (item) => item.filled },
  { label: "Average", from: "middle", number: true, cell: (item) => item.avg_px ?? NONE },
  {
    label: "Outcome",
    cell(item) {
      const text = words.outcome(item.outcome);
      return el("span", { class: "outcome", "data-kind": item.outcome }, item.refusal ? `${text}: ${words.refusal(item.refusal)}` : text);
    },
  },
];

/** A list that only grows at its top: what is there stays as it is, and keeps the focus. */
export class List {
  #generation = -1;
  #version = -1;
  #rows = new Map(); // item → row

  constructor(name, columns, nothing, onSelect) {
    this.name = name;
    this.columns = columns;
    this.onSelect = onSelect;
    this.body = head($(name), columns);
    this.empty = el("p", { class: "empty" }, nothing);
    $(name).after(this.empty);
  }

  draw(store) {
    if (this.#version === store.version[this.name]) return;
    this.#version = store.version[this.name];
    const items = store[this.name];
    const anew = this.#generation !== store.generation;
    this.#generation = store.generation;
    if (anew) {
      this.#rows.clear();
      this.body.replaceChildren();
    }
    const top = this.body.firstChild;
    for (const item of items) {
      if (this.#rows.has(item)) break; // From here on all are there.
      const row = this.#row(item);
      if (!anew) this.#mark(row);
      this.#rows.set(item, row);
      this.body.insertBefore(row, top);
    }
    const kept = new Set(items);
    for (const [item, row] of this.#rows) {
      if (kept.has(item)) continue;
      row.remove();
      this.#rows.delete(item);
    }
    setHidden(this.empty, items.length > 0);
    setHidden($(this.name), items.length === 0);
    setText($(`${this.name}-count`), items.length ? `last ${items.length}` : "");
  }

  // For a moment, and at once: a color that fades would have the page painted in every frame.
  #mark(row) {
    row.classList.add("new");
    setTimeout(() => row.classList.remove("new"), NEW_MS);
  }

  #row(item) {
    const row = el("tr", { "data-id": item.signal_id });
    for (const column of this.columns) row.append(el("td", { class: classOf(column) }, column.cell(item, this.onSelect) ?? NONE));
    return row;
  }
}

const POSITIONS = [
  { label: "Market" },
  { label: "Side" },
  { label: "Size", number: true },
  { label: "Entry", from: "middle", number: true },
  { label: "Mark", from: "middle", number: true },
  { label: "USD", number: true },
  { label: "Held", number: true },
];

export class Positions {
  #rows = new Map(); // coin → { node, cells }

  constructor(onSelect) {
    this.onSelect = onSelect;
    this.body = head($("positions"), POSITIONS);
    this.empty = el("p", { class: "empty" }, "Nothing is held.");
    $("positions").after(this.empty);
  }

  draw(store, now) {
    const positions = store.state.positions ?? [];
    const held = new Set(positions.map(({ coin }) => coin));
    for (const [coin, { node }] of this.#rows) {
      if (held.has(coin)) continue;
      node.remove();
      this.#rows.delete(coin);
    }
    for (const position of positions) this.#write(position, now - store.stateAt);
    setHidden(this.empty, positions.length > 0);
    setHidden($("positions"), positions.length === 0);
    setText($("positions-count"), positions.length ? String(positions.length) : "");
  }

  #write({ coin, side, sz, entry_px: entry, mark_px: mark, unrealized_pnl: pnl, held_ms: held }, elapsed) {
    let row = this.#rows.get(coin);
    if (!row) {
      const cells = POSITIONS.map((column) => el("td", { class: classOf(column) }));
      cells[0].append(coinButton(coin, this.onSelect));
      cells[1].append(el("span", { class: "side" }));
      row = { node: el("tr", {}, ...cells), cells };
      this.#rows.set(coin, row);
      this.body.append(row.node);
    }
    const [, sideCell, ...rest] = row.cells;
    setData(sideCell.firstChild, "side", side);
    setText(sideCell.firstChild, SIDES[side] ?? side);
    const texts = [sz ?? NONE, entry ?? NONE, mark ?? NONE, usd(pnl, { sign: true }), held === null ? NONE : clock(held + elapsed)];
    rest.forEach((cell, i) => setText(cell, texts[i]));
    const value = toNumber(pnl);
    setData(rest[3], "sign", value > 0 ? "plus" : value < 0 ? "minus" : "zero");
  }
}
