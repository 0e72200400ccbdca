"""Many patients on one timetable: linear disposition with exponentials once per distinct duration.

When all patients are dosed and sampled on the same days (a population simulation without antibody layer), the
time differences that occur are few: 62 intervals of a year of infliximab have a dozen distinct lengths. Patients
go in lanes: every inner loop runs over the lanes of a block, does the same arithmetic in each, and vectorises.
Lanes are padded, never shared: a patient's numbers do not depend on its neighbours.

State is kept in modal coordinates: the central amount is z1 + z2, each decaying with its own rate. Outputs are
evaluated from the last event, never from each other. A change of clearance at a patient's own time re-expresses
the state of its lane in the new modes. :mod:`pkmodel.kernels.propagate` is the general engine; the tests hold
the two together.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import exp

# what happens at the start of a segment
NOTHING, BOLUS, DEPOT, INFUSION = range(4)
LANES = 16

# rows of the tables: decay of both modes and of the depot; what a unit of depot and of infusion rate adds to each
# mode (their convolutions, times the share of central input that goes to the mode)
_E1, _E2, _EK, _G1, _G2, _I1, _I2 = range(7)
# rows of the lanes' parameters
_CL, _V1, _Q, _V2, _KA, _PER_V, _SCALE, _ALPHA, _BETA, _P1, _P2 = range(11)
# rows of the lanes' state
_Z1, _Z2, _AD = range(3)


@jit(inline="always")
def _convolve(a, ea, b, eb, t):
    """As ``linear.convolve2`` without a branch, so that loops over it vectorise."""
    gap = a - b
    x = gap * t
    # series of (exp(x) - 1)/x, truncated below 2e-14 for |x| <= 0.02
    series = ea * t * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x / 720.0)))))
    direct = (eb - ea) / (gap if gap != 0.0 else 1.0)
    return direct if abs(x) > 0.02 else series


@jit(inline="always")
def _gap(k10, k12, k21):
    return math.sqrt((k10 + k12 - k21) * (k10 + k12 - k21) + 4.0 * k12 * k21)


@jit()
def _set_modes(par):
    """From CL, V1, Q, V2 of all lanes: rates of the modes, and the shares of a central amount
    that go to them. One array written per loop: the compiler must prove that nothing read is overwritten."""
    for l in range(LANES):
        k10, k12, k21 = par[_CL, l] / par[_V1, l], par[_Q, l] / par[_V1, l], par[_Q, l] / par[_V2, l]
        par[_ALPHA, l] = 0.5 * (k10 + k12 + k21 + _gap(k10, k12, k21))
    for l in range(LANES):
        k10, k12, k21 = par[_CL, l] / par[_V1, l], par[_Q, l] / par[_V1, l], par[_Q, l] / par[_V2, l]
        par[_P1, l] = (par[_ALPHA, l] - k21) / _gap(k10, k12, k21)
    for l in range(LANES):
        par[_BETA, l] = par[_CL, l] / par[_V1, l] * (par[_Q, l] / par[_V2, l]) / par[_ALPHA, l]
    for l in range(LANES):
        par[_P2, l] = 1.0 - par[_P1, l]


@jit(inline="always")
def _level(state, tables, l, j, rate, two, depot, infusion):
    """Central amount of a lane, a duration (row ``j``) after the state."""
    amount = state[_Z1, l] * tables[_E1, j, l]
    if two:
        amount += state[_Z2, l] * tables[_E2, j, l]
    if depot:
        gain = tables[_G1, j, l]
        if two:
            gain += tables[_G2, j, l]
        amount += state[_AD, l] * gain
    if infusion:
        gain = tables[_I1, j, l]
        if two:
            gain += tables[_I2, j, l]
        amount += rate * gain
    return amount


@jit(inline="always")
def _move1(state, tables, l, j, rate, depot, infusion):
    """First mode of a lane after a duration (row ``j``)."""
    z = state[_Z1, l] * tables[_E1, j, l]
    if depot:
        z += state[_AD, l] * tables[_G1, j, l]
    if infusion:
        z += rate * tables[_I1, j, l]
    state[_Z1, l] = z


@jit(inline="always")
def _move2(state, tables, l, j, rate, depot, infusion):
    """Second mode of a lane after a duration (row ``j``)."""
    z = state[_Z2, l] * tables[_E2, j, l]
    if depot:
        z += state[_AD, l] * tables[_G2, j, l]
    if infusion:
        z += rate * tables[_I2, j, l]
    state[_Z2, l] = z


@jit()
def _fill_line(line, spans, count, par, l, two, depot, infused):
    """Tables of one lane for ``count`` durations, the first ``infused`` of them with infusion: here the
    vectorised loops run over durations."""
    alpha, beta, ka = par[_ALPHA, l], par[_BETA, l], par[_KA, l]
    p1, p2 = par[_P1, l], par[_P2, l]
    for j in range(count):
        line[_E1, j] = exp(-alpha * spans[j])
    if two:
        for j in range(count):
            line[_E2, j] = exp(-beta * spans[j])
    for j in range(infused):
        line[_I1, j] = p1 * _convolve(alpha, line[_E1, j], 0.0, 1.0, spans[j])
        line[_I2, j] = p2 * _convolve(beta, line[_E2, j], 0.0, 1.0, spans[j])
    if depot:
        for j in range(count):
            line[_EK, j] = exp(-ka * spans[j])
        for j in range(count):
            line[_G1, j] = ka * p1 * _convolve(alpha, line[_E1, j], ka, line[_EK, j], spans[j])
            line[_G2, j] = ka * p2 * _convolve(beta, line[_E2, j], ka, line[_EK, j], spans[j])


@jit(inline="always")
def _sum_line(z1, z2, a_d, rate, line, j):
    """(first mode, second mode, depot) a duration later; what does not apply is multiplied by zero."""
    return (
        z1 * line[_E1, j] + a_d * line[_G1, j] + rate * line[_I1, j],
        z2 * line[_E2, j] + a_d * line[_G2, j] + rate * line[_I2, j],
        a_d * line[_EK, j],
    )


@jit()
def _change_lane(
    l, factor, when, start, end, first, last, out_time, durations, infused, two, depot, rate,
    par, state, tables, line, spans, patch, patched,
):  # fmt: skip
    """A lane whose clearance changes within the segment: outputs to ``patch``, state at its end to ``patched``;
    its column of ``par`` and ``tables`` gets the new rates."""
    infusion = rate != 0.0
    z1, z2, a_d = state[_Z1, l], state[_Z2, l], state[_AD, l]
    count = 0
    while first + count < last and out_time[first + count] <= when:
        spans[count] = out_time[first + count] - start
        count += 1
    spans[count] = when - start
    _fill_line(line, spans, count + 1, par, l, two, depot, count + 1 if infusion else 0)
    for j in range(count):
        m1, m2, _ = _sum_line(z1, z2, a_d, rate, line, j)
        patch[first + j, l] = par[_PER_V, l] * (m1 + m2)
    z1, z2, a_d = _sum_line(z1, z2, a_d, rate, line, count)
    first += count
    central = z1 + z2
    # a unit of a mode carries k12/(k21 - rate) of peripheral amount; k21/(alpha - beta) of a peripheral amount
    # goes to the second mode and is missing from the first
    k12, k21 = par[_Q, l] / par[_V1, l], par[_Q, l] / par[_V2, l]
    peripheral = 0.0
    if k12 > 0.0:
        peripheral = k12 * (z1 / (k21 - par[_ALPHA, l]) + z2 / (k21 - par[_BETA, l]))
    par[_CL, l] *= factor
    k10 = par[_CL, l] / par[_V1, l]
    gap = _gap(k10, k12, k21)
    par[_ALPHA, l] = 0.5 * (k10 + k12 + k21 + gap)
    par[_BETA, l] = k10 * k21 / par[_ALPHA, l]
    par[_P1, l] = (par[_ALPHA, l] - k21) / gap
    par[_P2, l] = 1.0 - par[_P1, l]
    share = k21 / gap
    z1 = par[_P1, l] * central - share * peripheral
    z2 = par[_P2, l] * central + share * peripheral
    rows = durations.size
    for j in range(rows):
        spans[j] = durations[j]
    spans[rows] = end - when
    count = rows + 1
    for k in range(first, last):
        spans[count] = out_time[k] - when
        count += 1
    _fill_line(line, spans, count, par, l, two, depot, count if infusion else infused)
    for k in range(first, last):
        m1, m2, _ = _sum_line(z1, z2, a_d, rate, line, rows + 1 + k - first)
        patch[k, l] = par[_PER_V, l] * (m1 + m2)
    z1, z2, a_d = _sum_line(z1, z2, a_d, rate, line, rows)
    patched[_Z1, l] = z1
    patched[_Z2, l] = z2
    patched[_AD, l] = a_d
    for row in range(7 if depot else 2):
        for j in range(rows):
            tables[row, j, l] = line[row, j]
    for row in range(_I1, _I2 + 1):
        for j in range(infused):
            tables[row, j, l] = line[row, j]


@jit(inline="always")
def _segment(first, last, out_table, end_row, par, state, tables, rate, two, depot, infusion, buffer):
    """Outputs of a segment, then the state at its end, for all lanes."""
    for k in range(first, last):
        j = out_table[k]
        for l in range(LANES):
            buffer[k, l] = par[_PER_V, l] * _level(state, tables, l, j, rate[l], two, depot, infusion)
    # one array written per loop: the compiler must prove that nothing read is overwritten, and gives up on many
    for l in range(LANES):
        _move1(state, tables, l, end_row, rate[l], depot, infusion)
    if two:
        for l in range(LANES):
            _move2(state, tables, l, end_row, rate[l], depot, infusion)
    if depot:
        for l in range(LANES):
            state[_AD, l] *= tables[_EK, end_row, l]


@jit()
def _block(
    first, last, theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time,
    durations, infused, change_time, change_factor, two, depot, par, state, tables, line, spans, patch, patched,
    buffer, rate, segment, out,
):  # fmt: skip
    """Up to LANES patients; the lanes beyond ``last`` repeat its last patient and are thrown away."""
    pending = 0
    for l in range(LANES):
        i = min(first + l, last - 1)
        par[_CL, l] = theta[i, at.CL]
        par[_V1, l] = theta[i, at.V1]
        par[_Q, l] = theta[i, at.Q]
        par[_V2, l] = theta[i, at.V2]
        par[_KA, l] = theta[i, at.KA]
        par[_PER_V, l] = 1.0 / theta[i, at.V1]
        state[_Z1, l] = 0.0
        state[_Z2, l] = 0.0
        state[_AD, l] = 0.0
        segment[l] = -1
        if change_time[i] < starts[-1]:
            segment[l] = np.searchsorted(starts, change_time[i], side="right") - 1
            pending += 1
    _set_modes(par)
    _fill(tables, par, durations, infused, two, depot)
    for s in range(starts.size - 1):
        kind = kinds[s]
        for l in range(LANES):
            rate[l] = 0.0
        if kind != NOTHING:
            for l in range(LANES):
                i = min(first + l, last - 1)
                par[_SCALE, l] = weight[i] if per_weight[s] else 1.0
            for l in range(LANES):
                if kind == BOLUS:
                    state[_Z1, l] += par[_P1, l] * (amounts[s] * par[_SCALE, l])
                    state[_Z2, l] += par[_P2, l] * (amounts[s] * par[_SCALE, l])
                elif kind == DEPOT:
                    state[_AD, l] += theta[min(first + l, last - 1), at.F] * (amounts[s] * par[_SCALE, l])
                else:
                    rate[l] = rates[s] * par[_SCALE, l]
        infusion = kind == INFUSION
        a, b = first_out[s], first_out[s + 1]
        here = 0
        if pending > 0:
            for l in range(LANES):
                here += segment[l] == s
        if here == 0:
            _dispatch(a, b, out_table, end_table[s], par, state, tables, rate, two, depot, infusion, buffer)
            continue
        pending -= here
        # lanes that change here are done one by one; what the loop over all lanes makes of them is replaced
        for l in range(LANES):
            if segment[l] == s:
                i = min(first + l, last - 1)
                _change_lane(
                    l, change_factor[i], change_time[i], starts[s], starts[s + 1], a, b, out_time,
                    durations, infused, two, depot, rate[l], par, state, tables, line, spans, patch, patched,
                )  # fmt: skip
        _dispatch(a, b, out_table, end_table[s], par, state, tables, rate, two, depot, infusion, buffer)
        for l in range(LANES):
            if segment[l] == s:
                for row in range(3):
                    state[row, l] = patched[row, l]
                for k in range(a, b):
                    buffer[k, l] = patch[k, l]
    for l in range(last - first):
        for k in range(out_time.size):
            out[first + l, k] = buffer[k, l]


@jit()
def _fill(tables, par, durations, infused, two, depot):
    """All rows of the tables for all lanes; switches as constants, so that each loop is straight-line code."""
    for j in range(durations.size):
        for l in range(LANES):
            tables[_E1, j, l] = exp(-par[_ALPHA, l] * durations[j])
        if two:
            for l in range(LANES):
                tables[_E2, j, l] = exp(-par[_BETA, l] * durations[j])
    for j in range(infused):
        for l in range(LANES):
            gain = _convolve(par[_ALPHA, l], tables[_E1, j, l], 0.0, 1.0, durations[j])
            tables[_I1, j, l] = par[_P1, l] * gain
        if two:
            for l in range(LANES):
                gain = _convolve(par[_BETA, l], tables[_E2, j, l], 0.0, 1.0, durations[j])
                tables[_I2, j, l] = par[_P2, l] * gain
    if depot:
        for j in range(durations.size):
            t = durations[j]
            for l in range(LANES):
                tables[_EK, j, l] = exp(-par[_KA, l] * t)
            for l in range(LANES):
                gain = _convolve(par[_ALPHA, l], tables[_E1, j, l], par[_KA, l], tables[_EK, j, l], t)
                tables[_G1, j, l] = par[_KA, l] * par[_P1, l] * gain
            if two:
                for l in range(LANES):
                    gain = _convolve(par[_BETA, l], tables[_E2, j, l], par[_KA, l], tables[_EK, j, l], t)
                    tables[_G2, j, l] = par[_KA, l] * par[_P2, l] * gain


@jit()
def _dispatch(a, b, out_table, end_row, par, state, tables, rate, two, depot, infusion, buffer):
    """The segment with its switches as constants, so that each case is straight-line code."""
    if infusion:
        if two:
            _segment(a, b, out_table, end_row, par, state, tables, rate, True, depot, True, buffer)
        else:
            _segment(a, b, out_table, end_row, par, state, tables, rate, False, depot, True, buffer)
    elif two:
        if depot:
            _segment(a, b, out_table, end_row, par, state, tables, rate, True, True, False, buffer)
        else:
            _segment(a, b, out_table, end_row, par, state, tables, rate, True, False, False, buffer)
    elif depot:
        _segment(a, b, out_table, end_row, par, state, tables, rate, False, True, False, buffer)
    else:
        _segment(a, b, out_table, end_row, par, state, tables, rate, False, False, False, buffer)


@jit()
def _blocks(
    first, last, theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time,
    durations, infused, change_time, change_factor, two, depot, out,
):  # fmt: skip
    par = np.zeros((11, LANES))
    state = np.zeros((3, LANES))
    tables = np.zeros((7, durations.size, LANES))
    line = np.zeros((7, durations.size + out_time.size + 1))
    spans = np.zeros(durations.size + out_time.size + 1)
    patch = np.zeros((out_time.size, LANES))
    patched = np.zeros((3, LANES))
    buffer = np.zeros((out_time.size, LANES))
    rate = np.zeros(LANES)
    segment = np.zeros(LANES, np.int64)
    for begin in range(first, last, LANES):
        _block(
            begin, min(begin + LANES, last), theta, weight, per_weight, amounts, starts, kinds, rates, first_out,
            out_table, end_table, out_time, durations, infused, change_time, change_factor, two, depot, par, state,
            tables, line, spans, patch, patched, buffer, rate, segment, out,
        )  # fmt: skip


@jit()
def run_serial(
    theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time, durations,
    infused, change_time, change_factor, two, depot, out,
):  # fmt: skip
    """All patients on the calling thread; ``out`` is (patient, time)."""
    _blocks(
        0, theta.shape[0], theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table,
        out_time, durations, infused, change_time, change_factor, two, depot, out,
    )  # fmt: skip


@jit(parallel=True)
def run_parallel(
    theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time, durations,
    infused, change_time, change_factor, two, depot, out,
):  # fmt: skip
    """All patients, chunks of them shared out over threads; the same bits as :func:`run_serial`."""
    n = theta.shape[0]
    chunk = 16 * LANES
    for number in numba.prange((n + chunk - 1) // chunk):
        _blocks(
            number * chunk, min(n, (number + 1) * chunk), theta, weight, per_weight, amounts, starts, kinds, rates,
            first_out, out_table, end_table, out_time, durations, infused, change_time, change_factor, two, depot, out,
        )  # fmt: skip
