"""Closed form of linear one- and two-compartment disposition with depot, infusion and effect site.

Everything is a sum of convolutions of exponentials. A convolution of two (three) exponentials is a first
(second) divided difference of exp(-a t) in the rate a; written that way, equal rates (absorption as slow as
elimination, a one-compartment model with its zero rate) need no special case and lose no digits.

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
def convolve3(a, ea, b, eb, c, ec, t):
    """Convolution of three exponentials on [0, t] (symmetric in the rates)."""
    ab = abs(a - b)
    ac = abs(a - c)
    bc = abs(b - c)
    if max(ab, ac, bc) * t < 1e-5:
        # all three equal to within rounding of the difference: second-order term is below 1e-11
        return 0.5 * t * t * exp(-(a + b + c) * t / 3.0)
    if ab >= ac and ab >= bc:
        return (convolve2(b, eb, c, ec, t) - convolve2(a, ea, c, ec, t)) / (a - b)
    if ac >= bc:
        return (convolve2(c, ec, b, eb, t) - convolve2(a, ea, b, eb, t)) / (a - c)
    return (convolve2(c, ec, a, ea, t) - convolve2(b, eb, a, ea, t)) / (b - c)


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


@jit()
def effect_site(theta, mode, k, c_e, a_d, a_c, a_p, rate, t):
    """Effect-site concentration (mg/L): dC_e/dt = k (C - C_e)."""
    _, k21, alpha, beta, p_alpha, p_beta = mode
    ea = exp(-alpha * t)
    eb = exp(-beta * t)
    ek = exp(-k * t)
    total = a_c * (p_alpha * convolve2(alpha, ea, k, ek, t) + p_beta * convolve2(beta, eb, k, ek, t))
    if a_p != 0.0:
        total += a_p * k21 * convolve3(alpha, ea, beta, eb, k, ek, t)
    if rate != 0.0:
        total += rate * (
            p_alpha * convolve3(alpha, ea, 0.0, 1.0, k, ek, t) + p_beta * convolve3(beta, eb, 0.0, 1.0, k, ek, t)
        )
    if a_d != 0.0:
        ka = theta[KA]
        ed = exp(-ka * t)
        total += (
            ka
            * a_d
            * (p_alpha * convolve3(alpha, ea, ka, ed, k, ek, t) + p_beta * convolve3(beta, eb, ka, ed, k, ek, t))
        )
    return c_e * ek + k * total / theta[V1]
