import ast
import importlib
import io
import re
import threading
import time

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from gan_utils import plotting, training, widgets
from gan_utils.widgets import browser, experiment_panel

# the function of that name hides the module from attribute look-up
module = importlib.import_module("gan_utils.widgets.explore")


def line(slope, width=1):
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, 1], [0, slope], linewidth=width)
    axes.set_title(f"slope {slope}")
    return figure, axes


def frames(widget):
    return [widget.frames[a:b] for a, b in zip(widget.offsets, widget.offsets[1:], strict=False)]


def test_a_frame_for_every_combination_in_control_order():
    widget = widgets.explore(line, slope=[-1, 0, 1], width=[1, 8])
    assert len(widget.offsets) == 7 and widget.offsets[-1] == len(widget.frames)
    assert len(set(frames(widget))) == 6
    assert all(Image.open(io.BytesIO(f)).size == (192, 96) for f in frames(widget))
    assert [c["name"] for c in widget.controls] == ["slope", "width"] and not plt.get_fignums()
    assert widget.alts == [f"slope {s}; curves" for s in (-1, -1, 0, 0, 1, 1)]


def test_a_frame_is_the_figure():
    widget = widgets.explore(line, slope=[1])
    figure, _ = line(1)
    file = io.BytesIO()
    figure.savefig(file, dpi=96)
    drawn = np.asarray(Image.open(file).convert("RGB"), float)
    for shown in (frames(widget)[0], widget.still()):
        assert np.abs(np.asarray(Image.open(io.BytesIO(shown)).convert("RGB"), float) - drawn).mean() < 1


def test_each_kind_of_value_has_its_control():
    numbers = [1, 2.5, np.float64(0.1), 1234567, 1 / 3]
    widget = widgets.explore(lambda **chosen: {"n": [1]}, a=numbers, b=[False, True], c=["x", "y"])
    assert [c["kind"] for c in widget.controls] == ["number", "switch", "name"]
    assert widget.controls[0]["values"] == ["1", "2.5", "0.1", "1234567", "0.3333333333333333"]


def test_images_and_tables_are_frames_too():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 5, 4, 3)).astype(np.uint8)
    widget = widgets.explore(lambda k: images[k], alt="noise", k=[0, 1])
    assert all(np.array_equal(np.asarray(Image.open(io.BytesIO(f))), images[k]) for k, f in enumerate(frames(widget)))
    table = widgets.explore(lambda k: {"k": [k], "third": [k / 3]}, k=[1])
    assert frames(table) == [b'{"columns": ["k", "third"], "rows": [["1", "0.3333"]]}'] and table.still() is None


def test_output_holds_a_plain_picture_and_words():
    data, _ = widgets.explore(line, "up or down?", slope=[1, 2])._repr_mimebundle_()
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(data)
    assert data["text/plain"] == "up or down? First frame: slope 1; curves"


def test_limits_say_how_to_thin_the_grid(monkeypatch):
    with pytest.raises(ValueError, match="no values"):
        widgets.explore(line)
    with pytest.raises(ValueError, match="201 frames"):
        widgets.explore(line, slope=range(201))
    with pytest.raises(ValueError, match="float64"):
        widgets.explore(lambda k: np.zeros((2, 2)), alt="black", k=[1])
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="bytes"):
        widgets.explore(line, slope=[1])


def test_a_frame_without_words_is_refused():
    with pytest.raises(ValueError, match="no words"):
        widgets.explore(lambda k: plt.subplots()[0], k=[1])
    with pytest.raises(ValueError, match="no words"):
        widgets.explore(lambda k: np.zeros((2, 2), np.uint8), k=[1])


def test_a_kernel_computes_what_is_off_the_grid(monkeypatch):
    widget, sent = widgets.explore(line, slope=[0, 1], width=[1, 2]), []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append((content, buffers)))
    widget._handle_custom_msg({"ask": "alive"}, [])
    widget._handle_custom_msg({"ask": "frame", "position": [0, 1], "numbers": {"slope": 0.25}}, [])
    widget._handle_custom_msg({"ask": "frame", "position": [0, 1], "numbers": {"width": "x"}}, [])
    assert sent[0] == ({"alive": True}, None)
    assert sent[1][0] == {"kind": "image", "alt": "slope 0.25; curves"}
    expected = widgets.explore(line, slope=[0.25], width=[2])
    assert sent[1][1] == [expected.frames] and "off the grid" in sent[2][0]["fault"]


def test_slow_grids_show_a_bar_that_goes_away(monkeypatch):
    shown = []

    class Handle:
        def update(self, value):
            shown.append(value)

    monkeypatch.setattr("IPython.display.display", lambda value, **_: shown.append(value) or Handle())
    assert list(module._with_progress([{}] * 4, patience=0.0)) == [{}] * 4
    assert len(shown) == 5 and shown[-1].data == ""
    shown.clear()
    assert list(module._with_progress([{}] * 4)) == [{}] * 4 and not shown


def test_browser_modules_are_joined_without_their_imports():
    joined = browser.module("random", "controls", "explore")
    assert 'from "./' not in joined and joined.count("export default") == 1


# --- words for figures


def test_a_figure_is_described_by_its_words():
    figure, (left, right) = plt.subplots(1, 2)
    figure.suptitle("both")
    left.plot([0, 1], label="loss $L_D$")
    left.set(xlabel="step", title="left")
    left.legend()
    right.bar(["real", "fake"], [1, 2])
    assert plotting.describe(figure) == "both. left; curves: loss L_D; across: step. areas: real, fake"
    assert plotting.describe(plt.figure()) == ""
    figure, axes = plt.subplots()
    axes.plot([1, 1000])
    axes.set(yscale="log", xlabel=r"$\\hat p$")  # ticks such as 10³ are no words
    assert plotting.describe(figure) == "across: p"


# --- ExperimentPanel


def until(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def test_the_panel_pauses_goes_on_and_equals_its_line():
    panel = widgets.ExperimentPanel(loss="hinge", penalty="r1", seed=3, steps=600)
    panel.start()
    until(lambda: panel.fault or panel.gan.step >= 50)
    panel.pause()
    until(lambda: "paused" in panel.status.value)
    held = panel.gan.step
    assert held < 600 and panel.buttons["pause"].disabled and not panel.buttons["resume"].disabled
    with pytest.raises(RuntimeError, match="paused"):
        panel.wait()
    time.sleep(0.3)
    assert panel.gan.step == held
    panel.resume()
    panel.wait()
    assert panel.fault is None and panel.gan.step == 600 and "done after 600" in panel.status.value
    assert all(panel.buttons[name].disabled for name in ("pause", "resume", "stop"))
    assert re.search('<img alt="step 600; [^"]+" src="data:image/png;base64,', panel.picture.value)
    space = {}
    exec(panel.line, space)  # what a reader would copy
    assert np.array_equal(space["gan"].generate(20), panel.gan.generate(20))
    history = space["gan"].history.history  # a mean of 50 steps at each look, not of the whole run
    losses = np.transpose([history["discriminator_loss"], history["generator_loss"]])
    assert np.allclose(panel._run.losses, losses, rtol=1e-5) and len(losses) == 12


def test_the_panel_stops_begins_anew_and_keeps_what_it_has(monkeypatch):
    begun, held, fit = threading.Event(), threading.Event(), training.GAN.fit

    def late(self, *given, **named):
        begun.set()
        held.wait()
        return fit(self, *given, **named)

    monkeypatch.setattr(training.GAN, "fit", late)
    panel = widgets.ExperimentPanel(steps=100_000)
    panel.stop(), panel.pause(), panel.resume(), panel.wait()  # nothing to do, no error
    first = panel.start()._run
    begun.wait()
    second = panel.start()._run  # pressed again while it prepares
    third = panel.start()._run
    assert first.is_alive()  # no press waits for a run
    held.set()
    until(lambda: panel.fault or panel.gan.step >= 50)
    assert not first.is_alive() and not second.is_alive() and third.is_alive()
    panel.close()
    third.join(600)
    assert panel.fault is None and 0 < panel.gan.step < 100_000 and panel.gan.generate(3).shape == (3, 2)


def test_the_panels_controls_write_its_line():
    panel = widgets.ExperimentPanel()
    panel.controls["data"].value = "grid"
    panel.controls["discriminator_rate"].value = 0.003
    panel.controls["steps"].value = 150
    made = "gan, mixture = widgets.plane_gan(data='grid', discriminator_rate=0.003); gan.fit("
    assert panel.line.startswith(f"from gan_utils import widgets; {made}")
    assert "steps_per_epoch=50, epochs=3)" in panel.line and "discriminator_rate=0.003" in panel.code.value
    assert ast.parse(panel.line)


def test_a_fault_in_a_run_is_shown(monkeypatch):
    panel = widgets.ExperimentPanel(steps=50)

    def broken(*_):
        raise ValueError("no such <thing>")

    monkeypatch.setattr(experiment_panel, "_picture", broken)
    panel.start()
    panel.wait()
    assert isinstance(panel.fault, ValueError) and "no such &lt;thing&gt;" in panel.status.value


@pytest.mark.parametrize("settings", [{"loss": "best"}, {"rate": 1}, {"steps": 0}, {"steps": 70}, {"seed": -1}])
def test_the_panel_refuses_what_it_does_not_know(settings):
    with pytest.raises(ValueError, match="expected"):
        widgets.ExperimentPanel(**settings)


@pytest.mark.parametrize("settings", [{"data": "moons"}, {"penalty": "r9"}, {"generator_rate": 0}, {"loss": "best"}])
def test_plane_gan_refuses_what_it_does_not_know(settings):
    with pytest.raises(ValueError, match="expected"):
        widgets.plane_gan(**settings)


def test_every_real_number_gets_a_slider_and_other_values_a_choice():
    from decimal import Decimal
    from fractions import Fraction

    table = {"n": [1]}
    widget = widgets.explore(
        lambda **_: table,
        a=[Fraction(1, 3), Decimal("0.5"), np.float32(2), np.int64(12345678)],
        b=[10**400, 1],
        c=[float("nan"), 1.0],
        d=[True, 2],
        e=np.array([1, 2]),
    )
    assert [c["kind"] for c in widget.controls] == ["number", "name", "name", "name", "number"]
    assert widget.controls[0]["values"] == ["0.3333333333333333", "0.5", "2", "12345678"]
    assert all(len(word) < 300 for control in widget.controls for word in control["values"])


def test_numbers_in_a_table_look_alike_whatever_their_type():
    from fractions import Fraction

    cells = [12345678, np.int64(12345678), 0.123456, np.float32(0.123456), Fraction(1, 3), True, "a", None, 10**50]
    rows = ast.literal_eval(frames(widgets.explore(lambda k: {"x": cells}, k=[1]))[0].decode())["rows"]
    shown = [row[0] for row in rows]
    assert shown[:8] == ["12345678", "12345678", "0.1235", "0.1235", "0.3333", "True", "a", "None"]
    assert len(shown[8]) < 60


class Shows:
    """Can be called, and has no name of its own."""

    def __init__(self, shown):
        self.shown = shown

    def __call__(self, k):
        return self.shown[k] if isinstance(self.shown, dict) and k in self.shown else self.shown


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (None, "returned None: expected a figure"),
        ((), "expected a figure"),
        ("text", "expected a figure"),
        ({"x": [1], "y": [1, 2]}, r"lengths \{'x': 1, 'y': 2\}"),
        ({"x": 3}, "a column is no list"),
        ({}, "lengths"),
        (np.zeros((0, 4), np.uint8), "the image is uint8"),
        (np.zeros((4, 4, 4), np.uint8), "the image is uint8"),
    ],
    ids=str,
)
def test_a_wrong_frame_is_named_whoever_made_it(shown, says):
    import functools

    for function in (lambda k: shown, functools.partial(lambda k, x: shown, x=1), Shows(shown)):
        with pytest.raises(ValueError, match=says):
            widgets.explore(function, k=[1], alt="words")


def test_explore_names_what_it_cannot_use():
    for wrong in ({"function": None, "k": [1]}, {"function": line, "slope": 3}, {"function": line, "slope": "abc"}):
        with pytest.raises(ValueError, match="expected"):
            widgets.explore(**wrong)
    with pytest.raises(ValueError, match="dpi is"):
        widgets.explore(line, slope=[1], dpi=0)
    kinds = {1: {"x": [1]}, 2: np.zeros((4, 4), np.uint8)}
    with pytest.raises(ValueError, match=r"Shows returned \['image', 'table'\]"):
        widgets.explore(Shows(kinds), k=[1, 2], alt="words")
