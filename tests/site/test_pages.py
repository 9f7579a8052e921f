"""Every built page in a real browser, over http and from disk, wide and narrow, light and dark.

The site is the one that GAN_BOOK_SITE names, else it is built here at the smoke budget.
"""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[test]'")

ROOT = Path(__file__).resolve().parents[2]
BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser for the page tests: install Debian's chromium")
FLAGS = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="session")
def site() -> Path:
    named = os.environ.get("GAN_BOOK_SITE")
    if named:
        return (ROOT / named).resolve()
    output = ROOT / "_build/smoke"
    command = [sys.executable, "site/build.py", "--budget", "smoke", "--output", str(output)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=1200)
    return output / "html"


@pytest.fixture(scope="session")
def server(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(scope="session")
def browser():
    with sync_api.sync_playwright() as playwright:
        arguments = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
        running = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        yield running
        running.close()


class Visit:
    """A page, opened and settled, with everything that went wrong on the way."""

    def __init__(self, browser, url, *, size="desktop", scheme="light"):
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page, self.faults, home = self.context.new_page(), [], urlsplit(url)

        def request(sent):
            there = urlsplit(sent.url)
            if there.scheme not in ("data", "blob") and (there.scheme, there.netloc) != (home.scheme, home.netloc):
                self.faults.append(f"request to another host: {sent.url}")

        self.page.on("request", request)
        self.page.on("requestfailed", lambda r: self.faults.append(f"failed request: {r.url} {r.failure}"))
        self.page.on("response", lambda r: self.faults.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("console", self.console)
        self.page.goto(url, wait_until="load")
        # index.html is a redirect
        self.page.wait_for_function("!document.querySelector('meta[http-equiv=refresh]')")
        self.page.wait_for_load_state("load")
        # scroll through, so that nothing is left unloaded, then wait for equations and widgets
        self.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        self.page.wait_for_load_state("networkidle")
        if self.page.locator(".math").count():
            self.page.wait_for_selector("mjx-container", timeout=20_000)
        wanted = self.page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count()
        self.page.wait_for_function(
            "n => document.querySelectorAll('.gan-explore img').length >= n", arg=wanted, timeout=20_000
        )
        self.page.wait_for_timeout(200)

    def console(self, message):
        # the widget manager's schema checker (ajv) remarks on Jupyter's own schema; neither is ours to change
        remark = message.type == "warning" and message.text.startswith("strict mode: use allowUnionTypes")
        if message.type in ("error", "warning") and not remark:
            self.faults.append(f"console: {message.text}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def unrendered(self):
        return self.page.evaluate(
            "[...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container'))"
            ".concat([...document.querySelectorAll('mjx-merror')]).map(e => e.textContent)"
        )

    def overflow(self):
        return self.page.evaluate(
            "(() => { const w = document.documentElement.clientWidth; "
            "return document.documentElement.scrollWidth > w ? [...document.querySelectorAll('article *')]"
            ".filter(e => e.getBoundingClientRect().right > w + 1).map(e => e.tagName + '.' + e.className).slice(0, 5)"
            ".concat(['page is ' + document.documentElement.scrollWidth]) : []; })()"
        )


def pages(site, *, furniture):
    found = sorted(path.relative_to(site).as_posix() for path in (site / "chapters").glob("*.html"))
    assert "chapters/03_vanilla_gan.html" in found and "chapters/intro.html" in found
    return [*found, "index.html", "search.html", "genindex.html"] if furniture else found


# from disk only paths and permissions differ, whatever the width and the colours
WAYS = [("http", size, scheme) for size in SIZES for scheme in ("light", "dark")]
WAYS += [("file", "desktop", "light"), ("file", "phone", "dark")]


@pytest.mark.parametrize(("way", "size", "scheme"), WAYS)
def test_every_page_is_whole_and_stays_at_home(site, server, browser, way, size, scheme):
    root = server if way == "http" else site.as_uri()
    wrong = {}
    # the pages without content are the same in all ways but for these
    furniture = (way, size, scheme) in {("http", "desktop", "light"), ("file", "phone", "dark")}
    for name in pages(site, furniture=furniture):
        with Visit(browser, f"{root}/{name}", size=size, scheme=scheme) as visit:
            faults = visit.faults + [f"unrendered: {e}" for e in visit.unrendered()]
            if size == "phone":
                faults += [f"too wide: {e}" for e in visit.overflow()]
            if scheme == "dark" and visit.page.evaluate("document.documentElement.dataset.theme") != "dark":
                faults.append("not dark")
            if faults:
                wrong[name] = faults
    assert not wrong


EXPERIMENTS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize(("way", "chapter"), [("file", "03_vanilla_gan"), *(("http", name) for name in EXPERIMENTS)])
def test_the_experiments_move(site, server, browser, way, chapter):
    root = server if way == "http" else site.as_uri()
    with Visit(browser, f"{root}/chapters/{chapter}.html") as visit:
        experiments = visit.page.locator(".gan-explore")
        assert experiments.count() >= 3
        for index in range(experiments.count()):
            box = experiments.nth(index)
            assert not box.locator("img").is_visible(), "shown before the reader has predicted"
            box.get_by_role("button").click()
            picture, slider = box.locator("img"), box.get_by_role("slider").first
            before, told = picture.get_attribute("src"), picture.get_attribute("alt")
            slider.focus()
            visit.page.keyboard.press("ArrowRight")
            assert picture.get_attribute("src") != before and picture.get_attribute("alt") != told
            visit.page.wait_for_function("e => e.complete && e.naturalWidth > 100", arg=picture.element_handle())
        assert not visit.faults


def test_search_finds_a_word_of_the_chapter(site, server, browser):
    with Visit(browser, f"{server}/search.html?q=discriminator") as visit:
        visit.page.wait_for_selector("#search-results a", timeout=20_000)
        assert "chapters/03_vanilla_gan.html" in visit.page.locator("#search-results").inner_html()


def test_the_download_button_gives_the_executed_notebook(site, server, browser):
    with Visit(browser, f"{server}/chapters/03_vanilla_gan.html") as visit:
        link = visit.page.locator("a.btn-download-source-button").first.get_attribute("href")
        reply = visit.page.request.get(f"{server}/chapters/{link}")
        cells = reply.json()["cells"]
        assert reply.ok and any(cell.get("outputs") for cell in cells)
