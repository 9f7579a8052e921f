import json

import numpy as np
import pytest

from gan_utils import data, metrics
from gan_utils.metrics import coverage, features, frechet, kernel, precision_recall

RANDOM = np.random.default_rng(0)
REAL, FAKE = RANDOM.normal(size=(600, 4)), RANDOM.normal(size=(600, 4)) + 0.3
ON_POINTS = [name for name in metrics.METRICS if name not in ("inception_score", "mode_score", "memorisation")]


def test_the_call_equals_the_functions():
    scores = metrics.score(REAL, FAKE, extractor="identity")
    assert scores["frechet"] == pytest.approx(frechet.frechet_distance(REAL, FAKE), rel=1e-9)
    assert scores["kid"] == pytest.approx(kernel.kid(REAL, FAKE), rel=1e-9)
    assert (scores["precision"], scores["recall"]) == precision_recall.precision_recall(REAL, FAKE)
    assert (scores["density"], scores["coverage"]) == pytest.approx(coverage.density_coverage(REAL, FAKE))
    assert set(scores.metrics) == {"frechet", "kid", "precision", "recall", "density", "coverage"}


def test_every_interval_holds_its_value_and_says_its_method():
    scores = metrics.score(REAL, FAKE, ON_POINTS, extractor="identity")
    for value, low, high, method in scores.metrics.values():
        assert low <= value <= high and high > low and len(method) > 3


def test_order_batches_and_form_do_not_matter():
    mixed = metrics.score(RANDOM.permutation(REAL), RANDOM.permutation(FAKE), ON_POINTS, extractor="identity")
    straight = metrics.score(REAL, FAKE, ON_POINTS, extractor="identity")
    for name in ON_POINTS:
        assert mixed.metrics[name][:3] == pytest.approx(straight.metrics[name][:3], rel=1e-9)
    whole = RANDOM.integers(0, 4, size=(300, 6))
    for dtype in (np.int64, np.uint8, np.float16, np.float32):
        points = (whole + (1e4 if dtype == np.float32 else 0)).astype(dtype)
        pair = (metrics.score(x, points[:150], ["kid", "ndb"], extractor="identity") for x in (points, points[::-1]))
        one, other = pair
        assert one.metrics["kid"][:3] == pytest.approx(other.metrics["kid"][:3], rel=1e-6, abs=1e-9)
        assert one["ndb"] == other["ndb"]
    images = data.load(split="test").images[:300]
    names = ["frechet", "inception_score", "mode_score", "kid"]
    one = metrics.score(images[:150], images[150:], names)
    other = metrics.score(images[149::-1], (127.5 * (images[:149:-1] + 1)).round().astype(np.uint8), names)
    for name in names:
        assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-3)


@pytest.mark.filterwarnings("ignore:.*covariance is singular:UserWarning")
def test_the_result_prints_and_goes_through_json():
    scores = metrics.score(REAL, FAKE[:400], ["frechet", "recall"], extractor="identity", seed=3)
    table, back = str(scores), json.loads(scores.to_json())
    for word in ("frechet", "recall", "n_real 600", "n_fake 400", "identity", "resize none", "seed 3", "delta method"):
        assert word in table
    assert back["metrics"]["frechet"]["value"] == scores["frechet"]
    assert set(back["metrics"]["recall"]) == {"value", "low", "high", "method"}
    assert {k: back[k] for k in ("n_real", "n_fake", "extractor", "resize", "seed")} == {
        "n_real": 600, "n_fake": 400, "extractor": "identity", "resize": "none", "seed": 3,
    }  # fmt: skip
    bare = metrics.score(REAL, FAKE, extractor="identity", with_intervals=False)
    assert json.loads(bare.to_json())["metrics"]["kid"]["low"] is None and "no interval" in str(bare)
    assert bare["kid"] == metrics.score(REAL, FAKE, extractor="identity")["kid"]


def test_precision_and_recall_take_equal_numbers():
    scores = metrics.score(REAL, FAKE[:200], extractor="identity")
    swapped = metrics.score(FAKE[:200], REAL, extractor="identity")
    assert scores["precision"] == pytest.approx(swapped["recall"], abs=0.12)
    assert scores["coverage"] == coverage.density_coverage(REAL, FAKE[:200])[1]


def test_the_real_set_is_extracted_once():
    calls = []

    def run(images):
        calls.append(len(images))
        return images.reshape(len(images), -1), None

    images = RANDOM.uniform(-1, 1, size=(40, 4, 4, 1))
    scorer = metrics.Scorer(images, ["frechet"], extractor=features.Extractor("own", run))
    scorer(images[:30])
    scorer(images[:20])
    assert calls == [40, 30, 20]


def test_memorisation_and_labels_through_the_call():
    train, test = data.load().images[:300], data.load(split="test").images
    names = ["memorisation", "inception_score", "mode_score"]
    scores = metrics.score(train, train[:100], names, held_out=test[:100])
    assert scores["memorisation"] < 1e-6 and 1 < scores["mode_score"] <= 10 and 1 < scores["inception_score"] <= 10
    assert metrics.score(train, test[100:200], names, held_out=test[:100])["memorisation"] > 0.7


def test_over_seeds():
    runs = [metrics.score(REAL, FAKE + shift, ["frechet"], extractor="identity") for shift in (0.0, 0.1)]
    mean, error = metrics.over_seeds(runs)["frechet"]
    values = [run["frechet"] for run in runs]
    assert mean == pytest.approx(np.mean(values)) and error == pytest.approx(np.std(values, ddof=1) / np.sqrt(2))
    with pytest.raises(ValueError, match="differ"):
        metrics.over_seeds([*runs, metrics.score(REAL, FAKE[:99], ["frechet"], extractor="identity")])
    for few in ([], runs[:1]):
        with pytest.raises(ValueError, match="at least two"):
            metrics.over_seeds(few)


@pytest.mark.filterwarnings("ignore:.*covariance is singular:UserWarning")
def test_degenerate_sets():
    copies = metrics.score(REAL, REAL.copy(), ON_POINTS, extractor="identity")
    assert abs(copies["frechet"]) < 1e-6 and copies["precision"] == copies["recall"] == copies["coverage"] == 1
    constant = np.ones((50, 4))
    with pytest.warns(UserWarning, match="copies among the samples: 50 of 50 real ones have 5 or more equals"):
        scores = metrics.score(constant, constant, extractor="identity")
    assert scores["frechet"] == 0 and abs(scores["kid"]) < 1e-9 and scores["coverage"] == 0
    with pytest.warns(UserWarning, match="singular"):
        metrics.score(REAL[:3], FAKE, ["frechet"], extractor="identity")
    for few, match in ((REAL[:1], "at least 2"), (REAL[:4], "k is"), (REAL[:, :2], "one D"), (REAL * np.nan, "NaN")):
        with pytest.raises(ValueError, match=match):
            metrics.score(REAL, few, extractor="identity")
    few = metrics.score(REAL[:10], FAKE[:10], ["recall"], extractor="identity").metrics["recall"]
    assert few.low <= few.value <= few.high and few.method == "Wilson"


def test_bad_questions_are_refused():
    with pytest.raises(ValueError, match="expected some of frechet"):
        metrics.score(REAL, FAKE, ["fid"], extractor="identity")
    with pytest.raises(ValueError, match="expected some of"):
        metrics.score(REAL, FAKE, [], extractor="identity")
    with pytest.raises(ValueError, match="held_out"):
        metrics.score(REAL, FAKE, ["memorisation"], extractor="identity")
    with pytest.raises(ValueError, match="no class probabilities"):
        metrics.score(REAL, FAKE, ["inception_score"], extractor="identity")
    assert metrics.score(REAL, FAKE, "kid", extractor="identity")["kid"] > 0


def test_the_callback_logs_a_scorer(tmp_path):
    from gan_utils import training
    from gan_utils.networks import toy

    points = RANDOM.normal(size=(256, 2)).astype(np.float32)
    gan = training.GAN(toy.generator(), toy.discriminator())
    gan.compile()
    scorer = metrics.Scorer(points, ["frechet", "coverage"], extractor="identity", with_intervals=False)
    watch = training.callbacks.Score(scorer, n=100, every=2)
    history = gan.fit(points, batch_size=32, steps_per_epoch=2, epochs=3, verbose=0, callbacks=[watch]).history
    assert len(history["frechet"]) == 3 and history["frechet"][0] == history["frechet"][1] != history["frechet"][2]
    assert history["coverage"][-1] == scorer(gan.generate(100))["coverage"]


def test_results_carry_the_names_of_what_was_scored():
    words = {"real_name": "test set", "fake_name": "run 3", "held_out_name": "rest"}
    scores = metrics.score(REAL, FAKE, ["frechet"], extractor="identity", **words)
    assert "real test set, generated run 3, held out rest" in str(scores)
    assert metrics.Scores.from_dict(json.loads(scores.to_json())) == scores
    old = {name: value for name, value in scores.to_dict().items() if name not in words}
    assert metrics.Scores.from_dict(old).real_name == "" and "test set" not in str(metrics.Scores.from_dict(old))
    odd = metrics.score(REAL, FAKE, ["frechet"], extractor="identity", real_name="caf\udce9\n```")
    assert str(odd).encode() and str(odd).count("\n") == 3
    with pytest.raises(ValueError, match="differ in metrics, real samples"):
        metrics.over_seeds([scores, odd])


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_real", "5"), ("seed", True), ("n_fake", -1), ("extractor", None), ("real_name", 3), ("metrics", {"a": {}})],
)
def test_scores_of_other_types_are_refused(name, value):
    good = metrics.score(REAL, FAKE, ["frechet"], extractor="identity").to_dict()
    with pytest.raises(ValueError, match=r"expected|value"):
        metrics.Scores.from_dict({**good, name: value})
    row = {"value": "0.5", "low": 10**400, "high": None, "method": "x"}
    with pytest.raises(ValueError, match=r"frechet's value is '0\.5'"):
        metrics.Scores.from_dict({**good, "metrics": {"frechet": row}})


WRONG = [None, 3.0, "photos", object(), {"a": 1}, iter([1]), np.float32(1), [[1.0], [1.0, 2.0]]]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: type(value).__name__)
def test_samples_of_a_wrong_kind_are_named(wrong):
    for pair in ((wrong, FAKE), (REAL, wrong)):
        with pytest.raises(ValueError, match=r"(real|generated) samples .* expected an array"):
            metrics.score(*pair, extractor="identity")


def test_models_and_datasets_are_named_with_what_to_pass():
    from gan_utils import training
    from gan_utils.networks import toy
    from gan_utils.runtime import tf

    gan = training.GAN(toy.generator(), toy.discriminator())
    for wrong, mend in ((gan, "gan.generate"), (gan.generator, "predict"), (tf.data.Dataset.range(3), "as_numpy")):
        with pytest.raises(ValueError, match=mend):
            metrics.score(REAL, wrong, extractor="identity")


class Odd:
    def __len__(self):
        return 9

    def read(self, index):
        return {"images": index}


def test_a_source_that_returns_something_else_is_named():
    with pytest.raises(ValueError, match=r"Odd\.read of 9 indices returns .*'real'"):
        metrics.score(REAL, Odd(), extractor="identity")


@pytest.mark.parametrize("seed", [-1, True, 1.0, 2**31, None])
def test_seeds_are_checked_at_once_and_numpys_are_taken(seed):
    with pytest.raises(ValueError, match="seed is"):
        metrics.score(REAL, FAKE, ["frechet"], extractor="identity", seed=seed)
    with pytest.raises(ValueError, match="seed is"):
        kernel.kid(REAL, FAKE, seed=seed)
    scores = metrics.score(REAL, FAKE, ["kid"], extractor="identity", seed=np.int64(3))
    assert json.loads(scores.to_json())["seed"] == 3


def test_too_few_samples_name_metrics_that_take_them():
    with pytest.raises(ValueError, match=r"need 6 samples .* metrics=\['frechet', 'kid'\]"):
        metrics.score(REAL[:5], FAKE[:5], ["precision"], extractor="identity")
    with pytest.raises(ValueError, match="at least 2, which make two bins"):
        metrics.score(REAL[:1], FAKE[:1], ["ndb"], extractor="identity")
