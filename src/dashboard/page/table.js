// The table of markets: which rows, in which order, which of them to write. Rows that cannot be seen are
// not written in the frame in which they change, so that 500 markets cost as much as 30.

import { $, el, setAttr, setHidden, setText } from "./dom.js";
import { decimalsOf } from "./format.js";
import { COLUMNS, MarketRow, NEAR, closeness, isBlocked } from "./market_row.js";

const SORT_EVERY_MS = 1000; // As fast as a person can follow.
const MOST_DECIMALS = 6;
const SPARE_ROWS = 4; // Beyond both ends of what can be seen.
const HIDDEN_ROWS = 40; // In a frame.
const LEAST_ROWS = 5; // The panel has room for so many, even if there are none.

const VIEWS = [
  { key: "all", label: "all", has: () => true },
  { key: "blocked", label: "blocked", title: "a gate blocks it, or it is not live", has: ({ data }) => isBlocked(data) },
  {
    key: "near",
    label: "near threshold",
    title: `an edge is at ${NEAR * 100} % of what it has to reach, or beyond`,
    has: ({ data }) => (closeness(data) ?? 0) >= NEAR,
  },
  { key: "signals", label: "with signals", title: "there were signals lately", has: ({ data }, store) => store.signalled.has(data.coin) },
];

// Text by its characters, numbers by size, and what is unknown at the end whichever way it is sorted.
function compare(a, b, descends) {
  if (a === null || b === null) return (a === null) - (b === null);
  const less = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return descends ? -less : less;
}

export class Table {
  constructor(onSelect, onOpen) {
    this.onSelect = onSelect;
    this.onOpen = onOpen;
    this.rows = new Map(); // coin → MarketRow
    this.order = []; // Those that are shown.
    this.selected = null;
    this.sort = { column: COLUMNS[0], descends: false };
    this.view = VIEWS[0];
    this.text = "";
    this.decimals = 0;
    this.generation = -1;
    this.arrangedAt = -Infinity;
    this.turn = 0;
    this.body = $("market-body");
    this.scroller = $("market-scroll");
    this.rowHeight = 0;
    this.#makeHead();
    this.#makeViews();
    $("filter").addEventListener("input", (event) => {
      this.text = event.target.value.trim().toLowerCase();
      this.#rearrange();
    });
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr")?.hip3Row;
      if (row) this.select(row.coin, true);
    });
    this.body.addEventListener("keydown", (event) => this.#onKey(event));
    // Read at scroll and resize only: asking in every frame would force a layout in every frame.
    const measure = () => {
      this.top = this.scroller.scrollTop;
      this.height = this.scroller.clientHeight;
      this.rowHeight = this.order[0]?.node.offsetHeight ?? this.rowHeight;
    };
    this.measure = measure;
    this.scroller.addEventListener("scroll", measure, { passive: true });
    new ResizeObserver(measure).observe(this.scroller);
    measure();
  }

  focus() {
    (this.#tabbable() ?? $("filter")).focus();
  }

  select(coin, focus = false) {
    this.rows.get(this.selected)?.select(false);
    this.selected = coin;
    const row = this.rows.get(coin);
    row?.select(true);
    this.#rove();
    if (focus && row?.node.isConnected) row.node.focus();
    this.onSelect(coin);
  }

  draw(store, now) {
    if (this.generation !== store.generation) {
      this.generation = store.generation;
      for (const coin of [...this.rows.keys()]) if (!store.markets.has(coin)) this.rows.delete(coin);
      if (!store.markets.has(this.selected)) this.selected = null;
      this.arrangedAt = -Infinity;
    }
    for (const coin of store.dirty) {
      const row = this.rows.get(coin);
      if (row) row.stale = true;
      else this.arrangedAt = -Infinity; // A new listing.
    }
    store.dirty.clear();
    if (now - this.arrangedAt >= SORT_EVERY_MS) {
      this.arrangedAt = now;
      this.#arrange(store, now);
    }
    this.#write(store, now);
  }

  #write(store, now) {
    if (this.rowHeight === 0) return;
    const first = Math.max(0, Math.floor(this.top / this.rowHeight) - SPARE_ROWS);
    const last = Math.min(this.order.length, Math.ceil((this.top + this.height) / this.rowHeight) + SPARE_ROWS);
    for (let i = first; i < last; i += 1) {
      const row = this.order[i];
      const record = store.markets.get(row.coin);
      if (!record) continue;
      if (row.stale) row.draw(record, this.decimals, now);
      else row.drawAge(record, now);
    }
    // Those out of sight keep up too, some in each frame, for who reads the page by other means than its
    // viewport. All at once would be a frame that is missed.
    for (let i = 0; i < Math.min(HIDDEN_ROWS, this.order.length); i += 1) {
      this.turn = (this.turn + 1) % this.order.length;
      const row = this.order[this.turn];
      const record = store.markets.get(row.coin);
      if (record && row.stale) row.draw(record, this.decimals, now);
    }
  }

  // Rows, filters, order: all that may move something under a pointer.
  #arrange(store, now) {
    for (const [coin, { data }] of store.markets) {
      if (!this.rows.has(coin)) this.rows.set(coin, new MarketRow(coin));
      for (const px of [data.bid_px, data.ask_px, data.oracle_px]) {
        const decimals = Math.min(MOST_DECIMALS, decimalsOf(px));
        if (decimals <= this.decimals) continue;
        this.decimals = decimals;
        for (const row of this.rows.values()) row.stale = true;
      }
    }
    const named = [...store.markets.values()].filter(({ data }) => data.coin.toLowerCase().includes(this.text));
    for (const view of VIEWS) setText(view.count, String(named.filter((record) => view.has(record, store)).length));
    const { column, descends } = this.sort;
    const shown = named
      .filter((record) => this.view.has(record, store))
      .map((record) => ({ coin: record.data.coin, value: column.value(record, now) }))
      .sort((a, b) => compare(a.value, b.value, descends) || compare(a.coin, b.coin, false));
    this.order = shown.map(({ coin }) => this.rows.get(coin));
    this.#place();
    this.#rove();
    if (this.selected === null && this.order.length > 0) this.select(this.order[0].coin);
    const all = store.markets.size;
    setText($("markets-count"), this.order.length === all ? String(all) : `${this.order.length} of ${all}`);
    // By all markets, not by those that are shown: a filter should not move what is below.
    this.scroller.style.setProperty("--rows", Math.max(LEAST_ROWS, all));
    setHidden($("market-empty"), this.order.length > 0);
    setText($("market-empty"), all === 0 ? "No markets yet: the engine has not read the venue's list." : "No market fits the filter.");
    this.measure();
  }

  // Moves rows to where they belong. The focused one stays where it is and the others move around it: a
  // row that is moved loses the focus.
  #place() {
    const nodes = this.order.map((row) => row.node);
    const wanted = new Set(nodes);
    for (const node of [...this.body.children]) if (!wanted.has(node)) node.remove();
    if (nodes.length === 0) return;
    const anchor = Math.max(0, nodes.findIndex((node) => node === document.activeElement));
    if (!nodes[anchor].isConnected) this.body.prepend(nodes[anchor]);
    for (let i = anchor - 1; i >= 0; i -= 1) {
      if (nodes[i + 1].previousSibling !== nodes[i]) nodes[i + 1].before(nodes[i]);
    }
    for (let i = anchor + 1; i < nodes.length; i += 1) {
      if (nodes[i - 1].nextSibling !== nodes[i]) nodes[i - 1].after(nodes[i]);
    }
  }

  #rearrange() {
    this.arrangedAt = -Infinity;
  }

  #tabbable() {
    const selected = this.rows.get(this.selected)?.node;
    return selected?.isConnected ? selected : this.order[0]?.node;
  }

  // One row of all can be reached with Tab.
  #rove() {
    const node = this.#tabbable();
    if (this.roving !== node) this.roving?.setAttribute("tabindex", "-1");
    this.roving = node;
    if (node) setAttr(node, "tabindex", "0");
  }

  #onKey(event) {
    const here = this.order.indexOf(event.target.closest("tr")?.hip3Row);
    if (here < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.select(this.order[here].coin);
      if (event.key === "Enter") this.onOpen();
      return;
    }
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const there = this.order[Math.min(this.order.length - 1, Math.max(0, here + step))];
    this.select(there.coin, true);
    there.node.scrollIntoView({ block: "nearest" });
  }

  #makeHead() {
    for (const column of COLUMNS) {
      const button = el("button", { type: "button" }, column.label);
      if (column.unit) button.append(el("span", { class: "unit" }, ` ${column.unit}`));
      const cell = el("th", { role: "columnheader", scope: "col", "data-col": column.key, "aria-sort": "none" }, button);
      button.addEventListener("click", () => {
        const again = this.sort.column === column;
        this.sort = { column, descends: again ? !this.sort.descends : column.descends === true };
        this.#showSort();
        this.#rearrange();
      });
      column.head = cell;
      $("market-head").append(cell);
    }
    this.#showSort();
  }

  #showSort() {
    for (const column of COLUMNS) {
      const way = this.sort.descends ? "descending" : "ascending";
      setAttr(column.head, "aria-sort", this.sort.column === column ? way : "none");
    }
  }

  #makeViews() {
    for (const view of VIEWS) {
      view.count = el("span", { class: "count" });
      const button = el("button", { type: "button", "aria-pressed": String(view === this.view), "data-view": view.key, title: view.title }, view.label, " ", view.count);
      button.addEventListener("click", () => {
        this.view = view;
        for (const other of $("views").children) setAttr(other, "aria-pressed", String(other === button));
        this.#rearrange();
      });
      $("views").append(button);
    }
  }
}
