"""The mathematics of the book, evaluated: divergences, optimal transport, games, learning dynamics. No network in it.

Everything is NumPy, SciPy, POT and nashpy in float64, and refuses what is not a distribution, a pay-off or a point.
"""

from gan_utils.theory import divergences, dynamics, estimates, games, gaussians, transport

__all__ = ["divergences", "dynamics", "estimates", "games", "gaussians", "transport"]
