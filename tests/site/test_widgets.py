"""The widgets in a real browser, on a page of their own: mouse, touch and keyboard, numbers as Python has them."""

import json
import re
import urllib.parse

import matplotlib.pyplot as plt
import numpy as np
import pytest
from browsing import Visit, serving, widget_page

from gan_utils import widgets
from gan_utils.networks import dcgan
from gan_utils.runtime import keras
from gan_utils.widgets import explorer, graph, latent_explorer, playground

PIXELS = """e => {
  const copy = new OffscreenCanvas(e.width, e.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(e, 0, 0);
  const data = copy.getImageData(0, 0, e.width, e.height).data;
  let [sum, hash] = [0, 0];
  for (const x of data) { sum += x; hash = (31 * hash + x) | 0; }
  return [hash, sum / data.length];
}"""  # of a canvas: a number that tells one picture from another, and the mean
COUNT = """() => {
  window.drawn = 0;
  const own = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...a) { window.drawn += 1; return own.apply(this, a); };
}"""


@pytest.fixture
def visit(browser, page_folder):
    """Open a page with widgets; the visit must end without a fault."""
    opened = []

    def go(*made, way="file", hash="", **options):
        page = widget_page(page_folder, *made)
        if way == "http":
            server = serving(page_folder)
            address = f"{server.__enter__()}/index.html"
            opened.append((server, None))
        else:
            address = page.as_uri()
        seen = Visit(browser, address + hash, **options)
        opened.append((seen, seen))
        return seen

    yield go
    for context, _ in reversed(opened):
        context.__exit__(None, None, None)
    assert not [fault for _, seen in opened if seen for fault in seen.faults]


def steps(page):
    return int(page.locator(".gan-playground").get_attribute("data-steps"))


def table(page):
    rows = page.locator(".gan-playground tr").all()
    return {row.locator("th").inner_text(): row.locator("td").first.inner_text() for row in rows}


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


# --- Playground


@pytest.mark.parametrize(("way", "size"), [("file", "desktop"), ("http", "phone")])
def test_a_step_in_the_page_is_the_engines(visit, browser_code, way, size):
    page = visit(widgets.Playground(loss="wasserstein_penalty", units=8, seed=4), way=way, size=size).page
    for _ in range(3):
        press(page, "Step")
    run = "(() => { const g = new m.PlaneGAN(d); return [g.step(), g.step(), g.step()]; })()"
    settings = {**playground.DEFAULTS, "loss": "wasserstein_penalty", "units": 8, "seed": 4}
    expected = browser_code(["random", "autodiff", "plane_gan"], run, **settings)[-1]
    shown = table(page)
    assert steps(page) == 3 and shown["step"] == "3"
    assert [shown["discriminator's loss"], shown["generator's loss"]] == [f"{x:.3f}" for x in expected]


def test_the_playground_plays_and_pauses(visit):
    page = visit(widgets.Playground()).page
    plane = page.locator(".gan-playground canvas").first.element_handle()
    before = plane.evaluate(PIXELS)
    press(page, "Play")
    page.wait_for_function("document.querySelector('.gan-playground').dataset.steps > 65")
    press(page, "Pause")
    held = steps(page)
    page.wait_for_timeout(300)
    assert steps(page) == held and plane.evaluate(PIXELS) != before
    press(page, "Reset")
    assert steps(page) == 0 and plane.evaluate(PIXELS) == before


def test_a_hundred_steps_and_the_run_before(visit):
    page = visit(widgets.Playground(units=4)).page
    for steps_taken in (100, 200):
        press(page, "+ 100 steps")
        page.get_by_text(f"step {steps_taken},").wait_for()
        assert steps(page) == steps_taken
    first = table(page)["Jensen-Shannon"]
    page.get_by_role("combobox", name="loss").select_option("hinge")
    told = page.get_by_text("the run before").inner_text()
    assert "non saturating, 1 to 1" in told and "step 200" in told and told.endswith(first) and steps(page) == 0


@pytest.mark.parametrize("switch", ["Heat map", "Latent grid", "Arrows"])
def test_each_layer_of_the_picture_can_be_switched(visit, switch):
    page = visit(widgets.Playground()).page
    press(page, "Step")
    plane = page.locator(".gan-playground canvas").first.element_handle()
    before = plane.evaluate(PIXELS)
    button = page.get_by_role("button", name=switch)
    pressed = button.get_attribute("aria-pressed")
    button.focus()
    page.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") != pressed and plane.evaluate(PIXELS) != before
    page.keyboard.press("Space")
    assert plane.evaluate(PIXELS) == before


def test_every_setting_begins_a_new_run(visit):
    page = visit(widgets.Playground(units=4, batch_size=16)).page
    page.get_by_text("More settings").click()
    for name, choices in playground.CHOICES.items():
        for value in choices:
            label = "discriminator steps" if name == "critic_steps" else f"^{name.replace('_', ' ')}$"
            page.get_by_role("combobox", name=re.compile(label)).select_option(str(value))
            assert steps(page) == 0
        press(page, "Step")
        assert steps(page) == 1
    page.get_by_label("seed").fill("-3")
    page.get_by_label("seed").press("Enter")
    assert "seed is -3" in page.get_by_role("alert").inner_text() and page.get_by_label("seed").input_value() == "0"


def test_a_link_from_within_a_slow_step_is_exact(visit):
    page = visit(widgets.Playground(units=4)).page
    press(page, "Slow motion")
    press(page, "Play")
    page.get_by_text("the discriminator has moved").wait_for()
    press(page, "Pause")
    press(page, "Copy a link to this state")
    kept, shown = page.evaluate("location.hash"), table(page)
    again = visit(widgets.Playground(), hash=kept).page
    again.get_by_text(f"step {shown['step']},").wait_for()
    assert table(again) == shown and int(shown["step"]) >= 1


def test_a_restoring_run_can_be_stopped(visit):
    hash = "#playground=" + urllib.parse.quote('{"step": 20000, "critic_steps": 10, "loss": "wasserstein_penalty"}')
    page = visit(widgets.Playground(), hash=hash).page
    page.get_by_text("going to step 20000").wait_for()
    press(page, "Pause")
    held = steps(page)
    page.wait_for_timeout(300)
    assert steps(page) == held < 20000


def test_a_run_that_diverges_says_so(visit):
    wild = {"optimizer": "sgd", "generator_rate": 0.1, "discriminator_rate": 0.1, "loss": "wasserstein_penalty"}
    page = visit(widgets.Playground(critic_steps=10, penalty=10, **wild)).page
    press(page, "Play")
    page.get_by_role("alert").get_by_text("diverged").wait_for()
    assert table(page)["Jensen-Shannon"] == "–" and page.get_by_role("button", name="Play").is_disabled()
    press(page, "Reset")
    assert page.get_by_role("button", name="Play").is_enabled() and table(page)["Jensen-Shannon"] != "–"


def test_slow_motion_shows_each_players_move(visit):
    page = visit(widgets.Playground(units=4)).page
    press(page, "Slow motion")
    press(page, "Play")
    begun = page.evaluate("performance.now()")
    for player in ("discriminator", "generator"):
        page.get_by_text(f"the {player} has moved").wait_for()
    press(page, "Pause")
    seconds = (page.evaluate("performance.now()") - begun) / 1000
    assert 1 <= steps(page) <= 2 + seconds / 1.2  # of two moves each


def test_a_link_restores_a_state(visit):
    page = visit(widgets.Playground(units=4)).page
    page.get_by_label("loss", exact=True).select_option("hinge")
    for _ in range(12):
        press(page, "Step")
    press(page, "Copy a link to this state")
    kept, shown = page.evaluate("location.hash"), table(page)
    asked = json.loads(urllib.parse.unquote(kept.partition("=")[2]))
    assert asked == {**playground.DEFAULTS, "units": 4, "loss": "hinge", "step": 12}
    again = visit(widgets.Playground(data="grid"), hash=kept).page  # whatever that page begins with
    again.wait_for_function("document.querySelector('.gan-playground').dataset.steps == 12")
    again.get_by_text("step 12,").wait_for()
    assert table(again) == shown and again.get_by_label("loss", exact=True).input_value() == "hinge"


BAD_LINKS = {
    "no JSON": "not JSON",
    '{"loss": "best"}': "loss is",
    '{"step": 1e9}': "step is 1000000000",
    '{"step": "3"}': "step is 3",
    '{"points": [["a", 1]]}': "points",
    '{"faster": true}': "no setting faster",
    "[]": "not an object",
    "null": "not an object",
    '{"seed": "<img src=x onerror=alert(1)>"}': "seed is <img",
}


@pytest.mark.parametrize(("link", "message"), BAD_LINKS.items())
def test_a_bad_link_is_refused_in_words(visit, link, message):
    hash = "#playground=" + urllib.parse.quote(link)
    page = visit(widgets.Playground(units=4), hash=hash).page
    told = page.get_by_role("alert").inner_text()
    assert message in told and steps(page) == 0
    press(page, "Step")
    assert steps(page) == 1


def test_drawing_with_mouse_and_keys(visit):
    page = visit(widgets.Playground(units=4)).page
    page.get_by_label("data", exact=True).select_option("drawn")
    press(page, "Erase the drawing")
    assert page.get_by_role("button", name="Play").is_disabled()
    plane = page.get_by_role("application")
    box = plane.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 60, steps=20)
    page.mouse.up()
    drawn = settings(page)["points"]
    assert len(drawn) > 8 and len({y for _, y in drawn}) == 1 and drawn[0][1] == pytest.approx(1.12, abs=0.05)
    plane.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    assert settings(page)["points"][-1] == [0.1, 0.2]
    press(page, "Step")
    assert steps(page) == 1


def settings(page):
    """What a kept link of the playground says."""
    press(page, "Copy a link to this state")
    return json.loads(urllib.parse.unquote(page.evaluate("location.hash").partition("=")[2]))


def test_touch_draws_and_presses(visit):
    page = visit(widgets.Playground(units=4), size="phone", has_touch=True, is_mobile=True).page
    page.get_by_role("button", name="Step", exact=True).tap()
    assert steps(page) == 1
    page.get_by_label("data", exact=True).select_option("drawn")
    page.get_by_role("button", name="Erase the drawing").tap()
    page.get_by_role("application").tap(position={"x": 100, "y": 120})
    assert len(settings(page)["points"]) == 1


def test_calm_readers_see_few_frames(visit):
    page = visit(widgets.Playground(units=4), reduced_motion="reduce").page
    page.evaluate(COUNT)
    begun = page.evaluate("performance.now()")
    press(page, "Play")
    page.wait_for_function("document.querySelector('.gan-playground').dataset.steps > 0")
    page.wait_for_timeout(2000)
    drawn, now = page.evaluate("[window.drawn, performance.now()]")
    assert drawn <= 2 * (2 + (now - begun) / 500)  # two canvases, about two pictures a second


def test_the_colours_follow_the_page(visit):
    page = visit(widgets.Playground()).page
    plane = page.locator(".gan-playground canvas").first.element_handle()
    light = plane.evaluate(PIXELS)[1]
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(f"([e, limit]) => ({PIXELS})(e)[1] < limit", arg=[plane, light - 60])


# --- LatentExplorer


def small_generator():
    keras.utils.set_random_seed(1)
    return dcgan.compact_generator(8, widths=(8, 4))


def shown_mean(page):
    page.locator(".gan-latents[data-mean]").wait_for()
    return float(page.locator(".gan-latents").get_attribute("data-mean"))


@pytest.mark.parametrize(("way", "size"), [("file", "desktop"), ("http", "phone")])
def test_the_page_samples_as_python_does(visit, browser_code, way, size):
    generator = small_generator()
    real = np.random.default_rng(0).uniform(-1, 1, (50, 28, 28, 1)).astype("float32")
    page = visit(widgets.LatentExplorer(generator, real=real), way=way, size=size).page

    def mean_of(seed, change=lambda z: z):
        z = np.array(browser_code(["random"], f"[...m.normals(m.random({seed}, 0), 8)]"))
        return float(np.mean(graph.rounded(generator)(change(z)[None].astype("float32"), training=False)))

    directions, _ = latent_explorer.principal_directions(generator, 1)
    assert shown_mean(page) == pytest.approx(mean_of(0), abs=1e-5)
    page.get_by_role("spinbutton", name="first seed").fill("17")
    page.get_by_role("spinbutton", name="first seed").press("Enter")
    assert shown_mean(page) == pytest.approx(mean_of(17), abs=1e-5)
    page.get_by_role("slider", name=re.compile("direction 1")).focus()
    page.keyboard.press("End")
    assert shown_mean(page) == pytest.approx(mean_of(17, lambda z: z + 3 * directions[0]), abs=1e-5)
    press(page, "Reset sliders")
    page.get_by_role("slider", name=re.compile("truncation")).focus()
    page.keyboard.press("Home")
    assert shown_mean(page) == pytest.approx(mean_of(17, lambda z: 0 * z), abs=1e-5)
    press(page, "Reset sliders")
    page.get_by_role("slider", name="from first to second seed").focus()
    page.keyboard.press("End")
    assert shown_mean(page) == pytest.approx(mean_of(1), abs=1e-5)
    page.locator(".gan-wall button").nth(35).wait_for()
    page.get_by_role("button", name="sample of seed 5", exact=True).click()
    assert shown_mean(page) == pytest.approx(mean_of(5), abs=1e-5)
    assert page.locator(".gan-latents figure").count() == 5 and page.locator(".gan-wall button").count() == 36
    press(page, "Another 36")
    page.get_by_role("button", name="sample of seed 71", exact=True).wait_for()


def test_the_books_generator_takes_30_milliseconds_at_most(visit):
    page = visit(widgets.LatentExplorer(dcgan.compact_generator())).page
    page.locator(".gan-latents[data-mean]").wait_for()
    times = []
    for _ in range(15):
        press(page, "New sample")
        times.append(float(page.locator(".gan-latents").get_attribute("data-milliseconds")))
    assert np.median(times) <= 30


@pytest.mark.parametrize("way", ["file", "http"])
def test_weights_lie_beside_a_built_page_and_are_read_on_first_use(browser, build, page_folder, way):
    import mend  # beside site/build.py

    generator = small_generator()
    page = widget_page(
        page_folder, widgets.LatentExplorer(generator, predict="Which?"), widgets.LatentExplorer(generator)
    )
    whole = page.read_text()
    page.write_text(mend.networks_beside(whole, page_folder / "_static/networks"))
    # a page's state has every widget of the process; the two of one network share a file
    held = re.findall(r'"path": \["weights"\]', whole)
    assert held and '"path": ["weights"]' not in page.read_text()
    assert 1 <= len(list((page_folder / "_static/networks").iterdir())) < len(held)
    there = page.as_uri() if way == "file" else "{}/index.html"
    with serving(page_folder) as address, Visit(browser, there.format(address)) as seen:
        second = seen.page.locator(".gan-latents").nth(1)
        second.locator(".gan-wall button").nth(35).wait_for()
        first = seen.page.locator(".gan-latents").first
        assert first.get_attribute("data-mean") is None
        seen.page.get_by_role("button", name="I have an answer, show it").click()
        first.locator(".gan-wall button").nth(35).wait_for()
        assert first.get_attribute("data-mean") == second.get_attribute("data-mean")
        assert not seen.faults
    page = widget_page(page_folder, widgets.LatentExplorer(generator, predict="Which?"))
    page.write_text(mend.networks_beside(page.read_text(), page_folder / "_static/networks"))
    with Visit(browser, page.as_uri()) as seen:
        assert seen.page.evaluate("Object.keys(window.ganNetworks)") == ["root"]  # nobody has asked for it yet


# --- explore


def power(exponent, shape, inverted):
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.plot(np.arange(10.0) ** exponent, "o" if shape == "dots" else "-")
    axes.set(title=f"{shape}, power {exponent}, inverted: {inverted}", xlabel="n")
    if inverted:
        axes.invert_yaxis()
    return figure


def test_explore_with_mouse_keys_and_play(visit):
    made = widgets.explore(power, "how steep?", exponent=[0, 1, 2, 3], shape=["line", "dots"], inverted=[False, True])
    page = visit(made, way="http").page
    picture = page.locator(".gan-explore img")
    assert not picture.is_visible() and not page.get_by_role("slider").is_visible()
    page.get_by_role("button", name="I have an answer").click()
    assert "line, power 0, inverted: False" in picture.get_attribute("alt")
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("radio", name="line").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="inverted").click()
    assert "exponent 1, shape dots, inverted True: dots, power 1, inverted: True" in picture.get_attribute("alt")
    page.wait_for_function("e => e.complete && e.naturalWidth === 384", arg=picture.element_handle())
    press(page, "Play")
    page.get_by_role("slider").focus()
    page.keyboard.press("End")  # the reader is faster
    page.get_by_role("button", name="Play").wait_for()  # at the end it stops by itself
    page.wait_for_timeout(900)
    assert "power 3" in picture.get_attribute("alt") and page.get_by_role("slider").input_value() == "3"
    assert not page.get_by_text("off the grid").is_visible()  # nobody is there to compute


def test_a_table_moves_as_well(visit):
    made = widgets.explore(lambda k: {"n": [1, 2], "value": [k * 0.5, k * 2]}, k=[1, 2, 3])
    page = visit(made, size="phone").page
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert page.locator(".gan-explore table").inner_text().split() == ["n", "value", "1", "1.5", "2", "6"]


def test_the_panel_says_in_a_static_page_how_it_runs(visit):
    page = visit(widgets.ExperimentPanel(loss="hinge")).page
    assert page.get_by_text("work in a running notebook").is_visible() and page.get_by_text("loss='hinge'").is_visible()


# --- Explorer

TRAY = np.linspace(-1, 1, 32, dtype="float32").reshape(2, 4, 4, 1)


def reads_much():
    """Latents, a class, a code and a picture; a picture, and three numbers."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = [keras.Input((3,)), keras.Input((), dtype="int32"), keras.Input((2,)), keras.Input((4, 4, 1))]
    parts = [inputs[0], layers.Embedding(3, 2)(inputs[1]), inputs[2], layers.Flatten()(inputs[3])]
    x = layers.Dense(12, "silu")(layers.Concatenate()(parts))
    picture = layers.Reshape((4, 4, 1))(layers.Dense(16, "tanh")(x))
    return keras.Model(inputs, [picture, layers.Dense(3)(x)], name="reads_much")


def bars(page):
    return [float(cell.inner_text()) for cell in page.locator(".gan-explorer tr td:first-of-type").all()]


@pytest.mark.parametrize(("way", "size"), [("file", "desktop"), ("http", "phone")])
def test_an_explorer_shows_what_keras_makes(visit, browser_code, way, size):
    network = reads_much()
    controls = [explorer.Latent("noise", seed=7), explorer.Choice("garment", options=("shirt", "boot", "bag"))]
    controls += [
        explorer.Sliders("code", names=("x", "y")),
        explorer.Tray("source", images=TRAY, names=("dark", "light")),
    ]
    views = [explorer.Picture("the sample"), explorer.Bars("numbers", output=1, names=("a", "b", "c"))]
    made = explorer.Explorer(network, controls, views, predict="What does the class change?")
    page = visit(made, way=way, size=size).page
    assert page.locator(".gan-explorer .gan-stage").is_hidden()
    press(page, "I have an answer, show it")
    latents = np.array(browser_code(["random"], "[...m.normals(m.random(d.seed, 0), 3)]", seed=7), "float32")

    def expected(label, code, picture):
        given = [latents[None], np.array([label], "int32"), np.array([code], "float32"), TRAY[[picture]]]
        return [round(float(v), 2) for v in np.asarray(graph.rounded(network)(given)[1])[0]]

    def shown(numbers):
        page.wait_for_function(
            "n => [...document.querySelectorAll('.gan-explorer tr td:first-of-type')]"
            ".every((e, k) => Math.abs(Number(e.textContent) - n[k]) < 0.011)",
            arg=numbers,
        )

    shown(expected(0, (0.0, 0.0), 0))
    page.get_by_label("garment").select_option("bag")
    shown(expected(2, (0.0, 0.0), 0))
    page.get_by_label("y", exact=True).focus()
    page.keyboard.press("ArrowRight")  # of 41 values from -2 to 2
    shown(expected(2, (0.0, 0.1), 0))
    page.get_by_role("button", name="light").click()
    shown(expected(2, (0.0, 0.1), 1))
    assert page.get_by_role("button", name="light").get_attribute("aria-pressed") == "true"
    before = bars(page)
    press(page, "New noise")
    page.wait_for_function("b => Number(document.querySelector('.gan-explorer td').textContent) !== b", arg=before[0])
    assert "mean brightness" in page.get_by_label(re.compile("the sample")).get_attribute("aria-label")


def test_a_drawing_is_made_with_keys_and_pointer_and_wiped(visit):
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.GlobalAveragePooling2D()])
    made = explorer.Explorer(network, [explorer.Drawing("a sketch")], [explorer.Bars("mean", names=("mean",))])
    page = visit(made).page
    mean = "n => Number(document.querySelector('.gan-explorer td').textContent) === n"
    page.wait_for_function(mean, arg=-1)
    pad = page.get_by_label(re.compile("a sketch: arrow keys"))
    pad.focus()
    for key in ("Space", "ArrowLeft", "ArrowUp", "Space"):
        page.keyboard.press(key)
    page.wait_for_function(mean, arg=-0.75)  # two of sixteen pixels
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 5, steps=12)
    page.mouse.up()
    page.wait_for_function(mean, arg=-0.25)  # and a row of four
    press(page, "Clear")
    page.wait_for_function(mean, arg=-1)


def test_voxels_turn_and_say_how_much_is_solid(visit):
    network = keras.Sequential(
        [keras.Input((8,)), keras.layers.Rescaling(4.0, -2.0), keras.layers.Reshape((2, 2, 2, 1))]
    )
    code = explorer.Sliders("corner", names=[f"corner {k}" for k in range(8)], low=0.0, high=1.0, start=1.0)
    page = visit(explorer.Explorer(network, [code], [explorer.Voxels("a block")]), size="phone").page
    block = page.get_by_label(re.compile("a block, 100 % solid; arrow keys turn it"))
    before = block.evaluate(PIXELS)
    block.focus()
    page.keyboard.press("ArrowRight")
    turned = block.evaluate(PIXELS)
    assert turned != before
    page.get_by_label("corner 0", exact=True).focus()
    page.keyboard.press("Home")
    other = page.get_by_label(re.compile("a block, 88 % solid"))
    assert other.evaluate(PIXELS) != turned
