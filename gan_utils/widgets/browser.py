"""What the widgets' Python classes share: their browser modules joined, and a picture for where no script runs."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

HERE = Path(__file__).parent
STYLE = HERE / "widgets.css"


def module(*names: str) -> str:
    """Return browser modules as one, each after those it imports from, since a widget carries a single text.

    Args:
        *names: of files beside this one, without ``.js``; the last has the default export.
    """
    texts = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return "\n".join(re.sub(r"^import [^;]* from \"\./[^\"]*\";\n", "", text, flags=re.MULTILINE) for text in texts)


def png(pixels: np.ndarray) -> bytes:
    """Return pixels, uint8 (H, W) or (H, W, 3), as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="png", optimize=True)
    return file.getvalue()


class PageWidget(anywidget.AnyWidget):
    """A widget that lives in a static page, and says what it shows where no script runs.

    Its output also holds its `alt` text and, if there is one, the plain picture `still`, for print, PDF and GitHub.
    """

    _css = STYLE
    predict = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)

    def still(self) -> bytes | None:
        """Return a picture of the widget, PNG, or None."""
        return None

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data, picture = {**data, "text/plain": self.alt}, self.still()
        if picture:
            data["image/png"] = base64.b64encode(picture).decode()
        return data, metadata


class NetworkWidget(PageWidget):
    """A widget with a network, which the page runs.

    In a built page its weights are taken out of the page, and lie in a script beside it, whose name is `beside`.
    """

    graph = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    beside = traitlets.Unicode("").tag(sync=True)
    rounding = traitlets.Dict().tag(sync=True)
