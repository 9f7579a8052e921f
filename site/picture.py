"""Take the README's picture from the book that ``make book`` built: ``python site/picture.py``.

It is the last picture of the cell that trains the DCGAN: the same 25 latents as all through that chapter, not chosen.
"""

import base64
from pathlib import Path

from jupyter_cache import get_cache

ROOT = Path(__file__).resolve().parent.parent
CHAPTER, CELL = "chapters/04_dcgan.ipynb", "cell-09"


def main() -> None:
    """Write site/assets/samples.png."""
    _, notebook = get_cache(ROOT / "_build/.cache-cpu").merge_match_into_file(ROOT / CHAPTER)
    (cell,) = [cell for cell in notebook.cells if cell.id == CELL]
    pictures = [output["data"]["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    (ROOT / "site/assets/samples.png").write_bytes(base64.b64decode(pictures[-1]))


if __name__ == "__main__":
    main()
