"""Explorer: controls that fit a network's inputs, views that fit its outputs, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from gan_utils.runtime import keras
from gan_utils.widgets import explorer

layers = keras.layers
Bars, Choice, Drawing, Latent = explorer.Bars, explorer.Choice, explorer.Drawing, explorer.Latent
Picture, Sliders, Tray, Voxels = explorer.Picture, explorer.Sliders, explorer.Tray, explorer.Voxels


def told():
    """Latents, a class, a code and a picture; a picture, and three numbers."""
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((3,)), keras.Input((), dtype="int32"), keras.Input((2,)), keras.Input((4, 4, 1))]
    x = layers.Concatenate()([inputs[0], layers.Embedding(3, 2)(inputs[1]), inputs[2], layers.Flatten()(inputs[3])])
    picture = layers.Reshape((4, 4, 1))(layers.Dense(16, "tanh")(x))
    return keras.Model(inputs, [picture, layers.Dense(3, "softmax")(x)], name="told")


TRAY = np.linspace(-1, 1, 32, dtype="float32").reshape(2, 4, 4, 1)
CONTROLS = [Latent("noise", seed=7), Choice("class", options=("a", "b", "c"), start=1)]
CONTROLS += [Sliders("code", names=("x", "y"), start=0.5), Tray("source", images=TRAY)]
VIEWS = [Picture("the sample"), Bars("its class", output=1, names=("a", "b", "c"))]


def test_controls_and_views_are_told_what_they_need():
    made = explorer.Explorer(told(), CONTROLS, VIEWS)
    assert [control["kind"] for control in made.controls] == ["latent", "choice", "sliders", "tray"]
    assert made.controls[0]["seed"] == 7 and made.controls[1]["start"] == 1 and not made.controls[1]["hot"]
    assert made.controls[2]["values"][made.controls[2]["start"]] == pytest.approx(0.5, abs=0.06)
    assert made.controls[3]["names"] == ["picture 1", "picture 2"]
    assert [view["kind"] for view in made.views] == ["picture", "bars"] and made.views[1]["output"] == 1
    assert made.rounding["max"] < 0.01 and "noise, class, code, source" in made.alt


def test_the_still_picture_is_what_the_network_makes_of_the_first_inputs():
    network = told()
    made = explorer.Explorer(network, CONTROLS, VIEWS)
    given = [
        control.first(shape, dtype)
        for control, shape, dtype in zip(
            CONTROLS, [(3,), (), (2,), (4, 4, 1)], ["float32", "int32", "float32", "float32"], strict=True
        )
    ]
    expected = np.asarray(network(given)[0])[0, :, :, 0]
    shown = np.asarray(Image.open(io.BytesIO(made.still())), np.float32)
    assert shown.shape == (224, 224) and np.abs(shown[::56, ::56] / 127.5 - 1 - expected).max() < 0.01
    assert explorer.Explorer(network, CONTROLS, VIEWS[1:]).still() is None


def test_a_class_may_be_one_hot():
    network = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    made = explorer.Explorer(network, [Choice("class", options="abc", start=2)], [Bars("two", names="xy")])
    assert made.controls[0]["hot"] and Choice("class", options="abc", start=2).first((3,), "float32").tolist() == [
        [0, 0, 1]
    ]


def test_a_drawing_begins_black_or_as_it_is_told():
    network = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(2)])
    start = np.array([[[1.0], [-1.0]], [[-1.0], [-1.0]]])
    for given, expected in ((None, [-1, -1, -1, -1]), (start, [1, -1, -1, -1])):
        made = explorer.Explorer(network, [Drawing("a sketch", start=given)], [Bars("two", names="xy")])
        assert made.controls[0]["start"] == expected


def other(**changed):
    controls, views = list(CONTROLS), list(VIEWS)
    for place, control in changed.get("controls", {}).items():
        controls[place] = control
    for place, view in changed.get("views", {}).items():
        views[place] = view
    return told(), controls, views


REFUSED = {
    "a control too few": lambda: (told(), CONTROLS[:3], VIEWS),
    "no view": lambda: (told(), CONTROLS, []),
    "a choice of too few": lambda: other(controls={2: Choice("class", options=("a",))}),
    "a start that is no option": lambda: other(controls={1: Choice("class", options=("a", "b", "c"), start=3)}),
    "sliders of another number": lambda: other(controls={2: Sliders("code", names=("x",))}),
    "sliders that start outside": lambda: other(controls={2: Sliders("code", names=("x", "y"), start=9)}),
    "pictures of another size": lambda: other(controls={3: Tray("source", images=TRAY[:, :3])}),
    "pictures of another range": lambda: other(controls={3: Tray("source", images=255 * TRAY)}),
    "names of another number": lambda: other(controls={3: Tray("source", images=TRAY, names=("one",))}),
    "a drawing for a vector": lambda: other(controls={2: Drawing("a sketch")}),
    "a view of an output that is not there": lambda: other(views={0: Picture("it", output=2)}),
    "a picture of a vector": lambda: other(views={0: Picture("it", output=1)}),
    "voxels of a picture": lambda: other(views={0: Voxels("it")}),
    "bars of another number": lambda: other(views={1: Bars("its class", output=1, names=("a",))}),
    "too many weights": lambda: (
        keras.Sequential([keras.Input((1300,)), layers.Dense(1300)]),
        [Latent()],
        [Bars("x", names=[str(k) for k in range(1300)])],
    ),
}
SAYS = {
    "a control too few": "got 3 controls and 2 views",
    "no view": "and 0 views",
    "a choice of too few": "gives a number or 1 in one-hot form",
    "a start that is no option": "start is 3",
    "sliders of another number": "gives 1 numbers",
    "sliders that start outside": "start at 9",
    "pictures of another size": "gives pictures",
    "pictures of another range": r"expected \[-1, 1\]",
    "names of another number": "2 pictures and 1 names",
    "a drawing for a vector": "gives a picture",
    "a view of an output that is not there": "output is 2",
    "a picture of a vector": "shows pictures",
    "voxels of a picture": "shows voxels",
    "bars of another number": "shows 1 numbers",
    "too many weights": "expected at most 1,500,000",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name):
    with pytest.raises(ValueError, match=SAYS[name]):
        explorer.Explorer(*REFUSED[name]())
