#!/usr/bin/env python3
"""Opens the dashboard in a real browser, headless, and uses it as a person would.

Starts a demo that trades, and one that only watches, and looks at their dashboards: whether the markets
move, signals come, sorting, filtering and keys work, control asks for its token, a cut connection comes
back, nothing leaves the origin and nothing is complained of. Leaves pictures. `--url` looks at a
dashboard that runs already instead. Prints a table; exits with 1 when something is not as it should be.

    tools/browser_check.py --binary target/release/hip3 --out target/screenshots

Needs Playwright and websockets (`make browser` fetches them) and Debian's chromium.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

try:
    import websockets.sync.client
    from playwright.sync_api import Error as BrowserError
    from playwright.sync_api import sync_playwright
except ImportError as missing:
    print(f"skipped: {missing.name} cannot be had")
    sys.exit(0)

WIDE, PHONE = (1400, 900), (390, 844)
SOON_MS = 15_000  # For what a loaded machine may take; nothing waits longer than it has to.
ADDRESS_S = 60  # Until the demo says where its dashboard is.
SIGNALS_S = 40  # Until the demo's market has made signals,
TRADES_S = 60  # and until one was taken and closed.


class Differs(Exception):
    """Something is not as it should be."""


def expect(holds, what):
    if not holds:
        raise Differs(what)


class Relay:
    """Passes bytes between the browser and the engine, until it is cut: a lost network, as honest as one
    machine can have it."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.open, self.cuts, self.sockets = True, 0, set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return  # Closed: the check is over.
            with self.lock:
                wanted = self.open
            try:
                far = socket.create_connection(self.target, timeout=5) if wanted else None
            except OSError:
                far = None
            if far is None:
                near.close()
                continue
            far.settimeout(None)
            with self.lock:
                self.sockets |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with self.lock:
                self.sockets.discard(end)
        one.close()

    def cut(self):
        with self.lock:
            self.open, self.cuts = False, self.cuts + 1
            ends = list(self.sockets)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        with self.lock:
            self.open = True

    def close(self):
        self.listener.close()
        self.cut()


class Demo:
    """A demo of this program, with its dashboard on a port of the system's choice."""

    def __init__(self, binary, mode, duration):
        self.directory = tempfile.mkdtemp(prefix="hip3-browser-")
        command = [binary, "demo", "--mode", mode, "--duration", f"{duration}s", "--seed", "7"]
        command += ["--data-dir", self.directory, "--set", "dashboard.bind=127.0.0.1:0"]
        print("browser:", " ".join(command), flush=True)
        self.lines, self.url, self.said = [], None, threading.Event()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._listen, daemon=True).start()
        if not self.said.wait(ADDRESS_S) or self.url is None:
            self.close()
            raise Differs("the demo named no dashboard: " + " / ".join(self.lines[-3:]))
        token = pathlib.Path(self.directory, "dashboard.token")
        self.token = token.read_text().strip() if token.exists() else None
        if self.token is not None:
            expect(token.stat().st_mode & 0o077 == 0, f"{token.name} can be read by others")

    def _listen(self):
        for line in self.process.stderr:
            plain = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
            self.lines.append(plain)
            found = re.search(r"dashboard.*?(http://127\.0\.0\.1:\d+)", plain)
            if found and self.url is None:
                self.url = found[1]
                self.said.set()
        self.said.set()  # It ended.

    def close(self):
        """Ends it in order: it closes what it holds first."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Ear(threading.Thread):
    """A second client of the engine's socket, which notes when it heard of which signal."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.heard, self.ended, self.error = url, {}, False, None

    def run(self):
        address = self.url.replace("http://", "ws://") + "/ws"
        try:
            with websockets.sync.client.connect(address, subprotocols=["hip3"], max_size=None) as stream:
                while not self.ended:
                    with contextlib.suppress(TimeoutError):
                        message = json.loads(stream.recv(timeout=1))
                        if message["type"] == "signal":
                            self.heard[message["signal"]["signal_id"]] = time.time() * 1000
        except Exception as error:  # told by whoever asks what was heard
            self.error = error


class Visit:
    """The page in a browser, and what it did meanwhile."""

    def __init__(self, browser, engine_url, token, out):
        self.engine_url, self.token, self.out = engine_url, token, out
        self.relay = Relay(urllib.parse.urlsplit(engine_url).port)
        self.context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}, color_scheme="light")
        self.page = self.context.new_page()
        self.page.set_default_timeout(SOON_MS)
        self.requests, self.sockets, self.complaints, self.pictures = [], [], [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda stream: self.sockets.append(stream.url))
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("console", self._on_console)
        # When a row of a signal came into the page, by the clock that the other client reads.
        self.page.add_init_script(
            """globalThis.cameAt = {};
            addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
              for (const { addedNodes } of changes) for (const { dataset } of addedNodes) {
                if (dataset?.id) cameAt[dataset.id] ??= performance.timeOrigin + performance.now();
              }
            }).observe(document.getElementById("signals"), { childList: true, subtree: true }));"""
        )

    def _on_console(self, message):
        if message.type not in ("error", "warning"):
            return
        url = message.location.get("url", "")
        # A browser tells of every refusal, and these were asked for.
        refused = "status of 401" in message.text and url.endswith("/api/control")
        lost = self.relay.cuts > 0 and ("net::ERR_" in message.text or "WebSocket" in message.text)
        if not refused and not lost:
            self.complaints.append(f"{message.type}: {message.text} ({url})")

    def until(self, condition, what, argument=None, patience_ms=SOON_MS):
        """Waits until a condition of the page holds. Asked from here: the page's policy forbids what a
        browser's own waiting would evaluate in it."""
        deadline = time.monotonic() + patience_ms / 1000
        while not self.page.evaluate(condition, argument):
            if time.monotonic() > deadline:
                raise Differs(f"{what}: not within {patience_ms / 1000:.0f} s")
            self.page.wait_for_timeout(100)

    def text(self, selector):
        return self.page.inner_text(selector).strip()

    def coins(self):
        """The markets of the table, in its order."""
        return self.page.eval_on_selector_all(
            "#market-body tr", "rows => rows.map(row => row.querySelector('th').textContent)"
        )

    def column(self, key):
        return self.page.eval_on_selector_all(
            f"#market-body td[data-col={key}]", "cells => cells.map(cell => cell.textContent.trim())"
        )

    def api(self, path, body=None, token=None):
        """Status and answer, asked from outside of the browser."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.engine_url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def resize(self, size):
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.wait_for_timeout(400)

    def photograph(self, name):
        """Both widths in both schemes."""
        for width, size in (("1400", WIDE), ("390", PHONE)):
            self.resize(size)
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)
                self.page.wait_for_timeout(300)
                path = self.out / f"{name}-{width}-{scheme}.png"
                self.page.screenshot(path=path, full_page=True)
                self.pictures.append(path.name)
        self.page.emulate_media(color_scheme="light")
        self.resize(WIDE)

    def no_overflow(self, what):
        width = self.page.evaluate("document.documentElement.scrollWidth")
        expect(width <= self.page.viewport_size["width"], f"{what}: {width} px wide")

    def close(self):
        self.context.close()
        self.relay.close()


# The checks. Each takes the visit and returns what it saw, in a few words.


def the_page_opens(visit):
    answer = visit.page.goto(visit.relay.url + "/")
    expect(answer.status == 200, f"status {answer.status}")
    policy = answer.header_value("content-security-policy") or ""
    expect("default-src 'none'" in policy and "unsafe" not in policy, f"policy {policy!r}")
    visit.until("document.body.dataset.phase === 'open'", "the socket opens")
    visit.until("document.querySelectorAll('#market-body tr').length > 0", "markets come")
    return visit.page.title()


def all_markets_are_shown(visit):
    status, snapshot = visit.api("/api/snapshot")
    expect(status == 200, f"/api/snapshot: {status}")
    wanted = sorted(market["coin"] for market in snapshot["markets"])
    visit.until("n => document.querySelectorAll('#market-body tr').length === n", "all markets", len(wanted))
    expect(sorted(visit.coins()) == wanted, "other markets than those of the snapshot")
    return f"{len(wanted)} markets"


def prices_change(visit):
    visit.page.evaluate(
        """globalThis.before = [...document.querySelectorAll("#market-body tr")]
        .map(row => [row, row.textContent])"""
    )
    visit.until(
        "before.filter(([row, text]) => row.textContent !== text).length > before.length / 3",
        "a third of the markets change",
        patience_ms=30_000,
    )
    bids = visit.column("bid")
    expect(sum(bool(re.search(r"\d", bid)) for bid in bids) > len(bids) / 2, "most markets have no bid")
    return f"{len(bids)} rows"


def signals_come_within_a_second(visit):
    ear = Ear(visit.engine_url)
    ear.start()
    delays, deadline = [], time.monotonic() + SIGNALS_S
    while len(delays) < 3 and time.monotonic() < deadline and ear.error is None:
        visit.page.wait_for_timeout(500)
        came = visit.page.evaluate("cameAt")
        delays = [came[one] - at for one, at in list(ear.heard.items()) if one in came]
    ear.ended = True
    ear.join(timeout=5)
    expect(ear.error is None, f"the second client: {ear.error}")
    expect(delays, f"{len(ear.heard)} signals were sent, and none of them came")
    median = statistics.median(delays)
    expect(median <= 1000, f"the median of {len(delays)} took {median:.0f} ms")
    return f"{len(delays)} signals, median {max(0, median):.0f} ms"


def the_state_is_said(visit):
    expect(visit.text("#mode").lower() == visit.api("/api/snapshot")[1]["mode"], "mode")
    visit.until("document.getElementById('lamp-ready').textContent === 'READY'", "READY", patience_ms=30_000)
    expect(visit.text("#lamp-link") == "venue live", "link")
    expect(not visit.page.is_visible("#banner-stop"), "a banner of HardStop")
    return f"{visit.text('#lamp-ready')}, {visit.text('#lamp-link')}, {visit.text('#lamp-page')}"


def sorting_works(visit):
    heads = visit.page.locator("#market-head th")
    click = lambda key: visit.page.click(f"#market-head th[data-col={key}] button")
    first = "coin => document.querySelector('#market-body th').textContent === coin"
    coins = visit.coins()
    click("coin")  # It was sorted by this one, so now the other way.
    expect(visit.page.get_attribute("th[data-col=coin]", "aria-sort") == "descending", "aria-sort of the names")
    visit.until(first, "the last market is the first", coins[-1])
    expect(visit.coins() == coins[::-1], "the other way round is another order")
    click("ask")
    expect(visit.page.get_attribute("th[data-col=ask]", "aria-sort") == "ascending", "aria-sort of the asks")
    numbers = lambda: [float(text) for text in visit.column("ask") if re.fullmatch(r"[\d.\s]+", text)]
    # Prices move on between two sorts, so neighbours may be out of order by a little.
    ordered = lambda: all(a <= b * 1.02 for a, b in zip(numbers(), numbers()[1:]))
    deadline = time.monotonic() + 5
    while not ordered() and time.monotonic() < deadline:
        visit.page.wait_for_timeout(300)
    expect(ordered(), f"asks are not in order: {numbers()[:8]}")
    click("coin")
    visit.until(first, "the first market is the first", coins[0])
    return f"{heads.count()} columns, by market and by ask"


def filtering_works(visit):
    page, coins = visit.page, visit.coins()
    text = coins[len(coins) // 2].split(":")[-1]
    page.keyboard.press("/")
    expect(page.evaluate("document.activeElement.id") == "filter", "/ does not lead to the filter")
    page.keyboard.type(text.lower())
    fitting = [coin for coin in coins if text.lower() in coin.lower()]
    visit.until("n => document.querySelectorAll('#market-body tr').length === n", "fitting rows", len(fitting))
    expect(visit.coins() == fitting, "rows that do not fit")
    page.keyboard.type("no such market")
    page.wait_for_selector("#market-empty", state="visible")
    page.keyboard.press("Escape")
    visit.until("n => document.querySelectorAll('#market-body tr').length === n", "all rows again", len(coins))
    for view in ("blocked", "near", "signals"):
        page.click(f"[data-view={view}]")
        visit.until(
            """view => Number(document.querySelector(`[data-view=${view}] .count`).textContent)
            === document.querySelectorAll("#market-body tr").length""",
            f"the rows of {view}",
            view,
        )
    page.click("[data-view=all]")
    visit.until("n => document.querySelectorAll('#market-body tr').length === n", "all rows again", len(coins))
    return f"{text!r} leaves {len(fitting)} of {len(coins)}"


def keys_work(visit):
    page = visit.page
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("m")
    page.keyboard.press("Home")
    coins = visit.coins()
    focused = lambda: page.evaluate("document.activeElement.querySelector('th')?.textContent")
    expect(focused() == coins[0], f"Home leads to {focused()}")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(focused() == coins[min(2, len(coins) - 1)], f"two steps lead to {focused()}")
    expect(visit.text("#chart-title") == focused(), "the chart shows another market")
    expect(page.locator("#market-body tr[aria-selected=true]").count() == 1, "more than one is selected")
    expect(page.locator("#market-body tr[tabindex='0']").count() == 1, "more than one row can be tabbed to")
    page.keyboard.press("End")
    expect(focused() == coins[-1], f"End leads to {focused()}")
    page.keyboard.press("Enter")
    expect(page.evaluate("document.activeElement.id") == "chart", "Enter does not lead to the chart")
    page.keyboard.press("?")
    page.wait_for_selector("#help-dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#help-dialog", state="hidden")
    theme = lambda: page.evaluate("document.documentElement.dataset.theme ?? 'auto'")
    seen = []
    for _ in range(3):
        page.keyboard.press("t")
        seen.append(theme())
    expect(sorted(seen) == ["auto", "dark", "light"], f"schemes {seen}")
    return "/ m arrows Home End Enter ? t"


def the_chart_is_read(visit):
    page = visit.page
    page.click("#market-body tr >> nth=0")
    page.keyboard.press("3")
    expect(page.get_attribute("#ranges [data-minutes='10']", "aria-pressed") == "true", "10 minutes")
    visit.until("document.getElementById('chart-empty').hidden", "a picture")
    inked = page.evaluate(
        """() => { const { width, height } = document.getElementById("chart");
        const pixels = document.getElementById("chart").getContext("2d").getImageData(0, 0, width, height).data;
        let inked = 0; for (let i = 3; i < pixels.length; i += 4) inked += pixels[i] > 0; return inked; }"""
    )
    expect(inked > 1000, f"{inked} pixels are drawn")
    page.focus("#chart")
    page.keyboard.press("ArrowLeft")
    visit.until("/bid .* ask .* oracle/.test(document.getElementById('readout').textContent)", "the readout")
    read = visit.text("#readout")
    expect(visit.page.inner_text("#chart-summary").startswith(visit.text("#chart-title")), "the summary")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    return re.sub(r"\s+", " ", read)[:48]


def control_is_refused_without_the_token(visit):
    status, answer = visit.api("/api/control", {"action": "halt"})
    expect(status == 401 and answer.get("error"), f"without a token: {status} {answer}")
    status, answer = visit.api("/api/control", {"action": "halt"}, token="wrong")
    expect(status == 401 and answer.get("error"), f"with a wrong one: {status} {answer}")
    page = visit.page
    page.click("#halt")
    page.click("#control-go")
    page.wait_for_selector("#control-error", state="visible")
    without = visit.text("#control-error")
    page.fill("#token", "wrong")
    page.click("#control-go")
    visit.until("/^Refused/.test(document.getElementById('control-error').textContent)", "a refusal")
    said = visit.text("#control-error")
    page.keyboard.press("Escape")
    page.wait_for_selector("#control-dialog", state="hidden")
    expect(not visit.api("/api/snapshot")[1]["hard_stop"]["active"], "it was halted all the same")
    return f"{without} / {said}"


def halt_sets_hard_stop(visit):
    page = visit.page
    page.click("#halt")
    page.fill("#token", visit.token)
    page.click("#control-go")
    page.wait_for_selector("#control-dialog", state="hidden")
    page.wait_for_selector("#banner-stop", state="visible")
    visit.until("/Operator/.test(document.getElementById('banner-stop').textContent)", "the reason")
    visit.until("/Operator/.test(document.getElementById('announcer').textContent)", "who cannot see is told")
    visit.photograph("stopped")
    return visit.text("#banner-stop span")[:48]


def release_clears_it(visit):
    page = visit.page
    page.click("#release")
    expect(not page.is_visible("#token"), "the token is asked for again")
    page.click("#control-go")
    page.wait_for_selector("#control-dialog", state="hidden")
    page.wait_for_selector("#banner-stop", state="hidden")
    return visit.text("#lamp-stop")


def flatten_is_accepted(visit):
    page = visit.page
    page.click("#flatten")
    expect(page.is_disabled("#control-go"), "it needs no confirmation")
    page.fill("#typed", "flatten")
    page.click("#control-go")
    page.wait_for_selector("#control-dialog", state="hidden")
    page.wait_for_selector("#toast", state="visible")
    return visit.text("#toast")


def the_token_is_kept_nowhere(visit):
    kept = visit.page.evaluate(
        "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])"
    )
    expect(visit.token not in kept, "the page stored the token")
    expect(not any(visit.token in url for url in visit.requests + visit.sockets), "the token was in an address")
    expect(visit.token not in visit.page.content(), "the token stands in the page")
    return "not stored, in no address"


def a_cut_connection_comes_back(visit):
    before = len(visit.sockets)
    visit.relay.cut()
    try:
        visit.until("document.body.dataset.stale === 'true'", "old data are shown as old")
        visit.page.wait_for_selector("#banner-page", state="visible")
        said = re.sub(r"\s+", " ", visit.text("#banner-page"))
        expect(re.search(r"Data are \d+ s old", said), f"the banner says {said!r}")
        expect(visit.page.is_disabled("#halt"), "control is offered")
        visit.page.screenshot(path=visit.out / "lost-1400-light.png")
    finally:
        visit.relay.mend()
    visit.until(
        "document.body.dataset.phase === 'open' && document.body.dataset.stale === 'false'",
        "it comes back by itself",
        patience_ms=25_000,
    )
    visit.page.wait_for_selector("#banner-page", state="hidden")
    expect(len(visit.sockets) > before, "no new socket was opened")
    prices_change(visit)
    return said[:48]


def the_pages_fit(visit):
    visit.no_overflow("at 1400 px")
    visit.resize(PHONE)
    visit.no_overflow("at 390 px")
    for button in ("#help",) if visit.page.is_disabled("#halt") else ("#halt", "#flatten", "#help"):
        visit.page.click(button)
        visit.no_overflow(f"{button} at 390 px")
        visit.page.keyboard.press("Escape")
    visit.resize(WIDE)
    return "no horizontal overflow at 1400 and 390 px"


def a_trade_leads_to_its_market(visit):
    visit.until("document.querySelector('#trades tbody button') !== null", "a trade", patience_ms=TRADES_S * 1000)
    coin, named = visit.page.evaluate(
        """() => { const button = document.querySelector("#trades tbody button"); button.click();
        return [button.textContent, document.getElementById("chart-title").textContent]; }"""
    )
    expect(coin == named, f"the chart shows {named} and not {coin}")
    return coin


def pictures_are_taken(visit):
    visit.photograph("ready" if visit.text("#mode").lower() == "trading" else "observation")
    return f"{len(visit.pictures)} in {visit.out}"


def observation_hides_what_it_has_not(visit):
    page = visit.page
    expect(not page.is_visible("#positions") and not page.is_visible("#tile-pnl"), "panels of trading")
    expect(page.is_visible("#observation-note"), "nothing explains why")
    for button in ("#halt", "#release", "#flatten"):
        expect(page.is_disabled(button), f"{button} can be pressed")
    expect("observation" in visit.text("#control-why"), "nothing says why control is off")
    expect(page.locator("#funnel tbody tr:visible").count() == 3, "the funnel")
    return visit.text("#control-why")[:48]


def nothing_leaves_the_origin(visit):
    origin = visit.relay.url + "/"
    others = {url for url in visit.requests if not url.startswith(origin)}
    others |= {url for url in visit.sockets if not url.startswith(origin.replace("http://", "ws://"))}
    expect(not others, f"requests to {sorted(others)}")
    expect(visit.requests and visit.sockets, "nothing was asked for at all")
    return f"{len(visit.requests)} requests, {len(visit.sockets)} sockets"


def nothing_is_complained_of(visit):
    expect(not visit.complaints, "; ".join(visit.complaints[:3]))
    return "no error in console or page"


BOTH = [the_page_opens, all_markets_are_shown, prices_change, the_state_is_said, signals_come_within_a_second]
AT_THE_END = [the_pages_fit, pictures_are_taken, nothing_leaves_the_origin, nothing_is_complained_of]
TRADING = [
    *BOTH,
    sorting_works,
    filtering_works,
    keys_work,
    the_chart_is_read,
    control_is_refused_without_the_token,
    halt_sets_hard_stop,
    release_clears_it,
    flatten_is_accepted,
    the_token_is_kept_nowhere,
    a_cut_connection_comes_back,
    a_trade_leads_to_its_market,
    *AT_THE_END,
]
OBSERVATION = [*BOTH, observation_hides_what_it_has_not, *AT_THE_END]


def run(visit, checks, mode):
    """Runs all checks, each whatever became of the others; whether all went well."""
    well = True
    print(f"\n{mode}")
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            print(f"ok       {name:40} {check(visit)}", flush=True)
        except Exception as error:  # whatever it is, it differs
            well = False
            told = str(error).splitlines()[0] if str(error) else ""
            print(f"DIFFERS  {name:40} {type(error).__name__}: {told}", flush=True)
            with contextlib.suppress(BrowserError):
                visit.page.screenshot(path=visit.out / f"differs-{check.__name__}.png")
                visit.page.evaluate("document.querySelectorAll('dialog[open]').forEach(one => one.close())")
            if check is the_page_opens:
                break
    return well


def look(browser, url, token, out):
    """Looks at one dashboard, with the checks that fit its mode."""
    visit = Visit(browser, url.rstrip("/"), token, out)
    try:
        status, snapshot = visit.api("/api/snapshot")
        expect(status == 200, f"/api/snapshot: {status} {snapshot}")
        mode = snapshot["mode"]
        checks = OBSERVATION if mode == "observation" else TRADING
        if mode != "observation" and token is None:
            raise Differs("a dashboard that trades is checked with its token")
        return run(visit, checks, mode)
    finally:
        visit.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", default="target/release/hip3")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/screenshots"))
    parser.add_argument("--duration", type=int, default=180, help="seconds that a demo may last; it is ended when all is seen")
    parser.add_argument("--url", help="http://127.0.0.1:PORT of a dashboard that runs already")
    parser.add_argument("--token", type=pathlib.Path, help="with --url: the file of its token")
    args = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("skipped: there is no chromium here")
        return
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    well = True
    with sync_playwright() as playwright:
        # Chromium refuses to be root in its sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        try:
            if args.url:
                token = args.token.read_text().strip() if args.token else None
                well = look(browser, args.url, token, args.out)
            else:
                for mode in ("trading", "observation"):
                    demo = Demo(args.binary, mode, args.duration)
                    try:
                        well = look(browser, demo.url, demo.token, args.out) and well
                    finally:
                        demo.close()
        except Differs as difference:
            print(f"DIFFERS  {difference}")
            well = False
        finally:
            browser.close()
    print(f"\nbrowser: {'all as it should be' if well else 'something differs'}; pictures in {args.out}")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
