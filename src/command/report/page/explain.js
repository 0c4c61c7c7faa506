// What each figure is, how it is computed, how to read it, and what would mislead. Shown beside it on demand.
"use strict";

const EXPLAINED = {
  verdict: {
    what: "A judgment of each market, made by the same rules for all, at the latency and the exit that the report was asked for.",
    how: "In this order: too few, if there are fewer episodes than asked for. Structural, if more than half of the edge is left after 5 s. Genuine, if the whole interval of the mean value lies above zero. Negative, if the mean is zero or below. Else too few: positive on average, but chance may explain it.",
    read: "Genuine markets are candidates for trading. Structural ones belong on the list of exclusions: their oracle and quotes differ for other reasons than lateness. Negative ones may still be worth taking at a higher threshold, which is judged apart.",
    misleads:
      "The best of many are picked after the fact, so their figures flatter. At 99 % one market in two hundred without any edge still looks genuine. The past holds for its fees, rivals and sessions.",
  },
  table: {
    what: "One row for each market, both sides together. The last row holds all markets.",
    how: "Episodes count what is independent: signals of one cross, or of one oracle price, are one. Survival is the time that half of the stale quotes outlive. Edge is the median raw edge. Left after 5 s is the mean edge then against that at the signal. Fill is the share of the size that an order would still have got. Value is what a signal was worth per suggested notional, where a miss is 0. Wins are the fills that earned after costs. USD sums values at the suggested sizes.",
    read: "Sort by value or USD, then look at the episodes: a large value over few episodes means little. The bar draws the interval of the value on one scale for all markets, zero at the upright line; an arrow says that it goes on.",
    misleads:
      "USD grows with the hours watched and with the suggested size, so compare it within one report only. Signals of one market overlap: nobody could have taken all of them.",
  },
  forest: {
    what: "The mean value of a signal in each market with its interval, in the order of the table.",
    how: "A cluster bootstrap over episodes, studentized: whole episodes are drawn, so that many signals of one print do not pass for much evidence.",
    read: "An interval that lies right of zero is an edge that chance does not explain. One that lies left of it is a loss. One that crosses zero needs more data, or has nothing to find.",
    misleads:
      "Where markets are many, some intervals miss the truth. Intervals of few episodes are wide, and their ends are rough.",
  },
  survival: {
    what: "How long stale quotes stand: the share that is still there so long after the cross began.",
    how: "Kaplan–Meier over crosses. A cross whose end was not seen counts until it was last seen, and not as an end. The fainter line is the time until the cross itself ended, for any reason.",
    read: "Find your latency on the axis: the height there is the share of quotes that you would still meet. Dotted lines are the latencies that were probed. Whiskers are intervals.",
    misleads:
      "A quote that stands need not fill you: makers cancel before takers within a block. The fill rate knows more. Past the last cross that was watched the curve knows nothing.",
  },
  edge: {
    what: "How large the edges were when signals were made: the distance between the quote and the oracle price.",
    how: "Raw edge in bins of 1 bps, before fees and slippage, over signals that no gate blocked. What is above 200 bps is in the last bin.",
    read: "A hump near the threshold with a thin tail is the common shape. Dashed is the median, solid the threshold that is proposed.",
    misleads:
      "A large edge is not a large profit: the largest are often the ones that do not go away, or that nobody can fill.",
  },
  decay: {
    what: "Whether the edge goes away: its mean at the signal, and one, three and five seconds later.",
    how: "Over signals whose three follow-ups were all captured, so that every point has the same signals. The share that is left, which decides over structural, takes each episode once: a gap of minutes counts no more than one of a second.",
    read: "Late quotes catch up: the edge should fall well below the dashed half within 5 s. Where it does not, the market has a structural gap.",
    misleads:
      "An edge can fall because the quote came to the oracle, which pays, or because the oracle came back, which does not. See how crosses ended.",
  },
  heat: {
    what: "What a signal was worth for each latency that was probed and each exit.",
    how: "Entry at the limit price, for the share of the size that was still there at that latency; exit at the best price across the spread at the exit's time; less fees both ways and the priority fee. Mean over all valued signals, where a miss is 0. Each signal of a lasting cross counts; an exit leaves at the best price whatever its size, and the tiles say how often that was less than what was held.",
    read: "Blue earns, orange loses. Follow a row to see what a slower exit costs, a column to see what a slower order costs.",
    misleads: "The best cell of many flatters. What lies beyond the best level was not recorded: an exit larger than it would have got less.",
  },
  lines: {
    what: "The same values with their intervals: one line for each exit.",
    how: "Cluster bootstrap at the report's confidence, as in the plot of all markets. The middle one's interval is that of the share of fills below it, carried over to the fills by their ranks.",
    read: "How steeply the lines fall says what a millisecond is worth. Points whose whisker crosses zero are not told from nothing.",
    misleads: "All points come from the same signals, so they rise and fall together.",
  },
  hours: {
    what: "The mean value of a signal by hour of the day (UTC) and side.",
    how: "As the mean value above, over the signals of that hour and side alone.",
    read: "Look for blocks of hours that stand out together, such as the open of an exchange. Whiskers are intervals; hours without one have fewer than two episodes.",
    misleads:
      "Forty-eight bars: some look splendid by chance alone. Do not choose hours by this plot without new data to try them on.",
  },
  sessions: {
    what: "The mean value of a signal by session of the exchange.",
    how: "Pre-market from 4:00, regular from 9:30, after hours from 16:00 to 20:00 in the exchange's time zone, overnight otherwise; weekends and the exchange's holidays apart.",
    read: "Six groups with more signals each than single hours have, so firmer ground.",
    misleads: "A market whose underlying trades elsewhere, or around the clock, does not follow these sessions.",
  },
  ends: {
    what: "Why crosses ended.",
    how: "Counted from the records: the quote moved to the oracle, the oracle came back to the quote, the quote was gone, or nobody could see any more.",
    read: "Ends by the quote are what the strategy lives on. Ends by the oracle are false alarms.",
    misleads: "A quote that was hit and a quote that was pulled look the same from here.",
  },
  threshold: {
    what: "What a higher threshold of the raw edge would have been worth, on the earlier half of the days and on the later one.",
    how: "At each threshold the mean value of the signals above it, on either half. The fit shrinks a market's mean towards that of its dex by its episodes, and asks for the most value in all. In the table, fitted on all days is the choice on the very days it was made from; judged is each day but the first at the threshold that the days before it gave.",
    read: "A threshold that means something helps on both halves. Where one half peaks and the other does not, the peak is chance. Of the table trust the judged line: the fitted one always flatters. The area is the number of signals that are left.",
    misleads:
      "On the right few signals are left, and the lines jump about. A threshold is proposed only if the judged days together are above zero with the whole interval.",
  },
  folds: {
    what: "Walking forward day by day: fit on all days before, trade that day.",
    how: "For each day from the second on, the threshold that the days before it would have given, and the mean value of that day's signals above it.",
    read: "A good market earns on most days, and its threshold settles. Days without a bar had no threshold, or no signals above it.",
    misleads: "A day has few episodes: single bars say little, their sum says more.",
  },
  proposed: {
    what: "The markets that deserve a threshold of their own, and how it did on days that it was not fitted on.",
    how: "Walking forward day by day. A market is proposed if its verdict is not structural, it has enough episodes, and its judged days together are above zero with the whole interval.",
    read: "These are the lines that `--toml` writes. Trust the figures out of sample, and take those whose interval stands well clear of zero.",
    misleads:
      "Of many markets that were tried some pass by chance. A threshold that held last month holds as long as fees and rivals do.",
  },
  gates: {
    what: "What each gate kept out, and what that would have been worth.",
    how: "First: signals for which this gate was the first to block. Alone: those that no other gate would have blocked. Their value is computed as if they had not been blocked.",
    read: "A gate that keeps out losses earns its place. One that keeps out gains beyond doubt deserves a second look.",
    misleads:
      "Gates guard against what is rare and ruinous, which a mean does not show. Blocked moments are those where the records are the least certain.",
  },
  counts: {
    what: "How many signals there were, and why some of them have no value.",
    how: "Each signal is put where the first of these holds: blocked by a gate, smaller than 10 USD, overlapped by a gap in the data, its look or follow-up not captured, nothing to exit against. The rest is valued.",
    read: "The more is valued, the more the figures speak for all signals.",
    misleads: "Signals that found nothing to exit against would have been bad ones: leaving them out flatters.",
  },
  side: {
    what: "Whether buying or selling was worth more, over all markets.",
    how: "The mean value over all markets' signals of that side, with its interval.",
    read: "A bias says that oracles lag or lead in one direction: a trend, or funding.",
    misleads: "In a month that only rose, one side looks good by itself.",
  },
  coverage: {
    what: "When nobody was watching, or could not trust what was seen.",
    how: "Gaps as they were recorded, by cause; at most the thousand longest are drawn. Short ones are drawn wider than they were, so that they can be seen.",
    read: "Gaps at busy times matter more than their length says.",
    misleads: "What happened inside a gap is in none of these figures.",
  },
  trading: {
    what: "What was traded in fact, against what the signals' values promised.",
    how: "Expected is the value of a trade's signal at the chosen latency and exit, by what was filled. Realised is what those trades earned after fees. The table below has all trades.",
    read: "Realised well below expected means that the model misses a cost: slippage, slow exits, or fills that come only when the quote was right.",
    misleads: "Few trades have wide luck. Expected knows nothing of the engine's own exits, which leave earlier or later.",
  },
  misses: {
    what: "What became of the entries that were sent.",
    how: "Counted by the outcome of the order; refusals again by the venue's reason.",
    read: "An order that was not filled came too late. Refusals for other reasons can be mended.",
    misleads: "A miss costs nothing by itself, but what fills when others do not want it may be worth less.",
  },
  arrival: {
    what: "How fast answers came, and whether faster ones filled more.",
    how: "From sending an entry to the venue's answer, in buckets; and the mean share of an entry's size that filled in each.",
    read: "If the share falls to the right, speed earns. If it is level, lateness is not what costs you fills.",
    misleads: "Busy moments make answers slow and quotes contested at once: part of the slope is not yours to win.",
  },
};

const PARTS = [
  ["what", "What it is"],
  ["how", "How it is computed"],
  ["read", "How to read it"],
  ["misleads", "What would mislead"],
];

/** Makes each `?` open and close its explanation, below the heading it stands in. */
function bindExplanations(root) {
  for (const button of root.querySelectorAll("button.ask:not([aria-controls])")) {
    const key = button.dataset.explain;
    const header = button.closest("header");
    const box = el(
      "dl",
      { class: "explain", id: `explain-${key}-${document.querySelectorAll(".explain").length}`, hidden: true },
      ...PARTS.flatMap(([part, title]) => [el("dt", {}, title), el("dd", {}, EXPLAINED[key][part])]),
    );
    header.after(box);
    button.textContent = "?";
    button.setAttribute("aria-label", `About: ${header.querySelector("h2, h3").textContent || key}`);
    button.setAttribute("aria-controls", box.id);
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => {
      box.hidden = !box.hidden;
      button.setAttribute("aria-expanded", String(!box.hidden));
    });
  }
}
