// Mode, READY, HardStop, link, loop, money: the header, the banners and the strip below them.

import { $, el, say, setAttr, setData, setHidden, setText } from "./dom.js";
import { NONE, age, clock, count, fixed, iso, signed, share, toNumber, usd } from "./format.js";
import * as words from "./words.js";

// The engine says something every second; what is older than this is not the present any more.
const OLD_MS = 3000;

const told = { stop: null, link: null, page: null };

/** Says it once each time it changes; the first state is no change. */
function announce(what, key, text) {
  const before = told[what];
  told[what] = key;
  if (before !== null && before !== key) say(text);
}

function lamp(id, level, text, title) {
  const node = $(id);
  setData(node, "level", level);
  setText(node, text);
  setAttr(node, "title", title || null);
}

function banner(id, strong, text) {
  const node = $(id);
  setHidden(node, strong === null);
  if (strong === null) return;
  setText(node.querySelector("strong"), strong);
  setText(node.querySelector("span"), text);
}

function drawReady(ready = {}) {
  const list = $("ready");
  const { waiting = [], ...flags } = ready;
  const applying = Object.entries(flags).filter(([, value]) => value !== null);
  const missing = applying.filter(([, value]) => value !== true).map(([name]) => words.condition(name)[0]);
  const key = applying.map(([name]) => name).join();
  if (list.hip3Key !== key) {
    list.hip3Key = key;
    list.replaceChildren(
      ...applying.map(([name]) => {
        const [short, long] = words.condition(name);
        return el("li", { title: long, "data-name": name }, el("span", { class: "sr" }), short);
      }),
    );
  }
  for (const node of list.children) {
    const holds = ready[node.dataset.name] === true;
    setData(node, "holds", String(holds));
    setText(node.firstElementChild, holds ? "holds: " : "missing: ");
  }
  const waits = waiting.length === 0 ? "" : `, entries wait for: ${waiting.join(", ")}`;
  setText($("ready-title"), missing.length === 0 ? `READY${waits}` : `Not ready, ${missing.length} missing${waits}`);
  if (applying.length === 0) lamp("lamp-ready", "off", "not known");
  else if (missing.length === 0 && waits === "") lamp("lamp-ready", "good", "READY");
  else if (missing.length === 0) lamp("lamp-ready", "warn", "entries wait", waiting.join(", "));
  else lamp("lamp-ready", "warn", "not ready", `missing: ${missing.join(", ")}`);
}

function drawStop(stop = { active: false, reasons: [] }, trading, engineNow) {
  if (!trading && !stop.active) {
    setHidden($("lamp-stop"), true);
    banner("banner-stop", null);
    return;
  }
  setHidden($("lamp-stop"), false);
  if (!stop.active) {
    lamp("lamp-stop", "good", "no HardStop");
    banner("banner-stop", null);
    announce("stop", "", "HardStop is released.");
    return;
  }
  const reasons = stop.reasons ?? [];
  const sentences = reasons.map((name, i) => {
    const [why, then] = words.stopReason(name);
    const since = stop.since_ms?.[i];
    const when = typeof since === "number" ? `, since ${iso(since).slice(0, 19)} (${clock(engineNow - since)})` : "";
    return `${name}: ${why}${when}; ${then}.`;
  });
  lamp("lamp-stop", "bad", "HardStop", reasons.join(", "));
  banner("banner-stop", "HardStop: nothing is opened, exits go on.", sentences.join("\n"));
  announce("stop", reasons.join(), `HardStop holds: ${reasons.join(", ")}.`);
}

function drawLink(link = {}, seenSince, now) {
  const state = link.state ?? "";
  const live = state === "live";
  setText($("link-state"), state ? words.link(state).split(",")[0] : NONE);
  setData($("link-state"), "level", live ? "good" : "warn");
  setText($("link-more"), `${count(link.connects)} connects, ${count(link.disconnects)} lost`);
  lamp("lamp-link", state === "" ? "off" : live ? "good" : "warn", live ? "venue live" : `venue ${state || "not known"}`);
  if (state === "") return;
  banner(
    "banner-link",
    live ? null : `The link to the venue is ${words.link(state)}.`,
    `No quotes arrive, and their ages grow (${clock(now - seenSince)}).`,
  );
  announce("link", state === "live" ? "live" : "down", live ? "The link to the venue is live." : `The link to the venue is ${words.link(state)}.`);
}

function drawPage(store, link, now) {
  const old = now - store.heardAt;
  const lost = link.phase !== "open";
  const stale = store.known && old > OLD_MS;
  setData(document.body, "stale", String(stale));
  setData(document.body, "phase", link.phase);
  const wait = link.phase === "waiting" ? `trying again in ${Math.ceil(Math.max(0, link.retryAt - now) / 1000)} s` : "trying to connect";
  const error = link.error ? ` (${link.error})` : "";
  if (!store.known) {
    lamp("lamp-page", link.phase === "waiting" ? "bad" : "off", link.phase === "waiting" ? "no engine" : "connecting");
    banner("banner-page", link.phase === "waiting" ? "The engine cannot be reached." : null, `No data yet${error}; ${wait}.`);
  } else if (stale || (lost && link.attempt > 0)) {
    lamp("lamp-page", "bad", `data ${age(old)} old`);
    const what = lost ? "The connection to the engine is lost." : "The engine has gone silent.";
    banner("banner-page", what, `Data are ${clock(old)} old${error}; ${lost ? wait : "waiting for it"}.`);
  } else {
    lamp("lamp-page", "good", "data fresh", "the engine said something within the last seconds");
    banner("banner-page", null);
  }
  setHidden($("retry"), link.phase !== "waiting");
  const key = stale || (lost && link.attempt > 0) ? "lost" : "fresh";
  if (store.known) announce("page", key, key === "lost" ? "The data on this page are old." : "The data on this page are fresh again.");
}

function drawMoney({ pnl = {}, limits = {}, positions = [], pending_orders: pending }) {
  const realized = toNumber(pnl.realized);
  setText($("pnl"), usd(pnl.realized, { sign: true }));
  setData($("pnl"), "sign", realized === null || realized === 0 ? "zero" : realized > 0 ? "plus" : "minus");
  setText($("pnl-more"), pnl.trades ? `${count(pnl.trades)} ${pnl.trades === 1 ? "trade" : "trades"}, ${share(pnl.wins, pnl.trades)} won, fees ${usd(pnl.fees)}` : "no trades yet");
  const held = positions.reduce((sum, one) => sum + (toNumber(one.unrealized_pnl) ?? 0), 0);
  setAttr($("open-more"), "title", "unrealized profit of the positions, and orders that are not over");
  setText($("open"), String(positions.length));
  setText($("open-unit"), positions.length === 1 ? "position" : "positions");
  setText($("open-more"), `${positions.length ? `${signed(held, 2)} USD, ` : ""}${count(pending)} pending`);
  const { budget_left: left, exit_reserve: reserve } = limits;
  setText($("budget"), count(left));
  const short = typeof left === "number" && typeof reserve === "number" && left <= reserve;
  setData($("budget"), "level", short ? "warn" : "plain");
  setText($("budget-more"), short ? `only exits: ${count(reserve)} are theirs` : `${count(reserve)} kept for exits`);
}

function drawLoop(loop = {}, state, uptimeMs) {
  setText($("lag"), fixed(loop.lag_ms, 0));
  setData($("lag"), "level", loop.lag_ms >= 1000 ? "warn" : "plain");
  setText($("loop-more"), `longest turn ${count(loop.longest_turn_us)} µs`);
  setAttr($("loop-more"), "title", `${count(loop.turns)} turns`);
  setText($("uptime"), clock(uptimeMs));
  setText($("version"), state.version ?? "");
  setText($("run"), state.run_id ? `Run ${state.run_id}` : "");
}

function drawMode(mode) {
  const trading = mode === "trading";
  setText($("mode"), mode ?? "");
  setHidden($("mode"), !mode);
  setData($("mode"), "mode", mode ?? "");
  setHidden($("observation-note"), mode !== "observation");
  for (const node of document.querySelectorAll("[data-trading]")) setHidden(node, !trading);
}

export class Status {
  #linkState = null;
  #linkSince = 0;
  #drawn = -1;

  /** `now` is the page's own time; ages grow with it. */
  draw(store, link, now) {
    const { state } = store;
    if (state.link?.state !== this.#linkState) {
      if (this.#linkState === "live" || this.#linkState === null || state.link?.state === "live") this.#linkSince = now;
      this.#linkState = state.link?.state ?? null;
    }
    drawPage(store, link, now);
    if (!store.known) return;
    const trading = state.mode === "trading";
    if (this.#drawn !== store.version.state) {
      this.#drawn = store.version.state;
      drawMode(state.mode);
      drawReady(state.ready);
      drawMoney(state);
    }
    drawLoop(state.loop, state, state.uptime_s * 1000 + (now - store.stateAt));
    drawStop(state.hard_stop, trading, store.engineNow(now));
    drawLink(state.link, this.#linkSince, now);
    const title = state.hard_stop?.active ? "STOPPED" : state.mode ?? "";
    const wanted = `${document.body.dataset.stale === "true" ? "(old) " : ""}hip3 ${title}`.trim();
    if (document.title !== wanted) document.title = wanted;
  }
}
