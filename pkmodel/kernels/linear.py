"""Closed form of linear one- and two-compartment disposition with depot and infusion.

Everything is a sum of convolutions of exponentials. A convolution of two exponentials is a first divided difference
of exp(-a t) in the rate a; written that way, equal rates (absorption as slow as elimination, a one-compartment model
with its zero rate) need no special case and lose no digits.

Sources: Gabrielsson J, Weiner D. Pharmacokinetic and Pharmacodynamic Data Analysis, 5th ed., chapter 2 (the
two-compartment disposition function); de Boor C. Divided differences. Surv Approx Theory 2005;1:46-69.
"""

from __future__ import annotations

import math

from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import exp
from pkmodel.kernels.layout import CL, KA, V1, V2, Q


@jit()
def convolve2(a, ea, b, eb, t):
    """Integral over s in [0, t] of exp(-a (t - s)) exp(-b s); ``ea = exp(-a t)``, ``eb = exp(-b t)``."""
    x = (a - b) * t
    if abs(x) > 0.02:
        return (eb - ea) / (a - b)
    # exp(x) - 1 over x by its series: truncation below 2e-14 of the value, no cancellation
    return ea * t * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0)))))


@jit(inline="always")
def convolve2_straight(a, ea, b, eb, t):
    """As :func:`convolve2` without a branch, so that loops over it vectorise."""
    gap = a - b
    x = gap * t
    # series of (exp(x) - 1)/x, truncated below 2e-14 for |x| <= 0.02
    series = ea * t * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x / 720.0)))))
    direct = (eb - ea) / (gap if gap != 0.0 else 1.0)
    return direct if abs(x) > 0.02 else series


@jit()
def modes(theta, factor):
    """Rates and weights of a patient: (k12, k21, alpha, beta, p_alpha, p_beta); CL is multiplied by ``factor``.

    With Q = 0 and V2 = 1 this is the one-compartment model: beta = 0 with weight 0.
    """
    k10 = theta[CL] * factor / theta[V1]
    k12 = theta[Q] / theta[V1]
    k21 = theta[Q] / theta[V2]
    gap = math.sqrt((k10 + k12 - k21) ** 2 + 4.0 * k12 * k21)
    alpha = 0.5 * (k10 + k12 + k21 + gap)
    beta = k10 * k21 / alpha
    p_alpha = (alpha - k21) / gap
    return k12, k21, alpha, beta, p_alpha, 1.0 - p_alpha


@jit()
def central_amount(theta, mode, a_d, a_c, a_p, rate, t):
    """Amount in the central compartment (mg), ``t`` days after amounts a_d, a_c, a_p with a constant rate."""
    _, k21, alpha, beta, p_alpha, p_beta = mode
    ea = exp(-alpha * t)
    eb = exp(-beta * t)
    amount = a_c * (p_alpha * ea + p_beta * eb)
    if a_p != 0.0:
        amount += a_p * k21 * convolve2(alpha, ea, beta, eb, t)
    if rate != 0.0:
        amount += rate * (p_alpha * convolve2(alpha, ea, 0.0, 1.0, t) + p_beta * convolve2(beta, eb, 0.0, 1.0, t))
    if a_d != 0.0:
        ka = theta[KA]
        ek = exp(-ka * t)
        amount += ka * a_d * (p_alpha * convolve2(alpha, ea, ka, ek, t) + p_beta * convolve2(beta, eb, ka, ek, t))
    return amount


@jit()
def carry(theta, mode, a_d, a_c, a_p, rate, t):
    """Central and peripheral amount (mg) ``t`` days later; arguments as in :func:`central_amount`.

    In modal coordinates: a unit of a mode carries k12/(k21 - rate of the mode) of peripheral amount, and
    k21/(alpha - beta) of a peripheral amount goes to the second mode and is missing from the first.
    """
    k12, k21, alpha, beta, p_alpha, p_beta = mode
    share = k21 / (alpha - beta)
    ea = exp(-alpha * t)
    eb = exp(-beta * t)
    z1 = (p_alpha * a_c - share * a_p) * ea
    z2 = (p_beta * a_c + share * a_p) * eb
    if rate != 0.0:
        z1 += rate * p_alpha * convolve2(alpha, ea, 0.0, 1.0, t)
        z2 += rate * p_beta * convolve2(beta, eb, 0.0, 1.0, t)
    if a_d != 0.0:
        ka = theta[KA]
        ek = exp(-ka * t)
        z1 += ka * a_d * p_alpha * convolve2(alpha, ea, ka, ek, t)
        z2 += ka * a_d * p_beta * convolve2(beta, eb, ka, ek, t)
    if k12 == 0.0:
        return z1, 0.0
    return z1 + z2, k12 * (z1 / (k21 - alpha) + z2 / (k21 - beta))
