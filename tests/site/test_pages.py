"""Every built page in a real browser, over http and from disk, wide and narrow, light and dark.

The site is the one that GAN_BOOK_SITE names, else it is built here at the smoke budget.
"""

import pytest
from browsing import ROOT, SIZES, Visit


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


EXPERIMENTS = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb") if path.stem != "intro")


# --- every widget of every page, by mouse, keyboard and finger


def changed(picture, move):
    """Do something, and return whether a picture is another one after it."""
    before = picture.get_attribute("src"), picture.get_attribute("alt")
    move()
    after = picture.get_attribute("src"), picture.get_attribute("alt")
    return before[0] != after[0] and before[1] != after[1]


def explores(visit, tap):
    """Answer each experiment's question, then move all of its controls; return how many experiments there are."""
    boxes = visit.page.locator(".gan-explore")
    for index in range(boxes.count()):
        box = boxes.nth(index)
        picture = box.locator("img")
        assert not picture.is_visible(), "shown before the reader has predicted"
        reveal = box.get_by_role("button", name="I have an answer")
        reveal.tap() if tap else reveal.click()
        visit.page.wait_for_function("e => e.complete && e.naturalWidth > 100", arg=picture.element_handle())
        for slider in box.get_by_role("slider").all():
            if slider.get_attribute("max") != "0":
                slider.focus()
                assert changed(picture, lambda: visit.page.keyboard.press("ArrowRight"))
        for group in box.get_by_role("radiogroup").all():
            other = group.get_by_role("radio").last
            if group.get_by_role("radio").count() > 1:
                assert changed(picture, other.tap if tap else other.check)
        for select in box.get_by_role("combobox").all():
            if select.locator("option").count() > 1:
                assert changed(picture, lambda select=select: select.select_option(index=1))
        visit.page.wait_for_function("e => e.complete && e.naturalWidth > 100", arg=picture.element_handle())
    return boxes.count()


def playgrounds(visit, tap):
    for box in visit.page.locator(".gan-playground").all():
        for name in ("I have an answer, show it", "Step", "Step"):
            button = box.get_by_role("button", name=name, exact=True)
            if button.count():
                button.tap() if tap else button.click()
        assert box.get_attribute("data-steps") == "2"


def latent_explorers(visit, tap):
    for box in visit.page.locator(".gan-latents").all():
        for name in ("I have an answer, show it", "New sample"):
            before, button = box.get_attribute("data-mean"), box.get_by_role("button", name=name, exact=True)
            if button.count():
                button.tap() if tap else button.click()
        assert box.get_attribute("data-mean") != before and float(box.get_attribute("data-milliseconds")) < 100
        box.locator(".gan-wall button").nth(35).wait_for()


TOUCH = {"size": "phone", "has_touch": True, "is_mobile": True}
VISITS = [("file", "03_vanilla_gan"), ("file", "04_dcgan"), *(("http", name) for name in ["intro", *EXPERIMENTS])]


@pytest.mark.parametrize(("way", "chapter"), VISITS)
def test_the_experiments_move(site, server, browser, way, chapter):
    root, tap = server if way == "http" else site.as_uri(), VISITS.index((way, chapter)) % 2 == 0
    with Visit(browser, f"{root}/chapters/{chapter}.html", **(TOUCH if tap else {})) as visit:
        count = explores(visit, tap)
        playgrounds(visit, tap)
        latent_explorers(visit, tap)
        assert (count >= 3 or chapter == "intro") and not visit.faults


# --- what a reader who cannot see, or who waits, needs


def test_every_picture_has_words(site, browser):
    silent = {}
    for name in pages(site, furniture=False):
        with Visit(browser, f"{site.as_uri()}/{name}") as visit:
            found = visit.page.evaluate(
                "[...document.querySelectorAll('article img, article svg')]"
                ".filter(e => !e.closest('.gan-widget, mjx-container, button, a') && !e.closest('[aria-hidden=true]'))"
                ".map(e => [e.getAttribute('alt') ?? e.getAttribute('aria-label') ?? '', e.outerHTML.slice(0, 80)])"
            )
            wrong = [seen for words, seen in found if len(words) < 5 or "/" in words[:4] or words.startswith("<")]
            if wrong:
                silent[name] = wrong
    assert not silent


# what the theme itself causes: the labels of two of its buttons are not the words that its script puts on them
ALLOWED = {
    ("label-content-name-mismatch", "search-button-field"),
    ("label-content-name-mismatch", "theme-switch-button"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(site, server, browser, scheme):
    script = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
    wrong = {}
    for name in pages(site, furniture=True):
        with Visit(browser, f"{server}/{name}", scheme=scheme) as visit:
            visit.page.evaluate("document.querySelectorAll('.gan-question button').forEach(e => e.click())")
            visit.page.evaluate(script)
            found = visit.page.evaluate("rules => axe.run(document, rules)", rules)["violations"]
            bad = [
                (each["id"], node["html"][:150])
                for each in found
                for node in each["nodes"]
                if each["impact"] in ("serious", "critical")
                and not any(each["id"] == rule and name in node["html"] for rule, name in ALLOWED)
            ]
            if bad:
                wrong[name] = bad
    assert not wrong


def test_pages_are_light_and_soon_painted(site, browser):
    heavy = {}
    for name in pages(site, furniture=False):
        with Visit(browser, f"{site.as_uri()}/{name}") as visit:
            own = visit.page.evaluate("[...document.images].map(e => e.src).filter(s => s.includes('/_images/'))")
            files = [site / name, *(site / "_images" / source.rsplit("/", 1)[1] for source in set(own))]
            size = sum(file.stat().st_size for file in files)
            painted = visit.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        if size > 3_000_000 or painted > 1500:
            heavy[name] = {"bytes": size, "milliseconds": painted}
    assert not heavy


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
