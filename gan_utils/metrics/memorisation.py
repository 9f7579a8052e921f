"""Does a generator copy its training set? Distances to the nearest training samples."""

import math

import numpy as np

from gan_utils import checking
from gan_utils.metrics import checks, intervals

_NOMINEES, _TRAIN, _SAMPLES = 8, 10_000, 500


def nearest_training_samples(train: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find, for each sample, the nearest training sample in Euclidean distance.

    Args:
        train: (N, ...) training samples, flattened here.
        samples: (M, ...) samples of the same shape.

    Returns:
        Distances (M,) float64 and indices into `train` (M,) int64.

    Raises:
        ValueError: if the shapes of the samples differ or values are not finite.

    Example:
        >>> distances, indices = nearest_training_samples(np.eye(3), np.eye(3)[[2, 0]])
        >>> indices.tolist(), distances.tolist()
        ([2, 0], [0.0, 0.0])
    """
    train, samples = _flat(train), _flat(samples)
    checks.pair(train, samples, name="samples")
    mean = train.mean(axis=0, dtype=np.float64)
    best, index = np.full(len(samples), np.inf), np.zeros(len(samples), np.int64)
    for start in range(0, len(train), _TRAIN):
        block = train[start : start + _TRAIN]
        centred = (block - mean).astype(np.float32)  # single precision only nominates candidates
        squares = (centred**2).sum(axis=1)
        for begin in range(0, len(samples), _SAMPLES):
            some = samples[begin : begin + _SAMPLES]
            # the samples' own squares do not change the order
            scores = squares - 2.0 * (some - mean).astype(np.float32) @ centred.T
            nominees = np.argpartition(scores, min(_NOMINEES, len(block)) - 1, axis=1)[:, :_NOMINEES]
            # by subtraction: the expanded square loses the digits that tell a copy from a near copy
            distances = np.stack(
                [np.linalg.norm(block[chosen].astype(np.float64) - some, axis=1) for chosen in nominees.T], axis=1
            )
            rows, nearest = np.arange(len(some)), distances.argmin(axis=1)
            distance = distances[rows, nearest]
            closer = np.flatnonzero(distance < best[begin : begin + _SAMPLES])
            best[begin + closer] = distance[closer]
            index[begin + closer] = start + nominees[closer, nearest[closer]]
    return best, index


def memorisation_ratio(train: np.ndarray, samples: np.ndarray, held_out: np.ndarray) -> float:
    """Return the median distance of samples to their nearest training sample over that of held-out real samples.

    About 1 or more: samples are no closer to the training set than unseen real data. Near 0: copies. Pitfalls: noise
    is far from everything, so a high ratio is no praise; the median misses a copying minority; in pixels a shifted
    copy is far away.

    Args:
        train: (N, ...) training samples.
        samples: (M, ...) generated samples.
        held_out: (K, ...) real samples that were not trained on.

    Returns:
        A float >= 0.

    Raises:
        ValueError: if the shapes differ, or half of the held-out samples are themselves in `train`.

    Example:
        >>> points = np.arange(10.0)[:, None]
        >>> memorisation_ratio(points, points + 0.1, points + 0.2).__round__(6)
        0.5

    Reference:
        The nearest-neighbour check as a ratio to held-out data; as a test: Meehan, Chaudhuri and Dasgupta 2020, arXiv
        2004.05675.
    """
    return _ratio(*_distances(train, samples, held_out))


def memorisation_interval(
    train: np.ndarray, samples: np.ndarray, held_out: np.ndarray, *, resamples: int = 1000, seed: int = 0
) -> intervals.Estimate:
    """Return `memorisation_ratio` with a bootstrap percentile interval over samples and held-out ones.

    The distances are resampled, not the samples, so no copy meets itself.

    Args:
        train: (N, ...) training samples.
        samples: (M, ...) generated samples.
        held_out: (K, ...) real samples that were not trained on.
        resamples: bootstrap resamples.
        seed: of the resamples.

    Returns:
        An `Estimate`.

    Raises:
        ValueError: as `memorisation_ratio`.
    """
    resamples, random = checking.integer("resamples", resamples, 1), checks.generator(seed)
    (near, reference), ratios = _distances(train, samples, held_out), []
    for _ in range(resamples):
        below = np.median(random.choice(reference, len(reference)))
        ratios.append(np.median(random.choice(near, len(near))) / below if below else np.inf)
    value, tail = _ratio(near, reference), 50 * (1 - intervals.LEVEL)
    low, high = np.percentile(ratios, [tail, 100 - tail])
    return intervals.Estimate(value, float(min(low, value)), float(max(high, value)), "bootstrap")


def _distances(train: np.ndarray, samples: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reference = nearest_training_samples(train, held_out)[0]
    if np.median(reference) == 0.0:
        raise ValueError("held_out lies within train (median distance 0); expected real samples not trained on.")
    return nearest_training_samples(train, samples)[0], reference


def _ratio(near: np.ndarray, reference: np.ndarray) -> float:
    return float(np.median(near)) / float(np.median(reference))


def _flat(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    values = values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
    return values.reshape(len(values), math.prod(values.shape[1:])) if values.ndim > 1 else values
