"""Latent smoothness: how far features move for a small step between two latents."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gan_utils import checking
from gan_utils.metrics import checks, intervals
from gan_utils.metrics.inception_score import standard_error

Function = Callable[[np.ndarray], Any]


def latent_smoothness(
    generate: Function,
    latent_dim: int,
    *,
    features: Function | None = None,
    n: int = 1000,
    epsilon: float = 1e-3,
    seed: int = 0,
) -> intervals.Estimate:
    r"""Return the mean squared speed of the features along spherical interpolations, with a delta-method interval.

    .. math:: \ell = \mathbb{E}\Big[\frac1{\epsilon^2}\big\lVert\phi(G(z_t)) - \phi(G(z_{t+\epsilon}))\big\rVert^2\Big],
        \qquad z_t = \mathrm{slerp}(z_1, z_2; t),\ t\sim U(0, 1)

    Low is smooth. Pitfalls: a generator that ignores its latent is the smoothest of all, so it says nothing without
    a measure of diversity; its scale is the extractor's; a step under float32's resolution measures rounding.

    Args:
        generate: from latents (k, latent_dim) float32 to samples (k, ...), in inference mode.
        latent_dim: size of a latent.
        features: from samples (k, ...) to (k, D); the flattened samples if not given.
        n: pairs of latents, at least 2.
        epsilon: the step, in (0, 0.1].
        seed: of latents and t.

    Returns:
        An `Estimate`, >= 0.

    Raises:
        ValueError: for options out of range, or features that are not finite.

    Example:
        >>> latent_smoothness(lambda z: 0 * z, 4, n=10).value
        0.0

    Reference:
        Karras, Laine and Aila 2019, arXiv 1812.04948, equation 2; differs in the features (theirs: VGG16), the step
        (theirs: 1e-4) and in that no outliers are dropped.
    """
    n, latent_dim = checking.integer("n", n, 2), checking.integer("latent_dim", latent_dim, 1)
    epsilon, random = checking.real("epsilon", epsilon, high=0.1, above=0), checks.generator(seed)
    start, end, t = random.normal(size=(n, latent_dim)), random.normal(size=(n, latent_dim)), random.random((n, 1))
    ends = [slerp(start, end, t).astype(np.float32), slerp(start, end, t + epsilon).astype(np.float32)]
    found = []
    for latents in ends:
        samples = np.asarray(generate(latents))
        values = np.asarray(features(samples) if features else samples, np.float64).reshape(n, -1)
        checks.finite(values, "features")
        found.append(values)
    squared = np.sum((found[0] - found[1]) ** 2, axis=1) / epsilon**2
    return intervals.normal(float(squared.mean()), standard_error(squared), method="delta method", bounds=(0.0, np.inf))


def slerp(start: np.ndarray, end: np.ndarray, t: np.ndarray) -> np.ndarray:
    r"""Interpolate on the great circle.

    .. math:: \mathrm{slerp}(a, b; t) = \frac{\sin((1-t)\omega)}{\sin\omega}a + \frac{\sin t\omega}{\sin\omega}b

    Args:
        start: (..., D), a.
        end: (..., D), b; ω is the angle between a and b.
        t: broadcasts against (..., 1).

    Returns:
        (..., D) float64; the straight line where a and b are parallel.

    Example:
        >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.5])).round(4).tolist()
        [0.7071, 0.7071]

    Reference:
        Shoemake 1985, doi 10.1145/325165.325242; for latents: White 2016, arXiv 1609.04468.
    """
    start, end, t = (np.asarray(x, np.float64) for x in (start, end, t))
    norms = np.linalg.norm(start, axis=-1, keepdims=True) * np.linalg.norm(end, axis=-1, keepdims=True)
    cosine = np.sum(start * end, axis=-1, keepdims=True) / np.maximum(norms, np.finfo(np.float64).tiny)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    flat = sine < 1e-9
    safe = np.where(flat, 1.0, sine)
    first = np.where(flat, 1 - t, np.sin((1 - t) * angle) / safe)
    return first * start + np.where(flat, t, np.sin(t * angle) / safe) * end
