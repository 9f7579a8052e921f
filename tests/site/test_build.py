"""site/build.py: what it hands to Jupyter Book, and when it has nothing to do."""

from pathlib import Path

import pytest
import yaml
from browsing import ROOT


@pytest.mark.parametrize("url", ["", "https://example.org/authors/gan-book"])
def test_launch_buttons_need_an_address(build, monkeypatch, tmp_path, url):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["repository"]["url"] = url
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(build, "ROOT", tmp_path)
    made = build.configuration(tmp_path / "cache")
    assert ("launch_buttons" in made) == bool(url)
    if url:
        assert {"binderhub_url", "colab_url"} <= set(made["launch_buttons"])
    assert made["execute"]["cache"] == str(tmp_path / "cache")
    assert all(Path(path).is_absolute() for path in made["sphinx"]["config"]["html_static_path"])


def test_a_digest_follows_names_and_contents(build, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("1")
    before = build.digest("*.py")
    assert build.digest("*.py") == before != build.digest("*.py", extra="gpu")
    (tmp_path / "a.py").write_text("2")
    after = build.digest("*.py")
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({before, after, build.digest("*.py")}) == 3


def test_the_second_build_has_nothing_to_do(build, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(build.subprocess, "run", lambda *_, **__: pytest.fail("nothing should run"))
    output = tmp_path / "_build"
    (output / "html").mkdir(parents=True)
    (output / "html/index.html").write_text("")
    everything = build.digest(*build.INPUTS, extra="cpu")
    (output / "book.stamp").write_text(everything)
    build.build(output, "cpu")
    assert "up to date" in capsys.readouterr().out
