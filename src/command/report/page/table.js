// The markets: one row each, to be sorted, filtered and chosen from.
"use strict";

const COLUMNS = [
  { key: "market", label: "market", value: (one) => one.market },
  { key: "verdict", label: "verdict", value: (one) => Object.keys(VERDICTS).indexOf(one.verdict.kind) },
  {
    key: "signals",
    label: "signals",
    descends: true,
    value: (one) => one.signals,
    text: count,
    title: "All signals, blocked ones too",
  },
  {
    key: "episodes",
    label: "episodes",
    descends: true,
    value: (one) => one.episodes,
    text: count,
    title: "Signals of one cross or one oracle price are one episode",
  },
  {
    key: "survival",
    label: "survival",
    descends: true,
    value: (one) => one.survival.median_ms,
    text: length,
    title: "Half of the stale quotes stand longer",
  },
  {
    key: "edge",
    label: "edge",
    unit: "bps",
    descends: true,
    value: (one) => one.edge.raw.p50,
    text: (value) => fixed(value, 1),
    title: "Median raw edge",
  },
  {
    key: "decay",
    label: "left 5 s",
    value: (one) => one.decay.retained_5s.value,
    text: (value) => percent(value),
    title: "Share of the edge that is left after 5 s",
  },
  {
    key: "fill",
    label: "fill",
    descends: true,
    value: (one) => one.chosen.fill_rate,
    text: (value) => percent(value),
    title: "Share of the size that would still have filled",
  },
  {
    key: "value",
    label: "value",
    unit: "bps",
    descends: true,
    value: (one) => one.chosen.mean_value_bps.value,
    text: bps,
    title: "Mean value of a signal, and its interval",
  },
  {
    key: "wins",
    label: "wins",
    descends: true,
    value: (one) => one.chosen.win_rate.value,
    text: (value) => percent(value),
    title: "Share of the fills that earned after costs",
  },
  {
    key: "usd",
    label: "USD",
    descends: true,
    value: (one) => (one.chosen.n > 0 ? one.chosen.usd : null),
    text: usd,
    title: "Sum at the suggested sizes",
  },
];

// What is not known comes last, whichever way the others go.
function compare(a, b, descends) {
  if (!isNumber(a) && typeof a !== "string") return isNumber(b) || typeof b === "string" ? 1 : 0;
  if (!isNumber(b) && typeof b !== "string") return -1;
  const less = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return descends ? -less : less;
}

/** One scale for all intervals, in bps, with zero on it. A few wide ones do not squeeze the rest, but a value
    that is told from zero is never off it. */
function valueScale(markets) {
  const figures = markets.map((one) => one.chosen.mean_value_bps).filter(({ value }) => isNumber(value));
  const at = (values, share) =>
    values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;
  const sure = figures
    .filter(({ low, high }) => (isNumber(low) && low > 0) || (isNumber(high) && high < 0))
    .map(({ value }) => value);
  const low = Math.min(
    0,
    ...sure,
    at(
      figures.map(({ value, low: end }) => end ?? value),
      0.1,
    ),
  );
  const high = Math.max(
    0,
    ...sure,
    at(
      figures.map(({ value, high: end }) => end ?? value),
      0.9,
    ),
  );
  const spare = Math.max(1, (high - low) * 0.06);
  return { low: low - spare, high: high + spare };
}

/** A figure on that scale: the interval as a bar, the value as a mark, zero as a line. */
function intervalBar({ value, low, high }, scale) {
  const share = (at) => Math.min(1, Math.max(0, (at - scale.low) / (scale.high - scale.low)));
  const bar = el("span", { class: "interval", "aria-hidden": "true" });
  bar.style.setProperty("--zero", share(0));
  if (!isNumber(value)) return bar;
  if (isNumber(low) && isNumber(high)) {
    const range = el("i");
    range.style.setProperty("--from", share(low));
    range.style.setProperty("--to", share(high));
    range.dataset.sign = low > 0 ? "plus" : high < 0 ? "minus" : "open";
    range.dataset.cut = `${low < scale.low ? "low" : ""} ${high > scale.high ? "high" : ""}`;
    bar.append(range);
  }
  const mark = el("b");
  mark.style.setProperty("--at", share(value));
  bar.append(mark);
  return bar;
}

class Table {
  /** `onSelect(market, "keys" | "open")`; the total is the market `null`. `onArrange` hears what is shown. */
  constructor(report, onSelect, onArrange) {
    this.report = report;
    this.onSelect = onSelect;
    this.onArrange = onArrange;
    this.scale = valueScale(report.markets);
    this.sort = { column: COLUMNS.at(-1), descends: true };
    this.view = "all";
    this.text = "";
    this.selected = undefined;
    this.rows = new Map(report.markets.map((one) => [one.market, this.#row(one, one.market)]));
    $("market-scroll").closest(".overview").style.setProperty("--rows", report.markets.length);
    this.total = this.#row({ ...report.total, market: null, verdict: null }, null);
    $("market-foot").append(this.total);
    this.#makeHead();
    const counted = (kind) => report.markets.filter((one) => one.verdict.kind === kind).length;
    segments(
      $("views"),
      [["all", "all"], ...Object.keys(VERDICTS).map((kind) => [kind, `${kind} ${counted(kind)}`])],
      "all",
      (key) => {
        this.view = key;
        this.arrange();
      },
    );
    $("filter").addEventListener("input", (event) => {
      this.text = event.target.value.trim().toLowerCase();
      this.arrange();
    });
    $("market-table").addEventListener("click", (event) => {
      const row = event.target.closest("tbody tr, tfoot tr");
      if (row) this.onSelect(row.hip3Market, "open");
    });
    $("market-table").addEventListener("keydown", (event) => this.#onKey(event));
    this.arrange();
  }

  /** Marks a market as chosen. */
  select(market) {
    this.#rowOf(this.selected)?.removeAttribute("aria-current");
    this.selected = market;
    this.#rowOf(market)?.setAttribute("aria-current", "true");
    this.#rove();
  }

  /** The market so many rows below the chosen one; the total stands below all. */
  near(step) {
    const all = [...this.shown, null];
    const here = all.indexOf(this.selected);
    return all[Math.min(all.length - 1, Math.max(0, here < 0 ? 0 : here + step))];
  }

  reveal(focus) {
    const row = this.#rowOf(this.selected);
    if (!row?.isConnected) return;
    if (focus) row.focus({ preventScroll: true });
    const [scroller, head] = [$("market-scroll"), $("market-head").offsetHeight + 2];
    const foot = this.total.offsetHeight;
    const [top, bottom] = [row.offsetTop - head, row.offsetTop + row.offsetHeight + foot];
    if (this.selected === null) return;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
  }

  arrange() {
    const { column, descends } = this.sort;
    const shown = this.report.markets
      .filter(
        (one) =>
          (this.view === "all" || one.verdict.kind === this.view) && one.market.toLowerCase().includes(this.text),
      )
      .sort((a, b) => compare(column.value(a), column.value(b), descends) || compare(a.market, b.market, false));
    this.shown = shown.map((one) => one.market);
    $("market-body").replaceChildren(...this.shown.map((market) => this.rows.get(market)));
    const all = this.report.markets.length;
    $("markets-count").textContent = shown.length === all ? count(all) : `${count(shown.length)} of ${count(all)}`;
    $("market-empty").hidden = shown.length > 0;
    $("market-empty").textContent = all === 0 ? "No market has made a signal." : "No market fits the filter.";
    this.#rove();
    this.onArrange(shown);
  }

  #rowOf(market) {
    return market === null ? this.total : this.rows.get(market);
  }

  #row(one, market) {
    const row = el("tr", { tabindex: "-1" });
    row.hip3Market = market;
    for (const column of COLUMNS) {
      const cell = el(column.key === "market" ? "th" : "td", {
        "data-col": column.key,
        scope: column.key === "market" ? "row" : null,
      });
      if (column.key === "market")
        cell.append(el("span", { class: "name", title: market ?? "" }, market ?? "all markets"));
      else if (column.key === "verdict")
        cell.append(one.verdict ? verdictInto(el("span", { class: "verdict" }), one.verdict.kind) : NONE);
      else {
        const value = column.value(one);
        cell.append(
          el(
            "span",
            { class: "amount", "data-sign": column.key === "usd" || column.key === "value" ? sign(value) : null },
            column.text(value),
          ),
        );
      }
      if (column.key === "value") {
        const figure = one.chosen.mean_value_bps;
        cell.title = between(figure) || "no interval";
        cell.append(intervalBar(figure, this.scale), el("span", { class: "sr" }, between(figure)));
      }
      row.append(cell);
    }
    if (one.verdict) {
      row.querySelector(".verdict").title = sentence(one.verdict.reason);
      row.querySelector('[data-col="wins"]').title = between(one.chosen.win_rate, percent);
    }
    return row;
  }

  #makeHead() {
    for (const column of COLUMNS) {
      const button = el(
        "button",
        { type: "button", title: column.title },
        column.label,
        column.unit ? el("span", { class: "unit" }, ` ${column.unit}`) : null,
      );
      column.head = el("th", { scope: "col", "data-col": column.key }, button);
      button.addEventListener("click", () => {
        const again = this.sort.column === column;
        this.sort = { column, descends: again ? !this.sort.descends : column.descends === true };
        this.#showSort();
        this.arrange();
      });
      $("market-head").append(column.head);
    }
    this.#showSort();
  }

  #showSort() {
    for (const column of COLUMNS) {
      column.head.setAttribute(
        "aria-sort",
        this.sort.column !== column ? "none" : this.sort.descends ? "descending" : "ascending",
      );
    }
  }

  // One row of all can be reached with Tab.
  #rove() {
    this.roving?.setAttribute("tabindex", "-1");
    const chosen = this.selected === undefined ? undefined : this.#rowOf(this.selected);
    this.roving = chosen?.isConnected ? chosen : (this.rows.get(this.shown[0]) ?? this.total);
    this.roving.setAttribute("tabindex", "0");
  }

  #onKey(event) {
    const row = event.target.closest("tbody tr, tfoot tr");
    if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.onSelect(row.hip3Market, "open");
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    if (this.selected !== row.hip3Market) this.select(row.hip3Market);
    this.onSelect(this.near(step), "keys");
    this.reveal(true);
  }
}
