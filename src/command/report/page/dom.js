// What all parts need of the DOM. Names and reasons come from records: they only ever go in as text.
"use strict";

const $ = (id) => document.getElementById(id);

/** A new element: `el("td", { class: "num" }, "1.5", child)`. Null children are left out. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Buttons of which one is pressed. `choices` are `[key, label]`; `onChoose` hears the key. */
function segments(node, choices, chosen, onChoose) {
  const press = (key) => {
    for (const button of node.children) button.setAttribute("aria-pressed", String(button.dataset.key === key));
  };
  node.replaceChildren(
    ...choices.map(([key, label]) => {
      const button = el("button", { type: "button", "data-key": key }, label);
      button.addEventListener("click", () => {
        press(key);
        onChoose(key);
      });
      return button;
    }),
  );
  press(chosen);
  return press;
}

/** A table of `[heading, ...]` and rows of cells; the first column names the row. */
function plainTable(head, rows) {
  const cell = (tag, text, n, scope) => el(tag, { class: n > 0 ? "num" : null, scope }, text);
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      { class: "list" },
      el("thead", {}, el("tr", {}, ...head.map((text, n) => cell("th", text, n, "col")))),
      el(
        "tbody",
        {},
        ...rows.map((row) =>
          el("tr", {}, ...row.map((text, n) => (n === 0 ? cell("th", text, n, "row") : cell("td", text, n, null)))),
        ),
      ),
    ),
  );
}

/** Terms and their values, side by side. `more` stands small below a value. */
function tiles(node, entries) {
  node.replaceChildren(
    ...entries.map(([name, value, more, sign]) =>
      el(
        "div",
        { class: "tile" },
        el("dt", {}, name),
        el("dd", {}, el("strong", { "data-sign": sign ?? null }, value)),
        more ? el("dd", { class: "more" }, more) : null,
      ),
    ),
  );
}
