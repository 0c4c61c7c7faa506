// Numbers and times as people read them. Prices and sizes stay the strings that the engine sent.

export const NONE = "–";
const MINUS = "−";
const FIGURE_SPACE = "\u2007"; // As wide as a digit.
const POINT_SPACE = "\u2008"; // As wide as a point.

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** With this many decimals and a real minus; what rounds to zero has no sign. */
export function fixed(value, decimals) {
  if (!isNumber(value)) return NONE;
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

export const bps = (value) => fixed(value, 1);

/** As `fixed`, with a plus too. */
export function signed(value, decimals) {
  const text = fixed(value, decimals);
  return isNumber(value) && value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** USD from the engine's string: two decimals, four where it is less than a dollar. */
export function usd(text, { sign = false } = {}) {
  const value = toNumber(text);
  if (value === null) return NONE;
  const decimals = value !== 0 && Math.abs(value) < 1 ? 4 : 2;
  return sign ? signed(value, decimals) : fixed(value, decimals);
}

/** The number in a decimal string, or null. */
export function toNumber(text) {
  if (text === null || text === undefined || text === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

export function decimalsOf(text) {
  const point = typeof text === "string" ? text.indexOf(".") : -1;
  return point < 0 ? 0 : text.length - point - 1;
}

/** A decimal string, filled up with blanks so that points stand under points at the right edge. */
export function aligned(text, decimals) {
  if (text === null || text === undefined) return NONE;
  const own = decimalsOf(text);
  const missing = FIGURE_SPACE.repeat(Math.max(0, decimals - own));
  return own === 0 && decimals > 0 ? text + POINT_SPACE + missing : text + missing;
}

export const count = (value) => (isNumber(value) ? value.toLocaleString("en-US").replaceAll(",", "\u2009") : NONE);

/** How long ago, short: 120 ms, 4.2 s, 3:05, 2 h 05. */
export function age(ms) {
  if (!isNumber(ms)) return NONE;
  if (ms < 1000) return `${Math.max(0, Math.round(ms / 10) * 10)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return clock(ms);
}

/** Whole seconds and more: 42 s, 3:05, 2 h 05, 3 d 4 h. */
export function clock(ms) {
  if (!isNumber(ms)) return NONE;
  const total = Math.max(0, Math.floor(ms / 1000));
  const [s, m, h] = [total % 60, Math.floor(total / 60) % 60, Math.floor(total / 3600)];
  const two = (part) => String(part).padStart(2, "0");
  if (total < 60) return `${s} s`;
  if (h === 0) return `${m}:${two(s)} min`;
  if (h < 48) return `${h} h ${two(m)}`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** Nanoseconds in the unit that keeps three digits. */
export function nanos(ns) {
  if (!isNumber(ns)) return NONE;
  const units = [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]];
  let [name, size] = units[0];
  for (const unit of units) if (ns >= unit[1] * 0.9995) [name, size] = unit;
  const value = ns / size;
  const decimals = name === "ns" || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(decimals)} ${name}`;
}

/** 14:03:07.120, in UTC like the log and the records. */
export function timeOfDay(ms, millis = true) {
  if (!isNumber(ms)) return NONE;
  const iso = new Date(ms).toISOString();
  return iso.slice(11, millis ? 23 : 19);
}

export const iso = (ms) => (isNumber(ms) ? new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC") : "");

export function share(part, whole) {
  if (!isNumber(part) || !isNumber(whole) || whole === 0) return NONE;
  const percent = (part / whole) * 100;
  return `${percent >= 9.95 || percent === 0 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}
