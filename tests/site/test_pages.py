"""Every built page in a real browser, over http and from disk, wide and narrow, light and dark.

The site is the one that `make book` built of these very files, else it is built here at the smoke budget.
"""

from pathlib import Path

import pytest
from browsing import ROOT, Visit

PAGES = sorted(
    f"chapters/{path.stem}.html" for kind in ("md", "ipynb") for path in (ROOT / "chapters").glob(f"*.{kind}")
)
EXPERIMENTS = {path.stem for path in (ROOT / "chapters").glob("*.ipynb")}
PLAYGROUNDS = {"intro", "03_vanilla_gan", "05_mode_collapse", "06_wgan"}
AT_ONCE = "*, *::before, *::after { transition: none !important }"  # no colour is judged while it fades
TOUCH = {"size": "phone", "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("name", [*PAGES, "index.html", "search.html", "genindex.html"])
@pytest.mark.parametrize(("way", "tap"), [("http", False), ("file", True)], ids=["http-desktop", "file-phone"])
def test_every_page_is_whole_stays_at_home_and_moves(site, server, browser, way, tap, name):
    """As it is loaded, with every experiment moved, and with the screen in light and in dark."""
    root = server if way == "http" else site.as_uri()
    with Visit(browser, f"{root}/{name}", **(TOUCH if tap else {})) as visit:
        faults = [f"unrendered: {e}" for e in visit.unrendered()] + silent(visit)
        if name in PAGES:
            faults += slow_or_heavy(visit, site / name) if way == "file" else []
            experiments_move(visit, Path(name).stem, tap)
        visit.page.add_style_tag(content=AT_ONCE)
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)  # as when the reader's screen gets dark
            visit.page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
            visit.page.wait_for_timeout(200)
            faults += [f"too wide: {e}" for e in visit.overflow()] if tap else inaccessible(visit)
        assert not visit.faults + faults


@pytest.mark.parametrize(("way", "chapter", "tap"), [("file", "03_vanilla_gan", False), ("http", "04_dcgan", True)])
def test_the_other_two_ways_work_too(site, server, browser, way, chapter, tap):
    root = server if way == "http" else site.as_uri()
    with Visit(browser, f"{root}/chapters/{chapter}.html", **(TOUCH if tap else {})) as visit:
        experiments_move(visit, chapter, tap)
        assert not visit.faults


def test_no_page_is_left_out(site):
    assert sorted(path.relative_to(site).as_posix() for path in (site / "chapters").glob("*.html")) == PAGES


def test_a_reader_who_prefers_dark_gets_dark(site, browser):
    with Visit(browser, f"{site.as_uri()}/chapters/04_dcgan.html", scheme="dark") as visit:
        assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark" and not visit.faults


def test_every_font_that_a_page_declares_is_there(site, browser):
    """Which of them a browser asks for depends on what is drawn when; so all are asked for."""
    with Visit(browser, f"{site.as_uri()}/chapters/own_images.html") as visit:
        count = visit.page.evaluate("Promise.all([...document.fonts].map(e => e.load())).then(all => all.length)")
        assert count >= 4 and not visit.faults


def silent(visit):
    """Return the pictures of a page, outside widgets and icons, that have no words."""
    found = visit.page.evaluate(
        "[...document.querySelectorAll('article img, article svg')]"
        ".filter(e => !e.closest('.gan-widget, mjx-container, button, a, [aria-hidden=true]'))"
        ".map(e => [e.getAttribute('alt') ?? e.getAttribute('aria-label') ?? '', e.outerHTML.slice(0, 80)])"
    )
    return [f"no words: {tag}" for words, tag in found if len(words) < 5 or words.startswith(("<", "../"))]


def slow_or_heavy(visit, file):
    """Return what is wrong with a page's own bytes (without shared scripts) and its first paint from disk."""
    shown = visit.page.evaluate("[...document.images].map(e => e.src).filter(s => s.includes('/_images/'))")
    images = {file.parents[1] / "_images" / source.rsplit("/", 1)[1] for source in shown}
    size = sum(each.stat().st_size for each in [file, *images])
    painted = visit.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    faults = [f"{size:,} bytes"] if size > 3_000_000 else []
    # beside eighteen busy processes the median over pages was 600 ms, the longest 1,260
    return faults + ([f"first paint after {painted:.0f} ms"] if painted > 6000 else [])


RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
# what the theme itself causes: the labels of two of its buttons are not the words that its script puts on them
ALLOWED = {
    ("label-content-name-mismatch", "search-button-field"),
    ("label-content-name-mismatch", "theme-switch-button"),
}


def inaccessible(visit):
    """Return what axe-core finds serious or critical, with all answers revealed."""
    visit.page.evaluate("document.querySelectorAll('.gan-question button').forEach(e => e.click())")
    visit.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text())
    found = visit.page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    return [
        f"axe: {each['id']}: {node['html'][:150]}"
        for each in found
        for node in each["nodes"]
        if each["impact"] in ("serious", "critical")
        and not any(each["id"] == rule and name in node["html"] for rule, name in ALLOWED)
    ]


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
    return visit.page.locator(".gan-playground").count()


def latent_explorers(visit, tap):
    for box in visit.page.locator(".gan-latents").all():
        for name in ("I have an answer, show it", "New sample"):
            before, button = box.get_attribute("data-mean"), box.get_by_role("button", name=name, exact=True)
            if button.count():
                button.tap() if tap else button.click()
            box.scroll_into_view_if_needed()
            visit.page.wait_for_function(
                "([e, before]) => e.dataset.mean && e.dataset.mean !== before", arg=[box.element_handle(), before]
            )
        box.locator(".gan-wall button").nth(35).wait_for()
    return visit.page.locator(".gan-latents").count()


def explorers(visit, tap):
    boxes = visit.page.locator(".gan-explorer").all()
    for box in boxes:
        before, new = box.locator(".gan-stage").inner_html(), box.get_by_role("button", name="New", exact=False).first
        new.tap() if tap else new.click()
        box.locator(".gan-stage").page.wait_for_function(
            "([e, before]) => e.innerHTML !== before", arg=[box.locator(".gan-stage").element_handle(), before]
        )
    return len(boxes)


def experiments_move(visit, chapter, tap):
    """Move everything that a page has, and see that it has what it should."""
    count = explores(visit, tap)
    assert count >= 3 or chapter in ("intro", "own_images", "own_family") or chapter not in EXPERIMENTS
    assert playgrounds(visit, tap) == (chapter in PLAYGROUNDS)
    assert latent_explorers(visit, tap) == (chapter in ("04_dcgan", "own_images"))
    assert explorers(visit, tap) == (chapter == "own_family")
    assert visit.page.locator(".gan-experiment img").count() == (chapter == "06_wgan")


def test_search_finds_a_word_of_the_chapter(site, server, browser):
    with Visit(browser, f"{server}/search.html?q=discriminator") as visit:
        visit.page.wait_for_selector("#search-results a")
        assert "chapters/03_vanilla_gan.html" in visit.page.locator("#search-results").inner_html()


def test_the_download_button_gives_the_executed_notebook(site, server, browser):
    with Visit(browser, f"{server}/chapters/03_vanilla_gan.html") as visit:
        link = visit.page.locator("a.btn-download-source-button").first.get_attribute("href")
        reply = visit.page.request.get(f"{server}/chapters/{link}")
        cells = reply.json()["cells"]
        assert reply.ok and any(cell.get("outputs") for cell in cells)
