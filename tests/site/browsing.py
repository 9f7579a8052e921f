"""What the page tests share: a server, and pages that are watched while they load."""

import contextlib
import functools
import http.server
import json
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

from ipywidgets.embed import embed_data

ROOT = Path(__file__).resolve().parents[2]
BROWSER = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
PATIENCE = 120_000  # milliseconds: far more than a page needs, so that a busy machine fails no test
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@contextlib.contextmanager
def serving(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


class Visit:
    """A page, opened and settled, with everything that went wrong on the way."""

    def __init__(self, browser, url, *, size="desktop", scheme="light", **options):
        width, height = SIZES[size]
        options |= {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.page, self.faults, home = self.context.new_page(), [], urlsplit(url)

        def request(sent):
            there = urlsplit(sent.url)
            if there.scheme not in ("data", "blob") and (there.scheme, there.netloc) != (home.scheme, home.netloc):
                self.faults.append(f"request to another host: {sent.url}")

        self.page.on("request", request)
        self.page.on("requestfailed", self.failed)
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
            self.page.wait_for_selector("mjx-container")
        wanted = self.page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count()
        self.page.wait_for_function(
            "n => document.querySelectorAll('.gan-widget, .gan-experiment').length >= n", arg=wanted
        )
        self.page.wait_for_timeout(200)

    def failed(self, request):
        # a picture of the page's own that another one replaces before it is shown
        replaced = request.url.startswith("blob:") and request.failure == "net::ERR_ABORTED"
        if not replaced:
            self.faults.append(f"failed request: {request.url} {request.failure}")

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


def widget_page(folder, *widgets):
    """Write a page that holds widgets as a page of the book does, and nothing else; return its file."""
    state = embed_data(views=list(widgets), drop_defaults=False)
    tag = '<script type="application/vnd.jupyter.widget-{}+json">{}</script>'.format
    views = "".join(f"<div>{tag('view', json.dumps(view))}</div>" for view in state["view_specs"])
    page = folder / "index.html"
    page.write_text(f"""<!doctype html><html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>widgets</title>
<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<style>html[data-theme=dark] body {{ background: #121212; color: #ddd; }}</style>
<script src="_static/requirejs/require.js"></script><script src="_static/widgets.js"></script>
<script src="_static/html-manager/dist/embed-amd.js" data-jupyter-widgets-cdn="widget-is-missing/"></script>
{tag("state", json.dumps(state["manager_state"]))}</head><body><main><h1>Widgets</h1>{views}</main></body></html>""")
    return page
