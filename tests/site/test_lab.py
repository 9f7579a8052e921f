"""The widgets in JupyterLab, with a real server and a real kernel: what a reader who executes the notebooks gets."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from browsing import PATIENCE, ROOT

CELLS = [
    """import matplotlib.pyplot as plt
from gan_utils import widgets

def parabola(factor):
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([factor * x**2 for x in range(5)])
    axes.set_title(f"factor {factor:g}")
    return figure

widgets.explore(parabola, factor=[1, 2, 3])""",
    """playground = widgets.Playground(units=4)
playground""",
    """from gan_utils.networks import dcgan
explorer = widgets.LatentExplorer(dcgan.compact_generator(8, widths=(8, 4)))
explorer""",
    """panel = widgets.ExperimentPanel(steps=400, loss="hinge")
panel""",
    "print(playground.settings['loss'], explorer.seed, panel.gan and panel.gan.step)",
]


@pytest.fixture
def lab(browser, tmp_path):
    """A JupyterLab server on a folder with one notebook; the notebook's address."""
    pytest.importorskip("jupyterlab", reason="no JupyterLab: pip install -e '.[test]'")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder, home = tmp_path / "notebooks", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    nbformat.write(notebook, folder / "widgets.ipynb")
    settings = home / "lab/settings"
    settings.mkdir(parents=True)
    # no news from another host, no question about them
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    (settings / "overrides.json").write_text(json.dumps(quiet))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    options = [
        f"--ServerApp.port={port}",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.app_settings_dir={settings}",
        "--LabApp.news_url=",
        "--LabApp.extension_manager=readonly",
    ]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *options]
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home / "data")}
    environment["IPYTHONDIR"] = str(home / "ipython")
    with open(tmp_path / "log.txt", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
    try:
        address = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 600
        while True:
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=20)
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < end, (tmp_path / "log.txt").read_text()[-2000:]
                time.sleep(0.3)
        yield f"{address}/lab/tree/widgets.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(200)


def test_every_widget_works_with_a_kernel(lab, browser):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(2 * PATIENCE)
    page = context.new_page()
    elsewhere = []
    page.on("request", lambda sent: elsewhere.append(sent.url) if "127.0.0.1" not in sent.url[:30] else None)
    page.goto(lab)
    page.locator(".jp-Notebook").wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    for kind in (".gan-explore", ".gan-playground", ".gan-latents", ".gan-experiment"):
        page.locator(kind).wait_for(state="attached")

    # explore: on the grid, and off it
    box = page.locator(".gan-explore")
    box.scroll_into_view_if_needed()
    box.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert "factor 3" in box.locator("img").get_attribute("alt")
    picture = box.locator("img")
    before = picture.get_attribute("src")
    box.get_by_label("other factor").fill("0.25")
    box.get_by_role("button", name="Compute").click()
    box.get_by_text("computed by the kernel").wait_for()
    assert "factor 0.25" in picture.get_attribute("alt") and picture.get_attribute("src") != before
    first = picture.screenshot()
    box.get_by_label("other factor").fill("0.5")
    box.get_by_role("button", name="Compute").click()
    page.wait_for_function("e => e.alt.includes('factor 0.5')", arg=picture.element_handle())
    assert picture.screenshot() != first

    # the playground trains here too, and Python knows its settings
    box = page.locator(".gan-playground")
    box.scroll_into_view_if_needed()
    box.get_by_role("combobox", name="loss").select_option("hinge")
    box.get_by_role("button", name="Step", exact=True).click()
    assert box.get_attribute("data-steps") == "1"

    # the explorer's seed comes back to Python
    box = page.locator(".gan-latents")
    box.scroll_into_view_if_needed()
    box.get_by_role("spinbutton", name="first seed").fill("11")
    page.keyboard.press("Enter")

    # the panel trains beside the notebook
    box = page.locator(".gan-experiment")
    box.scroll_into_view_if_needed()
    box.get_by_role("button", name="Start").click()
    box.get_by_text(re.compile(r"step \d+ of 400|done after 400")).wait_for()
    box.get_by_text("done after 400 steps").wait_for()
    assert box.locator("img").get_attribute("alt").startswith("step 400")
    page.get_by_text("non_saturating 0 None", exact=True).wait_for()
    page.locator(".jp-CodeCell .jp-InputArea-editor").last.click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("hinge 11 400", exact=True).wait_for()
    context.close()
    assert not elsewhere
