// The dashboard: what comes over the socket goes into the store, and once a frame the panels draw what
// changed. Nothing here waits, and nothing is drawn while nobody looks.

import { Chart } from "./chart.js";
import { Control, ReadToken } from "./control.js";
import { $, setAttr, setText } from "./dom.js";
import { bindKeys } from "./keys.js";
import { Link } from "./link.js";
import { List, ORDERS, Positions, SIGNALS, TRADES } from "./lists.js";
import { Counters, Funnel, Latency } from "./stats.js";
import { Status } from "./status.js";
import { Store } from "./store.js";
import { Table } from "./table.js";

const TICK_MS = 100; // Ages grow in tenths of a second, whether or not something is heard.
const SLOW_MS = 250; // Clocks that show seconds, and figures that nobody reads ten times a second.

const store = new Store();
const status = new Status();
const chart = new Chart();
const table = new Table((coin) => chart.show(coin), () => chart.focus());
const choose = (coin) => table.select(coin);
const lists = [
  new List("signals", SIGNALS, "No signals yet: none since the engine started.", choose),
  new List("trades", TRADES, "No trades yet.", choose),
  new List("orders", ORDERS, "No orders yet.", choose),
];
const positions = new Positions(choose);
const panels = [new Funnel(), new Latency(), new Counters()];
const control = new Control();
const readToken = new ReadToken(() => link.retry());

const link = new Link({
  onMessage(message) {
    store.apply(message, performance.now());
    wake();
    if (message.type === "snapshot" && store.markets.has(table.selected)) chart.show(table.selected);
    if (message.markets) chart.onMarkets(message.markets, message.timestamp_ms);
    if (message.type === "signal") chart.onSignal(message.signal);
    if (message.type === "order") chart.onOrder(message.order);
  },
  onState: refresh,
  onUnauthorized: (refused) => readToken.ask(refused),
});

let awaited = false; // Whether a frame is asked for.
let drawnAt = -Infinity;
let slowAt = -Infinity;

// Frames are asked for when there is something to draw: an idle loop would cost as much as a busy one.
function wake() {
  if (awaited) return;
  awaited = true;
  requestAnimationFrame(frame);
}

function frame(now) {
  awaited = false;
  drawnAt = now;
  if (store.known) {
    table.draw(store, now);
    chart.draw(store, now);
    for (const list of lists) list.draw(store);
  }
  if (now - slowAt < SLOW_MS) return;
  slowAt = now;
  status.draw(store, link.state, now);
  if (!store.known) return;
  positions.draw(store, now);
  for (const panel of panels) panel.draw(store.state);
  control.draw(store.state, link.state.phase === "open");
}

// Draws all, and now: something was done that should be seen at once.
function refresh() {
  slowAt = -Infinity;
  wake();
}

function showTheme() {
  const choice = globalThis.hip3Theme.current();
  setText($("theme"), { auto: "◐", light: "○", dark: "●" }[choice]);
  setAttr($("theme"), "aria-label", `Colors: ${choice === "auto" ? "as the system has it" : choice}`);
  setAttr($("theme"), "title", `Colors: ${choice === "auto" ? "as the system has it" : choice} (t)`);
}

function nextTheme() {
  globalThis.hip3Theme.next();
  showTheme();
}

$("theme").addEventListener("click", nextTheme);
$("retry").addEventListener("click", () => link.retry());
$("counters").addEventListener("toggle", refresh);
bindKeys({ table, chart, nextTheme });
showTheme();
setInterval(() => {
  if (performance.now() - drawnAt >= TICK_MS * 0.9) wake();
}, TICK_MS);
// Whoever clicks or types waits for the answer.
for (const kind of ["click", "keydown", "input", "pointermove"]) addEventListener(kind, wake, { passive: true });
addEventListener("resize", wake);
link.start();
