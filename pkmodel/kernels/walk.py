"""Patients from event to event where there is no closed form: each alone, with its own steps and error control.

As in :mod:`pkmodel.kernels.propagate` nothing that a patient's numbers depend on is shared: not steps, not outputs
(taken from the dense output of the step they fall into), not neighbours, chunks or threads. There is no antibody here.

Arguments are those of :mod:`pkmodel.kernels.propagate`, so that one caller serves both; ``immune`` is not read.
"""

from __future__ import annotations

import math

import numba

from pkmodel.kernels import events, rodas5p, saturable
from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit

# of the local error: relative; absolute for concentrations (mg/L) and for the accumulated hazard. What the global
# error comes to is measured in tests/test_kernels_saturable.py.
RELATIVE_TOLERANCE = 1e-9
_ABSOLUTE = 1e-10
_MIN_STEP = 1e-9
_MOST_STEPS = 100_000


@jit(forceinline=True)
def _parameters(theta, state, response, subject):
    """What holds between two events, in the order of saturable.PARAMETERS."""
    k_e = response[at.K_EFFECT]
    return (
        state[at.RATE], theta[at.KA], theta[at.CL] * state[at.OCCASION],
        theta[at.Q], theta[at.Q] / theta[at.V2], theta[at.Q3], theta[at.Q3] / theta[at.V3],
        theta[at.VMAX], theta[at.KM], 1.0 / theta[at.V1],
        k_e, response[at.HILL], subject[at.LOG_EC50],
        response[at.LAMBDA_MECH], response[at.LAMBDA_PK],
    )  # fmt: skip


@jit(inline="always")
def _relative(error, y0, y1, absolute, coming):
    return abs(error) / (absolute + RELATIVE_TOLERANCE * (max(abs(y0), abs(y1)) + coming))


@jit(forceinline=True)
def _size(y, new, error, v, coming):
    """The error of a step in units of what is allowed; NaN where something was not finite."""
    amount = _ABSOLUTE * v
    size = _relative(error[0], y[0], new[0], amount, 0.0)
    # while an infusion runs, what is yet to come is the measure of the drug
    size = max(_relative(error[1], y[1], new[1], amount, coming), size)
    size = max(_relative(error[2], y[2], new[2], amount, 0.1 * coming), size)
    size = max(_relative(error[3], y[3], new[3], amount, 0.1 * coming), size)
    size = max(_relative(error[4], y[4], new[4], _ABSOLUTE, 0.0), size)
    size = max(_relative(error[5], y[5], new[5], _ABSOLUTE, 0.0), size)
    whole = new[0] + new[1] + new[2] + new[3] + new[4] + new[5]
    return size if abs(whole) < math.inf else math.nan


@jit()
def _passes(target, rising, y0, y1, shape):
    """Share of a step at which a component with this dense output passes ``target``; bisection to the last bit."""
    low, high = 0.0, 1.0
    for _ in range(52):
        middle = 0.5 * (low + high)
        if (rodas5p.between(middle, y0, y1, shape[0], shape[1], shape[2]) >= target) == rising:
            high = middle
        else:
            low = middle
    return high


@jit(forceinline=True)
def _crossings(t, h, y, new, stages, state, level):
    """Loss of response and fall below the relapse level within an accepted step."""
    target = state[at.LOSS_TARGET]
    if state[at.LOSS_TIME] == math.inf and new[5] >= target:
        state[at.LOSS_TIME] = t + h * _passes(target, True, y[5], new[5], saturable.dense(stages, 5))
    if new[4] >= level:
        state[at.BELOW_SINCE] = math.inf
    elif y[4] >= level:
        state[at.BELOW_SINCE] = t + h * _passes(level, False, y[4], new[4], saturable.dense(stages, 4))


@jit(forceinline=True)
def _untouched(y, state):
    """No drug in the body, none running in, no effect left, no response to lose."""
    empty = y[0] == 0.0 and y[1] == 0.0 and y[2] == 0.0 and y[3] == 0.0 and y[4] == 0.0
    return empty and state[at.RATE] == 0.0 and state[at.LOSS_TARGET] == math.inf


@jit(forceinline=True)
def interval(row, theta, state, response, subject, t, t1, times, k, out):
    """Carry one patient from t to t1 without an event: (status, next output)."""
    p = _parameters(theta, state, response, subject)
    v, k_e, level = theta[at.V1], response[at.K_EFFECT], response[at.E_RELAPSE]
    y = (
        state[at.A_DEPOT], state[at.A_CENTRAL], state[at.A_PERIPHERAL], state[at.A_PERIPHERAL_2],
        state[at.EFFECT], state[at.LOSS_HAZARD],
    )  # fmt: skip
    if _untouched(y, state):
        # a drug that some patients of an arm are never given: nothing moves but the hazard of having no effect
        if k_e > 0.0:
            state[at.LOSS_HAZARD] += (response[at.LAMBDA_MECH] + response[at.LAMBDA_PK]) * (t1 - t)
        while k < times.size and times[k] <= t1:
            write(out, row, k, 0.0, p)
            k += 1
        return at.OK, k
    wanted = state[at.STEP]
    for _ in range(_MOST_STEPS):
        left = t1 - t
        last = wanted >= left
        # two equal steps rather than a long one and a sliver
        h = left if last else min(wanted, 0.5 * left)
        new, error, stages = saturable.step(y, h, p)
        size = _size(y, new, error, v, p[0] * left)
        # fifth root: the error estimate is of order 5 in the step; a NaN (never < anything) shrinks the step
        root = max(size, 1e-6) ** -0.2 if size < 1e30 else 0.0
        scaled = h * min(5.0, max(0.1, 0.85 * root))
        if not size <= 1.0:
            wanted = scaled
            if wanted < _MIN_STEP:
                return (at.STEP_TOO_SMALL if size < math.inf else at.NOT_FINITE), k
            continue
        if k_e > 0.0:
            _crossings(t, h, y, new, stages, state, level)
        reached = t1 if last else t + h
        if k < times.size and times[k] <= reached:
            shape = saturable.dense(stages, 1)
            while k < times.size and times[k] <= reached:
                a_c = new[1]
                if times[k] < reached:
                    a_c = rodas5p.between((times[k] - t) / h, y[1], new[1], shape[0], shape[1], shape[2])
                write(out, row, k, max(a_c, 0.0) / v, p)
                k += 1
        # a step cut short by an event says nothing about the next: never ask for less than was asked before
        wanted = max(wanted, scaled) if h < wanted else scaled
        y, t = new, reached
        if last:
            state[at.A_DEPOT], state[at.A_CENTRAL] = max(y[0], 0.0), max(y[1], 0.0)
            state[at.A_PERIPHERAL], state[at.A_PERIPHERAL_2] = max(y[2], 0.0), max(y[3], 0.0)
            state[at.EFFECT], state[at.LOSS_HAZARD] = max(y[4], 0.0), y[5]
            state[at.STEP] = wanted
            return at.OK, k
    return at.TOO_MANY_STEPS, k


@jit(forceinline=True)
def write(out, row, k, c, p):
    """Drug (mg/L), no antibody, and the clearance at this level (L/d)."""
    out[row, k, 0] = c
    out[row, k, 1] = 0.0
    out[row, k, 2] = 0.0
    out[row, k, 3] = saturable.clearance(c, p)


@jit()
def _patient(
    row, theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables, times, out,
):  # fmt: skip
    """Carry one patient to ``until``: status code."""
    k = 0
    while k < times.size and times[k] <= time:  # already there
        k += 1
    t = time
    j, stop = offsets[row], offsets[row + 1]
    while True:
        t1 = ev_time[j] if j < stop else until
        if t1 > t:
            code, k = interval(row, theta[row], state[row], response, subject[row], t, t1, times, k, out)
            if code != at.OK:
                return code
            t = t1
        if j >= stop:
            return at.OK
        if ev_kind[j] == at.PARAMETERS_SET:
            for column in range(theta.shape[1]):
                theta[row, column] = tables[int(ev_value[j]), column]
        else:
            events.apply(row, theta, state, immune, ev_kind[j], ev_value[j], t, tables)
        j += 1


@jit()
def advance_serial(
    theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables, times, out,
    status,
):  # fmt: skip
    """Advance every patient on the calling thread (safe in servers and worker processes)."""
    for row in range(state.shape[0]):
        status[row] = _patient(
            row,
            theta,
            state,
            subject,
            immune,
            response,
            time,
            until,
            offsets,
            ev_time,
            ev_kind,
            ev_value,
            tables,
            times,
            out,
        )


@jit(allocates=True, parallel=True)
def advance_parallel(
    theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables, times, out,
    status,
):  # fmt: skip
    """Advance every patient, shared out over threads; the same bits as :func:`advance_serial`."""
    for row in numba.prange(state.shape[0]):
        status[row] = _patient(
            row,
            theta,
            state,
            subject,
            immune,
            response,
            time,
            until,
            offsets,
            ev_time,
            ev_kind,
            ev_value,
            tables,
            times,
            out,
        )
