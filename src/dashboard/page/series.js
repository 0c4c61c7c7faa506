// Ten minutes of one market: read from the engine's history, then grown by what the socket brings.

import { toNumber } from "./format.js";

const KEPT_MS = 10 * 60_000;

export class Series {
  constructor(coin) {
    this.coin = coin;
    this.points = []; // { t, bid, ask, oracle }, oldest first; null where it is not known
    this.signals = [];
    this.fills = [];
  }

  /** Puts the engine's history before what was heard since. */
  addHistory({ t_ms: times = [], bid = [], ask = [], oracle = [], signals = [], fills = [] }) {
    const past = times.map((t, i) => ({ t, bid: bid[i] ?? null, ask: ask[i] ?? null, oracle: oracle[i] ?? null }));
    const last = past.at(-1)?.t ?? -Infinity;
    this.points = past.concat(this.points.filter((point) => point.t > last));
    for (const signal of signals) this.addSignal(signal);
    this.fills = fills;
  }

  addQuote(t, data) {
    if (t <= (this.points.at(-1)?.t ?? -Infinity)) return;
    this.points.push({ t, bid: toNumber(data.bid_px), ask: toNumber(data.ask_px), oracle: toNumber(data.oracle_px) });
    this.#forget(t - KEPT_MS);
  }

  addSignal(signal) {
    if (this.signals.some((one) => one.signal_id === signal.signal_id)) return;
    this.signals.push(signal);
    this.signals.sort((a, b) => a.time_ms - b.time_ms);
  }

  /** The index of the last point at or before `t`; -1 before the first. */
  at(t) {
    let [low, high] = [0, this.points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.points[middle].t <= t) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // In steps, since removing from the front moves all the rest.
  #forget(before) {
    const old = this.at(before);
    if (old > 200) this.points.splice(0, old);
    while (this.signals.length && this.signals[0].time_ms < before) this.signals.shift();
    while (this.fills.length && this.fills[0].time_ms < before) this.fills.shift();
  }
}
