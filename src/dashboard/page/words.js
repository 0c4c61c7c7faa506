// What the engine's names mean, in plain words. A name that is not here is shown as it came.

// In few words for the table, and in more where there is room.
const GATES = {
  BboUpdate: ["no fresh quote", "the quote is missing, one-sided or too old"],
  CtxUpdate: ["no fresh oracle", "the oracle price is missing or too old"],
  TimeRegression: ["quotes disordered", "a quote came with an older time than one before it"],
  MarkMidDivergence: ["mark far from mid", "mark and mid are too far apart"],
  SpreadShock: ["spread shock", "the spread is far above its average, or that is not known yet"],
  OiCap: ["at its cap", "open interest is at its cap, or not known"],
  ParamChange: ["rules changed", "a rule of the market changed since the start"],
  Halt: ["halted", "the market is halted or delisted"],
};

const CHECKS = {
  HardStop: "HardStop holds",
  NotReady: "not ready",
  MaxPositionPerMarket: "limit of the market",
  MaxPositionTotal: "limit of the total",
  MaxConcurrentPositions: "position count",
  AlreadyHasPosition: "already held",
  PendingOrderExists: "order under way",
  BudgetExhausted: "budget used up",
  BelowMinimum: "too small",
};

const REASONS = {
  Reconnecting: ["the link dropped", "released by itself once READY holds again"],
  Operator: ["an operator asked for it", "release it when you want to go on"],
  ConsecutiveFailures: ["orders were refused in a row", "see the orders, then release"],
  Loss: ["the loss within the window, or the day, reached its limit", "see the trades, then release"],
  FlattenFailures: ["exits of one position were refused in a row, by our fault or for the account", "see the position at the venue, then release"],
  PositionMismatch: ["our positions and the venue's differ", "see the account, then release"],
  SignatureRefused: ["the venue does not know our signer, or not as ours", "check the key and the agent, then release"],
  NonceRefused: ["the venue refuses our nonces", "see whether another program signs with this key, then release"],
  ClockSkew: ["our clock and the venue's differ", "set the clock, then release"],
  StateUnreadable: ["the file that keeps this latch could not be read", "look at the file kept aside, then release"],
};

const CONDITIONS = {
  md_ready: ["market data", "every market has data or is set aside"],
  order_snapshot: ["order stream", "the account's order stream is acknowledged"],
  fills_snapshot: ["fill stream", "the account's fill stream is acknowledged"],
  position_synced: ["positions synced", "the account was read on this link, and nothing differs"],
  ws_connected: ["socket", "the socket to the venue is open"],
  hard_stop_clear: ["HardStop clear", "no reason for HardStop holds"],
};

const STATES = {
  live: "live",
  waiting: "waiting for data",
  set_aside: "set aside: no data came",
  halted: "halted",
};

const LINKS = {
  idle: "not started",
  backoff: "down, waiting to try again",
  connecting: "connecting",
  subscribing: "subscribing",
  live: "live",
};

const PURPOSES = {
  entry: "entry",
  mark_regression: "price came back",
  time_stop: "held long enough",
  flatten: "flattened by the operator",
  shutdown: "the run ended",
  foreign: "closed by somebody else",
};

const OUTCOMES = {
  filled: "filled",
  partially_filled: "filled in part",
  expired: "not filled",
  rejected: "refused",
  dropped: "never sent",
  unknown: "unknown",
};

// MarkRegression and mark_regression are the same name.
const snake = (name) => String(name).replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
const spaced = (name) => snake(name).replaceAll("_", " ");

export const gate = (name) => GATES[name]?.[0] ?? spaced(name);
export const gateAtLength = (name) => GATES[name]?.[1] ?? spaced(name);
export const state = (name) => STATES[name] ?? spaced(name);
export const link = (name) => LINKS[name] ?? spaced(name);
export const purpose = (name) => PURPOSES[snake(name)] ?? spaced(name);
export const outcome = (name) => OUTCOMES[snake(name)] ?? spaced(name);
export const refusal = (name) => spaced(name);
export const condition = (name) => CONDITIONS[name] ?? [spaced(name), ""];
export const stopReason = (name) => REASONS[name] ?? [spaced(name), ""];

/** `{ kind, text }` of a signal's decision; `kind` is observed, sent, blocked, filtered, rejected or skipped. */
export function decision(name) {
  const [kind, why] = String(name).split(/:(.*)/s);
  switch (kind) {
    case "observed":
      return { kind, text: "would be taken" };
    case "sent":
      return { kind, text: "order sent" };
    case "blocked":
      return { kind, text: `blocked: ${gate(why)}`, title: gateAtLength(why) };
    case "filtered":
    case "rejected":
    case "skipped":
      return { kind, text: `${kind}: ${CHECKS[why] ?? spaced(why ?? "")}` };
    default:
      return { kind: "other", text: String(name) };
  }
}

/** Whether a signal led to something: drawn solid, where others are drawn hollow. */
export const passed = (signal) => signal.decision === "sent" || signal.decision === "observed";
