"""What every family keeps: one test over all of them; what is particular to one is in a file of its own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from gan_utils import data, families, runtime, terms, training
from gan_utils.runtime import keras, tf
from gan_utils.training import callbacks
from gan_utils.widgets import explorer
from gan_utils.widgets.explorer import Choice, Drawing, Latent, Tray

layers = keras.layers
RANDOM = np.random.default_rng(0)


def pictures(n, size=8, channels=1):
    return RANDOM.uniform(-1, 1, (n, size, size, channels)).astype("float32")


def conditional(**settings):
    latents, label = keras.Input((3,), name="latents"), keras.Input((), dtype="int32", name="label")
    x = layers.Concatenate()([latents, layers.Embedding(4, 3)(label)])
    generator = keras.Model([latents, label], layers.Reshape((8, 8, 1))(layers.Dense(64, "tanh")(x)))
    sample, label = keras.Input((8, 8, 1), name="sample"), keras.Input((), dtype="int32", name="label")
    x = layers.Concatenate()([layers.Flatten()(sample), layers.Embedding(4, 3)(label)])
    x = layers.Dense(8, "relu")(x)
    discriminator = keras.Model([sample, label], layers.Dense(1)(x))
    return families.ConditionalGAN(generator, discriminator, classes=4, **settings)


def auxiliary(**settings):
    """A ConditionalGAN whose discriminator classifies too."""
    made = conditional()
    x = made.discriminator.layers[-2].output
    discriminator = keras.Model(made.discriminator.inputs, [made.discriminator.output, layers.Dense(4)(x)])
    own = settings.pop("terms", ())
    return families.ConditionalGAN(
        made.generator, discriminator, classes=4, terms=[terms.AuxiliaryClassifier(), *own], **settings
    )


def translator(channels=1, out=1, *, norm=True):
    x = source = keras.Input((8, 8, channels))
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.BatchNormalization()(x) if norm else x
    return keras.Model(source, layers.Conv2D(out, 3, padding="same", activation="tanh")(layers.ReLU()(x)))


def patches(*channels):
    inputs = [keras.Input((8, 8, number)) for number in channels]
    x = layers.Concatenate()(inputs) if len(inputs) > 1 else inputs[0]
    x = layers.LeakyReLU()(layers.Conv2D(4, 3, strides=2, padding="same")(x))
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], layers.Conv2D(1, 3, padding="same")(x))


def pix2pix(*, norm=True, **settings):
    return families.Pix2Pix(translator(1, 3, norm=norm), patches(1, 3), **settings)


def cycle(*, norm=True, **settings):
    both = translator(1, 3, norm=norm), translator(3, 1, norm=norm)
    return families.CycleGAN(*both, patches(1), patches(3), **settings)


@dataclass(frozen=True)
class Family:
    make: Callable
    data: Callable
    settings: dict  # of a run in which all has state
    bad: dict  # an entry of the data that cannot be, and what the error says of it
    controls: dict  # in a page, for each network
    alone: dict = field(default_factory=dict)  # settings of a run on several devices: no batch statistics, no pool


CLASS = Choice("class", options="abcd")
LABELLED = {"real": pictures(24), "label": np.arange(24) % 4}
PAIRED = {"condition": pictures(24), "real": pictures(24, channels=3)}
APART = {"a": pictures(24), "b": pictures(17, channels=3)}
LABEL_FAULTS = {
    "missing": ({"label": None}, "without 'label'; expected 'label': class labels"),
    "out of range": ({"label": np.arange(24) % 4 + 1}, "'label' holds 4; expected integers from 0 to 3"),
    "fractional": ({"label": np.full(24, 0.5, "float32")}, "'label' has dtype float32; expected integers from 0 to 3"),
    "shorter": ({"label": np.arange(20) % 4}, "lengths"),
    "of another shape": ({"label": np.zeros((24, 1), int)}, r"'label' has shape \(24, 1\); expected \(N\)"),
}
FAMILIES = {
    "ConditionalGAN": Family(
        conditional,
        lambda: LABELLED,
        {"ema": 0.9, "replay": True, "discriminator_steps": 2},
        LABEL_FAULTS,
        {"generator": [Latent(), CLASS], "discriminator": [Drawing("a sketch"), CLASS]},
    ),
    "ConditionalGAN, auxiliary": Family(
        auxiliary, lambda: LABELLED, {"ema": 0.9}, LABEL_FAULTS, {"generator": [Latent(), CLASS]}
    ),
    "Pix2Pix": Family(
        pix2pix,
        lambda: PAIRED,
        {"ema": 0.9, "replay": True},
        {
            "missing": ({"condition": None}, "without 'condition'; expected 'condition': images"),
            "of another range": ({"condition": 100 * pictures(24)}, "'condition': images range from"),
            "shorter": ({"condition": pictures(20)}, "lengths"),
            "of another shape": ({"condition": pictures(24, channels=3)}, r"'condition' has shape \(24, 8, 8, 3\)"),
        },
        {"generator": [Tray("source", images=PAIRED["condition"])]},
        {"norm": False},
    ),
    "CycleGAN": Family(
        cycle,
        lambda: APART,
        {"ema": 0.9, "pool": 6},
        {
            "missing": ({"b": None}, "without 'b'; expected 'a': images"),
            "without the leading": ({"a": None}, "expected samples under 'a'"),
            "of another range": ({"b": 100 * pictures(24, channels=3)}, "'b': images range from"),
            "of another shape": ({"b": pictures(24)}, r"'b' has shape \(24, 8, 8, 1\)"),
            "empty": ({"b": pictures(0, channels=3)}, "'b' has no samples"),
        },
        {"forward": [Drawing("a sketch")], "backward": [Tray("source", images=APART["b"])]},
        {"norm": False, "pool": 0},
    ),
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def made(name, seed=1, **settings):
    runtime.set_seed(seed)
    if settings.get("replay"):
        settings["replay"] = training.Replay(12)
    model = FAMILIES[name].make(**settings)
    adam = lambda: keras.optimizers.Adam(1e-2, beta_1=0.5)  # noqa: E731
    model.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    return model


def fit(model, name, epochs=1, **arguments):
    data = FAMILIES[name].data()
    return model.fit(data, batch_size=8, steps_per_epoch=3, epochs=epochs, verbose=0, **arguments).history


def everything(model):
    return [np.asarray(w) for w in model.get_weights()] + [np.asarray(v) for v in model.state().values()]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(everything(one), everything(other), strict=True))


def answers(model, name):
    """Return what a reader gets from a model."""
    if name == "CycleGAN":
        return np.concatenate([model.translate(APART["a"])[..., :1], model.translate(APART["b"], backward=True)])
    if name == "Pix2Pix":
        return model.translate(PAIRED["condition"])
    return model.generate(9, label=2, seed=3)


@every_family
def test_a_move_changes_its_own_players_weights_only(name):
    model = made(name)
    fit(model, name)
    weights = {p.name: [v for network in p.networks for v in network.weights] for p in model.players}
    for player in model.players:
        before = {n: [v.numpy() for v in values] for n, values in weights.items()}
        batch = {n: tf.constant(values[:8]) for n, values in FAMILIES[name].data().items()}
        model._move(player, batch, model.sample_noise(8, tf.constant([5, 5], tf.int64)))
        moved = {
            n: any(not np.array_equal(a, b.numpy()) for a, b in zip(before[n], weights[n], strict=True))
            for n in weights
        }
        assert moved == {n: n == player.name for n in weights}


@every_family
def test_a_resumed_run_is_the_same_to_the_bit(name, tmp_path):
    def left_by_a_kill(epoch, logs):
        if epoch == 1:  # its own file is written after all callbacks
            shutil.copytree(tmp_path / "run", tmp_path / "left")

    settings = FAMILIES[name].settings
    one, rest = made(name, **settings), made(name, **settings)
    kill = keras.callbacks.LambdaCallback(on_epoch_end=left_by_a_kill)
    history = fit(one, name, 4, callbacks=[callbacks.Resume(tmp_path / "run", every_seconds=0), kill])
    again = fit(rest, name, 4, callbacks=[callbacks.Resume(tmp_path / "left")])
    assert again == history and same(one, rest)


@every_family
def test_a_loaded_model_answers_and_goes_on_to_the_bit(name, tmp_path):
    model = made(name, **FAMILIES[name].settings)
    fit(model, name)
    model.save(tmp_path / "a.keras")
    again = type(model).load(tmp_path / "a.keras")
    assert same(model, again) and again.get_config().keys() == model.get_config().keys()
    assert np.array_equal(answers(model, name), answers(again, name))
    assert fit(model, name) == fit(again, name) and same(model, again)


@every_family
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_trains(name, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = made(name, **FAMILIES[name].settings)
        history = fit(model, name)
    finally:
        keras.config.set_dtype_policy(before)
    assert all(np.isfinite(values).all() for values in history.values())
    assert answers(model, name).dtype == np.float32


@every_family
def test_answers_come_from_the_average_without_dropout_or_batch_statistics(name):
    model = made(name, ema=0.9)
    fit(model, name, 2)
    averaged = answers(model, name)
    with model.averaged():
        inside = answers(model, name)
    plain = made(name)
    fit(plain, name, 2)
    assert np.array_equal(averaged, inside) and not np.array_equal(averaged, answers(plain, name))
    if name != "CycleGAN":
        assert np.allclose(answers(model, name), averaged)


@every_family
def test_bad_data_get_one_clear_error_before_the_first_step(name):
    model = made(name)
    for change, says in FAMILIES[name].bad.values():
        data = {n: v for n, v in {**FAMILIES[name].data(), **change}.items() if v is not None}
        with pytest.raises(ValueError, match=says):
            model.fit(data, batch_size=8, steps_per_epoch=1, verbose=0)
    assert model.step == 0


@every_family
def test_callbacks_watch_it(name, tmp_path):
    grid, doctor = callbacks.SampleGrid(4), training.doctor.Doctor(8)
    model = made(name)
    fit(model, name, callbacks=[doctor])
    fit(model, name, callbacks=[grid])
    assert len(grid.grids[-1]) == 4 and doctor.measured["diversity"] >= 0


@every_family
def test_every_network_is_exported_as_its_card_says(name, tmp_path):
    model = made(name, ema=0.9)
    fit(model, name)
    with model.averaged():
        averaged = {id(v): v.numpy() for network in model.networks for v in network.variables}
    for attribute in FAMILIES[name].controls:
        card = model.export(tmp_path / f"{attribute}.keras", network=attribute)
        network = keras.saving.load_model(tmp_path / f"{attribute}.keras")
        own = [averaged[id(v)] for v in getattr(model, attribute).variables]
        assert all(np.array_equal(a, v.numpy()) for a, v in zip(own, network.variables, strict=True))
        code = (
            card.read_text().split("```python\n")[1].split("```")[0].replace("load_model('", f"load_model('{tmp_path}/")
        )
        found = {}
        exec(code, found)
        expected = getattr(model, attribute).output_shape
        assert found["samples"].shape == (16, *(expected[0] if isinstance(expected, list) else expected)[1:])


@every_family
def test_the_page_runs_it(name):
    model = made(name)
    for attribute, controls in FAMILIES[name].controls.items():
        network = getattr(model, attribute)
        rank = len(network.outputs[0].shape)
        views = [explorer.Picture("it")] if network.outputs[0].shape[-1] == 3 or "gen" in attribute else []
        views = views or ([explorer.Bars("it", names=("logit",))] if rank == 2 else [explorer.Picture("it")])
        shown = explorer.Explorer(network, controls, views)
        assert shown.rounding["max"] < 0.05 and len(shown.controls) == len(network.inputs)


TWO = """
import json, sys
import numpy as np
from gan_utils import runtime
from gan_utils.runtime import keras, tf

devices, tests, out = json.loads(sys.argv[1])
if isinstance(devices, list):
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
sys.path.insert(0, tests)
import test_families as families

found, strategy = {}, runtime.strategy(devices)  # two strategies of one process would answer each other's collectives
for name, family in families.FAMILIES.items():
    runtime.set_seed(3)
    with strategy.scope():
        model = family.make(ema=0.9, **family.alone)
        sgd = lambda: keras.optimizers.SGD(0.01)  # Adam would hide a wrong scale of the gradient
        model.compile(generator_optimizer=sgd(), discriminator_optimizer=sgd())
    families.fit(model, name, 4)
    found[name] = np.concatenate([np.ravel(w) for w in model.get_weights()] + [np.ravel(families.answers(model, name))])
if isinstance(devices, list):
    for name, settings in (("CycleGAN", {"pool": 5}), ("Pix2Pix", {"replay": families.training.Replay(5)})):
        try:
            with strategy.scope():
                families.FAMILIES[name].make(**settings)
        except ValueError as error:
            found["refused " + name] = str(error)
np.savez(out, **found)
"""


def test_two_devices_equal_one(tmp_path):
    found = []
    for number, devices in enumerate(("cpu", ["cpu:0", "cpu:1"])):
        told = json.dumps([devices, str(Path(__file__).parent), str(tmp_path / f"{number}.npz")])
        done = subprocess.run([sys.executable, "-c", TWO, told], capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, done.stderr[-3000:]
        found.append(np.load(tmp_path / f"{number}.npz"))
    for name in FAMILIES:
        assert np.allclose(found[0][name], found[1][name], atol=1e-4), name
    assert "a pool keeps its pictures on one device; expected pool=0" in str(found[1]["refused CycleGAN"])
    assert "replay keeps its samples on one device" in str(found[1]["refused Pix2Pix"])


@every_family
def test_data_come_from_a_dataset_too(name):
    model, data = made(name), FAMILIES[name].data()
    shortest = min(map(len, data.values()))
    dataset = tf.data.Dataset.from_tensor_slices({n: v[:shortest] for n, v in data.items()}).batch(8)
    history = model.fit(dataset, steps_per_epoch=2, verbose=0).history
    assert model.step == 2 and np.isfinite(history["generator_loss"]).all()


def test_replayed_samples_are_judged_with_their_own_labels():
    seen = []

    class Spy(families.ConditionalGAN):
        def judge(self, samples, batch):
            seen.append((samples.numpy(), batch["label"].numpy()))
            return super().judge(samples, batch)

        def make(self, noise, batch, training=True):  # a sample that tells its label
            marked = tf.cast(batch["label"], tf.float32)[:, None, None, None]
            return super().make(noise, batch, training) * 0.0 + marked / 4.0

    plain = conditional()
    model = Spy(plain.generator, plain.discriminator, classes=4, replay=training.Replay(12))
    model.compile(run_eagerly=True)
    model.fit(LABELLED, batch_size=8, steps_per_epoch=6, verbose=0)
    fakes = [pair for pair in seen if np.ptp(pair[0][0]) == 0]
    assert len(fakes) >= 12
    for samples, label in fakes:
        assert np.array_equal(np.round(4 * samples[:, 0, 0, 0]).astype(int), label)


def test_a_pool_shows_new_and_old_pictures_one_by_one():
    replay, shown = training.Replay(50), []
    for number in range(400):
        uniform = tf.random.stateless_uniform((1, 2), [number, 7])
        shown.append(float(replay(tf.constant([[float(number)]]), uniform)[0, 0]))
    new = np.mean([value == number for number, value in enumerate(shown)])
    ages = [number - value for number, value in enumerate(shown) if value != number]
    assert 0.4 < new < 0.65 and max(ages) > 20


def test_unpaired_entries_have_an_order_of_their_own():
    model = made("CycleGAN")
    steps = [next(iter(model.plan({"a": 24, "b": 17}, 8).skip(i))) for i in range(6)]
    passes = {n: np.concatenate([np.ravel(step[n]) for step in steps]) for n in ("index", "index_b")}
    assert sorted(passes["index"][:24]) == list(range(24)) and sorted(passes["index_b"][:17]) == list(range(17))
    assert not np.array_equal(passes["index"][:17] % 17, passes["index_b"][:17])


def test_a_gated_move_changes_nothing():
    def when(reports):
        return reports["d_real"] < 0.0  # never

    model = made("ConditionalGAN", ema=0.9)
    model.players[0].when = when
    before = [w.numpy() for w in model.discriminator.weights]
    state = [np.asarray(v) for v in model.players[0].optimizer.variables]
    generator = [w.numpy() for w in model.generator.weights]
    fit(model, "ConditionalGAN")
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.discriminator.weights, strict=True))
    assert all(
        np.array_equal(a, np.asarray(b)) for a, b in zip(state, model.players[0].optimizer.variables, strict=True)
    )
    assert any(not np.array_equal(a, b.numpy()) for a, b in zip(generator, model.generator.weights, strict=True))


class Content(terms.Term):
    """A term with a network that nobody trains."""

    name, player, needs_real = "content", "generator", False

    def __init__(self, network, weight=1.0):
        super().__init__(weight)
        self.network = network
        self.frozen = [network]

    def __call__(self, outputs):
        return terms.l1(self.network(outputs.batch["real"]), self.network(outputs.generated))

    def get_config(self):
        return {"network": keras.saving.serialize_keras_object(self.network), "weight": self.weight}


def test_a_frozen_network_is_saved_and_moved_by_nobody(tmp_path):
    keras.saving.register_keras_serializable("test_families")(Content)
    judge = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.BatchNormalization()])
    before = [w.numpy() for w in judge.weights]
    model = made("ConditionalGAN", ema=0.9, terms=[Content(judge)])
    fit(model, "ConditionalGAN")
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, judge.weights, strict=True))
    model.save(tmp_path / "a.keras")
    again = families.ConditionalGAN.load(tmp_path / "a.keras")
    kept = again.terms[0].network.weights
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, kept, strict=True))
    assert fit(model, "ConditionalGAN") == fit(again, "ConditionalGAN") and same(model, again)


def test_a_network_in_two_terms_is_refused():
    judge = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3)])
    second = Content(judge)
    second.name = "second"
    with pytest.raises(ValueError, match=r"two terms hold the network .* expected one term"):
        conditional(terms=[Content(judge), second])


def test_conditions_are_asked_for_by_name_and_checked():
    model = made("ConditionalGAN")
    with pytest.raises(ValueError, match=r"needs label, class labels from 0 to 3; expected label=\.\.\. before"):
        model.generate(3)
    with pytest.raises(ValueError, match="'class' is no condition of this model; its conditions: label"):
        model.generate(3, **{"class": 1})
    with pytest.raises(ValueError, match="'label' holds 4"):
        model.generate(3, label=4)
    with pytest.raises(ValueError, match="'label' has 2 values for 3 samples"):
        model.generate(3, label=[0, 1])
    assert not np.array_equal(model.generate(3, label=0), model.generate(3, label=1))
    assert np.array_equal(model.generate(3, label=[1, 1, 1]), model.generate(3, label=1))


def test_several_latents_are_drawn_by_name():
    one, other = keras.Input((3,)), keras.Input((2, 2))
    x = layers.Concatenate()([one, layers.Flatten()(other)])
    generator = keras.Model([one, other], layers.Dense(2)(x))
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    gan = training.GAN(generator, discriminator, latent_dim={"z": 3, "noise": (2, 2)})
    gan.compile()
    gan.fit(RANDOM.normal(size=(32, 2)).astype("float32"), batch_size=8, steps_per_epoch=2, verbose=0)
    assert gan.generate(5).shape == (5, 2)
    with pytest.raises(ValueError, match="expected a dict of"):
        gan.decode(np.zeros((3, 7)))
    with pytest.raises(ValueError, match=r"the generator has 2 inputs; expected 1 \(latents\)"):
        training.GAN(generator, discriminator, latent_dim=3)


def open_pix2pix(**settings):
    """A Pix2Pix whose pictures have any size."""
    x = start = keras.Input((None, None, 1))
    generator = keras.Model(start, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))
    pair = [keras.Input((None, None, 1)), keras.Input((None, None, 3))]
    judge = keras.Model(pair, layers.Conv2D(1, 3)(layers.Concatenate()(pair)))
    return families.Pix2Pix(generator, judge, **settings)


def test_pictures_may_have_any_size():
    model = open_pix2pix()
    model.compile()
    fit(model, "Pix2Pix")
    assert model.translate(pictures(3, size=12)).shape == (3, 12, 12, 3)
    with pytest.raises(ValueError, match=r"samples have shape \(8, 8, 1\), the generator makes \(None, None, 3\)"):
        model.fit({"condition": pictures(24), "real": pictures(24)}, batch_size=8, verbose=0)
    for settings in ({"replay": training.Replay(8)}, {"instance_noise": 0.1}):
        with pytest.raises(ValueError, match="expected samples of one size"):
            open_pix2pix(**settings)
    model = open_pix2pix(terms=[terms.DRAGAN()])
    model.compile()
    with pytest.raises(ValueError, match="expected networks of a fixed size"):
        fit(model, "Pix2Pix")


def test_a_pool_needs_pictures_of_one_size():
    networks = [keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(1, 3, padding="same")]) for _ in range(4)]
    with pytest.raises(ValueError, match="expected pool=0"):
        families.CycleGAN(*networks)
    assert families.CycleGAN(*networks, pool=0).shapes["a"] == (None, None, 1)


def test_samples_are_made_in_the_same_way_in_training_and_afterwards():
    class Shifted(families.ConditionalGAN):
        def make(self, noise, batch, training=True):
            return (
                super().make(noise, batch, training) + 100.0 * tf.cast(batch["label"], tf.float32)[:, None, None, None]
            )

    class Forgetful(families.ConditionalGAN):
        def make(self, noise, batch):
            return super().make(noise, batch)

    plain = conditional()
    shifted = Shifted(plain.generator, plain.discriminator, classes=4)
    assert np.allclose(shifted.generate(3, label=2), plain.generate(3, label=2) + 200, atol=1e-4)
    with pytest.raises(
        ValueError, match=r"Forgetful.make takes no training.*make\(self, noise, batch, training=True\)"
    ):
        Forgetful(plain.generator, plain.discriminator, classes=4).generate(3, label=2)


@pytest.mark.parametrize("settings", [{}, {"unrolled_steps": 2}, {"replay": True}])
def test_players_that_move_at_once_read_conditions_too(settings):
    class Both(training.SimultaneousGAN):
        conditions = FAMILIES["ConditionalGAN"].make().conditions

    settings = {"replay": training.Replay(12)} if "replay" in settings else settings
    plain = auxiliary()
    model = Both(plain.generator, plain.discriminator, terms=[terms.AuxiliaryClassifier()], **settings)
    model.compile()
    before = [w.numpy() for w in model.weights]
    model.fit(LABELLED, batch_size=8, steps_per_epoch=2, verbose=0)
    changed = [not np.array_equal(a, b.numpy()) for a, b in zip(before, model.weights, strict=True)]
    assert all(changed) and model.generate(3, label=1).shape == (3, 8, 8, 1)


# what a family's author gets wrong


class Hidden(terms.Term):
    """A term with a network that it does not list."""

    name, player, needs_real = "hidden", "generator", False

    def __init__(self, head, weight=1.0):
        super().__init__(weight)
        self.head = head

    def __call__(self, outputs):
        return tf.reduce_mean(self.head(outputs.generated))


def test_a_network_that_a_term_does_not_list_is_refused():
    head = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 3)])
    with pytest.raises(
        ValueError, match=r"the term hidden has a network in 'head', .* expected it in the term's networks"
    ):
        conditional(terms=[Hidden(head)])
    listed = Hidden(head)
    for what in ("networks", "frozen"):
        setattr(listed, what, {"head": head})
        with pytest.raises(ValueError, match=f"the term hidden has {what} .*; expected a list of Keras models"):
            conditional(terms=[listed])
        setattr(listed, what, [])


@keras.saving.register_keras_serializable("test_families")
class Critic(terms.Term):
    """A term with a network that the generator trains, and no get_config."""

    name, player, needs_real = "critic", "generator", False

    def __init__(self, head, *, scale=2.0, weight=1.0):
        super().__init__(weight)
        self.head, self.scale = head, scale
        self.networks = [head]

    def __call__(self, outputs):
        return self.scale * tf.reduce_mean(self.head(outputs.generated) ** 2)


def test_a_term_with_a_network_is_saved_by_the_names_of_its_arguments(tmp_path):
    head = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 3)])
    model = made("ConditionalGAN", terms=[Critic(head, scale=3.0)])
    before = head.get_weights()[0]
    fit(model, "ConditionalGAN")
    assert not np.array_equal(before, head.get_weights()[0])
    model.save(tmp_path / "a.keras")
    again = families.ConditionalGAN.load(tmp_path / "a.keras")
    assert again.terms[0].scale == 3.0 and np.array_equal(again.terms[0].head.get_weights()[0], head.get_weights()[0])
    assert fit(model, "ConditionalGAN") == fit(again, "ConditionalGAN") and same(model, again)


def test_a_term_that_is_no_scalar_is_refused():
    class Vector(terms.Term):
        name, player = "vector", "generator"

        def __call__(self, outputs):
            return tf.reduce_mean(outputs.generated, axis=(1, 2, 3))

    model = conditional(terms=[Vector()])
    model.compile()
    with pytest.raises(ValueError, match=r"the term vector returns .* expected a scalar"):
        fit(model, "ConditionalGAN")


def two_conditions(first, second):
    """A GAN of two conditions of one shape, whose networks' inputs are named in the order that is asked for."""
    given = {name: keras.Input((2,), name=name) for name in (first, second)}
    latents, sample = keras.Input((3,)), keras.Input((2,))
    networks = [
        keras.Model([start, *given.values()], layers.Dense(size)(layers.Concatenate()([start, *given.values()])))
        for start, size in ((latents, 2), (sample, 1))
    ]

    class Two(training.GAN):
        conditions = {"where": data.kinds.Numbers((2,)), "how": data.kinds.Numbers((2,))}  # noqa: RUF012

    return Two(*networks)


def test_conditions_in_another_order_than_the_named_inputs_are_refused():
    with pytest.raises(ValueError, match=r"inputs are named .*'how', 'where'\], they are given .*'where', 'how'\]"):
        two_conditions("how", "where")


def test_all_conditions_are_given_or_none():
    model = two_conditions("where", "how")
    one = np.ones((4, 2), "float32")
    with pytest.raises(ValueError, match=r"conditions are given without how, .* expected all of where, how, or none"):
        model.generate(4, where=one)
    assert np.array_equal(model.generate(4, where=one, how=one), model.generate(4, where=one[0], how=one[:1]))
    with pytest.raises(ValueError, match=r"'how' has shape \(4, 3\); expected \(N, 2\)"):
        model.generate(4, where=one, how=np.ones((4, 3), "float32"))
    with pytest.raises(ValueError, match=r"'how' has shape \(3,\); expected \(N, 2\)"):
        model.generate(4, where=one, how=np.ones(3, "float32"))


def test_a_condition_is_one_of_the_kinds():
    plain = conditional()

    class Tuple(training.GAN):
        conditions = {"label": (4,)}  # noqa: RUF012

    with pytest.raises(ValueError, match=r"the condition 'label' is .*; expected one of data.kinds"):
        Tuple(plain.generator, plain.discriminator)


def test_what_make_reads_besides_conditions_is_named():
    class Peeks(families.ConditionalGAN):
        def make(self, noise, batch, training=True):
            return super().make(noise, batch, training) + 0.0 * batch["real"]

    plain = conditional()
    model = Peeks(plain.generator, plain.discriminator, classes=4)
    model.compile()
    fit(model, "ConditionalGAN")
    with pytest.raises(ValueError, match=r"Peeks reads 'real' to make samples.* expected it in conditions"):
        model.generate(3, label=1)


def test_an_export_says_what_make_does_besides(tmp_path):
    class Doubled(families.ConditionalGAN):
        def make(self, noise, batch, training=True):
            return 2.0 * super().make(noise, batch, training)

    plain = conditional()
    model = Doubled(plain.generator, plain.discriminator, classes=4)
    with pytest.warns(UserWarning, match="Doubled.make does more than this network"):
        card = model.export(tmp_path / "g.keras")
    assert "Doubled.make does more than this network" in card.read_text()


def test_an_export_says_how_its_inputs_are_computed(tmp_path):
    class Coded(training.GAN):
        def inputs(self, latents, given):
            return tf.one_hot(tf.argmax(latents, axis=1), 5)

    generator = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
    model = Coded(generator, keras.Sequential([keras.Input((2,)), layers.Dense(1)]), latent_dim=5)
    text = model.export(tmp_path / "g.keras").read_text()
    assert "Coded.inputs computes what this network is called with, from 5 standard normal latents" in text
