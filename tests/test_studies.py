import json
import sys

import numpy as np
import pytest

from gan_utils import studies


def test_records_and_their_code_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = studies.record("leaderboard")
    assert {"date", "hardware", "code", "rows"} <= set(record)
    assert tuple(record["seeds"]) == studies.code("leaderboard").SEEDS


def test_a_clone_elsewhere_comes_first(tmp_path, monkeypatch):
    (tmp_path / "clone/benchmarks/results").mkdir(parents=True)
    (tmp_path / "clone/benchmarks/results/leaderboard.json").write_text('{"rows": {}}')
    (tmp_path / "clone/chapters").mkdir()
    monkeypatch.chdir(tmp_path / "clone/chapters")
    assert studies.record("leaderboard") == {"rows": {}}


def test_what_is_missing_is_named():
    with pytest.raises(FileNotFoundError, match="leaderboard"):
        studies.record("nothing")
    with pytest.raises(FileNotFoundError, match="nothing"):
        studies.code("nothing")


CODE = """
def double(x):
    y = 2 * x
    return f"{y!r}" + "twice"
"""
SAME = '''"""What this module is for."""
# a comment

def double(x):
    """Return it, in words."""
    y = (2 *
         x)  # doubled
    return f"{y!r}" + 'twice'
'''


def test_words_and_lines_do_not_change_what_code_does(tmp_path):
    def hash_of(name, text, **options):
        (tmp_path / name).write_text(text)
        return studies.code_hash([tmp_path / name], tmp_path, **options)

    assert hash_of("a.py", CODE) == hash_of("a.py", SAME) != hash_of("b.py", SAME)
    for other in ("3 * x", "2 + x", "2 * z", "2.0 * x", "(2 * x,)", "2 * (x)  ; z = 1"):
        assert hash_of("a.py", CODE.replace("2 * x", other)) != hash_of("a.py", CODE)
    assert hash_of("a.py", CODE.replace("twice", "thrice")) != hash_of("a.py", CODE)
    assert hash_of("a.py", CODE + "def models(): pass", besides="models") == hash_of("a.py", CODE)
    assert hash_of("a.py", CODE + "def models(): pass") != hash_of("a.py", CODE)
    assert hash_of("a.js", "x // words") != hash_of("a.js", "x")  # what is not Python counts by its bytes


def test_the_hash_of_code_is_the_same_in_every_version_of_python(tmp_path):
    (tmp_path / "a.py").write_text(CODE)
    assert studies.code_hash([tmp_path / "a.py"], tmp_path).startswith("a876b64bd9bb2bc6")


STUDY = """
import numpy as np
calls = []
def samples(seed, steps=None):
    calls.append(seed)
    return np.full((2, 3), seed, np.float32), {"steps": steps}
"""


def test_what_a_study_makes_is_made_once_until_its_code_or_arguments_change(tmp_path, monkeypatch):
    (tmp_path / "benchmarks/results").mkdir(parents=True)
    (tmp_path / "gan_utils").mkdir()
    (tmp_path / "benchmarks/a_tiny_study.py").write_text(STUDY)
    part = tmp_path / "gan_utils/part.py"
    part.write_text("1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "a_tiny_study", raising=False)
    ask = lambda **arguments: studies.once("a_tiny_study", "samples", **arguments)  # noqa: E731
    first, again = ask(seed=3), ask(seed=3)
    assert first[1] == again[1] == {"steps": None} and first[0].dtype == again[0].dtype == np.float32
    np.testing.assert_array_equal(first[0], again[0])
    assert studies.code("a_tiny_study").calls == [3]
    assert ask(seed=3, steps=2)[1] == {"steps": 2} and ask(seed=4)[0][0, 0] == 4
    part.write_text("2")
    ask(seed=3)
    assert studies.code("a_tiny_study").calls == [3, 3, 4, 3]
    kept = list((tmp_path / "_build/once").iterdir())
    assert len(kept) == 3 and all(json.loads(str(np.load(path)["how"])).keys() == {"steps"} for path in kept)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A clone with one recorded network, "tiny"; its folder and the network."""
    from gan_utils.networks import layers
    from gan_utils.runtime import keras

    folder = tmp_path / "benchmarks/results/networks"
    numbers = keras.initializers.Constant(0.25)
    tiny = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, kernel_initializer=numbers)])
    tiny.add(layers.SpectralNormalization(keras.layers.Dense(2, kernel_initializer=numbers)))
    tiny.set_weights([values.astype(np.float16).astype(np.float32) for values in tiny.get_weights()])
    told = studies.keep_network(folder / "tiny.npz", tiny)
    record = {"kept_seed": 3, "rows": {"3": {"network": told}}}
    (folder / "tiny.json").write_text(json.dumps(record))
    monkeypatch.chdir(tmp_path)
    return folder, tiny


def test_a_recorded_network_comes_back_with_its_record(kept):
    folder, tiny = kept
    network, record = studies.network("tiny")
    latents = np.random.default_rng(0).standard_normal((5, 3), np.float32)
    np.testing.assert_array_equal(network(latents, training=False), tiny(latents, training=False))
    assert {variable.dtype for variable in network.weights} == {"float32"}
    told = record["rows"]["3"]["network"]
    assert told["bytes"] == (folder / "tiny.npz").stat().st_size and told["parameters"] == tiny.count_params()
    again = studies.keep_network(folder / "again.npz", tiny)
    assert again["sha256"] == told["sha256"]  # the same network makes the same bytes


def test_a_network_that_is_not_there_is_named_with_those_that_are(kept):
    for name in ("large", "../tiny", "", None):
        with pytest.raises(FileNotFoundError, match=r"There is no recorded network .*; expected one of tiny\.$"):
            studies.network(name)


def test_a_file_that_is_not_the_recorded_one_is_refused_in_one_line(kept):
    path = kept[0] / "tiny.npz"
    content = path.read_bytes()
    for other in (content[:-1], content[:100], b"", content[:200] + b"x" + content[201:]):
        path.write_bytes(other)
        with pytest.raises(ValueError, match=r"its record names .*git checkout --") as raised:
            studies.network("tiny")
        assert "\n" not in str(raised.value) and "tiny.npz" in str(raised.value)
    path.unlink()
    with pytest.raises(ValueError, match="is missing; its record names"):
        studies.network("tiny")
    path.write_bytes(content)
    for text in ("", "{", "[]", '{"rows": {}}'):
        (kept[0] / "tiny.json").write_text(text)
        with pytest.raises(ValueError, match=r"tiny\.json is no record of a network; .*git checkout --") as raised:
            studies.network("tiny")
        assert "\n" not in str(raised.value)


def test_only_what_half_precision_holds_is_kept(tmp_path, monkeypatch):
    from gan_utils.runtime import keras

    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    path = tmp_path / "x.npz"
    for value in (0.1, np.nan, 1e6, -np.inf):
        network.set_weights([np.full((2, 1), value, np.float32), np.zeros(1, np.float32)])
        with pytest.raises(ValueError, match="half precision"):
            studies.keep_network(path, network)
    network.set_weights([np.full((2, 1), 0.5, np.float32), np.zeros(1, np.float32)])
    monkeypatch.setattr(studies, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="expected at most 100"):
        studies.keep_network(path, network)
    assert not path.exists()


def test_outside_a_clone_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studies, "__file__", str(tmp_path / "site-packages/gan_utils/studies.py"))
    for ask in (studies.network, studies.record, studies.code):
        with pytest.raises(FileNotFoundError, match="clone the repository and run this inside the clone") as raised:
            ask("compact_dcgan")
        assert "\n" not in str(raised.value)


def test_a_slice_must_lie_in_the_range_of_the_seeds_widened_by_half():
    values = {"0": (10, 5), "1": (14, 4), "2": (12, 3), "3": (11,)}
    rows = {
        seed: {"curve": [{"steps": 100 * (i + 1), "score": value} for i, value in enumerate(curve)]}
        for seed, curve in values.items()
    }
    assert studies.ranges({"rows": rows}, "score") == {100: (8, 16), 200: (2, 6)}
    del rows["2"]
    assert set(studies.ranges({"rows": rows}, "score")) == {100}  # two seeds tell no range
