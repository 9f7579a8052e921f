import nbclient
import nbformat
import numpy as np
import pytest

from gan_utils import runtime, training
from gan_utils.networks import dense
from gan_utils.runtime import keras, tf

layers = keras.layers
IMAGES = np.random.default_rng(0).uniform(-1, 1, (40, 28, 28, 1)).astype("float32")


def small_gan(**arguments):
    runtime.set_seed(1)
    gan = training.GAN(dense.selu_generator(6, widths=(8,)), dense.selu_discriminator(widths=(8,)), **arguments)
    gan.compile()
    return gan


def toy_gan(latent_dim=2, shape=(2,), **arguments):
    generator = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(shape[0])])
    discriminator = keras.Sequential([keras.Input(shape), layers.Dense(8, "relu"), layers.Dense(1)])
    return training.GAN(generator, discriminator, **arguments)


def weights(model):
    return [w.copy() for w in model.get_weights()]


def moved(model, before):
    return any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("mover", ["generator", "discriminator"])
def test_a_player_moves_its_own_weights_and_no_others(mover):
    gan = small_gan()
    before = {name: weights(getattr(gan, name)) for name in ("generator", "discriminator")}
    player = next(p for p in gan.players if p.name == mover)
    gan._move(player, {"real": tf.constant(IMAGES[:4])}, {"latents": tf.zeros((4, 6))})
    assert {n for n in before if moved(getattr(gan, n), before[n])} == {mover}


def test_fit_takes_exactly_the_steps_asked_for():
    gan = small_gan()
    history = gan.fit(IMAGES, batch_size=16, steps_per_epoch=7, epochs=3, verbose=0)
    assert gan.step == 21 and len(history.history["generator_loss"]) == 3
    assert set(history.history) == {"discriminator_loss", "generator_loss", "d_real", "d_fake"}


def test_same_seed_same_weights_and_two_fits_equal_one():
    once, again, split = small_gan(), small_gan(), small_gan()
    once.fit(IMAGES, batch_size=8, steps_per_epoch=6, epochs=2, verbose=0)
    again.fit(IMAGES, batch_size=8, steps_per_epoch=6, epochs=2, verbose=0)
    for _ in range(2):
        split.fit(IMAGES, batch_size=8, steps_per_epoch=6, verbose=0)
    for other in (again, split):
        assert all(np.array_equal(a, b) for a, b in zip(once.get_weights(), other.get_weights(), strict=True))


def test_each_pass_is_a_permutation_and_repeats_see_fresh_samples():
    gan = small_gan(discriminator_steps=2)
    plan = list(gan.plan(40, 10).take(4))
    index = [np.asarray(p["index"]) for p in plan]
    assert index[0].shape == (10, 2) and plan[0]["noise"]["latents"].shape == (10, 3, 6)
    first, second = np.concatenate(index[:2]).ravel(), np.concatenate(index[2:]).ravel()
    assert sorted(first) == sorted(second) == list(range(40)) and first.tolist() != second.tolist()
    noise = np.concatenate([np.asarray(p["noise"]["latents"]).reshape(-1, 6) for p in plan])
    assert len(np.unique(noise, axis=0)) == len(noise)


def test_a_second_fit_trains_on_the_second_array():
    gans = [small_gan(), small_gan()]
    other = (-IMAGES).astype("float32")
    gans[0].fit(IMAGES, batch_size=8, steps_per_epoch=3, verbose=0)
    gans[0].fit(other, batch_size=8, steps_per_epoch=3, verbose=0)
    gans[1].fit(IMAGES, batch_size=8, steps_per_epoch=3, verbose=0)
    gans[1].fit(IMAGES, batch_size=8, steps_per_epoch=3, verbose=0)
    assert moved(gans[0], gans[1].get_weights())


@pytest.mark.parametrize("jit_compile", [True, False])
def test_the_last_group_of_an_epoch_may_be_shorter(jit_compile):
    """53 is prime: groups of 27 and 26 steps with XLA, of at most 9 without."""
    histories, weights = [], []
    for steps, epochs, group in ((53, 2, 27 if jit_compile else 9), (106, 1, 36 if jit_compile else 10), (1, 106, 1)):
        gan = small_gan()
        gan.compile(jit_compile=jit_compile)
        told = gan.fit(IMAGES, batch_size=8, steps_per_epoch=steps, epochs=epochs, verbose=0).history
        assert gan.step == 106 and gan.steps_per_execution == group
        weights.append(gan.get_weights())
        histories.append(np.mean(told["discriminator_loss"]))
    for other in weights[1:]:
        assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(weights[0], other, strict=True))
    assert histories == pytest.approx([histories[0]] * 3, rel=1e-5)  # each step counts once


def test_an_array_that_has_changed_in_its_place_is_looked_at_and_used_anew():
    gan, same = small_gan(), small_gan()
    images = IMAGES.copy()
    gan.fit(images, batch_size=8, steps_per_epoch=3, verbose=0)
    images *= -1
    gan.fit(images, batch_size=8, steps_per_epoch=3, verbose=0)
    same.fit(IMAGES, batch_size=8, steps_per_epoch=3, verbose=0)
    same.fit(-IMAGES, batch_size=8, steps_per_epoch=3, verbose=0)
    assert not moved(gan, same.get_weights())
    images[7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        gan.fit(images, batch_size=8, steps_per_epoch=3, verbose=0)
    assert not moved(gan, same.get_weights())


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "bool", ">i8"])
def test_arrays_of_every_kind_lie_beside_the_step(dtype):
    gan = small_gan()
    extra = np.arange(len(IMAGES)).astype(dtype)
    for _ in range(2):
        gan.fit({"real": IMAGES, "extra": extra}, batch_size=8, steps_per_epoch=2, verbose=0)
    held = gan._arrays["extra"].numpy()
    assert np.array_equal(held, extra)
    extra[:] = 0
    assert held.any()  # a copy


def test_a_report_under_another_name_is_refused():
    class Telling(training.GAN):
        def losses(self, player, batch, noise):
            self.report("a_gap", tf.constant(1.0))
            return super().losses(player, batch, noise)

    gan = Telling(dense.selu_generator(6, widths=(8,)), dense.selu_discriminator(widths=(8,)))
    gan.compile()
    with pytest.raises(ValueError, match="losses report a_gap; expected names in reports="):
        gan.fit(IMAGES, batch_size=8, steps_per_epoch=1, verbose=0)


def test_xla_is_chosen_for_dense_networks_with_small_batches_and_not_for_convolutions():
    gan = small_gan()
    assert gan.jit_compile is True
    many = np.tile(IMAGES, (1024 // len(IMAGES) + 1, 1, 1, 1))
    gan.fit(many, batch_size=1023, steps_per_epoch=1, verbose=0)
    assert gan.jit_compile is True
    gan.fit(many, batch_size=1024, steps_per_epoch=1, verbose=0)
    assert gan.jit_compile is False
    generator = keras.Sequential([keras.Input((4,)), layers.Reshape((2, 2, 1)), layers.Conv2DTranspose(1, 3)])
    critic = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    gan = training.GAN(generator, critic)
    gan.compile()
    assert gan.jit_compile is False or runtime.has_accelerator()


def test_a_gan_learns_a_shift():
    runtime.set_seed(0)
    gan = toy_gan()
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(5e-3, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(5e-3, beta_1=0.5),
    )
    real = np.random.default_rng(0).normal(loc=(3.0, -2.0), size=(2000, 2)).astype("float32")
    gan.fit(real, batch_size=64, steps_per_epoch=600, verbose=0)
    assert np.abs(gan.generate(2000).mean(axis=0) - [3.0, -2.0]).max() < 1.0


@pytest.mark.parametrize("loss", ["minimax", "least_squares", "hinge", "wasserstein", "relativistic"])
def test_every_loss_trains(loss):
    gan = small_gan(loss=loss)
    history = gan.fit(IMAGES, batch_size=8, steps_per_epoch=2, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())


def test_generate_depends_on_the_seed_only():
    gan = small_gan()
    assert np.allclose(gan.generate(9, seed=3), gan.generate(9, seed=3, batch_size=2), atol=1e-6)
    assert not np.array_equal(gan.generate(9, seed=3), gan.generate(9, seed=4))
    with pytest.raises(ValueError, match="n is 0"):
        gan.generate(0)


BAD_DATA = {
    "shape": (IMAGES[:, :20], 8, "samples have shape"),
    "dtype": (IMAGES.astype("float64"), 8, "dtype float64"),
    "range": ((IMAGES + 1) * 127.5, 8, r"expected \[-1, 1\]"),
    "nan": (np.where(IMAGES > 0.99, np.nan, IMAGES).astype("float32"), 8, "NaN"),
    "batch": (IMAGES, 41, "batch_size is 41 with 40"),
    "key": ({"images": IMAGES}, 8, "under 'real'"),
    "length": ({"real": IMAGES, "label": np.zeros(3)}, 8, "one length"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_are_refused(case):
    x, batch_size, message = BAD_DATA[case]
    with pytest.raises(ValueError, match=message):
        small_gan().fit(x, batch_size=batch_size, steps_per_epoch=1, verbose=0)


def test_bad_networks_are_refused():
    with pytest.raises(ValueError, match="latent_dim is 7"):
        training.GAN(dense.selu_generator(6), dense.selu_discriminator(), latent_dim=7)
    with pytest.raises(ValueError, match="the generator makes"):
        training.GAN(dense.selu_generator(), keras.Sequential([keras.Input((3,)), layers.Dense(1)]))
    labels = keras.Input((28, 28, 1))
    with pytest.raises(ValueError, match="floating tensor of logits"):
        training.GAN(dense.selu_generator(), keras.Model(labels, keras.ops.cast(labels, "int32")))
    with pytest.raises(ValueError, match="expected one of minimax"):
        toy_gan(loss="vanilla")
    sigmoid = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(1, "sigmoid")])
    with pytest.warns(UserWarning, match="sigmoid"):
        training.GAN(dense.selu_generator(), sigmoid)


def test_misuse_of_the_core_is_refused():
    gan = toy_gan()
    with pytest.raises(RuntimeError, match="compile"):
        gan.fit(np.zeros((4, 2), "float32"))
    with pytest.raises(ValueError, match="critic_optimizer"):
        gan.compile(critic_optimizer="adam")
    with pytest.raises(ValueError, match="discriminator_steps is 0; expected"):
        toy_gan(discriminator_steps=0)
    with pytest.raises(ValueError, match="own name"):
        training.Adversarial([gan.players[0], gan.players[0]])
    with pytest.raises(NotImplementedError, match="losses"):
        training.Adversarial([gan.players[0]]).losses(gan.players[0], {}, None)


def test_each_repeat_of_a_player_sees_a_fresh_batch_and_fresh_noise():
    seen = []

    class Watched(training.GAN):
        def losses(self, player, batch, noise):
            seen.append((player.name, np.asarray(batch["real"]), np.asarray(noise["latents"])))
            return super().losses(player, batch, noise)

    gan = Watched(dense.selu_generator(6), dense.selu_discriminator(), discriminator_steps=3)
    gan.compile(run_eagerly=True)
    images = IMAGES + np.linspace(0, 1e-3, 40, dtype="float32")[:, None, None, None]
    gan.fit(np.clip(images, -1, 1), batch_size=8, steps_per_epoch=1, verbose=0)
    assert [name for name, *_ in seen] == ["discriminator"] * 3 + ["generator"]
    for i, (_, one, noise) in enumerate(seen[:3]):
        for _, other, more in seen[i + 1 : 3]:
            assert not any((a == b).all() for a in one for b in other) and not np.array_equal(noise, more)
    assert not any(np.array_equal(seen[3][2], noise) for _, _, noise in seen[:3])


def test_the_history_and_the_images_a_second_reach_tensorboard_and_csv(tmp_path):
    gan = small_gan()
    board = keras.callbacks.TensorBoard(tmp_path / "board", write_graph=False)
    table = keras.callbacks.CSVLogger(tmp_path / "history.csv")
    gan.fit(IMAGES, batch_size=8, steps_per_epoch=2, epochs=2, verbose=0, callbacks=[board, table])
    assert any(b"generator_loss" in path.read_bytes() for path in (tmp_path / "board").rglob("events*"))
    heads = (tmp_path / "history.csv").read_text().splitlines()[0].split(",")
    assert heads[:5] == ["epoch", "d_fake", "d_real", "discriminator_loss", "generator_loss"]


def test_regularisers_of_the_networks_count():
    def norm(regulariser):
        runtime.set_seed(0)
        critic = keras.Sequential([keras.Input((2,)), layers.Dense(8, kernel_regularizer=regulariser), layers.Dense(1)])
        gan = training.GAN(keras.Sequential([keras.Input((2,)), layers.Dense(2)]), critic)
        gan.compile(discriminator_optimizer=keras.optimizers.SGD(0.1), jit_compile=False)
        gan.fit(np.zeros((8, 2), "float32"), batch_size=8, steps_per_epoch=5, verbose=0)
        return np.linalg.norm(critic.layers[0].kernel.numpy())

    assert norm(keras.regularizers.L2(1.0)) < 0.5 * norm(None)


def test_xla_is_chosen_anew_for_each_fit():
    gan, many = small_gan(), np.tile(IMAGES, (1024 // len(IMAGES) + 1, 1, 1, 1))
    chosen = []
    for batch_size in (32, 1024, 32):
        gan.fit(many, batch_size=batch_size, steps_per_epoch=1, verbose=0)
        chosen.append((gan.jit_compile, gan._traced[1]))
    assert chosen == [(True, True), (False, False), (True, True)]


def test_a_terminal_shows_one_line_that_renews_itself(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    small_gan().fit(
        IMAGES, batch_size=8, steps_per_epoch=2, epochs=3, verbose=0, callbacks=[training.callbacks.Progress()]
    )
    told = capsys.readouterr().out
    assert told.count("\n") == 1 and told.count("\r") == 3 and "images/s" in told and "0:00 left" in told


def test_an_executed_notebook_keeps_a_few_lines():
    code = (
        "import numpy as np\nfrom gan_utils import training\nfrom gan_utils.networks import toy\n"
        "gan = training.GAN(toy.generator(), toy.discriminator())\ngan.compile(jit_compile=False)\n"
        "gan.fit(np.zeros((8, 2), 'float32'), batch_size=4, steps_per_epoch=1, epochs=20, verbose=0,"
        " callbacks=[training.callbacks.Progress(3)]);"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=1200).execute()
    (shown,) = [output for output in notebook.cells[0].outputs if output.output_type == "display_data"]
    lines = shown.data["text/plain"].splitlines()
    assert len(lines) == 3 and lines[-1].startswith("step     20")


def test_callbacks(capsys):
    gan, grids = small_gan(), training.callbacks.SampleGrid(4, every=2)
    progress = training.callbacks.Progress(lines=2)
    gan.fit(IMAGES, batch_size=8, steps_per_epoch=2, epochs=4, verbose=0, callbacks=[grids, progress])
    assert grids.steps == [0, 4, 8] and grids.grids[0].shape == (4, 28, 28, 1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("step      8")
    with pytest.raises(ValueError, match="lines"):
        training.callbacks.Progress(lines=0)
