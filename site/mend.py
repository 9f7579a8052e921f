"""What Jupyter Book writes, mended: words for pictures, nothing to mislead a screen reader, outputs to download."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from pathlib import Path

import nbformat


def pages(site: Path, executed: dict[str, nbformat.NotebookNode]) -> None:
    """Mend the pages of a site; `executed` has its notebooks with their outputs by name."""
    for name, notebook in executed.items():  # what the download button of a page gives
        nbformat.write(notebook, site / "_sources/chapters" / f"{name}.ipynb")
    _mend(executed.values(), [*site.glob("*.html"), *site.glob("chapters/*.html")], site / "_static/networks")
    index = site / "index.html"  # a redirect, on which browsers would ask the server for an icon of its own
    index.write_text('<link rel="icon" href="data:,">\n' + index.read_text())


def networks_beside(text: str, folder: Path) -> str:
    """Return a page without the weights of its networks, each of which a script in a folder then has.

    The page is read sooner, and a network only by who uses it. A script is what a page from disk may read too.
    """

    def taken_out(match: re.Match) -> str:
        told = json.loads(match[2])
        for model in told["state"].values():
            for buffer in [each for each in model.get("buffers", []) if each["path"] == ["weights"]]:
                name = hashlib.sha256(buffer["data"].encode()).hexdigest()[:16]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{name}.js").write_text(f'window.ganNetworks["{name}"] = "{buffer["data"]}";\n')
                model["buffers"].remove(buffer)
                model["state"]["beside"] = name
        return match[1] + json.dumps(told).replace("</", r"<\/") + match[3]

    tag = r'(<script type="application/vnd.jupyter.widget-state\+json">)(.*?)(</script>)'
    return re.sub(tag, taken_out, text, flags=re.DOTALL)


def _mend(notebooks: Iterable[nbformat.NotebookNode], files: Iterable[Path], networks: Path) -> None:
    texts = {}  # a picture's file is named by the hash of its bytes
    outputs = [output for notebook in notebooks for cell in notebook.cells for output in cell.get("outputs", [])]
    for data in (output.get("data", {}) for output in outputs):
        if "image/png" in data:
            texts[hashlib.sha256(base64.b64decode(data["image/png"])).hexdigest()] = data.get("text/plain", "")

    def words(match: re.Match) -> str:
        return f'alt="{html.escape(texts.get(match[1], ""), quote=True)}"'

    for page in files:
        text = re.sub(r'alt="[^"]*?([0-9a-f]{64})\.png"', words, page.read_text())
        # a label that hides the words inside; a list whose entries are not list items
        text = text.replace(' aria-label="Toggle hidden content"', "").replace(' role="list" class="citation-list"', "")
        # a button inside a button; a button without a name
        text = re.sub(r"<summary>Expand for references to .*?</summary>", "<summary>Where it is used</summary>", text)
        text = text.replace(
            '<summary><span class="toctree-toggle"', '<summary aria-label="Pages below"><span class="toctree-toggle"'
        )
        page.write_text(networks_beside(text, networks))
