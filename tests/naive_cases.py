"""One example of everything a naive patient needs; tests change what they are about."""

from __future__ import annotations

import math

import naive
import numpy as np

YEAR = 365.25

IV = {"CL": 0.4, "V1": 3.3, "Q": 0.0, "V2": 1.0, "KA": 0.0, "F": 1.0, "LAG": 0.0}
TWO = IV | {"Q": 0.15, "V2": 1.3}
SC = IV | {"KA": 0.28, "F": 0.7}
# First guesses of the antibody layer, infliximab.
IMMUNE = {
    "h0": 0.068, "C_ag": 0.07, "C_tol": 1.1, "gamma": 1.2, "tau_rise": 15.0, "tau_R": 15.0, "k_ada": math.log(2) / 21,
    "k_extra": 0.14, "Kss": 0.05, "imm_onset": 0.5, "imm_production": 0.8, "imm_clearance": 0.863,
    "memory_factor": 0.5,
}  # fmt: skip
SUBJECT = {"onset_threshold": 0.1, "R_max": 0.8, "k_u": 0.0}
NEVER = SUBJECT | {"onset_threshold": math.inf}
AT_ONCE = SUBJECT | {"onset_threshold": 0.0}
RESPONSE = {
    "t_e": 14.0, "g": 2.0, "EC50": 2.0, "lambda_mech": 0.06 / YEAR, "lambda_pk": 1.0 / YEAR, "C_relapse": 1.0,
}  # fmt: skip
SCHEDULED = [
    event for week in (0, 2, 6, 14, 22, 30) for event in naive.infusion(7.0 * week, 350.0, 2 / 24)
]  # fmt: skip


def simulate(**changed):
    """The example patient, with the keyword arguments of ``naive.simulate_patient`` given here changed."""
    case = {"theta": TWO, "immune": IMMUNE, "subject": SUBJECT, "response": RESPONSE, "events": SCHEDULED}
    case |= {"until": 266.0, "times": np.arange(0.0, 267.0, 7.0)}
    return naive.simulate_patient(**case | changed)
