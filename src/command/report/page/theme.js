// The scheme: the system's, or the one that was chosen here, which lasts as long as the page is open.
"use strict";

const Theme = {
  choices: ["auto", "light", "dark"],
  choice: "auto",
  listeners: [],

  /** The colors of the style sheet: plots are drawn with values, not with custom properties. */
  colors() {
    this.known ??= this.read(); // Reading them costs a layout.
    return this.known;
  },

  read() {
    const probe = document.body.appendChild(el("span", { hidden: true }));
    const colors = { font: getComputedStyle(document.body).fontFamily };
    for (const name of [
      "text",
      "muted",
      "edge",
      "grid",
      "panel",
      "raised",
      "accent",
      "good",
      "warn",
      "bad",
      "buy",
      "sell",
      "third",
      "band",
    ]) {
      probe.style.color = `var(--${name})`;
      colors[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    return colors;
  },

  /** What is set for a while, for print, comes before what was chosen. */
  apply(forced = null) {
    this.known = null;
    const scheme = forced ?? this.choice;
    if (scheme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = scheme;
    const label = `Colors: ${this.choice === "auto" ? "as the system has it" : this.choice}`;
    $("theme").textContent = { auto: "◐", light: "○", dark: "●" }[this.choice];
    $("theme").setAttribute("aria-label", label);
    $("theme").title = `${label} (t)`;
    for (const listener of this.listeners) listener();
  },

  next() {
    this.choice = this.choices[(this.choices.indexOf(this.choice) + 1) % this.choices.length];
    this.apply();
  },
};
