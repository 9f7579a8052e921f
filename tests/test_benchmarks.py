"""Every record is complete, and a slice of the study that made it still runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.parametrize("path", sorted((BENCHMARKS / "results").glob("*.json")), ids=lambda p: p.stem)
def test_records_say_when_where_and_with_what(path):
    record = json.loads(path.read_text())
    assert (BENCHMARKS / f"{path.stem}.py").exists()
    assert {"what", "date", "hardware", "versions"} <= set(record)
    assert {"cpu", "cores", "gpu"} <= set(record["hardware"]) and {"tensorflow", "keras"} <= set(record["versions"])


def test_the_recorded_speed_up_is_what_its_rounds_say():
    record = json.loads((BENCHMARKS / "results/training_step.json").read_text())
    rounds, rates = record["ratio"]["all"], record["images_per_second"]
    assert len(rounds) == record["rounds"] >= 3 and min(rounds) <= record["ratio"]["median"] <= max(rounds)
    assert rates["GAN.fit"] / rates["published loop"] == pytest.approx(record["ratio"]["median"], rel=0.1)
    assert record["ratio"]["median"] >= 6


def test_a_slice_of_the_timing_runs(tmp_path):
    command = [
        sys.executable,
        BENCHMARKS / "training_step.py",
        "--steps=2",
        "--rounds=1",
        f"--record={tmp_path / 'r.json'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "times as fast" in done.stdout and json.loads((tmp_path / "r.json").read_text())["rounds"] == 1
