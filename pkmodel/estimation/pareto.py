"""How heavy the tail of importance weights is: whether a weighted sample can stand for what it was weighted to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SPREAD = 3.0  # how far the grid of the profile likelihood reaches, in quartiles of the tail (Zhang and Stephens)
_BELIEVED, _WORTH = 0.5, 10.0  # shape that short tails are drawn towards, and how many weights that counts as


def pareto_shape(weights: Floats) -> float:
    """Shape k of the generalised Pareto distribution that the largest weights follow.

    Below 0 the weights have a bound; below 0.5 their variance is finite; from :func:`trusted_shape` on averages of a
    sample of this size are not to be trusted.

    Parameters
    ----------
    weights
        (proposal,) in any scale.

    Returns
    -------
    float
        k, by the empirical Bayes estimate of the tail of 3 sqrt(n) weights (at most a fifth); minus infinity where
        these are equal.

    Notes
    -----
    Zhang J, Stephens MA. Technometrics 2009;51:316-25, doi:10.1198/tech.2009.08017 (estimate, equations 4 to 7);
    Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J. J Mach Learn Res 2024;25(72):1-58 (length of the tail, and the
    weak prior that is worth ten weights of k = 0.5).
    """
    n = weights.size
    length = math.ceil(min(0.2 * n, 3.0 * math.sqrt(n)))
    ordered = np.sort(weights)
    beyond = ordered[-length:] - ordered[-length - 1]
    if length < 5 or not beyond[-1] > 0.0 or beyond[0] == beyond[-1]:
        return -math.inf
    beyond = beyond[beyond > 0.0]
    count = beyond.size
    points = 30 + int(math.sqrt(count))
    quartile = beyond[int(0.25 * count + 0.5) - 1]
    steps = 1.0 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    inverse = 1.0 / beyond[-1] + steps / (_SPREAD * quartile)
    shapes = np.log1p(-inverse[:, None] * beyond).mean(axis=1)
    profile = count * (np.log(-inverse / shapes) - shapes - 1.0)
    share = np.exp(profile - profile.max())
    mean = float(inverse @ share / share.sum())
    found = float(np.log1p(-mean * beyond).mean())
    return float((count * found + _WORTH * _BELIEVED) / (count + _WORTH))


def trusted_shape(count: int) -> float:
    """Largest k with which averages over ``count`` weights can be trusted (Vehtari et al. 2024, section 3.2.4)."""
    return min(1.0 - 1.0 / math.log10(count), 0.7)
