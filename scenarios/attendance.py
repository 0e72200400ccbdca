"""Who keeps an appointment: missed and late visits, patient by patient.

Each patient has an own probability of not coming as planned. With ``clustering`` 0 it is the same for all;
otherwise it is beta-distributed with the mean that the scenario states and ``clustering`` as the correlation
between two appointments of one patient: a, b = m k, (1 - m) k with k = 1/clustering - 1 (the beta-binomial
distribution, whose correlation is 1/(a + b + 1)). Missed and late share the probability in their stated proportion.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream, moment
from scenarios.scenario_parts import Adherence
from scenarios.visit import Flags, Floats


class Absent(NamedTuple):
    """Who of those due today does not come, and who will come late."""

    missed: Flags
    late: Flags


def propensities(adherence: Adherence, ids: NDArray[np.int64], draws: Draws) -> Floats:
    """Each patient's probability of not coming as planned, as a multiple of the mean, shape (patient,)."""
    mean = adherence.missed + adherence.late
    if adherence.clustering == 0.0 or not 0.0 < mean < 1.0:
        return np.ones(ids.size)
    from scipy.special import betaincinv

    size = 1.0 / adherence.clustering - 1.0
    uniform = draws.uniform(Stream.PROPENSITY, ids)[:, 0]
    return np.asarray(betaincinv(mean * size, (1.0 - mean) * size, uniform) / mean)


def absent(
    adherence: Adherence,
    propensity: Floats,
    due: Flags,
    postponed: Flags,
    ids: NDArray[np.int64],
    draws: Draws,
    day: float,
) -> Absent:
    """Who is absent today; an appointment that was put off once is kept."""
    uniform = draws.uniform(Stream.ADHERENCE, ids, 1, first=moment(day))[:, 0]
    at_risk = due & ~postponed
    missed = at_risk & (uniform < adherence.missed * propensity)
    late = at_risk & ~missed & (uniform < (adherence.missed + adherence.late) * propensity)
    return Absent(missed=missed, late=late)
