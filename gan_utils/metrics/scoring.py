"""One call for many scores: extract once, then every metric with its interval."""

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_utils import checking
from gan_utils.metrics import (
    bins,
    checks,
    features,
    frechet,
    inception_score,
    intervals,
    kernel,
    memorisation,
    mode_score,
    neighbours,
    sliced_wasserstein,
)

if TYPE_CHECKING:
    from gan_utils.data import Source
    from gan_utils.runtime import keras

DEFAULT = ("frechet", "kid", "precision", "recall", "density", "coverage")
K_MANIFOLD, K_BALLS = 3, 5
_NEIGHBOURS = ("precision", "recall", "density", "coverage")
_COLUMNS = 64
_LABELS = ("inception_score", "mode_score")
_Function = Callable[..., Any]


@dataclass(frozen=True)
class Scores:
    """Scores of a set of generated samples, with all that a reader needs to compare them.

    Attributes:
        metrics: name to `intervals.Estimate`.
        n_real: real samples used.
        n_fake: generated samples used.
        extractor: name, with version or layer.
        resize: how images of another size were brought to the extractor's.
        seed: of subsets, splits and directions.
        real_name: what the real samples are called, such as the file or data set they came from; may be empty.
        fake_name: what the generated samples are called.
        held_out_name: what the held-out real samples are called.
    """

    metrics: Mapping[str, intervals.Estimate]
    n_real: int
    n_fake: int
    extractor: str
    resize: str
    seed: int
    real_name: str = ""
    fake_name: str = ""
    held_out_name: str = ""

    def __getitem__(self, name: str) -> float:
        """Return the value of a metric."""
        return self.metrics[name].value

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers, texts and dicts that JSON can hold; what is not finite becomes None."""
        rows = {
            name: {
                **{end: float(x) if np.isfinite(x) else None for end, x in zip(_ENDS, estimate[:3], strict=True)},
                "method": estimate.method,
            }
            for name, estimate in self.metrics.items()
        }
        told = {"n_real": self.n_real, "n_fake": self.n_fake, "extractor": self.extractor, "resize": self.resize}
        return {"metrics": rows, **told, "seed": self.seed, **{name: getattr(self, name) for name in _NAMES}}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Scores":
        """Return the scores that `to_dict` gave, for example from a file of ``gan-utils score --json``.

        What was not finite is NaN; names that an older file does not tell are empty.

        Raises:
            ValueError: if something is missing or of another type.
        """
        try:
            rows = {name: _estimate(name, row) for name, row in found["metrics"].items()}
            if not rows:
                raise KeyError("metrics is empty")
            n_real, n_fake, seed = (checking.integer(name, found[name], 0) for name in ("n_real", "n_fake", "seed"))
            extractor, resize = (_text(name, found[name]) for name in ("extractor", "resize"))
            names = (_text(name, found.get(name, "")) for name in _NAMES)
            return cls(rows, n_real, n_fake, extractor, resize, seed, *names)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}; expected what Scores.to_dict gives.") from error

    def to_json(self) -> str:
        """Return `to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def __str__(self) -> str:
        """Return a table."""
        wide = max(map(len, self.metrics))
        lines = [f"{'':<{wide}} {'value':>10}   95 % interval"]
        for name, (value, low, high, method) in self.metrics.items():
            ends = f"{_number(low)} to {_number(high)} ({method})" if np.isfinite([low, high]).any() else method
            lines.append(f"{name:<{wide}} {_number(value):>10}   {ends}")
        told = f"n_real {self.n_real:,}, n_fake {self.n_fake:,}, extractor {self.extractor}, resize {self.resize}"
        lines.append(f"{told}, seed {self.seed}")
        names = (("real", self.real_name), ("generated", self.fake_name), ("held out", self.held_out_name))
        lines += [", ".join(f"{what} {name}" for what, name in names if name)] if any(n for _, n in names) else []
        return "\n".join(checking.printable(line) for line in lines)


_ENDS = ("value", "low", "high")
_NAMES = ("real_name", "fake_name", "held_out_name")


def _estimate(name: str, row: Mapping[str, Any]) -> intervals.Estimate:
    value, low, high = (np.nan if row[end] is None else checking.real(f"{name}'s {end}", row[end]) for end in _ENDS)
    return intervals.Estimate(value, low, high, _text("method", row["method"]))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is {checking.shown(value)}; expected a text.")
    return value


class Scorer:
    """Scores any number of generated sets against one real set, whose features are extracted once.

    Args:
        real: real samples: what an `Extractor` takes, or `features.Features` that one made.
        metrics: names out of `METRICS`; all six of `DEFAULT` if not given.
        extractor: name, Keras model or `features.Extractor`, see `features.get`.
        held_out: real samples that were not trained on, for ``"memorisation"``, which then takes `real` for the
            training set.
        seed: of subsets, splits, bins and directions.
        with_intervals: False leaves out the intervals, which cost more than the values.
        progress: show bars on standard error.
        real_name: what the real samples are called in the result.
        held_out_name: what the held-out samples are called there.

    Attributes:
        extractor: the `features.Extractor`.
        real: the `features.Features` of the real samples.

    Raises:
        ValueError: for an unknown metric or extractor, a metric that lacks what it needs, or samples that are bad.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(400, 2))
        >>> scorer = Scorer(points[:200], ["recall"], extractor="identity")
        >>> scorer(points[200:])["recall"] > 0.9 > scorer(0.01 * points[200:])["recall"]
        True
    """

    def __init__(
        self,
        real: "np.ndarray | Source | features.Features",
        metrics: Sequence[str] = DEFAULT,
        *,
        extractor: "str | keras.Model | features.Extractor" = "fashion_mnist",
        held_out: "np.ndarray | Source | features.Features | None" = None,
        seed: int = 0,
        with_intervals: bool = True,
        progress: bool = False,
        real_name: str = "",
        held_out_name: str = "",
    ) -> None:
        self.metrics = check_names(metrics, held_out=held_out is not None)
        self.seed, self.with_intervals, self.progress = checking.seed(seed), with_intervals, progress
        self._names = _text("real_name", real_name), _text("held_out_name", held_out_name)
        self.extractor = features.get(extractor)
        self.real = self._features(real, "real samples")
        self._held_out = None if held_out is None else self._features(held_out, "held_out").values
        labels = [name for name in self.metrics if name in _LABELS]
        if labels and self.real.probabilities is None:
            raise ValueError(f"{', '.join(labels)}: the extractor {self.extractor.name} gives no class probabilities.")

    def __call__(self, fake: "np.ndarray | Source | features.Features", *, fake_name: str = "") -> Scores:
        """Score generated samples.

        Args:
            fake: what an `Extractor` takes, or `features.Features`.
            fake_name: what they are called in the result.

        Returns:
            `Scores`. They do not depend on the order of samples, nor on batches beyond rounding.

        Raises:
            ValueError: for samples that cannot be scored, saying why.
        """
        names = self._names[0], _text("fake_name", fake_name), self._names[1]
        found = self._features(fake, "generated samples")
        checks.features(self.real.values, found.values)
        compute = _Computation(self.real, found, self._held_out, self.seed, self.with_intervals)
        values = {name: getattr(compute, name)() for name in self.metrics}
        numbers = len(self.real.values), len(found.values)
        return Scores(values, *numbers, self.extractor.name, self.extractor.resize, self.seed, *names)

    def _features(self, samples: Any, name: str) -> features.Features:
        own = not isinstance(samples, features.Features)
        found = self.extractor(checks.samples(samples, name), progress=self.progress) if own else samples
        values, probabilities = found
        # an order of their own: splits and subsets are then the same however the samples came
        directions, least = np.random.default_rng(0).normal(size=(values.shape[1], 2)), values.min(axis=0)
        keys = np.concatenate([(values[i : i + 4096] - least) @ directions for i in range(0, len(values), 4096)])
        order = np.lexsort(keys.T)
        target = values if own and self.extractor.run is not None else np.empty_like(values)
        for start in range(0, values.shape[1], _COLUMNS):  # no second copy of what may be most of the memory
            columns = slice(start, start + _COLUMNS)
            target[:, columns] = values[order, columns]
        return features.Features(target, None if probabilities is None else probabilities[order])


def score(
    real: "np.ndarray | Source | features.Features",
    fake: "np.ndarray | Source | features.Features",
    metrics: Sequence[str] = DEFAULT,
    *,
    extractor: "str | keras.Model | features.Extractor" = "fashion_mnist",
    held_out: "np.ndarray | Source | features.Features | None" = None,
    seed: int = 0,
    with_intervals: bool = True,
    progress: bool = False,
    real_name: str = "",
    fake_name: str = "",
    held_out_name: str = "",
) -> Scores:
    """Score generated samples against real ones.

    Args, errors and meaning as `Scorer`, which is for several generated sets; the names are kept in the result.

    Returns:
        `Scores`: print it, or take `to_dict`, `to_json` or ``scores["frechet"]``.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(400, 2))
        >>> round(score(points, points, ["frechet"], extractor="identity")["frechet"], 6)
        0.0
    """
    if not isinstance(fake, features.Features):
        checks.samples(fake, "generated samples")  # before work is spent on the real ones
    scorer = Scorer(
        real,
        metrics,
        extractor=extractor,
        held_out=held_out,
        seed=seed,
        with_intervals=with_intervals,
        progress=progress,
        real_name=real_name,
        held_out_name=held_out_name,
    )
    return scorer(fake, fake_name=fake_name)


def over_seeds(runs: Sequence[Scores]) -> dict[str, tuple[float, float]]:
    """Return mean and standard error of each metric over training runs with different seeds.

    Args:
        runs: `Scores` of at least two runs, made under equal conditions.

    Returns:
        Name to (mean, standard error).

    Raises:
        ValueError: for fewer than two runs, or runs that differ in metrics, names of the real samples, numbers of
            samples, extractor or resize.
    """
    wrong = [checking.shown(run) for run in runs if not isinstance(run, Scores)]
    if wrong:
        raise ValueError(f"runs hold {wrong[0]}; expected Scores only.")
    told = {(*run.metrics, run.real_name, run.n_real, run.n_fake, run.extractor, run.resize) for run in runs}
    if len(told) > 1:
        raise ValueError(
            "the runs differ in metrics, real samples, numbers of samples, extractor or resize; expected equal ones."
        )
    return {name: intervals.over_seeds([run[name] for run in runs]) for name in (runs[0].metrics if runs else [""])}


def check_names(metrics: Sequence[str], *, held_out: bool = False) -> tuple[str, ...]:
    """Return the metrics' names, checked.

    Args:
        metrics: names out of `METRICS`.
        held_out: whether there are held-out real samples.

    Raises:
        ValueError: for no name, an unknown one, or ``"memorisation"`` without held-out samples.
    """
    names: tuple[Any, ...] = tuple(metrics) if isinstance(metrics, Iterable) else (metrics,)
    names = (metrics,) if isinstance(metrics, str) else names
    unknown = [name for name in names if not isinstance(name, str) or name not in METRICS]
    if unknown or not names:
        raise ValueError(f"metrics are {', '.join(map(str, names)) or 'none'}; expected some of {', '.join(METRICS)}.")
    if "memorisation" in names and not held_out:
        raise ValueError("memorisation needs held-out real samples that were not trained on; pass held_out.")
    return names


class _Computation:
    """One real and one generated set; each method is a metric, each computed when asked for."""

    def __init__(
        self,
        real: features.Features,
        fake: features.Features,
        held_out: np.ndarray | None,
        seed: int,
        with_intervals: bool,
    ) -> None:
        self.real, self.fake, self.held_out, self.seed, self.with_intervals = real, fake, held_out, seed, with_intervals

    def frechet(self) -> intervals.Estimate:
        pair = self.real.values, self.fake.values
        return self._either(frechet.frechet_interval, frechet.frechet_distance, *pair)

    def frechet_infinity(self) -> intervals.Estimate:
        return frechet.frechet_infinity(self.real.values, self.fake.values, seed=self.seed)

    def kid(self) -> intervals.Estimate:
        return self._either(kernel.kid_interval, kernel.kid, self.real.values, self.fake.values, seed=self.seed)

    def inception_score(self) -> intervals.Estimate:
        probabilities = self._probabilities(self.fake)
        splits = min(10, len(probabilities))
        functions = inception_score.inception_score_interval, inception_score.inception_score
        return self._either(*functions, probabilities, splits=splits, seed=self.seed)

    def mode_score(self) -> intervals.Estimate:
        both = self._probabilities(self.fake), self._probabilities(self.real)
        return self._either(mode_score.mode_score_interval, mode_score.mode_score, *both)

    def precision(self) -> intervals.Estimate:
        return self._neighbours["precision"]

    def recall(self) -> intervals.Estimate:
        return self._neighbours["recall"]

    def density(self) -> intervals.Estimate:
        return self._neighbours["density"]

    def coverage(self) -> intervals.Estimate:
        return self._neighbours["coverage"]

    def ndb(self) -> intervals.Estimate:
        return self._either(bins.ndb_interval, bins.ndb, self.real.values, self.fake.values, seed=self.seed)

    def sliced_wasserstein(self) -> intervals.Estimate:
        functions = sliced_wasserstein.sliced_wasserstein_interval, sliced_wasserstein.sliced_wasserstein
        return self._either(*functions, self.real.values, self.fake.values, seed=self.seed)

    def memorisation(self) -> intervals.Estimate:
        assert self.held_out is not None  # check_names saw to it
        three = self.real.values, self.fake.values, self.held_out
        interval = functools.partial(memorisation.memorisation_interval, seed=self.seed)  # the ratio draws nothing
        return self._either(interval, memorisation.memorisation_ratio, *three)

    @functools.cached_property
    def _neighbours(self) -> dict[str, intervals.Estimate]:
        real, fake = self.real.values, self.fake.values
        smaller = min(len(real), len(fake))
        if smaller <= K_BALLS:
            raise ValueError(
                f"k is {K_BALLS}, so {', '.join(_NEIGHBOURS)} need {K_BALLS + 1} samples of each set or more; got "
                f"{len(real)} real and {len(fake)} generated. Pass more, or ask for metrics=['frechet', 'kid'] only."
            )
        found = self._four(real, fake)
        if len(real) != len(fake):  # precision and recall are defined at equal numbers
            random = np.random.default_rng(self.seed)
            equal = [x[np.sort(random.choice(len(x), smaller, replace=False))] for x in (real, fake)]
            found[:2] = self._four(*equal)[:2]
        return dict(zip(_NEIGHBOURS, found, strict=True))

    def _four(self, real: np.ndarray, fake: np.ndarray) -> list[intervals.Estimate]:
        if self.with_intervals:
            return neighbours.with_intervals(self._fidelity, real, fake, (True, True, False, True), seed=self.seed)
        return [intervals.bare(value) for value in self._fidelity(real, fake)]

    @staticmethod
    def _fidelity(real: np.ndarray, fake: np.ndarray) -> list[float]:
        found = neighbours.count(real, fake, k_manifold=K_MANIFOLD, k_balls=K_BALLS)
        return [*found.precision_recall(), *found.density_coverage(K_BALLS)]

    def _either(self, interval: _Function, value: _Function, *arguments: Any, **options: Any) -> intervals.Estimate:
        return interval(*arguments, **options) if self.with_intervals else intervals.bare(value(*arguments, **options))

    @staticmethod
    def _probabilities(found: features.Features) -> np.ndarray:
        if found.probabilities is None:
            raise ValueError("the features carry no class probabilities; use an extractor that knows classes.")
        return found.probabilities


METRICS = tuple(name for name in vars(_Computation) if not name.startswith("_"))


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else str(value)
