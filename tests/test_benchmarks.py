"""Every record is complete, and a slice of the study that made it still runs."""

import importlib
import json
import statistics
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


@pytest.mark.parametrize("name", ["dcgan", "mode_collapse", "stacked", "wgan"])
def test_records_were_made_by_the_code_at_hand(name, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import common

    made_by = importlib.import_module(name).MADE_BY
    assert common.read(BENCHMARKS / f"results/{name}.json")["code"] == common.code_hash(*made_by)


def test_the_recorded_speed_up_is_what_its_rounds_say():
    record = json.loads((BENCHMARKS / "results/training_step.json").read_text())
    rounds, rates = record["ratio"]["all"], record["images_per_second"]
    assert len(rounds) == record["rounds"] >= 7 and min(rounds) <= record["ratio"]["median"] <= max(rounds)
    assert rates["GAN.fit"] / rates["published loop"] == pytest.approx(record["ratio"]["median"], rel=0.1)
    assert record["ratio"]["median"] >= 6


def test_the_core_holds_what_it_promises_on_the_recorded_machine():
    record = json.loads((BENCHMARKS / "results/training_core.json").read_text())
    assert record["rounds"] >= 7 and set(record["cases"]) == {"mnist_dcgan_128", "fashion_32", "fashion_512"}
    ahead = {name: row["speed_over"]["torch"]["median"] for name, row in record["cases"].items()}
    assert ahead["mnist_dcgan_128"] >= 1.2 and ahead["fashion_32"] >= 1.3 and ahead["fashion_512"] >= 1.15
    dcgan, costs = record["cases"]["mnist_dcgan_128"], record["overheads"]
    assert dcgan["share_of_sgemm"]["median"] >= 0.6
    assert dcgan["peak_memory_mib"]["gan_utils"] <= 1.3 * dcgan["peak_memory_mib"]["plain"]
    assert costs["fit_over_its_steps"]["median"] <= 1.05
    assert costs["callbacks_and_a_file_over_bare"]["median"] <= 1.03


def test_the_operations_of_a_step_are_counted_right(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import training_core
    from tensorflow.python.profiler.model_analyzer import profile
    from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

    from gan_utils.runtime import tf

    forward = 0
    for network in training_core.networks("mnist"):
        spec = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32)
        graph = tf.function(lambda x, network=network: network(x, training=False)).get_concrete_function(spec).graph
        counted = profile(graph, options={**ProfileOptionBuilder.float_operation(), "output": "none"})
        forward += counted.total_float_ops
    # a generator step runs both forward once; all besides kernels is under 3 % of it
    costs = training_core.step_flops(1)
    assert 4 * forward < costs < 7 * forward


def test_the_metrics_hold_what_they_promise_on_the_recorded_machine():
    record = json.loads((BENCHMARKS / "results/metrics.json").read_text())
    cases = record["cases"]
    assert record["rounds"] >= 7 and {case["n"] for name, case in cases.items() if name != "whole"} == {10_000}
    assert cases["frechet"]["speed_over"]["sqrtm"]["median"] >= 5
    value = cases["frechet"]["values"]
    assert value["gan_utils"] == pytest.approx(value["sqrtm"], rel=1e-6)
    neighbours, ours = cases["neighbours"], cases["neighbours"]["values"]["gan_utils"]
    assert neighbours["speed_over"]["prdc"]["median"] >= 2
    assert neighbours["peak_memory_mib"]["gan_utils"] <= neighbours["peak_memory_mib"]["prdc"] / 4
    assert ours[2:] == pytest.approx(neighbours["values"]["prdc"][2:], abs=1e-9)  # its k is ours for these two
    assert cases["extraction"]["seconds"]["gan_utils"] <= 4
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


@pytest.mark.parametrize(
    ("study", "options", "says"),
    [
        ("training_step", ["--steps=2", "--rounds=1"], "times as fast"),
        ("training_core", ["--steps=1", "--rounds=1", "--cases", "fashion_32"], "times as fast"),
        ("metrics", ["--n=300", "--rounds=1"], "times as fast"),
        ("leaderboard", ["--steps=1", "--models", "selu", "--seeds", "0"], "selu 0"),
        ("mode_collapse", ["--steps=1", "--targets", "easy", "--methods", "plain", "--seeds", "0"], "easy plain 0"),
        ("wgan", ["--scale=0.01", "--n=100", "--rows", "WGAN tuning 0"], "WGAN tuning 0"),
        ("stacked", ["--scale=0.01", "--n=100", "--rows", "real 0", "plain 0"], "plain 0"),
        ("dcgan", ["--scale=0.01", "--n=100", "--rows", "model/compact/0", "model/fashion/0"], "of the Fashion GAN's"),
    ],
)
def test_a_slice_of_each_study_runs(tmp_path, study, options, says):
    record = tmp_path / "r.json"
    command = [sys.executable, BENCHMARKS / f"{study}.py", f"--record={record}", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout and {"date", "hardware", "versions"} <= set(json.loads(record.read_text()))
