"""Hazard of seroconversion and effect of drug (pkmodel.antibody and pkmodel.response say what they mean)."""

from __future__ import annotations

import math

from pkmodel.kernels._jit import jit
from pkmodel.kernels.layout import C_AG, C_TOL, GAMMA, HILL


@jit()
def immunogenic_stimulus(concentration, immune):
    """g(C) = C / (C + C_ag) / (1 + (C / C_tol)^gamma): low but present drug immunises, high drug tolerises."""
    if concentration <= 0.0:
        return 0.0
    tolerance = 1.0
    if immune[C_TOL] < math.inf:
        tolerance += math.exp(immune[GAMMA] * math.log(concentration / immune[C_TOL]))
    return concentration / ((concentration + immune[C_AG]) * tolerance)


@jit()
def target_effect(concentration, response, log_ec50):
    """C^g / (EC50^g + C^g), the effect that a steady level would have in the end."""
    if concentration <= 0.0:
        return 0.0
    return 1.0 / (1.0 + math.exp(response[HILL] * (log_ec50 - math.log(concentration))))
