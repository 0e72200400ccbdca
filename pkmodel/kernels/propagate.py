"""Patients from event to event: closed form before onset, error-controlled ODE after it.

The grid of the hazard integral and the steps of the integrator depend on the patient's own events and nothing
else: not on the output times (an output is evaluated from the last event or step and thrown away), not on the
other patients, not on chunks or threads. That is what makes results equal bit for bit however they are cut.

Outputs are limits from the left: at the moment of a dose they show the level just before it, the trough.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from pkmodel.kernels import events, lane_memory, lanes, linear, panels
from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit

BLOCK = 512  # patients that wait for the same lanes


@jit()
def _clearance_factor(state, immune):
    factor = state[at.OCCASION]
    if state[at.COTHERAPY] > 0.0:
        factor *= immune[at.IMM_CLEARANCE] ** state[at.COTHERAPY]
    return factor


@jit()
def _before_onset(theta, state, immune, response, threshold, t0, t1, times, k, out, row, work, edges):
    """Closed form from t0 to t1 or to onset: (time reached, next output). Onset sets ONSET_TIME."""
    factor = _clearance_factor(state, immune)
    mode = linear.modes(theta, factor)
    a_d, a_c, a_p, rate = state[at.A_DEPOT], state[at.A_CENTRAL], state[at.A_PERIPHERAL], state[at.RATE]
    onset_rate = 0.0
    if threshold < math.inf:
        onset_rate = immune[at.H0] * state[at.STEROID]
        if state[at.COTHERAPY] > 0.0:
            onset_rate *= immune[at.IMM_ONSET] ** state[at.COTHERAPY]
    span = t1 - t0
    end = span
    effect = state[at.EFFECT]
    if response[at.K_EFFECT] > 0.0 or onset_rate > 0.0:
        end, effect = panels.integrate(
            theta, mode, state, immune, response, onset_rate, threshold, t0, span, work, edges
        )
    reached = t1 if end == span else t0 + end
    while k < times.size and times[k] <= reached:
        amount = linear.central_amount(theta, mode, a_d, a_c, a_p, rate, times[k] - t0)
        lanes.write(out, row, k, theta[at.V1], amount, 0.0, 1.0, theta[at.CL] * factor, 0.0)
        k += 1
    state[at.A_CENTRAL], state[at.A_PERIPHERAL] = linear.carry(theta, mode, a_d, a_c, a_p, rate, end)
    state[at.EFFECT] = effect
    if a_d != 0.0:
        state[at.A_DEPOT] = a_d * math.exp(-theta[at.KA] * end)
    if end < span:
        state[at.DRIVE] = 1.0
    return reached, k


@jit()
def _until_onset(
    row, theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables, times, out,
    work, edges,
):  # fmt: skip
    """Carry one patient to onset or to ``until``: (time reached, next event, next output)."""
    k = 0
    while k < times.size and times[k] <= time:  # already there
        k += 1
    t = time
    stop = offsets[row + 1]
    j = offsets[row]
    parameters, mine = theta[row], state[row]
    while True:
        t1 = ev_time[j] if j < stop else until
        if t1 > t:
            if state[row, at.ONSET_TIME] < math.inf:
                return t, j, k
            t, k = _before_onset(
                parameters, mine, immune, response, subject[row, at.ONSET_THRESHOLD], t, t1, times, k, out, row,
                work, edges,
            )  # fmt: skip
            if t < t1:
                return t, j, k
        if j >= stop:
            return until, j, k
        events.apply(row, theta, state, immune, ev_kind[j], ev_value[j], t, tables)
        j += 1


@jit(allocates=True)
def _block(
    first, last, theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables,
    times, out, status,
):  # fmt: skip
    """Patients ``first`` to ``last``: each alone to its onset, then the antibody systems in lanes."""
    work = np.empty((panels.WORK_ROWS, panels.NODES + 16))
    edges = np.empty(panels.PANELS + 1)
    size = last - first
    rows = np.empty(size, np.int64)
    starts = np.empty(size)
    next_event = np.empty(size, np.int64)
    next_output = np.empty(size, np.int64)
    waiting = 0
    for row in range(first, last):
        status[row] = at.OK
        t, j, k = _until_onset(
            row, theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables,
            times, out, work, edges,
        )  # fmt: skip
        if t < until:
            rows[waiting], starts[waiting], next_event[waiting], next_output[waiting] = row, t, j, k
            waiting += 1
    if waiting > 0:
        memory = np.ones(lane_memory.MEMORY)
        who = np.empty(lane_memory.LANES, np.int64)
        event = np.empty(lane_memory.LANES, np.int64)
        output = np.empty(lane_memory.LANES, np.int64)
        finished = np.empty(lane_memory.LANES, np.int64)
        lanes.run(
            waiting, rows, starts, next_event, next_output, theta, state, subject, immune, response, until, offsets,
            ev_time, ev_kind, ev_value, tables, times, out, status, memory, who, event, output, finished,
        )  # fmt: skip
    for row in range(first, last):
        if status[row] == at.OK and not state[row, at.A_CENTRAL] < math.inf:
            status[row] = at.NOT_FINITE


@jit(allocates=True)
def advance_serial(
    theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables, times, out,
    status,
):  # fmt: skip
    """Advance every patient on the calling thread (safe in servers and worker processes)."""
    n = state.shape[0]
    for first in range(0, n, BLOCK):
        _block(
            first, min(n, first + BLOCK), theta, state, subject, immune, response, time, until, offsets, ev_time,
            ev_kind, ev_value, tables, times, out, status,
        )  # fmt: skip


@jit(allocates=True, parallel=True)
def advance_parallel(
    theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables, times, out,
    status,
):  # fmt: skip
    """Advance every patient, blocks of them shared out over threads; the same bits as :func:`advance_serial`."""
    n = state.shape[0]
    for number in numba.prange((n + BLOCK - 1) // BLOCK):
        _block(
            number * BLOCK, min(n, (number + 1) * BLOCK), theta, state, subject, immune, response, time, until,
            offsets, ev_time, ev_kind, ev_value, tables, times, out, status,
        )  # fmt: skip


def empty_outputs(patients: int) -> np.ndarray:
    """Outputs for no output times: the kernels need an array of the right kind even then."""
    return np.empty((patients, 0, 4))
