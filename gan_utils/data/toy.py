"""Mixtures of Gaussians in the plane whose modes are known, so that what a generator misses can be counted."""

from dataclasses import dataclass

import numpy as np

from gan_utils import checking


@dataclass(frozen=True, eq=False)
class Mixture:
    r"""K equally likely Gaussian modes of one width: :math:`p = \frac1K\sum_k N(\mu_k, \sigma^2 I)`.

    Attributes:
        means: (K, 2) float64.
        sigma: standard deviation of a mode in each direction, > 0.

    Raises:
        ValueError: for means of another shape, NaN, or a sigma that is not above 0.

    Reference:
        Such targets are used to count modes since Metz, Poole, Pfau and Sohl-Dickstein 2016, arXiv 1611.02163.
    """

    means: np.ndarray
    sigma: float

    def __post_init__(self) -> None:
        try:
            means = np.asarray(self.means, np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"means are {checking.shown(self.means)}; expected numbers (K, 2).") from None
        if means.ndim != 2 or means.shape[1] != 2 or not len(means) or not np.isfinite(means).all():
            raise ValueError(f"means have shape {means.shape}; expected finite (K, 2) with K >= 1.")
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "sigma", checking.real("sigma", self.sigma, above=0))

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """Return points (n, 2) float32, a function of the seed.

        Raises:
            ValueError: if n is no integer from 1 on, or for a seed that is none in [0, 2**31).

        Example:
            >>> ring().sample(5).shape
            (5, 2)
        """
        n, rng = checking.integer("n", n, 1), np.random.default_rng(checking.seed(seed))
        which = rng.integers(len(self.means), size=n)
        return (self.means[which] + self.sigma * rng.standard_normal((n, 2))).astype(np.float32)


def ring(modes: int = 8, *, radius: float = 1.0, sigma: float = 0.01) -> Mixture:
    """Return a `Mixture` whose modes lie evenly on a circle, the first at (radius, 0).

    Args:
        modes: K >= 1.
        radius: of the circle.
        sigma: of each mode. The defaults are PacGAN's; modes of 0.1 are far easier to learn.

    Raises:
        ValueError: for no modes, or a sigma that is not above 0.

    Example:
        >>> ring().means.shape
        (8, 2)

    Reference:
        Lin, Khetan, Fanti and Oh 2017, arXiv 1712.04086, section 4.1.
    """
    modes, radius = checking.integer("modes", modes, 1), checking.real("radius", radius)
    angles = 2 * np.pi * np.arange(modes) / modes
    return Mixture(radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), sigma)


def grid(side: int = 5, *, spacing: float = 2.0, sigma: float = 0.05) -> Mixture:
    """Return a `Mixture` of side × side modes on a square grid around the origin.

    Args:
        side: modes in each direction, >= 1.
        spacing: between neighbours.
        sigma: of each mode. The defaults are PacGAN's: {-4, -2, 0, 2, 4}² and 0.05.

    Raises:
        ValueError: for no modes, or a sigma that is not above 0.

    Example:
        >>> float(grid().means.min()), float(grid().means.max())
        (-4.0, 4.0)

    Reference:
        Lin, Khetan, Fanti and Oh 2017, arXiv 1712.04086, section 4.1.
    """
    side, spacing = checking.integer("side", side, 1), checking.real("spacing", spacing)
    line = spacing * (np.arange(side) - (side - 1) / 2)
    return Mixture(np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2), sigma)
