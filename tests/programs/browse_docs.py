"""The built site in a headless browser: `python tests/programs/browse_docs.py build/site --shots build/shots`.

Every page, on a wide and on a narrow screen, light and dark: no error of a script, every picture there, nothing from
another host, no scrolling to the side, text that stands out from what is behind it. Then the search. It needs Debian's
`chromium` and `chromium-driver`, which it speaks to over HTTP, and nothing else.
"""

import argparse
import base64
import contextlib
import functools
import http.server
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
WIDTHS = {"wide": 1280, "narrow": 390}
# Pages that Sphinx makes, which show no picture.
WITHOUT_PICTURE = {"genindex.html", "py-modindex.html", "search.html", "404.html"}
SEARCHES = {
    "cooldown": "cooldowns.html",
    "ReduceLROnPlateau": "reference/dialects/torch.html",
    "mask": "groups.html",
}
SHOTS = (
    "index.html",
    "which_schedule.html",
    "find_a_rate.html",
    "rules.html",
    "measured.html",
    "reference/schedules.html",
)

STATE = """
const shown = (e) => e.getClientRects().length > 0;
const images = [...document.querySelectorAll("article img")].filter(shown);
const wide = [...document.querySelectorAll("article *")].filter((e) => {
  for (let p = e; p && p.tagName !== "ARTICLE"; p = p.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)) return false;
  return shown(e) && e.getBoundingClientRect().right > innerWidth + 1;
});
return {
  scrolls: document.documentElement.scrollWidth > innerWidth,
  wide: wide.slice(0, 3).map((e) => e.outerHTML.slice(0, 120)),
  images: images.length,
  broken: images.filter((e) => !e.complete || e.naturalWidth === 0).map((e) => e.src),
  theme: document.body.dataset.theme,
  outside: performance.getEntriesByType("resource").map((e) => e.name).filter((n) => !n.startsWith(location.origin)),
};
"""

# Text whose contrast with what is behind it is below WCAG's 4.5 (3 for large letters).
FAINT = """
const parse = (c) => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const linear = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const behind = (e) => {
  for (let p = e; p; p = p.parentElement) {
    const c = parse(getComputedStyle(p).backgroundColor);
    if (c.length === 3 || c[3] > 0.99) return c;
  }
  return [255, 255, 255];
};
const found = [];
for (const e of document.querySelectorAll("article *, .sidebar-tree a")) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !e.getClientRects().length || e.closest("a.headerlink, .visually-hidden, svg, button")) continue;
  const style = getComputedStyle(e);
  const [a, b] = [light(parse(style.color)), light(behind(e))].sort((x, y) => y - x);
  const size = parseFloat(style.fontSize);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < (size >= 24 || (size >= 18.5 && style.fontWeight >= 700) ? 3 : 4.5))
    found.push(`${ratio.toFixed(2)} ${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`);
}
return [...new Set(found)].slice(0, 5);
"""


class Browser:
    """A window of Chromium of a given width, through chromedriver's HTTP."""

    def __init__(self, width):
        self.folder = tempfile.mkdtemp()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.base = f"http://127.0.0.1:{port}"
        self.session = None
        metrics = {"width": width, "height": 844 if width < 600 else 800, "pixelRatio": 1}
        options = {
            "binary": shutil.which("chromium"),
            "args": [*FLAGS, f"--user-data-dir={self.folder}", "--window-size=1280,800"],
            "mobileEmulation": {"deviceMetrics": metrics},
        }
        self._wait_until_ready()
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{answer['sessionId']}"

    def _wait_until_ready(self):
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.ask("GET", "/status")
                return
            time.sleep(0.1)
        raise SystemExit("chromedriver did not start")

    def ask(self, method, path, body=None):
        """What chromedriver answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def go(self, address):
        """Opens a page and waits until it is loaded."""
        self.ask("POST", self.session + "/url", {"url": address})

    def run(self, script):
        """What a script returns."""
        return self.ask("POST", self.session + "/execute/sync", {"script": script, "args": []})

    def errors(self):
        """What scripts and missing files wrote to the console since the last call."""
        entries = self.ask("POST", self.session + "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def shoot(self, path):
        """A picture of the window."""
        path.write_bytes(base64.b64decode(self.ask("GET", self.session + "/screenshot")))

    def close(self):
        """Ends the browser and its driver."""
        with contextlib.suppress(OSError, urllib.error.URLError):
            self.ask("DELETE", self.session)
        self.driver.terminate()
        self.driver.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The address of a folder on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def in_theme(browser, address, theme):
    """Opens a page in light or dark."""
    browser.go(address)
    if browser.run(STATE)["theme"] != theme:
        browser.run(f"localStorage.setItem('theme', '{theme}')")
        browser.go(address)


def faults_of_page(browser, address, name, theme):
    """What is wrong with a page, each in a line."""
    in_theme(browser, address + name, theme)
    browser.run("document.querySelectorAll('img').forEach((e) => (e.loading = 'eager'))")
    for _ in range(30):
        state = browser.run(STATE)
        if not state["broken"]:
            break
        time.sleep(0.1)
    if state["scrolls"] or state["wide"]:
        yield f"is wider than the screen: {state['wide']}"
    if state["broken"]:
        yield f"has broken pictures: {state['broken']}"
    if not state["images"] and name not in WITHOUT_PICTURE:
        yield "has no picture"
    if state["outside"]:
        yield f"loads from elsewhere: {state['outside']}"
    for faint in browser.run(FAINT):
        yield f"has faint text: {faint}"
    for error in browser.errors():
        yield f"wrote an error: {error}"


def faults_of_search(browser, address):
    """Words that the search does not find where they are."""
    for word, page in SEARCHES.items():
        browser.go(f"{address}search.html?q={word}")
        for _ in range(50):
            found = browser.run("return [...document.querySelectorAll('#search-results li a')].map((e) => e.pathname)")
            if any(path.endswith(page) for path in found):
                break
            time.sleep(0.1)
        else:
            yield f"search for {word!r} does not lead to {page}, but to {found[:8]}"
        yield from (f"search for {word!r} wrote an error: {error}" for error in browser.errors())


def faults(site, shots=None, pages=None):
    """Everything that is wrong with the site."""
    names = pages or sorted(str(path.relative_to(site)) for path in site.rglob("*.html") if "_static" not in path.parts)
    with served(site) as address:
        for screen, width in WIDTHS.items():
            browser = Browser(width)
            try:
                for theme in ("light", "dark"):
                    for name in names:
                        for fault in faults_of_page(browser, address, name, theme):
                            yield f"{name}, {screen}, {theme}: {fault}"
                        if shots and name in SHOTS:
                            stem = name.removesuffix(".html").replace("/", "_")
                            browser.shoot(shots / f"{stem}_{screen}_{theme}.png")
                if screen == "wide":
                    yield from faults_of_search(browser, address)
            finally:
                browser.close()


def main():
    """Prints the faults; exit code 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--pages", nargs="*")
    options = parser.parse_args()
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        sys.exit("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    found = 0
    for fault in faults(options.site, options.shots, options.pages):
        print(fault, flush=True)
        found += 1
    print(f"{found} faults")
    sys.exit(min(found, 1))


if __name__ == "__main__":
    main()
