"""``gan-utils score`` from outside: its output, its inputs, its errors (doctor: test_training_doctor)."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan_utils
from gan_utils import cli, data, families, metrics, training
from gan_utils.metrics import features, inputs
from gan_utils.networks import dense, toy
from gan_utils.runtime import keras

pytestmark = pytest.mark.filterwarnings("default:.*covariance is singular:UserWarning")  # so few images
RANDOM = np.random.default_rng(0)
IMAGES = data.load(split="test").images[:120]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("real.npy", RANDOM.normal(size=(300, 8)))
    np.save("fake.npy", RANDOM.normal(size=(300, 8)) + 0.2)
    np.save("images.npy", IMAGES[:60])
    np.savez_compressed("images.npz", images=((IMAGES[60:] + 1) * 127.5).round().astype(np.uint8), labels=np.arange(60))
    return tmp_path


def run(*words):
    return subprocess.run([sys.executable, "-m", "gan_utils.cli", *words], capture_output=True, text=True, timeout=600)


def as_json(capsys, *words):
    assert cli.main(["score", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_contract(folder):
    names = "frechet,kid,precision,recall,density,coverage"
    done = run(
        "score", "real.npy", "fake.npy", "--metrics", names, "--extractor", "identity", "--seed", "0", "--json"
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert list(found["metrics"]) == names.split(",")
    assert (found["n_real"], found["n_fake"], found["extractor"], found["seed"]) == (300, 300, "identity", 0)
    for row in found["metrics"].values():
        assert row["low"] <= row["value"] <= row["high"]


def test_vectors_need_no_tensorflow(folder):
    code = "import sys; from gan_utils import cli; cli.main(sys.argv[1:]); print('tensorflow' in sys.modules)"
    words = ["score", "real.npy", "fake.npy", "--extractor", "identity"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_images_with_labels_and_all(folder, capsys):
    found = as_json(
        capsys, "images.npy", "images.npz", "--extractor", "fashion_mnist", "--metrics", "inception_score,mode_score"
    )
    assert set(found["metrics"]) == {"inception_score", "mode_score"} and found["extractor"] == features.VERSION
    everything = as_json(capsys, "images.npy", "images.npz", "--metrics", "all", "--held-out", "fashion_mnist:test")
    assert set(everything["metrics"]) == set(inputs_all())


def inputs_all():
    from gan_utils import metrics

    return metrics.METRICS


def test_a_table_without_json(folder, capsys):
    assert cli.main(["score", "real.npy", "fake.npy", "--extractor", "identity", "--no-intervals"]) == 0
    out = capsys.readouterr().out
    assert "frechet" in out and "n_real 300" in out and "no interval" in out


def test_folders_equal_arrays(folder, capsys):
    for index, image in enumerate(IMAGES[:30]):
        (folder / f"set/{index % 2}").mkdir(parents=True, exist_ok=True)
        shown = ((image[..., 0] + 1) * 127.5).round().astype(np.uint8)
        Image.fromarray(shown).save(folder / f"set/{index % 2}/{index:02}.png")
    np.save("same.npy", IMAGES[:30])
    for extractor in ("fashion_mnist", "pixels"):
        words = "--metrics", "sliced_wasserstein", "--extractor", extractor
        one = as_json(capsys, "images.npy", "set", *words)
        other = as_json(capsys, "images.npy", "same.npy", *words)
        assert one["n_fake"] == 30
        value = [x["metrics"]["sliced_wasserstein"]["value"] for x in (one, other)]
        assert value[0] == pytest.approx(value[1], rel=1e-3)


def test_saved_generators(folder, capsys):
    gan = training.GAN(dense.fashion_generator(), dense.fashion_discriminator())
    gan.compile()
    gan.save("gan.keras")
    gan.generator.save("generator.keras")
    words = "--metrics", "frechet", "--n", "50", "--seed", "4", "--no-intervals"
    value = [as_json(capsys, "images.npy", name, *words) for name in ("gan.keras", "generator.keras")]
    assert value[0]["n_fake"] == 50 and value[0]["metrics"]["frechet"] == pytest.approx(value[1]["metrics"]["frechet"])
    np.save("made.npy", gan.generate(50, seed=4))
    again = as_json(capsys, "images.npy", "made.npy", *words)
    exact, found = again["metrics"]["frechet"]["value"], value[0]["metrics"]["frechet"]["value"]
    assert found == pytest.approx(exact, rel=1e-4)
    default = as_json(capsys, "images.npy", "gan.keras", "--metrics", "frechet", "--no-intervals")
    assert default["n_fake"] == 60  # as many as real


def test_a_generator_of_points_and_an_extractor_from_a_file(folder, capsys):
    image = keras.Input((28, 28, 1))
    hidden = keras.layers.Flatten(name="flat")(image)
    keras.Model(image, keras.layers.Dense(3, name="classes")(hidden), name="judge").save("judge.keras")
    words = "--extractor", "judge.keras", "--layer", "flat", "--logits", "classes", "--metrics", "mode_score"
    found = as_json(capsys, "images.npy", "images.npz", *words)
    assert found["extractor"] == "judge:flat" and 0 < found["metrics"]["mode_score"]["value"] <= 3
    generated = inputs.Generated(toy.generator(), 20, seed=1)
    assert len(generated) == 20
    one = generated.read(np.arange(20))["real"]
    assert np.allclose(generated.read(np.array([3, 7]))["real"], one[[3, 7]], atol=1e-6)
    toy.generator().save("points.keras")
    np.save("plane.npy", RANDOM.normal(size=(60, 2)))
    found = as_json(capsys, "plane.npy", "points.keras", "--extractor", "identity", "--metrics", "kid")
    assert found["n_fake"] == 60
    with pytest.raises(ValueError, match="latents"):
        inputs.Generated(dense.fashion_discriminator(), 5)


def test_real_features_are_cached(folder, capsys, monkeypatch):
    words = "images.npy", "images.npz", "--metrics", "frechet,mode_score", "--cache", "kept/deep", "--no-intervals"
    first = as_json(capsys, *words)
    files = list((folder / "kept/deep").iterdir())
    assert len(files) == 1  # the real set's
    read = []
    monkeypatch.setattr(features.Extractor, "__call__", spy := counting(features.Extractor.__call__, read))
    assert as_json(capsys, *words) == first and len(read) == 1 and spy
    files[0].write_bytes(b"PK broken")
    assert as_json(capsys, *words) == first and len(read) == 3  # made anew
    np.save("images.npy", IMAGES[1:61])
    assert as_json(capsys, *words) != first and len(read) == 5


def test_another_network_of_the_same_name_has_its_own_cache(folder, capsys):
    words = "images.npy", "images.npz", "--metrics", "frechet", "--cache", "kept", "--no-intervals"
    values = []
    for name in ("one", "two"):
        keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name="net").save(
            f"{name}.keras"
        )
        values.append(as_json(capsys, *words, "--extractor", f"{name}.keras"))
        assert as_json(capsys, *words, "--extractor", f"{name}.keras") == values[-1]
    assert values[0] != values[1] and len(list((folder / "kept").iterdir())) == 2


def test_what_keras_prints_does_not_reach_standard_output(folder, capfd, monkeypatch):
    build = features._inception

    def noisy():
        print("Downloading data from somewhere")
        raise FileNotFoundError("not to be had")

    monkeypatch.setattr(features, "_inception", noisy)
    assert cli.main(["score", "images.npy", "images.npz", "--extractor", "inception-v3-keras", "--json"]) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and build


def counting(function, seen):
    def call(self, samples, **options):
        seen.append(len(samples))
        return function(self, samples, **options)

    return call


def bad_inputs(folder):
    np.save("nan.npy", np.full((10, 8), np.nan))
    np.save("one.npy", np.zeros((1, 8)))
    np.save("wide.npy", np.zeros((20, 9)))
    np.save("flat.npy", np.zeros(20))
    np.save("none.npy", np.zeros((0, 8)))
    np.save("text.npy", np.array([["a"]]))
    np.save("pickled.npy", np.array([{}], object), allow_pickle=True)
    np.savez("pickled.npz", images=np.array([{}], object))
    np.savez("two.npz", left=np.zeros((3, 8)), right=np.zeros((3, 8)))
    np.savez("bytes.npz", images=np.zeros((3, 8), np.int64))
    (folder / "cut.npy").write_bytes((folder / "real.npy").read_bytes()[:200])
    (folder / "cut.npz").write_bytes((folder / "images.npz").read_bytes()[:200])
    (folder / "cut.keras").write_bytes(b"PK")
    np.save("big.npy", np.full((20, 8), 1e160))
    (folder / "really_npy.npz").write_bytes((folder / "flat.npy").read_bytes())
    (folder / "really_npz.npy").write_bytes((folder / "two.npz").read_bytes())
    with zipfile.ZipFile(folder / "no_array.npz", "w") as archive:
        archive.writestr("images", b"words")
    with zipfile.ZipFile(folder / "lzma.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", b"words")
    (folder / "words.txt").write_text("words")
    (folder / "empty").mkdir()
    huge = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 8), }".ljust(117)
        + b"\n"
    )
    with zipfile.ZipFile(folder / "huge.npz", "w") as archive:
        archive.writestr("images.npy", huge)
    return [
        "nan.npy", "one.npy", "wide.npy", "flat.npy", "none.npy", "text.npy", "pickled.npy", "pickled.npz", "two.npz",
        "cut.npy", "cut.npz", "cut.keras", "words.txt", "empty", "huge.npz", "absent.npy", "big.npy",
        "really_npy.npz", "really_npz.npy", "no_array.npz", "lzma.npz",
    ]  # fmt: skip


def test_what_cannot_be_scored_is_one_line_and_status_2(folder, capfd):
    for name in bad_inputs(folder):
        for order in (("real.npy", name), (name, "real.npy")):
            assert cli.main(["score", *order, "--extractor", "identity", "--json"]) == 2, name
            out, err = capfd.readouterr()
            assert out == "" and err.startswith("gan-utils: ") and err.count("\n") == 1, (name, err)


class Trap:
    """What a pickle can do to who opens it."""

    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


def test_no_file_is_unpickled(folder, capfd):
    traps = np.array([[Trap()] * 8] * 3, object)
    np.save("trap.npy", traps, allow_pickle=True)
    np.savez("trap.npz", images=traps)
    for name in ("trap.npy", "trap.npz"):
        assert cli.main(["score", "real.npy", name, "--extractor", "identity"]) == 2
        assert "cannot be read" in capfd.readouterr().err
    assert not Path("sprung").exists()


def test_bad_options_are_one_line_and_status_2(folder, capfd):
    good = ["score", "real.npy", "fake.npy", "--extractor", "identity"]
    for words in (
        [*good, "--metrics", "fid"],
        [*good, "--metrics", "memorisation"],
        [*good, "--metrics", "inception_score"],
        [*good, "--n", "0"],
        [*good, "--metrics", ""],
        [*good, "--layer", "x"],
        [*good, "--extractor", "vgg"],
        [*good, "--extractor", "absent.keras"],
        ["score", "real.npy", "fake.npy"],
        ["score", "images.npy", "images.npz", "--extractor", "identity"],
    ):
        assert cli.main(words) == 2
        out, err = capfd.readouterr()
        assert out == "" and err.startswith("gan-utils: ") and err.count("\n") == 1, (words, err)
    for words in (["score", "real.npy"], ["score", "real.npy", "fake.npy", "--seed", "x"], ["sing"]):
        with pytest.raises(SystemExit) as stopped:
            cli.main(words)
        assert stopped.value.code == 2 and capfd.readouterr().err.count("\n") == 1


def test_mixed_sizes_bombs_and_broken_images_in_a_folder(folder, capfd):
    (folder / "set").mkdir()
    for name, size in (("a.png", (28, 28)), ("b.png", (30, 28))):
        Image.new("L", size).save(folder / "set" / name)
    assert cli.main(["score", "images.npy", "set", "--extractor", "pixels"]) == 2
    assert "28x28x1 (a.png), 28x30x1 (b.png)" in capfd.readouterr().err
    # an extractor with a size of its own resamples them
    assert cli.main(["score", "images.npy", "set", "--metrics", "sliced_wasserstein", "--no-intervals"]) == 0
    (folder / "set/c.png").write_bytes((folder / "set/a.png").read_bytes()[:40])
    capfd.readouterr()
    assert cli.main(["score", "images.npy", "set"]) == 2
    assert "c.png" in capfd.readouterr().err
    (folder / "set/c.png").unlink()
    Image.new("1", (8000, 8000)).save(folder / "set/bomb.png")
    assert cli.main(["score", "images.npy", "set"]) == 2
    assert "pixels" in capfd.readouterr().err


def test_help_has_examples(capsys):
    for words in (["--help"], ["score", "--help"]):
        with pytest.raises(SystemExit) as stopped:
            cli.main(words)
        assert stopped.value.code == 0 and "gan-utils score real.npy fake.npy" in capsys.readouterr().out


def test_warnings_are_lines_of_their_own(folder, capfd):
    np.save("few.npy", RANDOM.normal(size=(7, 8)))
    found = cli.main(["score", "real.npy", "few.npy", "--metrics", "frechet", "--extractor", "identity", "--json"])
    out, err = capfd.readouterr()
    assert found == 0 and json.loads(out) and err.startswith("gan-utils: ") and "singular" in err


# export and completion


@pytest.fixture
def saved(folder):
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.save("gan.keras")
    return gan


def test_export_writes_a_generator_and_its_card(saved, folder, capsys):
    words = ["score", "real.npy", "fake.npy", "--extractor", "identity", "--metrics", "frechet"]
    assert cli.main([*words, "--json"]) == 0
    Path("scores.json").write_text(capsys.readouterr().out)
    assert cli.main(["export", "gan.keras", "out/g.keras", "--scores", "scores.json", "--data", "a ring"]) == 0
    assert capsys.readouterr().out == f"{Path('out/g.keras')} and {Path('out/g.keras.md')}\n"
    card = Path("out/g.keras.md").read_text()
    assert "a ring" in card and "frechet" in card and "n_real 300" in card
    latents = RANDOM.normal(size=(3, saved.latent_dim)).astype(np.float32)
    assert np.allclose(keras.saving.load_model("out/g.keras")(latents), saved.decode(latents), atol=1e-6)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gan.keras", "g.h5"], "expected x.keras, x.onnx"),
        (["missing.keras", "g.keras"], "missing.keras does not exist"),
        (["real.npy", "g.keras"], "real.npy"),
        (["gan.keras", "g.keras", "--scores", "images.npy"], "images.npy holds no scores"),
        (["gan.keras", "g.keras", "--scores", "empty.json"], "empty.json holds no scores"),
        (["gan.keras", "g.keras", "--scores", "none.json"], "none.json holds no scores"),
        (["gan.keras", "gan.keras"], "is a saved run"),
        (["own.keras", "g.keras"], "own.keras"),
    ],
)
def test_what_cannot_be_exported_is_one_line(saved, folder, capsys, words, says):
    Path("empty.json").write_text("{}")
    told = {"metrics": {}, "n_real": 1, "n_fake": 1, "extractor": "x", "resize": "y", "seed": 0}
    Path("none.json").write_text(json.dumps(told))

    class Own(keras.Model):  # not registered
        def call(self, inputs, training=None):
            return inputs

    training.GAN(Own(), toy.discriminator(), latent_dim=2).save("own.keras")
    assert cli.main(["export", *words]) == 2
    errors = capsys.readouterr().err
    assert says in errors and errors.count("\n") == 1 and not Path("g.keras").exists()


OWN_MODULE = """
from gan_utils import training
from gan_utils.runtime import keras


@keras.saving.register_keras_serializable("own_module")
class Own(training.GAN):
    pass
"""


def test_a_class_of_ones_own_is_imported_from_the_working_directory(folder, capsys, monkeypatch):
    Path("own_module.py").write_text(OWN_MODULE)
    make = "from own_module import Own; from gan_utils.networks import toy;"
    make += "Own(toy.generator(), toy.discriminator()).save('own.keras')"
    subprocess.run([sys.executable, "-c", make], check=True, capture_output=True)
    assert cli.main(["export", "own.keras", "g.keras"]) == 2
    assert "Own" in capsys.readouterr().err and not Path("g.keras").exists()
    assert cli.main(["export", "own.keras", "g.keras", "--import", "own_module"]) == 0 and Path("g.keras").exists()
    np.save("ring.npy", RANDOM.normal(size=(300, 2)))
    words = ["score", "ring.npy", "own.keras", "--extractor", "identity", "--metrics", "frechet", "--n", "100"]
    assert cli.main([*words, "--import", "own_module", "--no-intervals"]) == 0
    capsys.readouterr()
    Path("broken_module.py").write_text("raise KeyError('here')")
    for name in ("no_such_module", "broken_module", "own_module.py"):
        assert cli.main(["export", "own.keras", "h.keras", "--import", name]) == 2
        errors = capsys.readouterr().err
        assert f"'{name}' cannot be imported" in errors and errors.count("\n") == 1
    assert os.getcwd() not in sys.path


def test_any_network_of_a_family_is_exported(folder, capsys):
    layers, picture = keras.layers, (4, 4, 1)
    networks = [keras.Sequential([keras.Input(picture), layers.Conv2D(1, 3, padding="same")]) for _ in range(4)]
    families.CycleGAN(*networks).save("cycle.keras")
    assert cli.main(["export", "cycle.keras", "g.keras"]) == 2
    assert "network=... with one of backward, discriminator_a" in capsys.readouterr().err
    assert cli.main(["export", "cycle.keras", "g.keras", "--network", "backward"]) == 0
    assert "The network `backward` of a CycleGAN, which makes 4 × 4 × 1" in Path("g.keras.md").read_text()


def test_samples_of_a_conditional_gan_come_from_a_file(folder, capsys):
    def told(size):
        pair = [keras.Input((2,)), keras.Input((), dtype="int32")]
        both = keras.layers.Concatenate()([pair[0], keras.layers.Embedding(2, 2)(pair[1])])
        return keras.Model(pair, keras.layers.Dense(size)(both))

    families.ConditionalGAN(told(2), told(1), classes=2).save("told.keras")
    assert cli.main(["score", "real.npy", "told.keras", "--extractor", "identity"]) == 2
    assert "expected a file of them: np.save('fake.npy', gan.generate(n, label=...))" in capsys.readouterr().err


def test_scores_survive_json():
    scores = metrics.score(RANDOM.normal(size=(60, 2)), RANDOM.normal(size=(60, 2)), ["kid"], extractor="identity")
    assert metrics.Scores.from_dict(json.loads(scores.to_json())) == scores


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_completes_commands_and_options(shell, tmp_path, capsys):
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("score", "doctor", "export", "extractor"))
    if shell == "bash":
        (tmp_path / "words").write_text(script)
        check = (
            'source words; COMP_WORDS=(gan-utils score --extr); COMP_CWORD=2; _shtab_gan_utils; echo "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", check], cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout.strip() == "--extractor", done.stderr


def test_the_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0 and capsys.readouterr().out == f"gan-utils {gan_utils.__version__}\n"


# whatever comes, one line and a status that means something


@pytest.mark.parametrize(
    "text",
    [
        '{"history": {"a": [1' + "0" * 400 + "]}}",
        '{"history": {"a": [1' + "0" * 5000 + "]}}",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"history": {"d_real": "999", "d_fake": "000"}}',
        '{"history": {"a": [1, "2"]}}',
        '{"history": {"a": [true]}}',
        '{"history": {"\\ud800": ["x"]}}',
        '{"history": {}}',
        '{"history": {"a": []}}',
        '{"history": [1]}',
        "[]",
        "null",
        "",
        "\x00",
        '{"history": {"a": [NaN]}, "loss": ["hinge"]}',
    ],
    ids=range(16),
)
def test_no_file_brings_the_doctor_or_export_to_a_traceback(folder, capfd, text):
    Path("a.json").write_text(text)
    for words in (["doctor", "a.json"], ["export", "gan.keras", "g.keras", "--scores", "a.json"]):
        assert cli.main(words) == 2
        out, err = capfd.readouterr()
        assert out == "" and err.startswith("gan-utils: ") and err.count("\n") == 1 and len(err) < 1000


@pytest.mark.parametrize("text", ["a,b\n1,2,3\n", "a,b\n1\n", "a\nx\n", "", "a\n", 'a\n"' + "x" * 200_000 + '"\n'])
def test_no_table_brings_the_doctor_to_a_traceback(folder, capfd, text):
    Path("a.csv").write_text(text)
    assert cli.main(["doctor", "a.csv"]) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_epochs_without_a_value_are_left_out(folder, capfd):
    Path("a.json").write_text('{"history": {"a": [1, 2, 3], "b": [null, null, 3]}}')
    Path("a.csv").write_text("a,b\n1,\n2,\n3,3\n")
    for name in ("a.json", "a.csv"):
        assert cli.main(["doctor", name]) == 0
        assert "nothing found in 3 epochs of a, b" in capfd.readouterr().out


def test_a_folder_or_a_pipe_in_place_of_a_file_is_one_line(folder, capfd):
    Path("empty").mkdir()
    os.mkfifo("pipe.npy")
    identity = ["--extractor", "identity"]
    for words in (
        ["doctor", "empty"],
        ["export", "gan.keras", "g.keras", "--scores", "empty"],
        ["score", "real.npy", "pipe.npy", *identity],
        ["score", "real.npy", "empty", "--extractor", "pixels"],
    ):
        assert cli.main(words) == 2, words
        out, err = capfd.readouterr()
        assert out == "" and err.count("\n") == 1, err


@pytest.mark.parametrize("error", [MemoryError, RecursionError, TypeError, AssertionError, EOFError])
def test_what_nobody_expects_is_one_line_too(folder, capfd, monkeypatch, error):
    monkeypatch.setattr(cli, "_read_history", lambda path: (_ for _ in ()).throw(error("of\nno use")))
    assert cli.main(["doctor", "a.json"]) == 2
    assert capfd.readouterr().err == f"gan-utils: {error.__name__}: of no use\n"


def test_ctrl_c_gives_130(folder, capfd, monkeypatch):
    monkeypatch.setattr(cli, "_read_history", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
    assert cli.main(["doctor", "a.json"]) == 130
    assert capfd.readouterr() == ("", "")


SCORE = [sys.executable, "-m", "gan_utils.cli", "score", "real.npy", "fake.npy", "--extractor", "identity"]


def test_an_output_that_nobody_reads_or_that_is_full_ends_quietly(folder):
    for words in ([*SCORE, "--metrics", "frechet"], [*SCORE[:3], "--help"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        # argparse itself passes over a help that nobody reads
        assert done.returncode in ((0, 141) if "--help" in words else (141,)) and done.stderr == ""
    with open("/dev/full", "w") as full:
        done = subprocess.run([*SCORE, "--metrics", "frechet"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "No space left" in done.stderr and done.stderr.count("\n") == 1


def test_missing_streams_end_nothing(folder):
    shell = " ".join([*SCORE, "--metrics", "frechet", "--no-intervals"])
    assert subprocess.run(f"{shell} >&-", shell=True).returncode == 0
    done = subprocess.run(f"{shell} 2>&-", shell=True, capture_output=True, text=True)
    assert done.returncode == 0 and "frechet" in done.stdout
    wrong = " ".join([*SCORE[:4], "absent.npy", "fake.npy", "2>&-"])
    done = subprocess.run(wrong, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")  # the words do not end up in the result


def test_names_of_any_bytes_reach_any_output(folder):
    name = os.fsdecode(b"caf\xe9 \xc3\xa9.npy")
    np.save(name, RANDOM.normal(size=(60, 8)))
    words = [*SCORE[:4], name, name, "--extractor", "identity", "--metrics", "frechet"]
    for encoding in ("ascii", "utf-8"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run(words, capture_output=True, env=environment)
        assert done.returncode == 0 and b"caf" in done.stdout, done.stderr
        done = subprocess.run([*words, "--json"], capture_output=True, env=environment)
        assert json.loads(done.stdout)["real_name"] == name
    assert subprocess.run([*words[:4], name + "x", name], capture_output=True).returncode == 2


def test_the_result_names_what_was_scored(folder, capsys):
    found = as_json(capsys, "fashion_mnist:test", "images.npy", "--metrics", "frechet", "--no-intervals")
    assert (found["real_name"], found["fake_name"]) == ("fashion_mnist:test", "images.npy")
    words = ["real.npy", "fake.npy", "--extractor", "identity", "--metrics", "memorisation", "--held-out", "fake.npy"]
    assert cli.main(["score", *words]) == 0
    assert "real real.npy, generated fake.npy, held out fake.npy" in capsys.readouterr().out


def small_folder(path, count=8, mode="L", turned=False):
    path.mkdir()
    for index in range(count):
        image = Image.fromarray(np.random.default_rng(index).integers(0, 255, (12, 8), np.uint8)).convert(mode)
        exif = Image.Exif()
        if turned:
            image, exif[0x0112] = image.rotate(90, expand=True), 6
        image.save(path / f"{index}.png", exif=exif)


def test_pictures_that_look_alike_score_alike(folder, capsys):
    small_folder(folder / "a")
    small_folder(folder / "b", turned=True)
    found = as_json(capsys, "a", "b", "--extractor", "pixels", "--metrics", "frechet")
    assert found["metrics"]["frechet"]["value"] < 1e-6


def test_every_remedy_in_a_message_is_an_option_of_the_command(folder, capfd):
    small_folder(folder / "few", 5)
    small_folder(folder / "more", 8)
    assert cli.main(["score", "few", "more", "--extractor", "pixels"]) == 2
    err = capfd.readouterr().err
    assert "need 6 samples" in err and "--metrics frechet,kid" in err and "Lower k" not in err
    (folder / "more" / "x.png").write_text("x")
    words = ["score", "more", "more", "--extractor", "pixels", "--metrics", "kid"]
    assert cli.main(words) == 2
    err = capfd.readouterr().err
    assert "--skip-bad-files" in err and "on_error" not in err
    assert cli.main([*words, "--skip-bad-files"]) == 0
    assert "left out x.png" in capfd.readouterr().err
    assert cli.main(["score", "real.npy", "fake.npy", "--extractor", "identity", "--metrics", "memorisation"]) == 2
    assert "--held-out" in capfd.readouterr().err
    assert cli.main(["score", "real.npy", "fake.npy", "--extractor", "identity", "--seed", "-1"]) == 2
    assert "--seed is -1; expected an integer in [0, 2**31)" in capfd.readouterr().err


def test_colour_scored_by_the_clothes_classifier_is_told_once(folder, capfd):
    small_folder(folder / "a", mode="RGB")
    assert cli.main(["score", "a", "a", "--metrics", "kid"]) == 0
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "knows clothes in grey, 28x28" in err and "inception-v3-keras" in err
