// What the engine said last. Holds no view and no socket; panels read it when a frame is drawn.

const KEPT = 100; // As many signals, orders and trades as the engine itself tells.

export class Store {
  constructor() {
    this.known = false; // Whether anything was ever heard.
    this.state = {}; // All keys of the snapshot but for markets and the three lists.
    this.markets = new Map(); // coin → { data, at }, `at` in the page's own time
    this.signals = [];
    this.orders = [];
    this.trades = [];
    this.signalled = new Map(); // coin → number of signals heard of
    this.dirty = new Set(); // Coins that changed since the table last drew.
    this.heardAt = 0; // performance.now() of the last message
    this.generation = 0; // Grows with each snapshot: whatever was drawn before may be gone.
    this.version = { signals: 0, orders: 0, trades: 0, state: 0 };
  }

  /** One message of the socket, or the answer of /api/snapshot with type "snapshot". */
  apply(message, now) {
    switch (message.type) {
      case "snapshot":
        this.#replace(message, now);
        break;
      case "update":
        this.#merge(message, now);
        break;
      case "signal":
        if (this.#prepend("signals", message.signal)) this.#countSignal(message.signal);
        break;
      case "order":
        this.#prepend("orders", message.order);
        break;
      case "trade":
        this.#prepend("trades", message.trade);
        break;
      default:
        return; // A newer engine may say more than this page knows.
    }
    this.heardAt = now;
  }

  /** The engine's clock now, as far as it can be told from here. */
  engineNow(now) {
    return (this.state.timestamp_ms ?? Date.now()) + (now - (this.stateAt ?? now));
  }

  #replace(message, now) {
    const { signals = [], orders = [], trades = [] } = message;
    this.known = true;
    this.generation += 1;
    this.markets.clear();
    this.dirty.clear();
    this.signals = signals.slice(0, KEPT);
    this.orders = orders.slice(0, KEPT);
    this.trades = trades.slice(0, KEPT);
    this.signalled.clear();
    for (const signal of this.signals) this.#countSignal(signal);
    for (const list of ["signals", "orders", "trades"]) this.version[list] += 1;
    this.#merge(message, now);
  }

  #merge(message, now) {
    const { type, markets = [], signals, orders, trades, ...state } = message;
    Object.assign(this.state, state);
    this.stateAt = now;
    this.version.state += 1;
    for (const data of markets) {
      this.markets.set(data.coin, { data, at: now });
      this.dirty.add(data.coin);
    }
  }

  // What was sent while the snapshot was made may come in both.
  #prepend(list, item) {
    const key = JSON.stringify(item);
    if (this[list].slice(0, 20).some((one) => JSON.stringify(one) === key)) return false;
    this[list].unshift(item);
    this[list].length = Math.min(this[list].length, KEPT);
    this.version[list] += 1;
    return true;
  }

  #countSignal(signal) {
    this.signalled.set(signal.coin, (this.signalled.get(signal.coin) ?? 0) + 1);
  }
}
