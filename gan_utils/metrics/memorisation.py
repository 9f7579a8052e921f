"""Does a generator copy its training set? Distances to the nearest training samples."""

import math

import numpy as np

from gan_utils.metrics.coverage import check_pair

_NOMINEES = 8


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
    check_pair(train, samples, name="samples")
    rows = np.arange(len(samples))[:, None]
    best, index = np.full(len(samples), np.inf), np.zeros(len(samples), np.int64)
    for start in range(0, len(train), 10_000):
        block = train[start : start + 10_000]
        # the samples' own squares do not change the order; single precision only nominates candidates
        squares = (block**2).sum(axis=1) - 2.0 * samples @ block.T
        nominees = np.argpartition(squares, min(_NOMINEES, len(block)) - 1, axis=1)[:, :_NOMINEES]
        # by subtraction: the expanded square loses the digits that tell a copy from a near copy
        distances = np.linalg.norm(block[nominees].astype(np.float64) - samples[:, None].astype(np.float64), axis=2)
        nearest = distances.argmin(axis=1)[:, None]
        distance = distances[rows, nearest][:, 0]
        closer = distance < best
        best[closer], index[closer] = distance[closer], start + nominees[rows, nearest][closer, 0]
    return best, index


def memorisation_ratio(train: np.ndarray, samples: np.ndarray, held_out: np.ndarray) -> float:
    """Return the median distance of samples to their nearest training sample over that of held-out real samples.

    About 1 or more: samples are no closer to the training set than unseen real data. Near 0: copies.

    Args:
        train: (N, ...) training samples.
        samples: (M, ...) generated samples.
        held_out: (K, ...) real samples that were not trained on.

    Returns:
        A float >= 0.

    Raises:
        ValueError: if the shapes differ, or every held-out sample is itself in `train`.
    """
    reference = float(np.median(nearest_training_samples(train, held_out)[0]))
    if reference == 0.0:
        raise ValueError("held_out lies within train (median distance 0); expected real samples not trained on.")
    return float(np.median(nearest_training_samples(train, samples)[0])) / reference


def _flat(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    values = values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
    return values.reshape(len(values), math.prod(values.shape[1:])) if values.ndim > 1 else values
