"""Marginal hazard ratio of two groups: Cox's partial likelihood with one 0/1 covariate, ties after Breslow.

One covariate makes this a root of one monotone function. A survival library would be a heavy dependency for six
lines; a test compares the result with the ratio of two exponentials.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def hazard_ratio(
    time: NDArray[np.float64], event: NDArray[np.bool_], group: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[float, float]:
    """Hazard ratio of ``group`` against the others, and the standard error of its logarithm.

    Parameters
    ----------
    time
        (patient,) time of the event, or of the end of follow-up.
    event, group
        (patient,) whether there was an event; whether the patient is in the group.
    weight
        (patient,) weights; their sum is taken as the number of patients.
    """
    moments = np.unique(time[event])
    if moments.size == 0:
        return math.nan, math.inf
    at_risk = time[None, :] >= moments[:, None]
    ones = at_risk @ (weight * group)
    zeros = at_risk @ (weight * ~group)
    now = (time[None, :] == moments[:, None]) & event[None, :]
    events, ours = now @ weight, now @ (weight * group)
    beta = 0.0
    for _ in range(50):
        p = ones * math.exp(beta) / (ones * math.exp(beta) + zeros)
        score = float(np.sum(ours - events * p))
        information = float(np.sum(events * p * (1.0 - p)))
        if information <= 1e-12:
            return math.nan, math.inf
        step = max(-1.0, min(1.0, score / information))
        beta += step
        if abs(step) < 1e-10:
            break
    return math.exp(beta), 1.0 / math.sqrt(information)
