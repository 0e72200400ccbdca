"""What an event does to a patient's state and parameters."""

from __future__ import annotations

import math

from pkmodel.kernels import binding
from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit


@jit(forceinline=True)
def apply(row, theta, state, immune, kind, value, t, tables):
    """What an event does, at time t, to a row of state and theta (in place).

    True if it changes what the lanes keep as parameters: clearance, volumes, the speed of antibody production.
    """
    changed = False
    arrives = kind == at.BOLUS or kind == at.DEPOT or (kind == at.RATE_CHANGE and value > 0.0)
    if arrives and state[row, at.ONSET_TIME] < math.inf and state[row, at.MEMORY] == 1.0:
        v = theta[row, at.V1]
        c, _ = binding.free_drug(state[row, at.A_CENTRAL] / v, state[row, at.A_ANTIBODY] / v, immune[at.KSS])
        # drug had washed out and comes back: the second response is faster than the first
        if c < immune[at.C_AG]:
            state[row, at.MEMORY] = immune[at.MEMORY_FACTOR]
            changed = True
    if kind == at.BOLUS:
        state[row, at.A_CENTRAL] += value
        state[row, at.LAST_INPUT] = t
    elif kind == at.DEPOT:
        state[row, at.A_DEPOT] += value * theta[row, at.F]
        state[row, at.LAST_INPUT] = t
    elif kind == at.RATE_CHANGE:
        state[row, at.RATE] += value
        state[row, at.RUNNING] += 1.0 if value > 0.0 else -1.0
        if state[row, at.RUNNING] == 0.0:
            state[row, at.RATE] = 0.0
        state[row, at.LAST_INPUT] = t
    elif kind == at.COTHERAPY_SET:
        state[row, at.COTHERAPY] = value
        changed = True
    elif kind == at.STEROID_SET:
        state[row, at.STEROID] = value
    elif kind == at.OCCASION_SET:
        state[row, at.OCCASION] = value
        changed = True
    elif kind == at.PARAMETERS_SET:
        for j in range(at.N_THETA):
            theta[row, j] = tables[int(value), j]
        changed = True
    return changed
