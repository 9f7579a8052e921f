"""Every record is complete, and a slice of the study that made it still runs."""

import argparse
import dataclasses
import json
import runpy
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_utils import data, metrics, studies

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
pytestmark = pytest.mark.no_cover  # what only a benchmark runs is not covered; and tracing takes a sixth more time


@pytest.mark.parametrize("path", sorted((BENCHMARKS / "results").glob("*.json")), ids=lambda p: p.stem)
def test_records_say_when_where_and_with_what(path):
    record = json.loads(path.read_text())
    assert (BENCHMARKS / f"{path.stem.removesuffix('_avx2')}.py").exists()  # on an emulated machine
    assert {"what", "date", "hardware", "versions"} <= set(record)
    assert {"cpu", "cores", "gpu"} <= set(record["hardware"]) and {"tensorflow", "keras"} <= set(record["versions"])


RECORDS = {path.stem: json.loads(path.read_text()) for path in sorted((BENCHMARKS / "results").glob("*.json"))}


@pytest.mark.parametrize("name", [name for name, record in RECORDS.items() if "code" in record])
def test_records_were_made_by_the_code_at_hand(name, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common
    import equal

    assert name in equal.registered()
    assert common.is_made_by(RECORDS[name], common.code_hash(*equal.made_by(name)))


@pytest.mark.parametrize("path", sorted((BENCHMARKS / "results/networks").glob("*.json")), ids=lambda p: p.stem)
def test_a_recorded_network_says_where_it_comes_from_and_is_small(path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common
    import equal

    network, record = studies.network(path.stem)
    assert {"what", "date", "hardware", "versions", "data", "licence", "settings", "steps", "score"} <= set(record)
    assert record["data"] and record["licence"] and record["kept_seed"] in record["seeds"]
    assert record["study"] in equal.registered()
    assert common.is_made_by(record, common.code_hash(*equal.made_by(record["study"])))
    assert len(record["seeds"]) >= 3 and {str(seed) for seed in record["seeds"]} <= set(record["rows"])
    for seed in record["seeds"]:
        steps = [look["steps"] for look in record["rows"][str(seed)]["curve"]]
        assert steps == sorted(set(steps)) and steps[-1] == record["steps"]
    told = record["rows"][str(record["kept_seed"])]["network"]
    assert path.with_suffix(".npz").stat().st_size == told["bytes"] <= studies.MAX_BYTES
    assert network.count_params() == told["parameters"]


def test_every_file_of_a_recorded_network_has_its_record():
    names = [path.stem for path in sorted((BENCHMARKS / "results/networks").iterdir())]
    assert names and all(names.count(name) == 2 for name in names)


def test_the_score_of_the_recorded_dcgan_comes_out_again(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import dcgan
    import networks

    network, record = studies.network("compact_dcgan")
    latents = np.random.default_rng(networks.LATENTS).standard_normal((record["score"]["n_fake"], 64), np.float32)
    measure = dcgan.distances(
        {"found": metrics.features.get(networks.EXTRACTOR)}, data.load("fashion_mnist", split="test").images
    )
    found = measure(network.predict(latents, batch_size=500, verbose=0))["found"]
    row = record["rows"][str(record["kept_seed"])]
    assert found == pytest.approx(row["network"]["frechet"], rel=0.01)
    assert row["network"]["frechet"] == pytest.approx(row["frechet"], rel=0.01)  # half precision changes little


def test_code_is_as_good_as_code_that_computes_the_same(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common

    monkeypatch.setattr(common, "RESULTS", tmp_path)
    assert common.is_made_by({"code": "a"}, "a") and not common.is_made_by({"code": "a"}, "b")
    common.write(tmp_path / "equal.json", {"pairs": [{"codes": ["b", "c"]}, {"codes": ["a", "b"]}]})
    assert common.is_made_by({"code": "a"}, "c") and common.is_made_by({"code": "c"}, "a")
    assert not common.is_made_by({"code": "a"}, "d")


def test_what_training_does_not_show_is_not_taken_for_equal(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import equal

    for pattern in equal.made_by("mode_collapse"):
        for path in BENCHMARKS.parent.glob(pattern):
            copy = tmp_path / path.relative_to(BENCHMARKS.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    assert equal.changed("mode_collapse", tmp_path) == []
    study = tmp_path / "benchmarks/mode_collapse.py"
    study.write_text(study.read_text().replace("def models()", "# words\ndef models(other=1)"))
    assert equal.changed("mode_collapse", tmp_path) == []
    (tmp_path / "gan_utils/losses.py").write_text("another")
    assert equal.changed("mode_collapse", tmp_path) == ["gan_utils/losses.py"]
    study.write_text(study.read_text().replace("SAMPLES", "FEWER"))
    with pytest.raises(SystemExit, match=r"mode_collapse\.py changed, which training does not show"):
        equal.compare(argparse.Namespace(studies=["mode_collapse"]), tmp_path)


def test_only_rows_of_models_that_end_elsewhere_are_dropped(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common
    import equal

    monkeypatch.setattr(common, "RESULTS", tmp_path)
    rows = {"model/selu/0": {"a": 1}, "ring selu tuning 3": {}, "selu 4": {}, "model/seluish/0": {}, "dcgan 1": {}}
    common.write(tmp_path / "study.json", {"code": "a", "rows": rows})
    assert equal.rows_of({"rows": rows}, ["selu"]) == ["model/selu/0", "ring selu tuning 3", "selu 4"]
    equal.drop("study", ["selu"])
    assert common.read(tmp_path / "study.json") == {"code": "a", "rows": {"model/seluish/0": {}, "dcgan 1": {}}}
    assert equal.rows_of(common.read(tmp_path / "study.json"), ["selu"]) == []


def test_equal_models_are_told_from_unequal_ones(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import equal

    one = equal.digests(["stacked"], 1)
    assert set(one["stacked"]) == {"plain", "packing_2", "r3gan"} and len(set(one["stacked"].values())) == 3
    from gan_utils import losses

    wrong = lambda real, fake: 1.0001 * losses.relativistic_generator_loss(real, fake)  # noqa: E731
    changed = dataclasses.replace(losses.LOSSES["relativistic"], generator=wrong)
    monkeypatch.setitem(losses.LOSSES, "relativistic", changed)
    other = equal.digests(["stacked"], 1)
    differs = {name for name in one["stacked"] if one["stacked"][name] != other["stacked"][name]}
    assert differs == {"r3gan"}


def test_the_recorded_speed_up_is_what_its_rounds_say():
    record = json.loads((BENCHMARKS / "results/training_step.json").read_text())
    rounds, rates = record["ratio"]["all"], record["images_per_second"]
    assert len(rounds) == record["rounds"] >= 7 and min(rounds) <= record["ratio"]["median"] <= max(rounds)
    assert rates["GAN.fit"] / rates["published loop"] == pytest.approx(record["ratio"]["median"], rel=0.1)
    assert record["ratio"]["median"] >= 6


@pytest.mark.parametrize("name", [name for name in RECORDS if name.startswith("training_speed")])
def test_every_contender_was_measured(monkeypatch, name):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import training_speed

    record = RECORDS[name]
    assert record["rounds"] >= 9 and set(record["cases"]) == set(training_speed.CASES)
    assert record["emulated"] == (training_speed.AVX2 if name.endswith("avx2") else {})
    for case, row in record["cases"].items():
        batch = training_speed.CASES[case][1]
        names = training_speed.contenders_of(case, bool(record["emulated"]))
        assert set(row["images_per_second"]) == set(names) and not row["not_run"]
        assert row["batch"] == batch and set(row["peak_memory_mib"]) == set(names)
        for contender, rate in row["images_per_second"].items():
            low, high = row["interval"][contender]
            assert low <= rate + 1 and rate - 1 <= high
        for found in row["speed_over"]["gan_utils"].values():
            assert len(found["all"]) == record["rounds"]
    assert set(record["overheads"]["fit_over_its_steps"]) == {"1000", "100"}


def test_training_holds_what_it_promises_on_the_recorded_machine():
    record = RECORDS["training_speed"]
    cases, costs = record["cases"], record["overheads"]
    ahead = {
        case: {name: found["median"] for name, found in row["speed_over"]["gan_utils"].items()}
        for case, row in cases.items()
    }
    assert ahead["fashion_32"]["source"] >= 6 and ahead["selu_32"]["source"] >= 3
    assert ahead["mnist_256"]["source, oneDNN off"] >= 1.3
    assert ahead["mnist_256"]["torch"] >= 1.2
    assert ahead["fashion_32"]["torch"] >= 1.3 and ahead["fashion_512"]["torch"] >= 1.15
    assert cases["mnist_256"]["share_of_sgemm"]["gan_utils"]["median"] >= 0.6
    assert cases["fashion_512"]["share_of_sgemm"]["gan_utils"]["median"] >= 0.5
    memory = cases["mnist_256"]["peak_memory_mib"]
    assert memory["gan_utils"] <= 1.4 * memory["keras"]
    assert costs["fit_over_its_steps"]["1000"]["median"] <= 1.05
    # a run of seconds with twenty epochs and one file: what they cost, of a minute between two files
    extra = (costs["callbacks_and_a_file_over_bare"]["median"] - 1) * costs["seconds_of_a_bare_fit"]
    assert extra <= 0.03 * 60


@pytest.mark.parametrize("kind", ["fashion", "selu", "mnist"])
def test_the_operations_of_a_step_are_counted_right(monkeypatch, kind):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import rivals
    import training_speed
    from tensorflow.python.profiler.model_analyzer import profile
    from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

    from gan_utils.networks import structure
    from gan_utils.runtime import tf

    forward, pair = [], rivals.networks(kind)
    for network in pair:
        spec = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32)
        graph = tf.function(lambda x, network=network: network(x, training=False)).get_concrete_function(spec).graph
        counted = profile(graph, options={**ProfileOptionBuilder.float_operation(), "output": "none"})
        forward.append(counted.total_float_ops)
    generator, discriminator = forward  # all besides kernels is under 3 % of it
    turns, once = (training_speed.step_flops(*pair, simultaneous=kind) for kind in (False, True))
    kernels = [[row.layer for row in structure.rows(n) if hasattr(row.layer, "kernel")] for n in pair]
    firsts = [2 * structure.multiplications(layer[0]) for layer in kernels]
    saved = firsts[0] + 2 * firsts[1]  # no gradient for latents and images
    assert turns == pytest.approx(4 * generator + 8 * discriminator - saved, rel=0.01)
    assert once == pytest.approx(3 * generator + 7 * discriminator - saved, rel=0.01)


def test_time_to_quality_is_complete_and_holds_what_it_promises(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import time_to_quality

    record = json.loads((BENCHMARKS / "results/time_to_quality.json").read_text())
    assert set(record["rows"]) == set(time_to_quality.keys()) and len(record["seeds"]) >= 3
    for key, row in record["rows"].items():
        marks = time_to_quality.marks(key.split("/")[0])
        late = [look["seconds"] - mark for look, mark in zip(row["curve"], marks, strict=True)]
        assert min(late) >= 0 and max(late) < 10  # at most the steps that are under way
    summary = time_to_quality.summary(record)
    assert summary["best"] in time_to_quality.LOOPS
    for name in time_to_quality.MODELS:
        assert all(seconds is not None and seconds <= 20 for seconds in summary["rows"][name]["seconds"])


def test_seconds_to_a_quality_are_read_off_the_curve(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import time_to_quality

    curve = [{"seconds": 5.0 * i, "frechet": distance} for i, distance in enumerate((9, 4, 5, 2), 1)]
    assert [time_to_quality.reached(curve, target) for target in (9, 4.5, 2, 1)] == [5, 10, 20, None]
    rows = {"S2": (8, 6), "S4": (7, 3), "compact": (6, 1)}
    record = {"rows": {f"{name}/0": {"curve": [], "frechet": low} for name, (_, low) in rows.items()}}
    for name, distances in rows.items():
        looks = [{"seconds": 10 * i, "frechet": distance} for i, distance in enumerate(distances, 1)]
        record["rows"][f"{name}/0"]["curve"] = looks
    found = time_to_quality.summary(record)
    assert (found["best"], found["target"]) == ("S4", 3)
    assert {name: row["seconds"] for name, row in found["rows"].items()} == {"S2": [None], "S4": [20], "compact": [20]}


def test_growth_is_measured_at_every_size_and_its_exponent_is_right(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import cost_growth

    record = json.loads((BENCHMARKS / "results/cost_growth.json").read_text())
    assert set(record["rows"]) == set(cost_growth.QUESTIONS) and record["rounds"] >= 9
    for name, row in record["rows"].items():
        assert row["sizes"] == list(cost_growth.QUESTIONS[name].sizes) and len(row["seconds"]) == len(row["sizes"])
        assert row["slope"] == pytest.approx(cost_growth.slope(row["sizes"], row["seconds"]), abs=0.01)  # rounded
        assert row["operations_slope"] == cost_growth.slope(row["sizes"], row["operations"])
        low, high = row["interval"]
        assert low <= row["slope"] <= high
    sizes = np.array([1, 2, 4, 8])
    assert cost_growth.slope(sizes, 7 * sizes**1.5) == 1.5


def test_the_record_of_the_book_names_its_pages():
    record = json.loads((BENCHMARKS / "results/book.json").read_text())
    pages = {path.stem for path in BENCHMARKS.parent.glob("chapters/*.ipynb")}
    assert set(record["seconds"]) <= pages
    assert pages - set(record["seconds"]) <= {"appendix_performance"}  # which shows the record of a build before it
    assert sum(record["seconds"].values()) <= 20 * 60 and max(record["seconds"].values()) <= 4 * 60


def test_an_all_reduce_is_bounded_by_what_must_be_sent(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import scaling

    record = json.loads((BENCHMARKS / "results/scaling.json").read_text())
    assert set(record["cases"]) == set(scaling.CASES) and record["rounds"] >= 9
    for row in record["cases"].values():
        assert set(row["seconds_a_step"]) == set(scaling.LAYOUTS)
    assert scaling.line([0, 10, 20], [1.0, 2.0, 3.0]) == pytest.approx((1.0, 10.0))
    free = {"latency": 0.0, "bandwidth": 1e9}
    for number in (1, 2, 8):
        assert scaling.all_reduce(number, 1e9, **free) == pytest.approx(2 * (number - 1) / number)
        slow = {"latency": 1.0, "bandwidth": 1e18}
        assert scaling.all_reduce(number, 1.0, **slow) == pytest.approx(2 * (number - 1))
    assert scaling.predict(1, 1.0, [10, 20], **free) == 1.0
    assert scaling.predict(2, 1.0, [5e8, 5e8], **free) == pytest.approx(0.5)


CONTENDER = """
import sys
sys.path.insert(0, {folder!r})
import common
if "absent" in sys.argv:
    def make():
        import a_package_that_is_not_there
    common.serve(make)
else:
    runs = []
    common.serve(lambda: lambda: runs.append(1) or len(runs))
"""


def test_contenders_take_turns_and_who_cannot_run_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common

    script = tmp_path / "contender.py"
    script.write_text(CONTENDER.format(folder=str(BENCHMARKS)))
    start = lambda word: lambda: common.Process(str(script), word)  # noqa: E731
    found = common.race({"here": start("here"), "absent": start("absent")}, rounds=2)
    assert set(found["seconds"]) == {"here"} and len(found["seconds"]["here"]) == 2
    assert found["values"] == {"here": 4}  # to warm up, to rehearse, then each round
    assert found["not_run"] == {"absent": "ModuleNotFoundError: No module named 'a_package_that_is_not_there'"}
    assert found["peak_memory_mib"]["here"] > 1
    assert all(len(values) == 2 and min(values) > 0 for values in found["machine"].values())
    script.write_text("raise SystemExit(1)")
    with pytest.raises(RuntimeError, match="did not start; run"):
        common.Process(str(script)).wait()
    script.write_text(CONTENDER.format(folder=str(BENCHMARKS)))
    with pytest.raises(RuntimeError, match="gan_utils did not run: ModuleNotFoundError"):
        common.race({"gan_utils": start("absent"), "here": start("here")}, rounds=1)


def test_a_part_of_a_benchmark_leaves_the_record_alone(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common

    parser = argparse.ArgumentParser()
    common.add_record(parser, tmp_path / "own.json")
    common.keep(parser.parse_args([]), {"value": 1}, whole=False)
    assert not list(tmp_path.iterdir())
    common.keep(parser.parse_args([f"--record={tmp_path / 'other.json'}"]), {"value": 1}, whole=False)
    common.keep(parser.parse_args([]), {"value": 2}, whole=True)
    assert {path.stem: common.read(path)["value"] for path in tmp_path.iterdir()} == {"other": 1, "own": 2}


def test_the_metrics_hold_what_they_promise_on_the_recorded_machine():
    record = json.loads((BENCHMARKS / "results/metrics.json").read_text())
    cases = record["cases"]
    assert record["rounds"] >= 9 and {case["n"] for name, case in cases.items() if name != "whole"} == {10_000}
    assert cases["frechet"]["speed_over"]["sqrtm"]["median"] >= 5
    value = cases["frechet"]["values"]
    assert value["gan_utils"] == pytest.approx(value["sqrtm"], rel=1e-6)
    neighbours, ours = cases["neighbours"], cases["neighbours"]["values"]["gan_utils"]
    assert neighbours["speed_over"]["prdc"]["median"] >= 2
    assert neighbours["peak_memory_mib"]["gan_utils"] <= neighbours["peak_memory_mib"]["prdc"] / 4
    assert ours[2:] == pytest.approx(neighbours["values"]["prdc"][2:], abs=1e-9)  # its k is ours for these two
    assert cases["extraction"]["seconds"]["gan_utils"] <= 4
    for case in ("frechet", "kid"):
        known = set(cases[case]["speed_over"]) | set(cases[case]["not_run"])
        assert "torch-fidelity" in known and "torch-fidelity" not in set(cases[case]["values"]) - known
    assert cases["whole"]["n"] == 60_000 and cases["whole"]["peak_memory_mib"] * 2**20 <= 1e9


def test_the_leaderboard_is_complete_and_a_row_of_it_comes_out_again(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import leaderboard

    record = json.loads((BENCHMARKS / "results/leaderboard.json").read_text())
    keys = {f"{model} {seed}" for model in leaderboard.MODELS for seed in leaderboard.SEEDS}
    assert set(record["rows"]) == keys and len(leaderboard.SEEDS) >= 5 and len(record["code"]) == 64
    for row in record["rows"].values():
        assert set(row["scores"]["metrics"]) == set(leaderboard.METRICS)
        assert row["scores"]["n_real"] == row["scores"]["n_fake"] == 10_000
        if row["model"] in leaderboard.STEPS:
            assert (row["batch"], row["steps"]) == leaderboard.STEPS[row["model"]] and row["seconds"] > 0
    images, _ = leaderboard.samples("real", 7)  # a seed that is not recorded
    scores = leaderboard.scorer()(images)
    for metric in leaderboard.METRICS:
        values = [record["rows"][f"real {seed}"]["scores"]["metrics"][metric]["value"] for seed in leaderboard.SEEDS]
        spread = max(values) - min(values)
        assert min(values) - 2 * spread <= scores[metric] <= max(values) + 2 * spread, metric


def test_the_compact_dcgan_is_five_times_as_near_as_the_dense_gan_under_both_classifiers(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import dcgan

    record = json.loads((BENCHMARKS / "results/dcgan.json").read_text())
    assert set(record["rows"]) == set(dcgan.keys()) and len(record["seeds"]) >= 3 and len(record["code"]) == 64
    for key, row in record["rows"].items():
        marks = dcgan.MARKS[key.split("/")[0]]
        late = [look["seconds"] - mark for look, mark in zip(row["curve"], marks, strict=True)]
        assert min(late) >= 0 and max(late) < 10  # at most the steps that are under way
    for extractor in record["extractors"]:
        at = {
            model: statistics.median(
                record["rows"][f"model/{model}/{seed}"]["frechet"][extractor] for seed in record["seeds"]
            )
            for model in dcgan.MODELS
        }
        assert at["compact"] <= at["fashion"] / 5 and at["compact"] == min(at.values())


def test_the_study_of_wasserstein_gans_is_complete_and_each_method_got_the_best_of_its_settings(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import wgan

    record = json.loads((BENCHMARKS / "results/wgan.json").read_text())
    rows = record["rows"]
    assert set(rows) == set(wgan.keys()) and len(record["seeds"]) >= 3
    for method in wgan.METHODS:
        tried = [rows[f"{method} tuning {number}"] for number in range(4)]
        best = min(tried, key=lambda row: row["frechet"])["setting"]
        for seed in record["seeds"]:
            row = rows[f"{method} {seed}"]
            assert row["setting"] == best and [look["seconds"] for look in row["curve"]] == pytest.approx(
                record["marks"], abs=3
            )


def test_the_study_of_mode_collapse_is_complete_and_each_method_got_the_best_of_its_settings(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import mode_collapse

    record = json.loads((BENCHMARKS / "results/mode_collapse.json").read_text())
    rows = record["rows"]
    methods = {"easy": mode_collapse.METHODS, "ring": mode_collapse.METHODS, "grid": mode_collapse.finalists(rows)}
    assert set(rows) == {key for target, names in methods.items() for key in mode_collapse.keys(target, names)}
    assert len(mode_collapse.SEEDS["easy"]) >= 10 and len(mode_collapse.SEEDS["ring"]) >= 5
    for target, names in methods.items():
        for method in names:
            for seed in mode_collapse.SEEDS[target]:
                row = rows[f"{target} {method} {seed}"]
                assert row["setting"] == mode_collapse.tuned(rows, target, method)
                assert row["step"] == mode_collapse.STEPS[target] and 0 <= row["effective_share"] < 1
    assert min(mode_collapse.STEPS[target] for target in ("ring", "grid")) >= 50_000


def test_the_study_of_stacked_data_is_complete(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import stacked

    record = json.loads((BENCHMARKS / "results/stacked.json").read_text())
    assert set(record["rows"]) == {f"{name} {seed}" for name in stacked.ROWS for seed in stacked.SEEDS}
    assert all(row["modes"] == 1000 for name, row in record["rows"].items() if name.startswith("real"))


def test_every_wasserstein_method_is_what_its_name_says(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import wgan

    made = {name: wgan.gan(name, 0, wgan.SETTINGS[name][-1]) for name in wgan.METHODS}
    assert {name: [type(term).__name__ for term in gan.terms] for name, gan in made.items()} == {
        "DCGAN": [],
        "WGAN": ["WeightClipping"],
        "WGAN-GP": ["GradientPenalty"],
    }
    assert made["WGAN"].terms[0].limit == 0.01 and made["WGAN-GP"].terms[0].weight == 10
    losses = {name: gan.adversarial_loss.name for name, gan in made.items()}
    assert losses == {"DCGAN": "non_saturating", "WGAN": "wasserstein", "WGAN-GP": "wasserstein"}
    kinds = {name: {type(layer).__name__ for layer in gan.discriminator.layers} for name, gan in made.items()}
    assert {name for name, found in kinds.items() if "BatchNormalization" in found} == {"DCGAN"}
    assert [player.steps for player in made["WGAN-GP"].players] == [5, 1]


def test_every_method_of_the_mode_collapse_study_is_what_its_name_says(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import mode_collapse

    made = {name: mode_collapse.gan(name, 0, mode_collapse.settings(name)[-1]) for name in mode_collapse.METHODS}
    own = {name: mode_collapse.settings(name)[-1]["own"] for name in made}
    assert {name for name, gan in made.items() if gan.packing > 1} == {"packing_2", "packing_4"}
    assert (made["packing_2"].packing, made["packing_4"].packing) == (2, 4)
    assert {name for name, gan in made.items() if gan.replay} == {"replay"}
    assert made["replay"].replay.share == own["replay"]
    assert {name: gan.unrolled_steps for name, gan in made.items() if gan.unrolled_steps} == {"unrolled": 5}
    assert {name: [term.name for term in gan.terms] for name, gan in made.items() if gan.terms} == {
        "feature_matching": ["feature_matching"],
        "wgan_gp": ["gradient_penalty"],
        "r3gan": ["r1", "r2"],
    }
    assert {term.weight for name in ("wgan_gp", "r3gan") for term in made[name].terms} == {own["wgan_gp"], own["r3gan"]}
    losses = {name: gan.adversarial_loss.name for name, gan in made.items()}
    assert losses.pop("wgan_gp") == "wasserstein" and losses.pop("r3gan") == "relativistic"
    assert set(losses.values()) == {"non_saturating"}
    layers = {name: {type(layer).__name__ for layer in gan.discriminator.layers} for name, gan in made.items()}
    assert {name for name, kinds in layers.items() if "SpectralNormalization" in kinds} == {"spectral_norm"}
    assert {name for name, kinds in layers.items() if "MinibatchDiscrimination" in kinds} == {
        "minibatch_discrimination"
    }
    assert len({gan.generator.count_params() for gan in made.values()}) == 1


def test_each_method_keeps_the_best_of_its_settings(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import mode_collapse
    import wgan

    scores = [0.1, 0.9, 0.3, 0.2]
    rows = {
        f"ring plain tuning {i}": {"effective_share": score, "setting": {"number": i}} for i, score in enumerate(scores)
    }
    assert mode_collapse.tuned(rows, "ring", "plain") == {"number": 1}
    rows = {f"WGAN tuning {i}": {"frechet": score, "setting": {"number": i}} for i, score in enumerate(scores)}
    rows["WGAN tuning 0"]["frechet"] = None  # diverged
    assert wgan.tuned(rows, "WGAN") == {"number": 3}


def test_a_study_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common

    path, made = tmp_path / "study.json", []

    def row(key):
        made.append(key)
        if made == ["a", "b", "c"]:
            raise KeyboardInterrupt
        return {"value": key}

    with pytest.raises(KeyboardInterrupt):
        common.study(path, {"code": "1"}, ["a", "b", "c"], row)
    common.study(path, {"code": "1"}, ["a", "b", "c"], row)
    assert made == ["a", "b", "c", "c"]
    before = path.read_text()
    common.study(path, {"code": "1", "date": "later"}, ["a", "b"], row)  # nothing to do: the record stays as it is
    record = json.loads(before)
    assert len(made) == 4 and path.read_text() == before and set(record["rows"]) == {"a", "b", "c"}
    assert [run["rows_before"] for run in record["runs"]] == [0, 2]
    common.study(path, {"code": "2"}, ["a"], row)  # other code: all anew
    assert made[4:] == ["a"] and set(json.loads(path.read_text())["rows"]) == {"a"}


def test_two_processes_may_complete_one_record(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common

    path = tmp_path / "study.json"

    def meanwhile(key):
        common.study(path, {"code": "1", "date": "theirs"}, ["b"], lambda key: {"value": key})
        return {"value": key}

    common.study(path, {"code": "1", "date": "mine"}, ["a"], meanwhile)
    record = json.loads(path.read_text())
    assert record["rows"] == {"a": {"value": "a"}, "b": {"value": "b"}}
    assert sorted(run["date"] for run in record["runs"]) == ["mine", "theirs"]
    assert [each.name for each in tmp_path.iterdir()] == ["study.json"]


def test_the_best_four_on_the_ring_and_plain_play_on_the_grid(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import mode_collapse

    share = {name: number / 10 for number, name in enumerate(mode_collapse.METHODS)}
    rows = {f"ring {name} {seed}": {"effective_share": share[name]} for name in share for seed in range(5)}
    assert mode_collapse.finalists(rows) == ["plain", "r3gan", "spectral_norm", "wgan_gp", "packing_4"]
    with pytest.raises(KeyError):
        mode_collapse.finalists({name: row for name, row in rows.items() if "ring replay 4" not in name})


@pytest.fixture
def few_images(monkeypatch):
    """Of each split the first 600 images: a slice shows that a study runs, not what it finds."""
    from gan_utils import data

    load = data.load

    def few(*arguments, **options):
        found = load(*arguments, **options)
        return found._replace(images=found.images[:600], labels=found.labels[:600])

    monkeypatch.setattr(data, "load", few)


@pytest.mark.parametrize(
    ("study", "options", "says"),
    [
        ("training_step", ["--steps=2", "--rounds=1"], "times as fast"),
        (
            "training_speed",
            ["--steps=1", "--rounds=1", "--cases", "selu_32", "--who", "source", "gan_utils"],
            "as fast",
        ),
        ("metrics", ["--n=100", "--rounds=1", "--cases", "neighbours"], "gan-utils score of 600 images"),
        ("time_to_quality", ["--scale=0.01", "--n=100", "--rows", "S4/0", "compact/0"], "the best source"),
        ("cost_growth", ["--rounds=1", "--parts=2", "--questions", "step, width", "kid, images"], "operations"),
        ("scaling", ["--rounds=1", "--steps=1", "--cases", "fashion", "--layouts", "two replicas"], "the model says"),
        ("startup", ["--rounds=1", "--commands", "python", "import numpy"], "import numpy"),
        ("leaderboard", ["--steps=1", "--models", "selu", "--seeds", "0"], "selu 0"),
        ("mode_collapse", ["--steps=1", "--targets", "easy", "--methods", "plain", "--seeds", "0"], "easy plain 0"),
        ("wgan", ["--scale=0.01", "--n=100", "--rows", "WGAN tuning 0"], "WGAN tuning 0"),
        ("stacked", ["--scale=0.01", "--n=100", "--rows", "real 0", "plain 0"], "plain 0"),
        ("networks", ["--steps=2", "--n=100", "--rows", "0"], "seed 0"),
        ("halves", ["--steps=2", "--n=100", "--rows", "both/0"], "both/0"),
        ("dcgan", ["--scale=0.01", "--n=100", "--rows", "model/fashion/0"], "of the Fashion GAN's"),
    ],
)
def test_a_slice_of_each_study_runs(tmp_path, monkeypatch, capsys, few_images, study, options, says):
    record = tmp_path / "r.json"
    command = [str(BENCHMARKS / f"{study}.py"), f"--record={record}", *options]
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "argv", command)
    import common

    # the difference of two fits, which is negative where the machine was busy during the shorter one
    measured = common.seconds_a_step
    monkeypatch.setattr(common, "seconds_a_step", lambda fit, steps: max(measured(fit, steps), 1e-9))
    if study == "mode_collapse":  # it gives TensorFlow one thread, which must not have started yet
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=3000)
        assert done.returncode == 0, done.stderr
        print(done.stdout)
    else:
        runpy.run_path(command[0], run_name="__main__")
    assert says in capsys.readouterr().out and {"date", "hardware", "versions"} <= set(json.loads(record.read_text()))
