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
