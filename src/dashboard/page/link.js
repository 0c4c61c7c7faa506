// The way to the engine: one socket, opened again by itself. Knows the addresses, the token and the
// protocol, nothing of what the messages mean.

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
const ANSWER_MS = 5_000; // For an answer, or for the socket to open.
const SILENCE_MS = 10_000; // The engine says something every second; then the socket is dead.

// In memory only: gone with the page.
let token = null;
let readingNeedsIt = false; // As a 401 told; else only control sends it.

export const heldToken = () => token;
export const setToken = (text) => (token = text);

function headers() {
  return readingNeedsIt && token !== null ? { Authorization: `Bearer ${token}` } : {};
}

// As RFC 4648 §5 without padding: a subprotocol may hold no other characters.
function base64url(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function errorOf(answer) {
  try {
    const { error } = await answer.json();
    if (typeof error === "string") return error;
  } catch {
    // Not every answer is ours: a proxy speaks HTML.
  }
  return `${answer.status} ${answer.statusText}`.trim();
}

/** Reads `/api/history`; null when there is none. */
export async function history(coin, signal) {
  const answer = await fetch(`/api/history?coin=${encodeURIComponent(coin)}`, {
    headers: headers(),
    cache: "no-store",
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
  });
  return answer.ok ? answer.json() : null;
}

/** Asks for something to be done, with the token that is held: `{ ok, status, error }`. */
export async function control(command) {
  try {
    const answer = await fetch("/api/control", {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      body: JSON.stringify(command),
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.ok) return { ok: true, status: answer.status };
    return { ok: false, status: answer.status, error: await errorOf(answer) };
  } catch (error) {
    const text = error.name === "TimeoutError" ? "the engine did not answer" : "the engine cannot be reached";
    return { ok: false, status: 0, error: text };
  }
}

/**
 * Keeps a socket open. Calls `onMessage(object)`, `onState(state)` when `state` changes, and
 * `onUnauthorized()` when a token is needed; then it waits for `retry()`.
 *
 * State: `{ phase: "connecting" | "open" | "waiting" | "unauthorized", attempt, retryAt, error }`.
 */
export class Link {
  constructor({ onMessage, onState, onUnauthorized }) {
    this.onMessage = onMessage;
    this.onState = onState;
    this.onUnauthorized = onUnauthorized;
    this.state = { phase: "connecting", attempt: 0, retryAt: 0, error: null };
    this.socket = null;
    this.timer = 0;
    this.heardAt = 0;
    const nudge = () => {
      if (this.state.phase === "waiting" && !document.hidden) this.retry();
    };
    addEventListener("online", nudge);
    document.addEventListener("visibilitychange", nudge);
    setInterval(() => this.#watch(), 1000);
  }

  start() {
    this.#connect();
  }

  /** Tries now, if it is waiting. */
  retry() {
    if (this.state.phase !== "waiting" && this.state.phase !== "unauthorized") return;
    clearTimeout(this.timer);
    this.#connect();
  }

  #set(phase, more = {}) {
    this.state = { ...this.state, error: null, ...more, phase };
    this.onState(this.state);
  }

  // A snapshot first: a refused handshake does not tell a page why, and when there is no room for one
  // more socket this still brings figures at each try.
  async #connect() {
    this.#set("connecting");
    try {
      const answer = await fetch("/api/snapshot", {
        headers: headers(),
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (answer.status === 401) {
        const refused = readingNeedsIt && token !== null;
        readingNeedsIt = true;
        if (refused) token = null;
        else if (token !== null) return this.#connect(); // Control has it already.
        this.#set("unauthorized");
        this.onUnauthorized(refused);
        return;
      }
      if (!answer.ok) throw new Error(await errorOf(answer));
      this.onMessage({ ...(await answer.json()), type: "snapshot" });
    } catch (error) {
      this.#wait(error.name === "Error" ? error.message : null);
      return;
    }
    this.#open();
  }

  #open() {
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const protocols = ["hip3"];
    if (readingNeedsIt && token !== null) protocols.push(`bearer.${base64url(token)}`);
    const socket = new WebSocket(url, protocols);
    this.socket = socket;
    this.heardAt = performance.now();
    socket.onopen = () => {
      if (socket === this.socket) this.#set("open", { attempt: 0 });
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.heardAt = performance.now();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        return; // The next one will do.
      }
      this.onMessage(message);
    };
    socket.onclose = () => {
      if (socket === this.socket) this.#wait(null);
    };
  }

  #wait(error) {
    this.socket = null;
    const attempt = this.state.attempt + 1;
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
    // Pages that lost the same engine should not all come back in the same moment.
    const delay = longest * (0.75 + Math.random() / 4);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#connect(), delay);
    this.#set("waiting", { attempt, retryAt: performance.now() + delay, error });
  }

  #watch() {
    if (this.socket === null) return;
    const patience = this.state.phase === "open" ? SILENCE_MS : ANSWER_MS;
    if (performance.now() - this.heardAt < patience) return;
    const dead = this.socket;
    this.#wait(null); // First: the close below is then not ours any more.
    dead.close();
  }
}
