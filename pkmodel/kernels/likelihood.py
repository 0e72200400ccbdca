"""How probable a level is, given the prediction: minus twice the log density, with two derivatives.

Levels below their limit of quantification enter by the probability of being below it (M3 of Beal SL. J
Pharmacokinet Pharmacodyn 2001;28:481-504, doi:10.1023/A:1012299115474).
"""

from __future__ import annotations

import math

from pkmodel.kernels._jit import jit

_LN_2PI = 1.8378770664093453


@jit()
def log_normal_cdf(u):
    """Logarithm of the standard normal distribution function, to 1e-13 relative for every u.

    Below -35 by the asymptotic series of Abramowitz and Stegun 26.2.12, whose error there is under 1e-11.
    """
    if u > -35.0:
        if u > 5.0:
            return math.log1p(-0.5 * math.erfc(u * 0.7071067811865476))
        return math.log(0.5 * math.erfc(-u * 0.7071067811865476))
    s = 1.0 / (u * u)
    return -0.5 * u * u - math.log(-u) - 0.5 * _LN_2PI + math.log1p(-s * (1.0 - s * (3.0 - s * 15.0)))


@jit()
def variance(f, residual):
    """Variance of a level predicted as ``f``, and its first two derivatives."""
    p, a = residual[0], residual[1]
    cross = residual[2] * p * a
    return p * p * f * f + a * a + 2.0 * cross * f, 2.0 * (p * p * f + cross), 2.0 * p * p


@jit()
def of_level(y, lloq, f, residual):
    """(l, l', l'', expected l'') of one level; ``y`` is NaN below ``lloq``.

    l = (y - f)^2/v + ln v, or -2 ln Phi((lloq - f)/sqrt v). The expected second derivative (Fisher information)
    is never negative.
    """
    v, v1, v2 = variance(f, residual)
    if not v > 0.0:
        return math.inf, 0.0, 0.0, 0.0
    if y == y:
        e = y - f
        r = e / v
        value = e * r + math.log(v)
        slope = -2.0 * r - r * r * v1 + v1 / v
        curve = 2.0 / v + 4.0 * r * v1 / v - r * r * v2 + 2.0 * r * r * v1 * v1 / v + v2 / v - v1 * v1 / (v * v)
        return value, slope, curve, 2.0 / v + v1 * v1 / (v * v)
    g = math.sqrt(v)
    g1 = 0.5 * v1 / g
    g2 = 0.5 * v2 / g - 0.25 * v1 * v1 / (v * g)
    u = (lloq - f) / g
    u1 = -(1.0 + u * g1) / g
    u2 = -(2.0 * u1 * g1 + u * g2) / g
    log_p = log_normal_cdf(u)
    mills = math.exp(-0.5 * (u * u + _LN_2PI) - log_p)
    bend = 2.0 * mills * (mills + u) * u1 * u1
    return -2.0 * log_p, -2.0 * mills * u1, bend - 2.0 * mills * u2, bend
