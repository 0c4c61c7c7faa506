// What the report's names mean, in plain words. A name that is not here is shown as it came.
"use strict";

const VERDICTS = {
  genuine: { sign: "●", title: "Earned after costs, and chance does not explain it" },
  structural: { sign: "■", title: "The edge stays: a spread or a basis, not a quote that is late" },
  negative: { sign: "▼", title: "Lost money, or was never filled" },
  "too few": { sign: "◌", title: "Not enough episodes to tell" },
};

const WORDS = {
  // Causes of gaps.
  start: "the run began",
  link_down: "link down",
  paused: "the process stood still",
  ring_overflow: "a ring was full",
  storage: "records not written",
  stopped: "the run was stopped",
  // Ends of crosses.
  quote: "the quote moved",
  oracle: "the oracle came back",
  no_quote: "the quote was gone",
  stale: "data grew stale",
  disconnected: "the link dropped",
  shutdown: "the run ended",
  killed: "the run was killed",
  // Gates.
  BboUpdate: "no fresh quote",
  CtxUpdate: "no fresh oracle",
  TimeRegression: "quotes out of order",
  MarkMidDivergence: "mark far from mid",
  SpreadShock: "spread shock",
  OiCap: "open interest at its cap",
  ParamChange: "rules changed",
  Halt: "halted",
  // Exits and outcomes.
  mark_regression: "price came back",
  time_stop: "held long enough",
  flatten: "flattened by the operator",
  foreign: "closed by somebody else",
  partially_filled: "filled in part",
  expired: "not filled",
  rejected: "refused",
  dropped: "never sent",
  // Sessions.
  pre: "pre-market",
  post: "after hours",
};

/** Own keys alone: `constructor` is a name like any other. */
const look = (table, key) => (Object.hasOwn(table, key) ? table[key] : undefined);

const word = (name) =>
  look(WORDS, name) ??
  String(name)
    .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
    .replaceAll("_", " ")
    .toLowerCase();

/** Writes a verdict's sign and word into a node. */
function verdictInto(node, kind) {
  node.dataset.kind = kind;
  node.title = look(VERDICTS, kind)?.title ?? "";
  node.replaceChildren(
    el("span", { class: "sign", "aria-hidden": "true" }, look(VERDICTS, kind)?.sign ?? "·"),
    el("span", { class: "word" }, kind),
  );
  return node;
}

/** When a signal is taken and left again, as the settings have it. */
const terms = ({ latency_ms, exit_ms }) => `entered after ${length(latency_ms)}, left after ${length(exit_ms)}`;

/** `99 %` */
const confidence = (settings) =>
  percent(settings.confidence, Math.round(settings.confidence * 100) === settings.confidence * 100 ? 0 : 1);
