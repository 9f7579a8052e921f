"""A folder of the reader's images, and data that do not fit into memory, through the same fit."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from gan_utils import data, runtime, training
from gan_utils.networks import toy
from gan_utils.runtime import keras, tf
from gan_utils.training import callbacks

layers = keras.layers


def picture(path, size=(12, 8), colour=(255, 0, 0), mode="RGB"):
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def folder(tmp_path):
    for i in range(6):
        picture(tmp_path / f"{i}.png", colour=(40 * i, 0, 255 - 40 * i))
    return tmp_path


def bomb(path):
    """A PNG whose header claims 60,000 x 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))  # noqa: E731
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def test_images_are_read_to_the_scale_of_the_book(folder):
    source = data.Folder(folder, size=(4, 6))
    found = source.read(np.array([0, 5]))["real"]
    assert len(source) == 6 and found.shape == (2, 4, 6, 3) and found.dtype == np.float32
    assert np.allclose(found[0], [-1, -1, 1]) and np.allclose(found[1], np.array([200, 0, 55]) / 127.5 - 1, atol=1e-6)


def test_grey_palette_transparent_and_rotated_images(tmp_path):
    picture(tmp_path / "a.png", colour=128, mode="L")
    picture(tmp_path / "b.png", colour=(0, 0, 0, 0), mode="RGBA")  # transparent black is shown on white
    Image.new("RGB", (4, 4), (0, 255, 0)).convert("P").save(tmp_path / "c.gif")
    image = Image.new("RGB", (8, 4), "black")
    image.paste("white", (0, 0, 4, 4))  # the left half
    exif = image.getexif()
    exif[0x0112] = 6  # turn by 90 degrees: left becomes top
    image.save(tmp_path / "d.jpg", exif=exif)
    grey = data.Folder(tmp_path, size=(4, 4), channels=1, resize="stretch").read(np.arange(4))["real"]
    assert grey.shape == (4, 4, 4, 1) and np.allclose(grey[0], 128 / 127.5 - 1, atol=1e-6) and np.allclose(grey[1], 1.0)
    assert grey[3, 0].mean() > 0.8 and grey[3, -1].mean() < -0.8


@pytest.mark.parametrize(("resize", "expected"), [("crop", (1, 1)), ("pad", (-1, 1)), ("stretch", (-1, -1))])
def test_the_resize_policy_is_explicit(tmp_path, resize, expected):
    image = Image.new("RGB", (40, 20), "white")  # 2:1, black at the left and right edges
    image.paste("black", (0, 0, 4, 20))
    image.paste("black", (36, 0, 40, 20))
    image.save(tmp_path / "a.png")
    found = data.Folder(tmp_path, size=(10, 10), channels=1, resize=resize).read(np.array([0]))["real"][0, ..., 0]
    if resize == "pad":
        assert np.allclose(found[:2], -1) and found[5, 5] == 1  # bars above and below
    else:
        assert tuple(np.sign(found[5, [0, -1]])) == expected and found[5, 5] == 1


def test_bad_files_are_named_and_skipped_or_fatal(folder):
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "empty.jpg").write_bytes(b"")
    bomb(folder / "huge.png")
    whole = folder / "2.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(whole)
    whole.write_bytes(whole.read_bytes()[:5000])  # a good header, broken pixels
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("not asked for")
    with pytest.warns(UserWarning, match=r"left out broken.png .*empty.jpg .*huge.png .*3600000000 pixels"):
        source = data.Folder(folder, size=(4, 4))
    assert len(source) == 6 and {p.name for p in source.refused} == {"broken.png", "empty.jpg", "huge.png"}
    with pytest.warns(UserWarning, match=r"skipped .*2.png"):
        found = source.read(np.array([2, 3]))["real"]
    assert np.array_equal(found[0], found[1]) and whole in source.refused  # the next good one
    with pytest.raises(ValueError, match=r"broken.png cannot be used .*on_error='skip'"):
        data.Folder(folder, size=(4, 4), on_error="raise")
    for name in ("broken.png", "empty.jpg", "huge.png"):
        (folder / name).unlink()
    with pytest.raises(ValueError, match="96 pixels, more than max_pixels=50"):
        data.Folder(folder, size=(4, 4), on_error="raise", max_pixels=50)
    with pytest.raises(ValueError, match=r"2\.png cannot be used"):
        data.Folder(folder, size=(4, 4), on_error="raise").read(np.array([2]))


def test_a_folder_without_images_or_a_wrong_option_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no usable image"):
        data.Folder(tmp_path, size=(4, 4))
    with pytest.raises(ValueError, match="is not a folder"):
        data.Folder(tmp_path / "nowhere", size=(4, 4))
    for wrong in ({"channels": 2}, {"resize": "squash"}, {"on_error": "ignore"}):
        with pytest.raises(ValueError, match="expected channels 1 or 3"):
            data.Folder(tmp_path, size=(4, 4), **wrong)
    with pytest.raises(ValueError, match=r"expected \(height, width\)"):
        data.Folder(tmp_path, size=(0, 4))


def image_gan(seed=0):
    runtime.set_seed(seed)
    generator = keras.Sequential([keras.Input((3,)), layers.Dense(48, "tanh"), layers.Reshape((4, 4, 3))])
    discriminator = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(1)])
    gan = training.GAN(generator, discriminator, discriminator_steps=2)
    gan.compile(jit_compile=False)
    return gan


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_a_folder_trains_as_the_same_images_in_memory(folder):
    source, streamed, resident = data.Folder(folder, size=(4, 4)), image_gan(), image_gan()
    one = streamed.fit(source, batch_size=2, steps_per_epoch=5, epochs=2, verbose=0).history
    two = resident.fit(source.read(np.arange(6))["real"], batch_size=2, steps_per_epoch=5, epochs=2, verbose=0).history
    assert one == two and same(streamed, resident)


def test_a_folder_resumes_to_the_bit_and_other_files_are_refused(folder, tmp_path_factory):
    run, source = tmp_path_factory.mktemp("run"), data.Folder(folder, size=(4, 4))
    whole, part, rest = image_gan(), image_gan(), image_gan()
    whole.fit(source, batch_size=2, steps_per_epoch=3, epochs=4, verbose=0)
    part.fit(source, batch_size=2, steps_per_epoch=3, epochs=2, verbose=0, callbacks=[callbacks.Resume(run)])
    rest.fit(source, batch_size=2, steps_per_epoch=3, epochs=4, verbose=0, callbacks=[callbacks.Resume(run)])
    assert same(whole, rest)
    picture(folder / "6.png")
    with pytest.raises(ValueError, match="another run: data"):
        image_gan().fit(
            data.Folder(folder, size=(4, 4)),
            batch_size=2,
            steps_per_epoch=3,
            callbacks=[callbacks.Resume(run)],
            verbose=0,
        )


def test_sixteen_bits_are_scaled_and_floats_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 32896, np.uint16)).save(tmp_path / "a.png")  # 128 x 257
    found = data.Folder(tmp_path, size=(4, 4), channels=1).read(np.array([0]))["real"]
    assert np.allclose(found, 128 / 127.5 - 1, atol=1e-6)
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "b.tiff")
    source = data.Folder(tmp_path, size=(4, 4), channels=1)
    with pytest.warns(UserWarning, match="unknown range"):
        source.read(np.array([1]))


def test_hidden_folders_are_left_out_and_the_fingerprint_sees_paths(folder):
    (folder / ".ipynb_checkpoints").mkdir()
    picture(folder / ".ipynb_checkpoints" / "0.png")
    before = data.Folder(folder, size=(4, 4))
    told = before.fingerprint()
    (folder / "sub").mkdir()
    (folder / "5.png").rename(folder / "sub" / "5.png")
    after = data.Folder(folder, size=(4, 4))
    assert len(before) == len(after) == 6 and told != after.fingerprint()


def test_the_fingerprint_sees_another_picture_of_the_same_size(folder):
    bitmap = folder / "a.bmp"
    Image.new("RGB", (9, 9), "red").save(bitmap)
    told, size = data.Folder(folder, size=(4, 4)).fingerprint(), bitmap.stat().st_size
    Image.new("RGB", (9, 9), "blue").save(bitmap)
    assert bitmap.stat().st_size == size and data.Folder(folder, size=(4, 4)).fingerprint() != told


class Pairs(data.Source):
    """Counts its reads; two entries that must come from one read."""

    reads = 0

    def __len__(self):
        return 20

    def read(self, index):
        self.reads += 1
        draw = np.full((len(index), 2), self.reads, "float32")
        return {"real": draw, "target": draw.copy()}


def test_a_source_is_read_once_for_all_its_entries():
    found = list(toy_gan()._plan(Pairs(), 2, 1).take(2))
    assert all(np.array_equal(e["batch"]["real"], e["batch"]["target"]) for e in found)


@pytest.mark.parametrize("kind", ["source", "dataset"])
def test_packing_takes_any_data(folder, kind):
    runtime.set_seed(0)
    gan = training.GAN(toy.generator(), toy.discriminator(4), packing=2)
    gan.compile(jit_compile=False)
    gan.fit(Pairs() if kind == "source" else dataset(7), batch_size=8, steps_per_epoch=2, verbose=0)
    assert gan.step == 2
    with pytest.raises(
        ValueError, match=r"batch_size is 7; expected a multiple of 2 .* 2 samples judged together by packing"
    ):
        gan.fit(dataset(7), steps_per_epoch=2, verbose=0)
    assert gan.gradient_norm("generator") > 0


POINTS = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")


def toy_gan():
    runtime.set_seed(0)
    gan = training.GAN(toy.generator(), toy.discriminator(), discriminator_steps=2)
    gan.compile(jit_compile=False)
    return gan


def dataset(batch=7):
    return tf.data.Dataset.from_tensor_slices(POINTS).shuffle(50, seed=1).batch(batch)


@pytest.mark.parametrize("kind", ["array", "finite", "infinite", "ragged", "tuples", "dicts"])
def test_any_data_take_exactly_the_steps_asked_for_without_a_warning(kind):
    x = {
        "array": POINTS,
        "finite": dataset(),
        "infinite": dataset().repeat(),
        "ragged": dataset(8),  # the last batch of a pass holds two samples
        "tuples": tf.data.Dataset.from_tensor_slices((POINTS, np.zeros(50, "int32"))).batch(5),
        "dicts": tf.data.Dataset.from_tensor_slices({"real": POINTS}).batch(5),
    }[kind]
    gan = toy_gan()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        history = gan.fit(x, steps_per_epoch=13, epochs=4, verbose=0, batch_size=5 if kind == "array" else None)
    assert gan.step == 52 and len(history.history["d_real"]) == 4


def test_a_dataset_is_taken_in_its_order_and_resumes(tmp_path):
    seen = list(toy_gan()._plan(dataset().map(lambda x: {"real": x}), 7, 1).take(3))
    order = np.concatenate([np.asarray(e["batch"]["real"]).reshape(-1, 2) for e in seen])
    expected = np.concatenate(list(dataset().unbatch().batch(42).take(1).as_numpy_iterator()))
    assert np.array_equal(order, expected)
    whole, rest = toy_gan(), toy_gan()
    whole.fit(dataset(), steps_per_epoch=3, epochs=4, verbose=0)
    toy_gan().fit(dataset(), steps_per_epoch=3, epochs=2, verbose=0, callbacks=[callbacks.Resume(tmp_path)])
    rest.fit(dataset(), steps_per_epoch=3, epochs=4, verbose=0, callbacks=[callbacks.Resume(tmp_path)])
    assert same(whole, rest)


def test_bad_datasets_are_refused():
    with pytest.raises(ValueError, match="does not know its length"):
        toy_gan().fit(dataset().repeat(), verbose=0)
    with pytest.raises(ValueError, match="expected a batch of real samples"):
        toy_gan().fit(dataset().take(0), steps_per_epoch=1, verbose=0)
    with pytest.raises(ValueError, match="samples have shape"):
        toy_gan().fit(tf.data.Dataset.from_tensor_slices(np.zeros((9, 3), "float32")).batch(3), verbose=0)


def test_no_dataset_waits_for_the_autotuner(folder):
    kinds = [({"real": POINTS}, toy_gan()), (data.Folder(folder, size=(4, 4)), image_gan())]
    kinds.append((dataset().map(lambda x: {"real": x}), toy_gan()))
    for x, gan in kinds:
        assert gan._plan(x, 2, 1).options().autotune.enabled is False
