// What all panels need of the DOM. Text from the engine only ever goes in as text.

export const $ = (id) => document.getElementById(id);

/** A new element: `el("td", { class: "num" }, "1.5", child)`. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Sets the text, if it differs: an equal write would still cost a layout. */
export function setText(node, text) {
  if (node.hip3Text === text) return;
  node.hip3Text = text;
  // Writing to the text node that is there is cheaper than replacing it.
  if (node.firstChild && node.firstChild === node.lastChild && node.firstChild.nodeType === 3) {
    node.firstChild.data = text;
  } else {
    node.textContent = text;
  }
}

/** Sets an attribute, or removes it with null, if it differs. */
export function setAttr(node, name, value) {
  if (value === null) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

/** Sets `data-…`, if it differs; rules of the style sheet hang on these. */
export function setData(node, name, value) {
  if (node.dataset[name] !== value) node.dataset[name] = value;
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/** Says it to who cannot see it. What ticks is never said. */
export function say(text) {
  const announcer = $("announcer");
  announcer.append(el("p", {}, text));
  while (announcer.childElementCount > 3) announcer.firstElementChild.remove();
}
