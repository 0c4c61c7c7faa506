// Halt, release, flatten: what will happen is said first, the token is asked once and kept in memory.

import { $, el, say, setAttr, setHidden, setText } from "./dom.js";
import { control, heldToken, setToken } from "./link.js";
import * as words from "./words.js";

const TYPED = "FLATTEN";
const TOAST_MS = 6000;

const ACTIONS = {
  halt: {
    title: "Halt the engine",
    go: "Halt",
    text: [
      "HardStop is set with the reason Operator. From then on nothing is opened, and entries that wait are dropped.",
      "Exits go on by the usual rules, so that what is held is closed. It holds across restarts, until somebody releases it.",
    ],
    done: "Halt is accepted.",
  },
  release: {
    title: "Release HardStop",
    go: "Release",
    text: [
      "The reasons you choose are released. Once none holds and the engine is READY it may open positions again.",
      "Look first why it stopped. Reconnecting cannot be released: it ends by itself when the link is back.",
    ],
    done: "Release is accepted.",
  },
  flatten: {
    title: "Flatten: close everything",
    go: "Flatten",
    text: [
      "Every open position is closed now, with reduce-only orders at what the market pays, whatever that loses. Entries that wait are dropped.",
      "When all is closed the engine may open positions again. If it should not, halt it first.",
    ],
    done: "Flatten is accepted.",
  },
};

const WHY_NOT = {
  observation: "Control is off: in observation mode nothing is sent, so there is nothing to control.",
  "no token": "Control is off: no token is configured (dashboard.token_file).",
};

export class Control {
  #action = null;
  #busy = false;
  #toastTimer = 0;

  constructor() {
    this.stop = { active: false, reasons: [] };
    for (const button of document.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => this.#open(button.dataset.action));
    }
    $("control-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    $("control-cancel").addEventListener("click", () => $("control-dialog").close());
    $("control-dialog").addEventListener("close", () => {
      $("token").value = ""; // Typed and not sent: forgotten.
      $("typed").value = "";
    });
    $("typed").addEventListener("input", () => this.#check());
    $("token-forget").addEventListener("click", () => {
      setToken(null);
      this.#showToken();
    });
  }

  draw({ control: told, hard_stop: stop }, reachable) {
    this.stop = stop ?? this.stop;
    let why = null;
    if (!reachable) why = "Control is off: the engine cannot be reached.";
    else if (!told?.available) why = WHY_NOT[told?.why] ?? `Control is off${told?.why ? `: ${told.why}` : ""}.`;
    for (const button of document.querySelectorAll("[data-action]")) {
      const action = button.dataset.action;
      const off = why ?? (action === "release" && !this.#releasable().length ? "There is nothing to release." : null);
      if (button.disabled !== (off !== null)) button.disabled = off !== null;
      setAttr(button, "title", off ?? ACTIONS[action].title);
    }
    setText($("control-why"), why ?? "");
  }

  // The link alone decides over one reason.
  #releasable() {
    return (this.stop.active ? this.stop.reasons : []).filter((reason) => reason !== "Reconnecting");
  }

  #open(name) {
    this.#action = name;
    const action = ACTIONS[name];
    setText($("control-title"), action.title);
    $("control-text").replaceChildren(...action.text.map((text) => el("p", {}, text)));
    setText($("control-go"), action.go);
    setHidden($("typed-row"), name !== "flatten");
    setHidden($("reason-row"), name !== "release");
    if (name === "release") {
      const reasons = this.#releasable();
      const option = (value, text) => el("option", { value }, text);
      $("reason").replaceChildren(
        option("", reasons.length > 1 ? `all ${reasons.length}` : "all"),
        ...reasons.map((reason) => option(reason, `${reason}: ${words.stopReason(reason)[0]}`)),
      );
    }
    this.#fail(null);
    this.#showToken();
    $("control-dialog").showModal();
    const first = heldToken() === null ? $("token") : name === "flatten" ? $("typed") : $("control-go");
    (name === "flatten" ? $("typed") : first).focus();
  }

  #showToken() {
    const held = heldToken() !== null;
    setHidden($("token-row"), held);
    setHidden($("token-held"), !held);
    this.#check();
  }

  #check() {
    const typed = this.#action !== "flatten" || $("typed").value.trim().toUpperCase() === TYPED;
    $("control-go").disabled = this.#busy || !typed;
  }

  #fail(text) {
    setHidden($("control-error"), text === null);
    setText($("control-error"), text ?? "");
  }

  async #send() {
    if ($("control-go").disabled) return;
    const typed = $("token").value.trim();
    if (typed !== "") setToken(typed);
    if (heldToken() === null) {
      this.#fail("Nothing was asked of the engine: it obeys only with the token.");
      $("token").focus();
      return;
    }
    const action = this.#action;
    const command = { action };
    if (action === "release" && $("reason").value !== "") command.reason = $("reason").value;
    this.#busy = true;
    this.#check();
    this.#fail(null);
    const answer = await control(command);
    this.#busy = false;
    if (answer.ok) {
      $("control-dialog").close();
      this.#toast(ACTIONS[action].done);
      return;
    }
    if (answer.status === 401) {
      setToken(null);
      $("token").value = "";
    }
    this.#fail(`Refused: ${answer.error}`);
    this.#showToken();
    if (answer.status === 401) $("token").focus();
  }

  #toast(text) {
    say(text);
    setText($("toast"), text);
    setHidden($("toast"), false);
    clearTimeout(this.#toastTimer);
    this.#toastTimer = setTimeout(() => setHidden($("toast"), true), TOAST_MS);
  }
}

/** Asks for the token that reading needs; calls `onToken` with it set. */
export class ReadToken {
  constructor(onToken) {
    this.dialog = $("read-dialog");
    this.dialog.addEventListener("cancel", (event) => event.preventDefault()); // Nothing can be shown without it.
    $("read-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = $("read-token").value.trim();
      if (text === "") return;
      setToken(text);
      $("read-token").value = "";
      this.dialog.close();
      onToken();
    });
  }

  ask(refused) {
    setHidden($("read-error"), !refused);
    setText($("read-error"), refused ? "That token was refused." : "");
    if (!this.dialog.open) this.dialog.showModal();
    $("read-token").focus();
  }
}
