"""Pages in a real browser: what none of them may do, and how they look in light and dark, on a desktop and a phone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    sync_playwright,
)

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
TIMEOUT_MILLISECONDS = 30_000.0

Scheme = Literal["light", "dark"]
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = {"desktop": DESKTOP, "phone": PHONE}

LEAST_CONTRAST = 3.0
"""Of text to what is behind it: what WCAG 2.2 asks of large text, and the admin's own quiet texts have."""

# Text that is seen, with its colour and what lies behind it. Half transparent layers are laid over each other.
END_TRANSITIONS = """document.getAnimations()
  .filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime)).forEach((one) => one.finish())"""
"""Colours fade from light to dark, and what is looked at meanwhile is neither."""

_FAINT = """(least) => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const linear = (v) => v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage.includes("gradient")) return null;
      layers.push(parse(style.backgroundColor));
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches
      && getComputedStyle(document.documentElement).colorScheme.includes("dark");
    return layers.reverse().reduce((below, top) => over(top, below), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
  };
  const found = [], seen = {visibilityProperty: true, opacityProperty: true};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility(seen)) continue;
    if (element.closest("svg, option, :disabled, [disabled]")) continue;
    if (element.getBoundingClientRect().bottom + scrollY <= 0) continue;
    const below = behind(element);
    if (!below) continue;
    const [a, b] = [light(over(parse(getComputedStyle(element).color), below)), light(below)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least) found.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return found.slice(0, 10);
}"""
_WIDE = """() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= window.innerWidth) return [];
  const right = (one) => Math.round(one.getBoundingClientRect().right);
  const wide = [...document.querySelectorAll("body *")].filter((one) => right(one) > room + 1);
  return wide.map((one) => `${one.tagName}.${one.className} ${right(one)}`).slice(0, 8);
}"""


def find_chromium() -> str:
    """Return the browser's program.

    Raises
    ------
    RuntimeError
        There is none; it says what to install.
    """
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    raise RuntimeError(
        f"The browser tests need one of {', '.join(NAMES)} in the PATH. On Debian: apt-get install chromium. "
        "On Ubuntu, whose package is a snap, google-chrome from Google's own repository does as well."
    )


@contextmanager
def running_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """A person with a browser who notices everything that goes wrong."""

    def __init__(self, browser: Browser, base_url: str) -> None:
        self.base_url = base_url
        self.context: BrowserContext = browser.new_context(viewport=DESKTOP, color_scheme="light", base_url=base_url)
        self.context.set_default_timeout(TIMEOUT_MILLISECONDS)
        self.faults: list[str] = []
        self.context.on("console", self._console)
        self.context.on("weberror", lambda error: self._note(f"script failed: {error.error}"))
        self.context.on("request", self._request)
        self.context.on("requestfailed", self._failed)
        self.context.on("response", self._response)
        self.page: Page = self.context.new_page()

    def open(self, path: str) -> None:
        """Go to a page and look at it."""
        self.page.goto(path)
        self.look()

    def look(self, *, colours_are_ours: bool = True) -> None:
        """Look at the page in light and dark, and at its width on a desktop and on a phone."""
        self.page.wait_for_load_state()
        for scheme in reversed(SCHEMES) if colours_are_ours else ():
            self.page.emulate_media(color_scheme=scheme)
            self.page.evaluate(END_TRANSITIONS)
            self._note_all(f"too faint in {scheme}", self.page.evaluate(_FAINT, LEAST_CONTRAST))
        for size, viewport in reversed(SIZES.items()):
            self.page.set_viewport_size(viewport)
            self._note_all(f"wider than a {size}", self.page.evaluate(_WIDE))

    def click(self, selector: str) -> None:
        """Click on what leads to another page, and look at it."""
        self.page.click(selector)
        self.look()

    def text(self) -> str:
        return self.page.inner_text("body")

    def _note(self, what: str) -> None:
        self.faults.append(f"{self.page.url.removeprefix(self.base_url)}: {what}")

    def _note_all(self, what: str, places: list[str]) -> None:
        if places:
            self._note(f"{what}: {'; '.join(places)}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.base_url:
            self._note(f"asks elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        self._note(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self._note(f"answered {response.status}: {response.url}")


_INDEX_NAME = re.compile(r"/index/[^/]+")
_ID = re.compile(r"^(\d+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{40,64}|[\w.-]*\d[\w.-]*)$")


def kind_of(address: str) -> str:
    """Return what kind of page an address is: the same for two rows of a table, or two apps of the admin."""
    parts = urlsplit(address)
    path = _INDEX_NAME.sub("/index/*", parts.path)
    words = ["*" if _ID.match(word) and word != "v1" else word for word in path.strip("/").split("/")]
    if words[-1] == "history":
        return "admin/history"
    is_app = len(words) == 2 and words[0] == "admin" and words[1] not in ("logout", "password_change")
    return "admin/*" if is_app else "/".join(words)


def links_of(page: Page, inside: str) -> list[str]:
    """Return the addresses a page links to, as far as they are inside a part of the site."""
    hrefs: list[str] = page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
    paths = (urlsplit(urljoin(page.url, link)) for link in hrefs)
    base = urlsplit(page.url).netloc
    found = [one for one in paths if one.netloc == base and one.path.startswith(inside)]
    return [f"{one.path}?{one.query}" if one.query else one.path for one in found]


def crawl(visitor: Visitor, start: str, inside: str, leave_out: str = r"$^") -> Iterator[str]:
    """Visit one page of each kind that can be reached from `start`; yield the address while it is open."""
    waiting, seen = [start], {kind_of(start)}
    while waiting:
        address = waiting.pop(0)
        visitor.page.goto(address)
        yield address
        for link in links_of(visitor.page, inside):
            if kind_of(link) not in seen and not re.search(leave_out, link):
                seen.add(kind_of(link))
                waiting.append(link)
