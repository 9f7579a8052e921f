import importlib
import io

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from gan_utils import widgets


def line(slope, width=1):
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, 1], [0, slope], linewidth=width)
    return figure, axes


def test_a_frame_for_every_combination_in_slider_order():
    widget = widgets.explore(line, slope=[-1, 0, 1], width=[1, 8])
    assert len(widget.offsets) == 7 and widget.offsets[-1] == len(widget.frames)
    frames = [widget.frames[a:b] for a, b in zip(widget.offsets, widget.offsets[1:], strict=False)]
    assert len(set(frames)) == 6 and all(Image.open(io.BytesIO(f)).size == (192, 96) for f in frames)
    assert [c["name"] for c in widget.controls] == ["slope", "width"] and not plt.get_fignums()


def test_limits_say_how_to_thin_the_grid(monkeypatch):
    with pytest.raises(ValueError, match="no values"):
        widgets.explore(line)
    with pytest.raises(ValueError, match="201 frames"):
        widgets.explore(line, slope=range(201))
    # the function of that name hides the module from attribute look-up
    monkeypatch.setattr(importlib.import_module("gan_utils.widgets.explore"), "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="bytes"):
        widgets.explore(line, slope=[1])
