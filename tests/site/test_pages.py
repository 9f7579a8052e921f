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
