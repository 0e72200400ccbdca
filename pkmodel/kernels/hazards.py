"""Hazards of seroconversion and of loss of response (pkmodel.antibody and pkmodel.response say what they mean)."""

from __future__ import annotations

import math

from pkmodel.kernels._jit import jit
from pkmodel.kernels.layout import C_AG, C_TOL, EC50, GAMMA, HILL, LAMBDA_MECH, LAMBDA_PK


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
def effect(c_e, response):
    """E(C_e) = C_e^g / (EC50^g + C_e^g)."""
    if c_e <= 0.0:
        return 0.0
    if response[HILL] == 2.0:
        x = c_e / response[EC50]
        return x * x / (1.0 + x * x)
    return 1.0 / (1.0 + math.exp(response[HILL] * math.log(response[EC50] / c_e)))


@jit()
def loss_hazard(c_e, response):
    """Hazard of loss of response, 1/d: lambda_mech + lambda_pk (1 - E(C_e))."""
    return response[LAMBDA_MECH] + response[LAMBDA_PK] * (1.0 - effect(c_e, response))
