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
