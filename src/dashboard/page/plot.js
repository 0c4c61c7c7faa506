// Draws one market onto a canvas: quotes and oracle as steps, the spread between the quotes, the
// threshold that an edge has to reach, signals and fills. Holds nothing; `draw` is told everything.

import { timeOfDay } from "./format.js";
import { passed } from "./words.js";

const MARGIN = { top: 10, right: 66, bottom: 20, left: 6 };
const LEAST_RANGE_BPS = 4; // So that a calm market does not look like a wild one.

/** The least of 1, 2 and 5 times a power of ten that is no less than this. */
function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999);
}

function timeStep(span, width) {
  const most = Math.max(2, Math.floor(width / 76));
  return [5, 10, 15, 30, 60, 120, 300].map((s) => s * 1000).find((step) => span / step <= most) ?? 600_000;
}

/** The scales, and which points can be seen. Null when no price is known. */
export function layOut({ width, height, series, from, to, cost }) {
  const first = Math.max(0, series.at(from));
  const last = series.at(to);
  const share = typeof cost === "number" ? cost / 1e4 : 0;
  let [low, high] = [Infinity, -Infinity];
  const see = (px) => {
    if (px === null) return;
    if (px < low) low = px;
    if (px > high) high = px;
  };
  for (let i = first; i <= last; i += 1) {
    const { bid, ask, oracle } = series.points[i];
    see(bid);
    see(ask);
    if (oracle === null) continue;
    see(oracle * (1 - share));
    see(oracle * (1 + share));
  }
  if (low > high) return null;
  const middle = (low + high) / 2;
  const half = Math.max((high - low) / 2, (middle * LEAST_RANGE_BPS) / 2e4) * 1.08;
  [low, high] = [middle - half, middle + half];
  const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  return {
    first, last, low, high, from, to, share, inner,
    x: (t) => MARGIN.left + ((t - from) / (to - from)) * inner.width,
    y: (px) => MARGIN.top + ((high - px) / (high - low)) * inner.height,
    time: (x) => from + ((x - MARGIN.left) / inner.width) * (to - from),
  };
}

/**
 * The steps of one price as runs of `[x, y]`, broken where it is not known. What falls into one column
 * of pixels becomes its extremes and its last: ten minutes are thousands of points.
 */
function runs(series, scale, until, pick) {
  const found = [];
  let run = null;
  let column = null;
  const flush = () => {
    if (column === null) return;
    const { x, low, high, y } = column;
    if (run.length) run.push([x, run.at(-1)[1]]); // Held until here.
    if (low !== high) run.push([x, low], [x, high]);
    run.push([x, y]);
    column = null;
  };
  const end = (t) => {
    flush();
    if (run?.length) run.push([scale.x(t), run.at(-1)[1]]);
    run = null;
  };
  for (let i = scale.first; i <= scale.last; i += 1) {
    const point = series.points[i];
    const t = Math.max(point.t, scale.from);
    const px = pick(point);
    if (px === null) {
      if (run) end(t);
      continue;
    }
    if (!run) found.push((run = []));
    const [x, y] = [Math.round(scale.x(t) * 2) / 2, scale.y(px)];
    if (column && column.x === x) {
      column.low = Math.min(column.low, y);
      column.high = Math.max(column.high, y);
      column.y = y;
    } else {
      flush();
      column = { x, y, low: y, high: y };
    }
  }
  if (run) end(Math.min(until, scale.to));
  return found;
}

function stroke(context, lines, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  for (const line of lines) line.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

// Bid and ask come and go together in all but rare moments; a band is drawn where both runs pair up.
function fillBand(context, upper, lower, color) {
  if (upper.length !== lower.length) return;
  context.fillStyle = color;
  context.beginPath();
  upper.forEach((line, i) => {
    line.forEach(([x, y], j) => (j ? context.lineTo(x, y) : context.moveTo(x, y)));
    for (const [x, y] of lower[i].toReversed()) context.lineTo(x, y);
    context.closePath();
  });
  context.fill();
}

function grid(context, scale, { width, height, colors, decimals }) {
  context.font = `11px ${colors.font}`;
  context.textBaseline = "middle";
  context.lineWidth = 1;
  context.strokeStyle = colors.grid;
  context.fillStyle = colors.muted;
  const step = niceStep((scale.high - scale.low) / Math.max(2, Math.floor(scale.inner.height / 44)));
  const shown = Math.max(decimals, 0, Math.min(8, -Math.floor(Math.log10(step) + 1e-9)));
  const right = width - MARGIN.right;
  context.textAlign = "left";
  context.beginPath();
  for (let px = Math.ceil(scale.low / step) * step; px <= scale.high; px += step) {
    const y = Math.round(scale.y(px)) + 0.5;
    context.moveTo(MARGIN.left, y);
    context.lineTo(right, y);
    context.fillText(px.toFixed(shown), right + 6, y);
  }
  const every = timeStep(scale.to - scale.from, scale.inner.width);
  context.textAlign = "center";
  for (let t = Math.ceil(scale.from / every) * every; t <= scale.to; t += every) {
    const x = Math.round(scale.x(t)) + 0.5;
    context.moveTo(x, MARGIN.top);
    context.lineTo(x, height - MARGIN.bottom);
    const text = timeOfDay(t, false).slice(0, every < 60_000 ? 8 : 5);
    const room = context.measureText(text).width / 2;
    if (x - room >= 0 && x + room <= right) context.fillText(text, x, height - MARGIN.bottom / 2 + 1);
  }
  context.stroke();
}

/** A triangle that points the way of the trade; hollow and small when nothing came of the signal. */
export function signalMark(context, x, y, side, solid, colors) {
  const up = side === "buy" ? 1 : -1;
  const [half, foot] = solid ? [5, 11] : [3.5, 8];
  context.beginPath();
  context.moveTo(x, y + 2 * up);
  context.lineTo(x - half, y + foot * up);
  context.lineTo(x + half, y + foot * up);
  context.closePath();
  context.fillStyle = solid ? colors[side] : colors.panel;
  context.strokeStyle = colors[side];
  context.lineWidth = solid ? 1.5 : 1;
  context.fill();
  context.stroke();
}

/** A diamond; with a hole when it closed something. */
export function fillMark(context, x, y, side, closes, colors) {
  context.beginPath();
  context.moveTo(x, y - 5);
  context.lineTo(x + 5, y);
  context.lineTo(x, y + 5);
  context.lineTo(x - 5, y);
  context.closePath();
  context.fillStyle = colors[side];
  context.strokeStyle = colors.panel;
  context.lineWidth = 1;
  context.fill();
  context.stroke();
  if (!closes) return;
  context.beginPath();
  context.arc(x, y, 1.75, 0, 2 * Math.PI);
  context.fillStyle = colors.panel;
  context.fill();
}

// The last prices at the axis, moved apart where they would cover each other.
function tags(context, scale, { width, height, series, colors, decimals }) {
  const point = series.points[scale.last];
  if (!point) return;
  const all = ["ask", "oracle", "bid"]
    .filter((key) => point[key] !== null)
    .map((key) => ({ key, px: point[key], y: scale.y(point[key]) }))
    .sort((a, b) => a.y - b.y);
  for (let i = 1; i < all.length; i += 1) all[i].y = Math.max(all[i].y, all[i - 1].y + 15);
  let floor = height - MARGIN.bottom;
  for (const one of all.toReversed()) floor = (one.y = Math.min(one.y, floor)) - 15;
  context.textAlign = "left";
  context.font = `600 11px ${colors.font}`;
  for (const { key, px, y } of all) {
    context.fillStyle = colors[key];
    context.fillRect(width - MARGIN.right + 1, y - 7, MARGIN.right - 1, 14);
    context.fillStyle = colors.panel;
    context.fillText(px.toFixed(decimals), width - MARGIN.right + 6, y + 0.5);
  }
}

/** `model`: width, height, series, from, to, until (where knowledge ends), cost, decimals, colors, cross. */
export function draw(context, scale, model) {
  const { width, height, series, colors, until, cross } = model;
  context.clearRect(0, 0, width, height);
  if (!scale) return;
  grid(context, scale, model);
  context.save();
  context.beginPath();
  context.rect(MARGIN.left, 0, scale.inner.width, height);
  context.clip();
  const [bid, ask, oracle] = ["bid", "ask", "oracle"].map((key) => runs(series, scale, until, (point) => point[key]));
  fillBand(context, ask, bid, colors.band);
  if (scale.share > 0) {
    for (const factor of [1 - scale.share, 1 + scale.share]) {
      const line = runs(series, scale, until, (point) => (point.oracle === null ? null : point.oracle * factor));
      stroke(context, line, colors.threshold, 0.75);
    }
  }
  stroke(context, bid, colors.bid, 1.25);
  stroke(context, ask, colors.ask, 1.25);
  stroke(context, oracle, colors.oracle, 1.75);
  const inside = (mark) => mark.time_ms >= scale.from && mark.time_ms <= scale.to;
  const signals = series.signals.filter(inside);
  for (const solid of [false, true]) { // What led to something lies above what did not.
    for (const signal of signals) {
      if (passed(signal) !== solid) continue;
      signalMark(context, scale.x(signal.time_ms), scale.y(Number(signal.px)), signal.side, solid, colors);
    }
  }
  for (const fill of series.fills.filter(inside)) {
    fillMark(context, scale.x(fill.time_ms), scale.y(Number(fill.px)), fill.side, fill.reduce_only, colors);
  }
  if (cross !== null) {
    const x = Math.round(scale.x(cross)) + 0.5;
    stroke(context, [[[x, MARGIN.top], [x, height - MARGIN.bottom]]], colors.text, 1);
    const point = series.points[series.at(cross)];
    for (const key of ["bid", "ask", "oracle"]) {
      if (!point || point[key] === null) continue;
      context.beginPath();
      context.arc(x, scale.y(point[key]), 3, 0, 2 * Math.PI);
      context.fillStyle = colors[key];
      context.fill();
    }
  }
  context.restore();
  tags(context, scale, model);
}
