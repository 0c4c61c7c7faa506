// Keys that work anywhere on the page but in a field or a dialog.

import { $ } from "./dom.js";

const inField = (node) => node instanceof HTMLInputElement || node instanceof HTMLSelectElement;

export function bindKeys({ table, chart, nextTheme }) {
  const help = $("help-dialog");
  $("help").addEventListener("click", () => help.showModal());
  $("help-close").addEventListener("click", () => help.close());

  const keys = {
    "/": () => $("filter").select(),
    m: () => table.focus(),
    c: () => chart.focus(),
    t: nextTheme,
    "?": () => help.showModal(),
    1: () => chart.setMinutes(1),
    2: () => chart.setMinutes(3),
    3: () => chart.setMinutes(10),
  };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (inField(event.target)) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  $("filter").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      table.focus();
    }
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.target.value = "";
    event.target.dispatchEvent(new Event("input"));
  });
}
