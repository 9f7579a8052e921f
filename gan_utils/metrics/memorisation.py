"""Does a generator copy its training set? Distances to the nearest training samples."""

import numpy as np

from gan_utils.metrics.coverage import as_features


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
    train, samples = as_features(_flat(train), _flat(samples))
    best, index = np.full(len(samples), np.inf), np.zeros(len(samples), np.int64)
    for start in range(0, len(train), 10_000):
        block = train[start : start + 10_000]
        squares = (block**2).sum(axis=1) - 2.0 * samples @ block.T  # the samples' own squares do not change the order
        nearest = squares.argmin(axis=1)
        # recomputed by subtraction: the expanded square loses the digits that tell a copy from a near copy
        distance = np.linalg.norm(block[nearest] - samples, axis=1)
        closer = distance < best
        best[closer], index[closer] = distance[closer], start + nearest[closer]
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
    return values.reshape(len(values), -1) if values.ndim > 1 else values
