// Numbers and times as people read them. What is not known reads "—", never 0.
"use strict";

const NONE = "—";
const MINUS = "−";
const THIN = "\u202f"; // Nor does a line break there.

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** With this many decimals, thousands set apart, and a real minus; what rounds to zero has no sign. */
function fixed(value, decimals) {
  if (!isNumber(value)) return NONE;
  const text = Math.abs(value)
    .toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
    .replaceAll(",", THIN);
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** As `fixed`, with a plus too. */
function signed(value, decimals) {
  const text = fixed(value, decimals);
  return isNumber(value) && value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

const count = (value) => fixed(value, 0);
const bps = (value) => signed(value, 1);
const sign = (value) => (!isNumber(value) || value === 0 ? null : value > 0 ? "plus" : "minus");

/** USD with cents below a thousand, and whole above. */
const usd = (value) => signed(value, isNumber(value) && Math.abs(value) >= 1000 ? 0 : 2);

/** A share of 0 to 1. */
function percent(value, decimals = 0) {
  if (!isNumber(value)) return NONE;
  const least = 10 ** -decimals;
  const text =
    value > 0 && value * 100 < least / 2 ? `<${THIN}${fixed(least, decimals)}` : fixed(value * 100, decimals);
  return `${text}${THIN}%`;
}

/** Milliseconds up to a second, then seconds. */
function length(ms) {
  if (!isNumber(ms)) return NONE;
  if (ms < 1000) return `${fixed(ms, 0)}${THIN}ms`;
  return ms < 60_000 ? `${fixed(ms / 1000, ms < 10_000 && ms % 1000 !== 0 ? 1 : 0)}${THIN}s` : duration(ms / 1000);
}

/** Whole seconds and more: 42 s, 3 min 05 s, 2 h 05 min, 3 d 4 h. */
function duration(seconds) {
  if (!isNumber(seconds)) return NONE;
  const total = Math.round(seconds);
  const [s, m, h] = [total % 60, Math.floor(total / 60) % 60, Math.floor(total / 3600)];
  const two = (part) => String(part).padStart(2, "0");
  if (total < 60) return `${fixed(seconds, total < 10 && seconds % 1 !== 0 ? 1 : 0)} s`;
  if (h === 0) return `${m} min ${two(s)} s`;
  return h < 48 ? `${h} h ${two(m)} min` : `${Math.floor(h / 24)} d${h % 24 === 0 ? "" : ` ${h % 24} h`}`;
}

/** `low to high`, or nothing where there is no interval. */
function between({ low, high } = {}, format = bps) {
  return isNumber(low) && isNumber(high) ? `${format(low)} to ${format(high)}` : "";
}

/** A value and its interval in words. */
function withInterval(figure, format = bps) {
  const range = between(figure, format);
  return `${format(figure?.value)}${range && ` (${range})`}`;
}

/** 2026-11-22 14:00 from what the report says, which is in UTC. */
function moment(text) {
  return typeof text === "string" && text.length >= 16 ? `${text.slice(0, 10)} ${text.slice(11, 16)}` : NONE;
}

/** A remark of the report as a sentence. */
function sentence(text) {
  return text === "" ? text : `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** `1 market`, `3 markets`. */
function many(number, one, more = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : more}`;
}

/** `a, b and 3 more`. */
function listed(names, most) {
  const rest = names.length - most;
  const shown = rest > 1 ? names.slice(0, most) : names;
  if (rest > 1) return `${shown.join(", ")} and ${rest} more`;
  return shown.length > 1 ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}` : shown.join("");
}
