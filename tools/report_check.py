#!/usr/bin/env python3
"""Opens pages of `hip3 report --html` in a real browser, headless, and reads them as a person would.

Wide and narrow, light and dark: whether every figure is drawn or says why it is not, the table sorts, filters
and chooses, explanations open, paper gets a light page, nothing is wider than a phone, nothing is asked of the
network and nothing is complained of. Leaves pictures. Prints a table; exits with 1 when something is not as it
should be.

    tools/report_check.py target/report.html --out target/screenshots/report

Needs Playwright (`make browser-env` fetches it) and Debian's chromium.
"""

import argparse
import os
import pathlib
import shutil
import sys

try:
    from playwright.sync_api import Error as BrowserError
    from playwright.sync_api import sync_playwright
except ImportError as missing:
    print(f"skipped: {missing.name} cannot be had")
    sys.exit(0)

SIZES = {"wide": (1400, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
PAPER_PX = 700  # Between the margins of A4.
SOON_MS = 120_000  # For tens of megabytes on a loaded machine; nothing waits longer than it has to.
INSIDE = ("file:", "data:", "blob:", "about:")


class Differs(Exception):
    """Something is not as it should be."""


def expect(holds, what):
    if not holds:
        raise Differs(what)


# Figures that show neither a plot nor a reason, and plots without a mark in them.
EMPTY = """() => [...document.querySelectorAll("section.figure:not([hidden])")].flatMap((figure) => {
  const plot = figure.querySelector(".plot");
  const reason = figure.querySelector(".empty");
  if (plot.hidden) return reason.hidden || reason.textContent.trim() === "" ? [`${figure.id}: neither a plot nor a reason`] : [];
  const marks = plot.querySelectorAll(".points path, .points > *, .point path, .lines path, .hm image, .errorbar path");
  const drawn = [...marks].some((mark) => mark.tagName === "image" || (mark.getAttribute("d") ?? "").length > 3);
  return drawn ? [] : [`${figure.id}: an empty plot`];
})"""

# What reaches beyond the right edge, outside of a part that scrolls by itself.
OVERFLOW = """() => {
  const wide = document.documentElement.clientWidth;
  // A clipped panel hides what is too wide, which is no better. Plots are looked at by their labels.
  const apart = (style) => ["auto", "scroll"].includes(style.overflowX) || style.textOverflow === "ellipsis";
  const scrolls = (node) => node && node !== document.body && (node.matches(".plot") || apart(getComputedStyle(node)) || scrolls(node.parentElement));
  const out = [...document.body.querySelectorAll("*")].filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width > 1 && box.right > wide + 1 && !scrolls(node.parentElement);
  });
  const page = document.documentElement.scrollWidth > wide ? [`the page is ${document.documentElement.scrollWidth} px wide in ${wide}`] : [];
  return [...page, ...out.slice(0, 5).map((node) => `${node.tagName.toLowerCase()}#${node.id}.${node.className}`)];
}"""

# Axis labels and figures that are cut off by the plot they belong to.
CLIPPED = """() => [...document.querySelectorAll(".plot:not([hidden])")].flatMap((plot) => {
  const frame = plot.getBoundingClientRect();
  const texts = plot.querySelectorAll(".xtick text, .ytick text, .g-xtitle text, .g-ytitle text, .annotation text");
  return [...texts].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.width > 0 && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
  }).map((text) => `${plot.id}: ${text.textContent}`);
})"""

# Labels of one axis that lie upon each other.
OVERLAPS = """() => [...document.querySelectorAll(".plot:not([hidden])")].flatMap((plot) => [".xaxislayer-above .xtick text", ".yaxislayer-above .ytick text"].flatMap((axis) => {
  const texts = [...plot.querySelectorAll(axis)].filter((text) => !/rotate\\((?!0[, )])/.test(text.getAttribute("transform") ?? ""));
  const boxes = texts.map((text) => [text, text.getBoundingClientRect()]).sort(([, a], [, b]) => a.left - b.left || a.top - b.top);
  const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 3 || b.bottom <= a.top + 3;
  return boxes.slice(1).filter(([, box], n) => !apart(boxes[n][1], box)).map(([text]) => `${plot.id}: ${text.textContent} lies on its neighbor`);
}))"""


class Visit:
    """A page in a window of its own, with all that it complained of or asked for."""

    def __init__(self, browser, file, size, scheme, without=None):
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.set_default_timeout(SOON_MS)
        self.complaints, self.requests = [], []
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: request.url.startswith(INSIDE) or self.requests.append(request.url))
        if without:
            self.page.add_init_script(f"delete globalThis.{without}")
        self.page.goto(file.resolve().as_uri(), timeout=SOON_MS)
        self.page.wait_for_function("document.getElementById('headline').textContent !== '' || !document.getElementById('trouble').hidden")

    def settled(self):
        """Waits until what was asked for is drawn."""
        self.page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 400))")

    def markets(self):
        return self.page.evaluate("() => [...document.querySelectorAll('#market-body tr')].map((row) => row.querySelector('.name').textContent)")

    def title(self):
        return self.page.locator("#market-title").text_content()


def it_says_what_it_found(visit):
    """the headline says what was found"""
    expect(len(visit.page.locator("#headline").text_content()) > 10, "no headline")
    expect(visit.page.locator("#said p").count() > 0, "nothing is said of it")


def every_figure_is_drawn(visit):
    """figures are drawn, or say why not"""
    visit.settled()
    shown = visit.page.locator("section.figure:not([hidden])").count()
    expect(shown >= 8, f"{shown} figures only")
    empty = visit.page.evaluate(EMPTY)
    expect(not empty, "; ".join(empty))


def nothing_is_cut_or_covered(visit):
    """nothing is too wide, cut or covered"""
    for name, script in (("too wide", OVERFLOW), ("cut", CLIPPED), ("covered", OVERLAPS)):
        found = visit.page.evaluate(script)
        expect(not found, f"{name}: {'; '.join(found[:5])}")


def the_table_sorts(visit):
    """the table sorts by every column"""
    before = visit.markets()
    heads = visit.page.locator("#market-head button:visible")
    expect(heads.count() >= 3, "hardly a column")
    for n in range(heads.count()):
        heads.nth(n).click()
        way = visit.page.locator("#market-head th:visible").nth(n).get_attribute("aria-sort")
        expect(way in ("ascending", "descending"), f"column {n} is sorted {way}")
        expect(sorted(visit.markets()) == sorted(before), "sorting lost a market")
    visit.page.locator("#market-head button:visible").first.click()
    first = visit.markets()
    visit.page.locator("#market-head button:visible").first.click()
    expect(len(set(before)) < 2 or visit.markets() == first[::-1], "a second click does not turn the order round")


def the_table_filters(visit):
    """the table filters by text and verdict"""
    markets = visit.markets()
    if markets:
        visit.page.locator("#filter").fill(markets[-1][:12])
        left = visit.markets()
        expect(markets[-1] in left and all(markets[-1][:12].lower() in one.lower() for one in left), f"found {left[:3]}")
    visit.page.locator("#filter").fill("no market is called this")
    expect(visit.markets() == [] and visit.page.locator("#market-empty").is_visible(), "a filter without a match shows rows")
    visit.page.locator("#filter").fill("")
    seen = 0
    for kind in ("genuine", "structural", "negative", "too few"):
        visit.page.locator(f'#views [data-key="{kind}"]').click()
        seen += len(visit.markets())
    visit.page.locator('#views [data-key="all"]').click()
    expect(seen == len(markets) and len(visit.markets()) == seen, f"verdicts hold {seen} of {len(markets)} markets")


def a_market_is_chosen(visit):
    """markets are chosen by click, key and address"""
    markets = visit.markets()
    page = visit.page
    for market in (markets[0], markets[-1]) if markets else ():
        page.locator("#market-body tr").nth(markets.index(market)).click()
        visit.settled()
        expect(visit.title() == market, f"chose {market!r}, shown is {visit.title()!r}")
        empty = page.evaluate(EMPTY)
        expect(not empty, f"{market}: {'; '.join(empty)}")
    if len(markets) > 1:
        page.locator("#market-body tr").first.focus()
        page.keyboard.press("ArrowDown")
        visit.settled()
        expect(visit.title() == markets[1], f"an arrow leads to {visit.title()!r}")
        for side in ("buy", "sell", "both"):
            page.locator(f'#sides [data-key="{side}"]').click()
            visit.settled()
            empty = page.evaluate(EMPTY)
            expect(not empty, f"{side}: {'; '.join(empty)}")
        page.evaluate("(name) => { location.hash = '#market=' + encodeURIComponent(name); }", markets[0])
        visit.settled()
        expect(visit.title() == markets[0], f"the address leads to {visit.title()!r}")
    page.locator("#market-foot tr").click()
    visit.settled()
    expect(visit.title() == "All markets together", f"the last row leads to {visit.title()!r}")
    empty = page.evaluate(EMPTY)
    expect(not empty, f"all: {'; '.join(empty)}")


def explanations_open(visit):
    """explanations open and close"""
    asks = visit.page.locator("button.ask:visible")
    expect(asks.count() >= 8, f"{asks.count()} explanations only")
    for n in range(asks.count()):
        box = visit.page.locator(f"[id='{asks.nth(n).get_attribute('aria-controls')}']")
        asks.nth(n).click()
        expect(box.is_visible() and len(box.text_content()) > 100, f"explanation {n} does not open")
    overflow = visit.page.evaluate(OVERFLOW)
    expect(not overflow, f"open explanations: {'; '.join(overflow)}")
    for n in range(asks.count()):
        asks.nth(n).click()
    expect(visit.page.locator(".explain:visible").count() == 0, "some stay open")


def paper_is_light(visit):
    """what is printed is light and fits on paper"""
    visit.page.emulate_media(media="print")
    visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    ground = visit.page.evaluate("getComputedStyle(document.querySelector('.panel')).backgroundColor")
    expect(ground == "rgb(255, 255, 255)", f"panels are {ground}")
    wide = visit.page.evaluate("Math.max(0, ...[...document.querySelectorAll('main .plot:not([hidden]) .main-svg, main .panel')].map((node) => node.getBoundingClientRect().width))")
    expect(0 < wide <= PAPER_PX, f"something is {wide} px wide, paper has {PAPER_PX}")
    visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
    visit.page.emulate_media(media="screen")
    visit.settled()
    expect(not visit.page.evaluate(EMPTY), "figures are gone afterwards")


def names_are_text(visit):
    """names are text, and nothing runs from them"""
    made = visit.page.evaluate("() => document.querySelectorAll('main img, main script, main iframe, main table b:not(.interval b)').length")
    expect(made == 0, f"{made} elements that the page does not make")


def nothing_is_complained_of(visit):
    """no complaint, no request"""
    expect(not visit.complaints, f"{len(visit.complaints)} complaints, the first: {visit.complaints[:1]}")
    expect(not visit.requests, f"asked for {visit.requests[:3]}")


CHECKS = (
    it_says_what_it_found,
    every_figure_is_drawn,
    nothing_is_cut_or_covered,
    the_table_sorts,
    the_table_filters,
    a_market_is_chosen,
    explanations_open,
    paper_is_light,
    names_are_text,
    nothing_is_complained_of,
)


def look(browser, file, size, scheme, out):
    """Reads one page at one size and scheme; says whether all was well."""
    visit = Visit(browser, file, size, scheme)
    well = True
    try:
        visit.settled()
        visit.page.screenshot(path=out / f"{file.stem}-{size}-{scheme}.png", full_page=True)
        for check in CHECKS:
            name = f"{file.name}, {size}, {scheme}: {check.__doc__}"
            try:
                check(visit)
                print(f"ok       {name}", flush=True)
            except (Differs, BrowserError) as error:
                well = False
                print(f"DIFFERS  {name}: {str(error).splitlines()[0]}", flush=True)
                visit.page.screenshot(path=out / f"differs-{file.stem}-{size}-{scheme}-{check.__name__}.png")
    finally:
        visit.context.close()
    return well


def an_old_browser_is_told(browser, file):
    """Whether a browser that cannot unpack the page says so."""
    visit = Visit(browser, file, "phone", "light", without="DecompressionStream")
    told = visit.page.locator("#trouble").text_content()
    visit.context.close()
    well = "browsers before 2023" in told
    print(f"{'ok      ' if well else 'DIFFERS '} {file.name}: an old browser is told why it shows nothing", flush=True)
    return well


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pages", nargs="+", type=pathlib.Path, metavar="PAGE", help="a file that `hip3 report --html` wrote")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/screenshots/report"), help="where the pictures go")
    args = parser.parse_args()
    for page in args.pages:
        if not page.is_file():
            parser.error(f"{page}: expected a file")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("skipped: there is no chromium here")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    well = True
    with sync_playwright() as playwright:
        # Chromium refuses to be root in its sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        try:
            for page in args.pages:
                for size in SIZES:
                    for scheme in SCHEMES:
                        well = look(browser, page, size, scheme, args.out) and well
            well = an_old_browser_is_told(browser, args.pages[0]) and well
        finally:
            browser.close()
    print(f"\nreport: {'all as it should be' if well else 'something differs'}; pictures in {args.out}")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
