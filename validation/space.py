"""What calibration may change: free parameters, their priors, and the way from a point of that space to parameters.

A point is a vector of prior z-scores: 0 is the prior's centre, 1 one prior SD above it, on the parameter's own scale
(logarithm, or log-odds for what cannot exceed 1). One set per drug; what adalimumab cannot identify it shares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.response import Response
from validation.trial import Parameters

Floats = NDArray[np.float64]
_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Free:
    """A free parameter: name, prior centre, prior SD on its scale ("log" or "odds"), unit, why."""

    name: str
    centre: float
    sd: float
    scale: str
    unit: str
    why: str

    def value(self, z: float) -> float:
        """The parameter at a z-score."""
        if self.scale == "log":
            return self.centre * math.exp(self.sd * z)
        return 1.0 / (1.0 + math.exp(-(math.log(self.centre / (1.0 - self.centre)) + self.sd * z)))


_WIDE = "a prototype's guess; wide"
_WITHOUT_DRUG = (
    "loss of response once drug is gone: half within 14 weeks of the week-14 visit where maintenance was placebo "
    "(ACCENT II, Sands 2004), 62 % in 40 weeks (from memory): 3.6 and 1.5 per year; it is the disease's, for any drug"
)
FREE: tuple[Free, ...] = (
    Free("h0", 0.03, 1.0, "log", "1/day", _WIDE),
    Free("C_tol", 1.1, 1.0, "log", "mg/L", _WIDE),
    Free("gamma", 1.2, 0.5, "log", "1", _WIDE),
    Free(
        "k_extra",
        0.07,
        0.6,
        "log",
        "1/day",
        "half-life of complexes 38 h, of IgG 86 h, in monkeys (Rojas 2005): 0.03 by the drug's terminal rate, 0.13 by "
        "its central one",
    ),
    Free(
        "priming_half_life", 110.0, 0.4, "log", "day", "Ungar 2014: 90 % of antibodies within the first of four years"
    ),
    Free("frailty_sd", 0.5, 0.5, "log", "log SD", "small: published hazard ratios stay what they are over time"),
    Free("R_max_median", 0.4, 1.2, "log", "mg/L/day", "wide; tied to titres of the antibody-positive (Farrell 2003)"),
    Free("R_max_sd", 1.6, 0.25, "log", "log SD", "titres from 12 to 53,000 units among 332 patients (Brandse 2017)"),
    Free(
        "tau_rise", 14.0, 0.4, "log", "day", "a first IgG response is at its height two to four weeks after it begins"
    ),
    Free(
        "tau_R",
        55.0,
        0.4,
        "log",
        "day",
        "antibodies outlast the drug: gone within a year in 13 of 16 (Ben-Horin 2012), which 48 to 75 days predict",
    ),
    Free("imm_onset", 0.4, 0.5, "log", "ratio", "conditional; tied to the marginal 0.42 of other cohorts"),
    Free("imm_production", 0.7, 0.9, "odds", "ratio", _WIDE),
    Free("steroid_factor", 0.48, 0.4, "log", "ratio", _WIDE),
    Free("hla_factor", 2.0, 0.5, "log", "ratio", "conditional; tied to the marginal 1.90 (1.60-2.25)"),
    Free("clearance_scale", 0.85, 0.15, "log", "ratio", "tied to the published typical clearance"),
    Free("eta_CL_scale", 0.6, 1.0, "odds", "ratio", "tied to the published variability of clearance"),
    Free("imm_clearance", 0.5, 1.0, "odds", "exponent", "tied to the published effect on clearance"),
    Free("cutoff sponsor-bridging", 2.4, 1.0, "log", "mg/L", "its limit is not known: the older ELISA's, wide"),
    Free(
        "cutoff older-elisa",
        2.4,
        0.4,
        "log",
        "mg/L",
        "nominal limit of 1.69 ug/mL of antibody (from memory), which binds one to two times its mass: 1.7 to 3.4; and "
        "a factor of two for what the units were worth",
    ),
    Free("cutoff idkmonitor", 0.05, 1.5, "log", "mg/L", "a prototype's guess; very wide"),
    Free(
        "t_e",
        6.0,
        0.4,
        "log",
        "day",
        "onset of response: 58 % two weeks after a first infusion (ACCENT I), 65 % after four (Targan 1997), 76 % at "
        "week 14 (PANTS), 17 % on placebo: 5.5 d by the first two, 8 by the first and last; one value for both drugs",
    ),
    Free("hill", 2.0, 0.5, "log", "1", "stated prior; one value for both drugs"),
    Free(
        "EC50 infliximab",
        1.0,
        0.7,
        "log",
        "mg/L",
        "response goes with a detectable trough (Maser 2006); limits then 1.4 ug/mL and less",
    ),
    Free(
        "EC50 adalimumab over infliximab",
        1.5,
        0.3,
        "log",
        "ratio",
        "published trough thresholds: 5 over 3 ug/mL for response, 7 over 7 for the mucosa (Papamichael 2019, "
        "PMC6785387), 12 over 7 (PANTS)",
    ),
    Free("EC50_sd", 0.7, 0.3, "log", "log SD", "assumption; one value for both drugs"),
    Free("p_max", 0.90, 0.5, "odds", "probability", "0.90 (0.05); one value for both drugs"),
    Free("lambda_mech", 0.06, 0.5, "log", "1/year", "stated prior, not identified; one value for both drugs"),
    Free("lambda_pk infliximab", 2.3, 0.5, "log", "1/year", _WITHOUT_DRUG),
    Free("h0 adalimumab", 0.016, 1.0, "log", "1/day", "wide; tied to the ratio of pooled incidences, 7.5 and 28.0 %"),
    Free("lambda_pk adalimumab", 2.3, 0.5, "log", "1/year", _WITHOUT_DRUG),
)
NAMES = tuple(free.name for free in FREE)

_SHARED = (
    "C_tol", "gamma", "k_extra", "priming_half_life", "frailty_sd", "R_max_median", "R_max_sd", "tau_rise", "tau_R",
    "imm_onset", "imm_production", "steroid_factor", "hla_factor",
)  # fmt: skip
_POPULATION_MODEL = ("clearance_scale", "eta_CL_scale", "imm_clearance")  # what infliximab's is corrected by
FAMILIES = ("sponsor-bridging", "older-elisa", "idkmonitor")
BORROWED = {"tours-elisa": "older-elisa", "idkmonitor-adalimumab": "idkmonitor", "anti-lambda": "idkmonitor"}
"""Families without a figure of their own, and whose cut-off they take."""


def named(point: Floats) -> dict[str, float]:
    """Parameter values by name at a point, rounded to six significant digits: what is shipped is what was run."""
    return {free.name: float(f"{free.value(float(z)):.6g}") for free, z in zip(FREE, point, strict=True)}


def cutoffs(values: Mapping[str, float]) -> dict[str, float]:
    """Cut-offs by assay family."""
    own = {family: values[f"cutoff {family}"] for family in FAMILIES}
    return own | {family: own[source] for family, source in BORROWED.items()}


def layer(values: Mapping[str, float], drug: str) -> dict[str, float]:
    """Fitted parameters of a drug's antibody layer."""
    fitted = {name: values[name] for name in _SHARED}
    if drug == "infliximab":
        return {"h0": values["h0"], **fitted, **{name: values[name] for name in _POPULATION_MODEL}}
    return {"h0": values["h0 adalimumab"], **fitted}


def response(values: Mapping[str, float], drug: str) -> dict[str, float]:
    """Fitted parameters of a drug's response model, in its units (1/day)."""
    EC50 = values["EC50 infliximab"] * (values["EC50 adalimumab over infliximab"] if drug == "adalimumab" else 1.0)
    return {
        "t_e": values["t_e"],
        "hill": values["hill"],
        "EC50": float(f"{EC50:.6g}"),
        "EC50_sd": values["EC50_sd"],
        # relapse stays at half of EC50, as in the stated priors (1 of 2 mg/L, 2 of 4): the scale of both is fitted
        "C_relapse": float(f"{0.5 * EC50:.6g}"),
        "p_max": values["p_max"],
        "lambda_mech": float(f"{values['lambda_mech'] / _YEAR:.6g}"),
        "lambda_pk": float(f"{values[f'lambda_pk {drug}'] / _YEAR:.6g}"),
    }


def parameters(values: Mapping[str, float], base: Parameters) -> Parameters:
    """``base`` with the fitted values put in."""
    immunogenicity: dict[str, Immunogenicity] = {}
    responses: dict[str, Response] = {}
    for drug in base.immunogenicity:
        immunogenicity[drug] = base.immunogenicity[drug].with_values(**layer(values, drug))
        responses[drug] = base.response[drug].with_values(**response(values, drug))
    return Parameters(immunogenicity=immunogenicity, response=responses, cutoffs=cutoffs(values))
