"""The door of the oracle: what nobody can know of a patient, for policies that say so.

A policy with ``oracle`` set is given true parameters at every visit; no other policy is. It is a measuring stick for
what imperfect knowledge costs, not a strategy: the results of such an arm are labelled as an oracle's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels import layout as at
from pkmodel.state import State

Floats = NDArray[np.float64]

_PEAK, _TROUGH = 100.0, 3.0
"""mg/L between which the fall of the level is looked at: about peak and trough of infliximab 5 mg/kg."""


def true_parameters(state: State) -> Floats:
    """Each patient's own parameters today, (patient, parameter), order of ``pkmodel.structure.PARAMETERS``.

    Without antibody they are those the simulator uses, without the occasion's factor: the next occasion is not known to
    anybody. With antibody CL is raised to what makes the level fall as fast as the antibody of today does.

    Notes
    -----
    In quasi-steady state free drug C falls by k C + a C/(Kss + C), where k = CL/V1 and a = k_cx S: S is the antibody's
    drug-binding capacity (mg/L), k_cx = k + k_extra the rate at which complexes leave (:mod:`pkmodel.kernels.binding`).
    With m = k Kss + a the time from C0 to C1 is ::

        t = (Kss/m) ln(C0/C1) + (a/(m k)) ln((m + k C0)/(m + k C1))

    and the rate of an exponential that takes as long is ln(C0/C1)/t. What is left out: distribution, and that the
    antibody will not be tomorrow what it is today. So the oracle knows today's patient, not the future.
    """
    theta = state.theta.copy()
    capacity = state.antibody_total()
    rows = np.flatnonzero(capacity > 0.0)
    if rows.size:
        k = theta[rows, at.CL] / theta[rows, at.V1]
        kss = float(state.immune[at.KSS])
        a = (k + float(state.immune[at.K_EXTRA])) * capacity[rows]
        m = k * kss + a
        fall = np.log(_PEAK / _TROUGH)
        days = kss / m * fall + a / (m * k) * np.log((m + k * _PEAK) / (m + k * _TROUGH))
        theta[rows, at.CL] *= fall / days / k
    return theta
