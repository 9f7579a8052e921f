"""Nearest-neighbour balls in tiles: the geometry under precision, recall, density and coverage.

Squared distances are computed in float64, in tiles of at most 8 MB a core, so memory does not grow with N·M.
"""

import functools
import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from gan_utils.metrics import intervals

_TILE = 2**20
_ROWS, _COLUMNS = 512, 2048
_ENOUGH = 20
_CORES = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
# a squared distance is a difference of larger numbers: below this share of them it counts as zero
_ROUNDING = 1e-13
_COPIES = "copies among the samples"


class Counts(NamedTuple):
    """Who lies in whose ball.

    Attributes:
        fakes_in: (M,) bool, the generated sample lies in a ball around some real one (k_manifold).
        reals_in: (N,) bool, the real sample lies in a ball around some generated one (k_manifold).
        fakes_per_ball: (N,) int, generated samples in the ball around each real one (k_balls).
    """

    fakes_in: np.ndarray
    reals_in: np.ndarray
    fakes_per_ball: np.ndarray

    def precision_recall(self) -> list[float]:
        """Return the shares of generated and of real samples that lie in some ball of the other set."""
        return [float(self.fakes_in.mean()), float(self.reals_in.mean())]

    def density_coverage(self, k: int) -> list[float]:
        """Return generated samples per ball over their expectation, and the share of balls that hold any."""
        density = self.fakes_per_ball.sum() / (k * len(self.fakes_in))
        return [float(density), float(np.mean(self.fakes_per_ball > 0))]


def count(real: np.ndarray, fake: np.ndarray, *, k_manifold: int | None = None, k_balls: int | None = None) -> Counts:
    """Count which samples lie in which nearest-neighbour balls, all in one pass over the distances.

    Args:
        real: (N, D) checked features.
        fake: (M, D) checked features.
        k_manifold: the neighbour that sets the radii of precision and recall; left out if not given.
        k_balls: the neighbour that sets the radii of density and coverage; left out if not given.

    Returns:
        `Counts`; what was left out is False or 0 throughout. Warns where a ball has no radius, since its centre has
        too many copies.
    """
    origin = _middle(real)
    wanted = [k for k in (k_manifold, k_balls) if k is not None]
    around_real = dict(zip(wanted, radii(real, wanted), strict=True))
    around_fake = radii(fake, [k_manifold])[0] if k_manifold else None
    fakes_in, reals_in = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    per_ball, lock = np.zeros(len(real), np.int64), threading.Lock()

    def visit(rows: slice, columns: slice, squared: np.ndarray) -> None:
        if around_fake is not None and k_manifold is not None:
            reals_in[rows] |= (squared < around_fake[columns]).any(axis=1)
            hit = (squared < around_real[k_manifold][rows, None]).any(axis=0)
            with lock:  # other rows meet the same columns
                fakes_in[columns] |= hit
        if k_balls is not None:
            per_ball[rows] += np.count_nonzero(squared < around_real[k_balls][rows, None], axis=1)

    _each_tile(real, fake, visit, origin)
    k_real, k_fake = max(wanted), k_manifold or 0
    _tell_copies(
        (around_real[k_real], f"real ones have {k_real} or more equals (which lowers precision, density and coverage)"),
        (around_fake, f"generated ones have {k_fake} or more equals (which lowers recall)"),
    )
    return Counts(fakes_in, reals_in, per_ball)


def with_intervals(
    statistic: Callable[[np.ndarray, np.ndarray], list[float]],
    real: np.ndarray,
    fake: np.ndarray,
    shares: tuple[bool, ...],
    *,
    seed: int = 0,
) -> list[intervals.Estimate]:
    """Return what a statistic of both sets is, with intervals: half-samples, and for shares at least Wilson's.

    A share of 0 or 1 can come out alike in all halves; Wilson's interval has width there too.

    Args:
        statistic: from two sets to a vector.
        real: (N, D) checked features.
        fake: (M, D) checked features.
        shares: for each number of the vector, whether it is a share in [0, 1].
        seed: of the halves.

    Returns:
        An `intervals.Estimate` for each number; for under 20 samples of either set Wilson's alone.
    """
    values = statistic(real, fake)  # which also tells of copies
    smaller = min(len(real), len(fake))
    if smaller < _ENOUGH:
        # shared balls tie samples together, so they count for half as many
        return [
            intervals.Estimate(float(value), *intervals.wilson(float(value), max(1, smaller // 2)), "Wilson")
            if share
            else intervals.bare(value)
            for value, share in zip(values, shares, strict=True)
        ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _COPIES)
        errors, found = intervals.half_samples(statistic, real, fake, seed=seed), []
    for value, error, share in zip(values, errors, shares, strict=True):
        made = intervals.normal(value, error, method="half-samples", bounds=(0, np.inf), freedom=intervals.SPLITS)
        if share:
            low, high = intervals.wilson(float(value), smaller)
            made = made._replace(low=min(made.low, low), high=min(1.0, max(made.high, high)))
        found.append(made)
    return found


def radii(points: np.ndarray, ks: list[int]) -> list[np.ndarray]:
    """Return the squared distance of each point to its k-th nearest other point, for each k.

    Args:
        points: (N, D) checked features.
        ks: neighbours, self not counted; each 1 <= k < N.

    Returns:
        For each k an array (N,) float64, less the rounding error of a squared distance: a point as far away as the
        radius (all copies of one point: both are zero) is not inside.
    """
    most = max(ks)
    nearest = np.full((len(points), most + 1), np.inf)

    def visit(rows: slice, columns: slice, squared: np.ndarray) -> None:
        if squared.shape[1] > most + 1:
            squared.partition(most, axis=1)
        both = np.concatenate([nearest[rows], squared[:, : most + 1]], axis=1)
        both.partition(most, axis=1)
        nearest[rows] = both[:, : most + 1]

    squares = _each_tile(points, points, visit, _middle(points))
    nearest.sort(axis=1)
    # a neighbour at distance r lies within |x| + r of the origin, which bounds the rounding error
    return [radius - _ROUNDING * (squares + radius) for radius in np.maximum(nearest[:, ks], 0.0).T]


def _tell_copies(*balls: tuple[np.ndarray | None, str]) -> None:
    found = []
    for squared, what in balls:
        empty = 0 if squared is None else np.count_nonzero(squared <= 0)
        found += [f"{empty:,} of {len(squared):,} {what}"] if squared is not None and empty else []
    if found:
        warnings.warn(
            f"{_COPIES}: {', '.join(found)}. A ball without radius holds nothing. Leave out the copies, or judge by "
            "other metrics.",
            stacklevel=3,
        )


def _middle(points: np.ndarray) -> np.ndarray:
    # near most points, also where one lies far away, so that squares are small and few digits are lost
    return np.median(points[:: max(1, len(points) // 1000)].astype(np.float64), axis=0)


@functools.cache
def _libraries() -> ThreadpoolController:
    # to find them takes longer than the distances of some hundred points; NumPy's, which is meant, is there already
    return ThreadpoolController()


def _each_tile(
    left: np.ndarray, right: np.ndarray, visit: Callable[[slice, slice, np.ndarray], None], origin: np.ndarray
) -> np.ndarray:
    # calls visit(rows, columns, squared distances), rows in threads; returns the squares of left's distance to origin
    squares = np.empty(len(left))
    width = max(1, left.shape[1])
    row_step, column_step = (max(16, min(step, _TILE // width)) for step in (_ROWS, _COLUMNS))

    def one(start: int) -> None:
        rows = slice(start, min(start + row_step, len(left)))
        block = np.asarray(left[rows], np.float64) - origin
        squares[rows] = np.einsum("ij,ij->i", block, block)
        block *= -2.0
        for begin in range(0, len(right), column_step):
            columns = slice(begin, min(begin + column_step, len(right)))
            other = np.asarray(right[columns], np.float64) - origin
            squared = block @ other.T
            squared += np.einsum("ij,ij->i", other, other)
            squared += squares[rows, None]
            visit(rows, columns, squared)

    # a tile a core: threads inside each product too would only be in each other's way
    with _libraries().limit(limits=1, user_api="blas"), ThreadPoolExecutor(_CORES) as pool:
        list(pool.map(one, range(0, len(left), row_step)))
    return squares
