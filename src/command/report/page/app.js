// Joins the parts: reads the report, draws what is told of all, and the figures of the market that is chosen.
"use strict";

const SETTLED_MS = 120; // An arrow key that is held down should not draw every market on its way.
const RESIZED_MS = 150;
const HASH = "#market=";

class Page {
  constructor(report) {
    this.report = report;
    this.byName = new Map(report.markets.map((one) => [one.market, one]));
    this.side = "both";
    this.allForest = false;
    this.shown = [];
    writeHeadline(report, (kind) => $("views").querySelector(`[data-key="${kind}"]`).click());
    this.forest = new Figure(FOREST);
    $("forest").append(this.forest.node);
    this.figures = [SURVIVAL, EDGE, DECAY, HEAT, LINES, SESSIONS, HOURS, ENDS, THRESHOLD, FOLDS].map(
      (figure) => new Figure(figure),
    );
    $("market-figures").append(...this.figures.map(({ node }) => node));
    const whole = [
      PROPOSED,
      COUNTS,
      GATES_FIGURE,
      SIDES,
      COVERAGE,
      ...(report.trading ? [EXPECTED, MISSES, ARRIVAL] : []),
    ];
    this.whole = whole.map((figure) => new Figure(figure));
    $("whole").append(...this.whole.map(({ node }) => node));
    this.pressSide = segments(
      $("sides"),
      [
        ["both", "both sides"],
        ["buy", "buy"],
        ["sell", "sell"],
      ],
      "both",
      (side) => {
        this.side = side;
        this.drawMarket();
      },
    );
    this.table = new Table(
      report,
      (market, how) => this.choose(market, how),
      (shown) => {
        this.shown = shown;
        if (this.drawn) this.drawForest();
      },
    );
    bindExplanations(document);
    this.#bind();
    this.market = this.#asked();
    this.table.select(this.market);
    Theme.listeners.push(() => this.draw());
    Theme.apply();
    this.drawn = true;
    this.table.reveal(false);
  }

  draw() {
    this.width = innerWidth;
    this.drawForest();
    this.drawMarket();
    drawAll(this.whole, this.report);
  }

  /** Shows a market, or all together for null. */
  choose(market, how) {
    this.market = market;
    this.table.select(market);
    const hash = market === null ? `${HASH}` : HASH + encodeURIComponent(market);
    try {
      history.replaceState(null, "", hash);
    } catch {
      location.hash = hash; // Where a page that was opened as a file may not.
    }
    clearTimeout(this.timer);
    if (how === "keys") this.timer = setTimeout(() => this.drawMarket(), SETTLED_MS);
    else this.drawMarket();
    if (how === "open") {
      $("market").focus({ preventScroll: true });
      $("market").scrollIntoView({ block: "start" });
    }
  }

  drawForest() {
    this.forest.draw({
      markets: this.shown,
      all: this.allForest,
      settings: this.report.settings,
      onSelect: (market) => this.choose(market, "open"),
      onAll: () => {
        this.allForest = !this.allForest;
        this.drawForest();
      },
    });
  }

  drawMarket() {
    const { report, market } = this;
    const one = market === null ? report.total : this.byName.get(market);
    $("sides").hidden = market === null;
    const group = market === null || this.side === "both" ? one : one.sides[this.side];
    $("market-title").textContent = market ?? "All markets together";
    document.title = `hip3 report${market === null ? "" : `: ${market}`}`;
    $("market-verdict").hidden = market === null;
    if (market !== null) verdictInto($("market-verdict"), one.verdict.kind);
    $("market-reason").textContent =
      market === null ? "Choose a market in the table for its own figures." : sentence(one.verdict.reason);
    const { chosen } = group;
    const thin = chosen.thin_exits > 0 ? `; ${many(chosen.thin_exits, "exit")} too thin` : "";
    const left = ["below_minimum", "in_gap", "unseen", "no_exit"].reduce((sum, key) => sum + group[key], 0);
    tiles($("market-tiles"), [
      [
        "value, bps a signal",
        bps(chosen.mean_value_bps.value),
        between(chosen.mean_value_bps) || "no interval",
        sign(chosen.mean_value_bps.value),
      ],
      [
        "net, bps a fill",
        bps(chosen.mean_net_bps.value),
        between(chosen.mean_net_bps) || "no interval",
        sign(chosen.mean_net_bps.value),
      ],
      [
        "USD",
        chosen.n > 0 ? usd(chosen.usd) : NONE,
        report.source.days > 1 ? `${chosen.n > 0 ? usd(group.usd_per_day) : NONE} a day` : "in all",
        sign(chosen.usd),
      ],
      ["fill rate", percent(chosen.fill_rate), `${many(chosen.fills, "fill")} of ${count(chosen.n)}${thin}`],
      ["wins", percent(chosen.win_rate.value), between(chosen.win_rate, percent) || "no interval"],
      ["signals", count(group.signals), left > 0 ? `${count(left)} without a value` : "all valued"],
      ["episodes", count(group.episodes), `${count(group.valued)} valued signals`],
    ]);
    const subject = {
      market,
      group,
      settings: report.settings,
      hours: market === null ? null : one.hours,
      sessions: market === null ? null : one.sessions,
      threshold: market === null ? null : one.threshold,
      thresholds: report.thresholds,
    };
    drawAll(this.figures, subject);
  }

  // What the address asks for; else the first market of the table; else all together.
  #asked() {
    if (location.hash.startsWith(HASH)) {
      let name = location.hash.slice(HASH.length);
      try {
        name = decodeURIComponent(name);
      } catch {
        // As it stands, then.
      }
      if (this.byName.has(name)) return name;
      if (name === "") return null;
    }
    const genuine = this.report.markets.find((one) => one.verdict.kind === "genuine");
    return (genuine ?? this.report.markets[0])?.market ?? null;
  }

  #bind() {
    $("theme").addEventListener("click", () => Theme.next());
    $("print").addEventListener("click", () => print());
    $("previous").addEventListener("click", () => this.#step(-1));
    $("next").addEventListener("click", () => this.#step(1));
    $("to-table").addEventListener("click", (event) => {
      event.preventDefault();
      $("markets").scrollIntoView({ block: "start" });
      this.table.reveal(true);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => Theme.apply());
    addEventListener("resize", () => {
      clearTimeout(this.resizing);
      if (innerWidth !== this.width) this.resizing = setTimeout(() => this.draw(), RESIZED_MS); // Phones hide their bars, too.
    });
    addEventListener("hashchange", () => {
      const market = this.#asked();
      if (location.hash.startsWith(HASH) && market !== this.market) this.choose(market, "open");
    });
    // Paper is white.
    const paper = (on) => {
      document.documentElement.toggleAttribute("data-paper", on);
      Theme.apply(on ? "light" : null);
    };
    addEventListener("beforeprint", () => paper(true));
    addEventListener("afterprint", () => paper(false));
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select")) return;
      const act = {
        "/": () => $("filter").focus(),
        t: () => Theme.next(),
        j: () => this.#step(1),
        k: () => this.#step(-1),
      }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }

  #step(by) {
    this.choose(this.table.near(by), "keys");
    this.table.reveal(false);
  }
}

/** Unpacks the library and the report, and shows it. */
async function start() {
  let report, plotly;
  try {
    [report, plotly] = await Promise.all([unpacked("report"), unpacked("plotly")]);
  } catch (error) {
    $("trouble").textContent = `This page cannot be shown: ${error.message}`;
    $("trouble").hidden = false;
    return;
  }
  document.head.append(el("script", {}, plotly));
  new Page(JSON.parse(report));
}

start();
