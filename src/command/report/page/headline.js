// The report in words: which markets, how sure, what it would have earned, and what was watched.
"use strict";

const NAMED = 6; // So many names fit in a headline.

function headlineText({ markets, counts }) {
  const genuine = markets.filter((one) => one.verdict.kind === "genuine").map((one) => one.market);
  if (counts.signals === 0) return "There are no signals in these records.";
  if (genuine.length === 0)
    return markets.length === 1
      ? "The one market here is not genuine."
      : `None of ${many(markets.length, "market")} is genuine.`;
  return `${count(genuine.length)} of ${many(markets.length, "market")} ${genuine.length === 1 ? "is" : "are"} genuine: ${listed(genuine, NAMED)}.`;
}

function saidLines({ markets, settings, source, coverage, thresholds, total }) {
  const genuine = markets.filter((one) => one.verdict.kind === "genuine");
  const sum = (of) => genuine.reduce((all, one) => all + (of(one) ?? 0), 0);
  const fees = isNumber(settings.fee_bps)
    ? `fees of ${fixed(settings.fee_bps, 1)} bps each way`
    : "each market's recorded fees";
  const money = (value) => usd(value).replace("+", ""); // In a sentence, a gain needs no sign.
  // What came of minutes says nothing of a day.
  const aDay = source.days > 1 ? `, ${money(sum((one) => one.usd_per_day))} a day` : "";
  const lines = [];
  if (genuine.length > 0) {
    lines.push(
      `Taking every signal of ${genuine.length === 1 ? "it" : "these"} would have earned ${money(sum((one) => one.chosen.usd))} USD${aDay}: ${terms(settings)}, after ${fees}. They were picked with hindsight and not every signal can be taken, so expect less.`,
    );
  } else if (markets.length > 0) {
    lines.push(
      `Signals are valued as ${terms(settings)}, after ${fees}. No interval at ${confidence(settings)} lies above zero with ${settings.min_episodes} episodes or more.`,
    );
  }
  if (isNumber(total.chosen.mean_value_bps.value)) {
    lines.push(
      `All ${many(markets.length, "market")} together: ${withInterval(total.chosen.mean_value_bps)} bps a signal over ${many(total.episodes, "episode")}.`,
    );
  }
  const gap = Object.values(coverage.gap_s).reduce((all, seconds) => all + seconds, 0);
  lines.push(
    coverage.span_s > 0
      ? `Watched ${many(source.days, "day")}, ${percent(coverage.observed_s / coverage.span_s, 1)} of ${duration(coverage.span_s)}${gap > 0 ? `; gaps add up to ${duration(gap)}` : "; no gaps"}.`
      : "Nothing was watched in this span.",
  );
  if (markets.length > 0)
    lines.push(
      thresholds.note !== null
        ? sentence(thresholds.note)
        : thresholds.proposed > 0
          ? `Thresholds of their own are proposed for ${many(thresholds.proposed, "market")}.`
          : "No market has earned a threshold of its own.",
    );
  return lines;
}

function writeHeadline(report, onKind) {
  $("headline").textContent = headlineText(report);
  $("said").replaceChildren(
    ...saidLines(report).map((text) => el("p", {}, text)),
    ...report.warnings.map((text) => el("p", { class: "warning" }, sentence(text))),
  );
  $("kinds").replaceChildren(
    ...(report.markets.length === 0
      ? []
      : Object.keys(VERDICTS).map((kind) => {
          const number = report.markets.filter((one) => one.verdict.kind === kind).length;
          const button = el(
            "button",
            { type: "button", class: "kind" },
            el("strong", {}, count(number)),
            verdictInto(el("span", { class: "verdict" }), kind),
            el("small", {}, VERDICTS[kind].title),
          );
          button.addEventListener("click", () => onKind(kind));
          return el("li", {}, button);
        })),
  );
  const { source, settings } = report;
  $("span").textContent = source.from === null ? "" : `${moment(source.from)} to ${moment(source.to)} UTC`;
  const facts = [
    ["records", source.dir],
    ["mode", source.modes.join(", ")],
    ["runs", listed(source.runs, 6)],
    ["configs", listed(source.config_hashes, 6)],
    ["latency", `${length(settings.latency_ms)} of ${settings.latencies_ms.map(length).join(", ")}`],
    ["exit", `${length(settings.exit_ms)} of ${settings.exits_ms.map(length).join(", ")}`],
    ["confidence", confidence(settings)],
    ["episodes asked for", count(settings.min_episodes)],
    ["fee, one way", isNumber(settings.fee_bps) ? `${fixed(settings.fee_bps, 2)} bps` : "as recorded"],
    ["slippage allowed for", settings.slippage_bps === null ? "differs by run" : `${fixed(settings.slippage_bps, 1)} bps`],
    ["priority fee", `${fixed(settings.priority_bps, 1)} bps`],
    ["time zone of sessions", settings.time_zone],
  ];
  $("source").replaceChildren(
    el("dl", {}, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value || NONE)))),
  );
}
