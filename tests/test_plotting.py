import matplotlib.pyplot as plt
import numpy as np
import pytest

from gan_utils import plotting


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_holds_every_image_once(channels):
    images = np.linspace(-1, 1, 5 * 4 * 4 * channels, dtype="float32").reshape(5, 4, 4, channels)
    _, axes = plotting.image_grid(images, columns=3)
    picture = np.asarray(axes.images[0].get_array())
    assert picture.shape[:2] == (12, 18)
    assert np.allclose(picture[1:5, 1:5], plotting.to_display(images)[0])
    assert np.allclose(picture[7:11, 7:11], plotting.to_display(images)[4]) and np.all(picture[7:11, 13:17] == 1.0)


def test_grid_draws_where_it_is_told():
    figure, both = plt.subplots(1, 2)
    drawn = plotting.image_grid(np.zeros((4, 2, 2, 1)), axes=both[1], title="right")
    assert drawn == (figure, both[1]) and not both[0].images and both[1].get_title() == "right"


def test_curves_carry_their_reference_lines():
    _, axes = plotting.curves({"a": [1.0, 2.0]}, {"log 2": 0.693}, steps_per_epoch=10)
    assert axes.lines[0].get_xdata().tolist() == [10, 20] and axes.lines[1].get_ydata()[0] == 0.693


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="expected"):
        plotting.to_display(np.zeros((4, 4)))


def test_figures_in_a_row_are_vectors_and_fit_the_page():
    figures = [plotting.curves({"a": [1.0, 2.0]})[0] for _ in range(2)]
    page = plotting.in_a_row(*figures).data
    assert page.count("<svg") == 2 and "image/png" not in page and 'height="' not in page.split("<svg")[1].split(">")[0]
    assert "flex-wrap" in page and not plt.get_fignums()


def test_a_label_given_later_still_lies_inside():
    figure, axes = plotting.curves({"a": [1.0, 2.0]})
    axes.set_ylabel("distance")
    figure.canvas.draw()
    assert axes.yaxis.label.get_window_extent().x0 >= 0


def test_a_table_says_the_same_on_a_page_and_in_a_terminal():
    columns = {
        "loop": ["a < b", "b"],
        "images/s": [1234.5, None],
        "ratio": [(1.0, 0.91, 1.126), (2.0, 1.5, 2.5)],
        "steps": [np.int64(40_000), 7],
    }
    made = plotting.table(
        columns, caption="Speed", formats={"ratio": ".2f"}, best={"ratio": "lowest", "images/s": "highest"}
    )
    assert repr(made).splitlines() == [
        "Speed",
        "loop   images/s                  ratio   steps",
        "a < b   *1,230*  *1.00 (0.91 to 1.13)*  40,000",
        "b             –    2.00 (1.50 to 2.50)       7",
    ]
    page = made._repr_html_()
    assert "<caption>Speed</caption>" in page and "a &lt; b" in page
    assert page.count("<strong>") == 2 and "<strong>1.00 (0.91 to 1.13)</strong>" in page
    assert page.count("<tr>") == 3 and page.count('data-heading="ratio"') == 2
    assert '<td data-heading="images/s" style="text-align:right">–</td>' in page


@pytest.mark.parametrize(
    ("columns", "given", "says"),
    [
        ({"a": [1, 2], "b": [1]}, {}, r"lengths \{'a': 2, 'b': 1\}"),
        ({}, {}, "at least one row"),
        ({"a": []}, {}, "at least one row"),
        ({"a": [1]}, {"best": {"c": "highest"}}, "'c' is no heading"),
        ({"a": [1]}, {"formats": {"c": ".2f"}}, "'c' is no heading"),
        ({"a": [1]}, {"best": {"a": "largest"}}, "'largest'; expected 'highest' or 'lowest'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(columns, given, says):
    with pytest.raises(ValueError, match=says):
        plotting.table(columns, caption="x", **given)
