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
from pkmodel.kernels.elementary import exp, select
from pkmodel.kernels.linear import convolve2_straight
from pkmodel.kernels.transpose import write_rows

# what happens at the start of a segment
NOTHING, BOLUS, DEPOT, INFUSION = range(4)
LANES = 64
_SPAN = 16  # durations of one lane at a time; a loop over fewer is unrolled and does not vectorise

# Lane memory is flat, LANES values a field, at distances the compiler knows: that is what lets it prove that
# nothing read is overwritten. Fields of a row of the tables (one row for each distinct duration): decay of both
# modes and of the depot; what a unit of depot and of infusion rate adds to each mode (their convolutions, times the
# share of central input that goes to the mode).
_E1, _E2, _EK, _G1, _G2, _I1, _I2 = (field * LANES for field in range(7))
_LINE = 7
_ROW = _LINE * LANES
_PER = LANES // _SPAN  # the tables of one lane have the same fields, for _SPAN durations at a time
# fields of the lanes' parameters and state
_CL, _V1, _Q, _V2, _KA, _PER_V, _WEIGHT, _F, _ALPHA, _BETA, _P1, _P2, _Z1, _Z2, _AD, _RATE = (
    field * LANES for field in range(16)
)
_FIELDS = 16 * LANES
# of parameters after a change: how much of a unit of each old mode goes from the first new mode to the second
_MOVED1, _MOVED2 = _WEIGHT, _F


@jit(inline="always")
def _gap(k10, k12, k21):
    return math.sqrt((k10 + k12 - k21) * (k10 + k12 - k21) + 4.0 * k12 * k21)


@jit()
def _set_modes(m):
    """From CL, V1, Q, V2 of all lanes: rates of the modes, and the shares of a central amount
    that go to them. One array written per loop: the compiler must prove that nothing read is overwritten."""
    for l in range(LANES):
        k10, k12, k21 = m[_CL + l] / m[_V1 + l], m[_Q + l] / m[_V1 + l], m[_Q + l] / m[_V2 + l]
        m[_ALPHA + l] = 0.5 * (k10 + k12 + k21 + _gap(k10, k12, k21))
    for l in range(LANES):
        k10, k12, k21 = m[_CL + l] / m[_V1 + l], m[_Q + l] / m[_V1 + l], m[_Q + l] / m[_V2 + l]
        m[_P1 + l] = (m[_ALPHA + l] - k21) / _gap(k10, k12, k21)
    for l in range(LANES):
        m[_BETA + l] = m[_CL + l] / m[_V1 + l] * (m[_Q + l] / m[_V2 + l]) / m[_ALPHA + l]
    for l in range(LANES):
        m[_P2 + l] = 1.0 - m[_P1 + l]


@jit(inline="always")
def _level(m, row, l, rate, two, depot, infusion):
    """Central amount of a lane, a duration (its row of the tables) after the state."""
    amount = m[_Z1 + l] * row[_E1 + l]
    if two:
        amount += m[_Z2 + l] * row[_E2 + l]
    if depot:
        gain = row[_G1 + l]
        if two:
            gain += row[_G2 + l]
        amount += m[_AD + l] * gain
    if infusion:
        gain = row[_I1 + l]
        if two:
            gain += row[_I2 + l]
        amount += rate * gain
    return amount


@jit(inline="always")
def _move1(m, row, l, rate, depot, infusion):
    """First mode of a lane after a duration."""
    z = m[_Z1 + l] * row[_E1 + l]
    if depot:
        z += m[_AD + l] * row[_G1 + l]
    if infusion:
        z += rate * row[_I1 + l]
    m[_Z1 + l] = z


@jit(inline="always")
def _move2(m, row, l, rate, depot, infusion):
    """Second mode of a lane after a duration."""
    z = m[_Z2 + l] * row[_E2 + l]
    if depot:
        z += m[_AD + l] * row[_G2 + l]
    if infusion:
        z += rate * row[_I2 + l]
    m[_Z2 + l] = z


@jit()
def _fill_line(line, spans, count, m, l, two, depot, infused):
    """Tables of one lane for ``count`` durations, the first ``infused`` of them with infusion: here the
    vectorised loops run over durations, in tiles that are always full (what lies beyond ``count`` is not read)."""
    alpha, beta, ka = m[_ALPHA + l], m[_BETA + l], m[_KA + l]
    p1, p2 = m[_P1 + l], m[_P2 + l]
    for first in range(0, count, _SPAN):
        tile = line[first * _LINE : (first + _SPAN) * _LINE]
        span = spans[first : first + _SPAN]
        for k in range(_SPAN):
            tile[_E1 // _PER + k] = exp(-alpha * span[k])
        if two:
            for k in range(_SPAN):
                tile[_E2 // _PER + k] = exp(-beta * span[k])
        if first < infused:
            for k in range(_SPAN):
                tile[_I1 // _PER + k] = p1 * convolve2_straight(alpha, tile[_E1 // _PER + k], 0.0, 1.0, span[k])
            for k in range(_SPAN):
                tile[_I2 // _PER + k] = p2 * convolve2_straight(beta, tile[_E2 // _PER + k], 0.0, 1.0, span[k])
        if depot:
            for k in range(_SPAN):
                tile[_EK // _PER + k] = exp(-ka * span[k])
            for k in range(_SPAN):
                gain = convolve2_straight(alpha, tile[_E1 // _PER + k], ka, tile[_EK // _PER + k], span[k])
                tile[_G1 // _PER + k] = ka * p1 * gain
            for k in range(_SPAN):
                gain = convolve2_straight(beta, tile[_E2 // _PER + k], ka, tile[_EK // _PER + k], span[k])
                tile[_G2 // _PER + k] = ka * p2 * gain


@jit(inline="always")
def _in_line(j):
    """Where the fields of duration ``j`` begin, ``_SPAN`` apart, in the tables of one lane."""
    return (j - j % _SPAN) * _LINE + j % _SPAN


@jit(inline="always")
def _sum_line(z1, z2, a_d, rate, line, j):
    """(first mode, second mode, depot) a duration later; what does not apply is multiplied by zero."""
    here = _in_line(j)
    return (
        z1 * line[here + _E1 // _PER] + a_d * line[here + _G1 // _PER] + rate * line[here + _I1 // _PER],
        z2 * line[here + _E2 // _PER] + a_d * line[here + _G2 // _PER] + rate * line[here + _I2 // _PER],
        a_d * line[here + _EK // _PER],
    )


@jit()
def _change_lane(l, when, start, end, first, last, out_time, two, depot, rate, m, after, line, spans, patch):
    """A lane whose clearance changes within the segment, before the segment is done for all lanes.

    ``after`` has its parameters after the change and gets its state at the end of the segment; ``patch`` gets the
    outputs after the change. Those before it are as if nothing changed: what ``patch`` gets there is not used, but
    loops that are as long for every lane are ones whose end a processor foresees.
    """
    infusion = rate != 0.0
    spans[0] = when - start
    _fill_line(line, spans, 1, m, l, two, depot, 1 if infusion else 0)
    z1, z2, a_d = _sum_line(m[_Z1 + l], m[_Z2 + l], m[_AD + l], rate, line, 0)
    central = z1 + z2
    moved = z1 * after[_MOVED1 + l] + z2 * after[_MOVED2 + l]
    z1 = after[_P1 + l] * central - moved
    z2 = after[_P2 + l] * central + moved
    spans[0] = end - when
    for k in range(first, last):
        spans[1 + k - first] = max(out_time[k] - when, 0.0)
    count = 1 + last - first
    _fill_line(line, spans, count, after, l, two, depot, count if infusion else 0)
    for k in range(first, last):
        m1, m2, _ = _sum_line(z1, z2, a_d, rate, line, 1 + k - first)
        patch[k * LANES + l] = m[_PER_V + l] * (m1 + m2)
    after[_Z1 + l], after[_Z2 + l], after[_AD + l] = _sum_line(z1, z2, a_d, rate, line, 0)


@jit()
def _change_all(m, after, tables_after, first, last, change_factor, durations, infused, two, depot):
    """Parameters and tables of all lanes after their changes; each takes them over when its change comes."""
    for field in (_V1, _Q, _V2, _KA):
        for l in range(LANES):
            after[field + l] = m[field + l]
    for l in range(LANES):
        after[_CL + l] = m[_CL + l] * change_factor[min(first + l, last - 1)]
    _set_modes(after)
    # a unit of a mode carries k12/(k21 - rate) of peripheral amount; k21/(alpha - beta) of a peripheral amount
    # goes to the second new mode and is missing from the first
    for old, moved in ((_ALPHA, _MOVED1), (_BETA, _MOVED2)):
        for l in range(LANES):
            k12, k21 = m[_Q + l] / m[_V1 + l], m[_Q + l] / m[_V2 + l]
            carried = k12 / (k21 - m[old + l]) * k21 / _gap(after[_CL + l] / m[_V1 + l], k12, k21)
            after[moved + l] = carried if k12 > 0.0 else 0.0
    _fill(tables_after, after, durations, infused, two, depot)


@jit()
def _chain(when, starts, head, behind):
    """For each segment the first lane that changes in it, and for each lane the next one that does; -1: none."""
    for l in range(LANES):
        behind[l] = -1
    for s in range(starts.size - 1):
        for l in range(LANES):
            behind[l] += starts[s] <= when[l]
        head[s] = -1
    for l in range(LANES):
        s = behind[l]
        behind[l] = -1
        if when[l] < starts[starts.size - 1]:
            behind[l] = head[s]
            head[s] = l


@jit()
def _take_over(l, m, after, tables, tables_after, rows, infused, depot):
    """A lane goes on with what holds after its change."""
    for field in (_CL, _ALPHA, _BETA, _P1, _P2, _Z1, _Z2, _AD):
        m[field + l] = after[field + l]
    for j in range(rows):
        for field in range(_LINE if depot else 2):
            tables[j * _ROW + field * LANES + l] = tables_after[j * _ROW + field * LANES + l]
    for j in range(infused):
        for field in range(_I1 // LANES, _LINE):
            tables[j * _ROW + field * LANES + l] = tables_after[j * _ROW + field * LANES + l]


@jit(inline="always")
def _segment(first, last, out_table, end_row, m, tables, two, depot, infusion, buffer):
    """Outputs of a segment, then the state at its end, for all lanes.

    Rows are cut out of the tables before the loops: a row number read from an array could be negative for all the
    compiler knows, which would count from the end; so it would gather and scatter one number at a time.
    """
    for k in range(first, last):
        begin = out_table[k] * _ROW
        row = tables[begin : begin + _ROW]
        to = buffer[k * LANES : (k + 1) * LANES]
        for l in range(LANES):
            to[l] = m[_PER_V + l] * _level(m, row, l, m[_RATE + l], two, depot, infusion)
    row = tables[end_row * _ROW : (end_row + 1) * _ROW]
    # one array written per loop: the compiler must prove that nothing read is overwritten, and gives up on many
    for l in range(LANES):
        _move1(m, row, l, m[_RATE + l], depot, infusion)
    if two:
        for l in range(LANES):
            _move2(m, row, l, m[_RATE + l], depot, infusion)
    if depot:
        for l in range(LANES):
            m[_AD + l] *= row[_EK + l]


@jit()
def _block(
    first, last, theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time,
    durations, infused, change_time, change_factor, two, depot, m, after, tables, tables_after, line, spans, patch,
    buffer, when, head, behind, before, out,
):  # fmt: skip
    """Up to LANES patients; the lanes beyond ``last`` repeat its last patient and are thrown away."""
    pending = 0
    for l in range(LANES):
        i = min(first + l, last - 1)
        m[_CL + l] = theta[i, at.CL]
        m[_V1 + l] = theta[i, at.V1]
        m[_Q + l] = theta[i, at.Q]
        m[_V2 + l] = theta[i, at.V2]
        m[_KA + l] = theta[i, at.KA]
        m[_PER_V + l] = 1.0 / theta[i, at.V1]
        m[_WEIGHT + l] = weight[i]
        m[_F + l] = theta[i, at.F]
        m[_Z1 + l] = 0.0
        m[_Z2 + l] = 0.0
        m[_AD + l] = 0.0
        when[l] = change_time[i]
        pending += change_time[i] < starts[-1]
    _set_modes(m)
    _fill(tables, m, durations, infused, two, depot)
    if pending > 0:
        _change_all(m, after, tables_after, first, last, change_factor, durations, infused, two, depot)
        _chain(when, starts, head, behind)
    for s in range(starts.size - 1):
        kind = kinds[s]
        per_kg = 1.0 if per_weight[s] else 0.0  # a dose is its amount, or its amount times weight
        if kind == BOLUS:
            for l in range(LANES):
                m[_Z1 + l] += m[_P1 + l] * (amounts[s] * (1.0 + per_kg * (m[_WEIGHT + l] - 1.0)))
            for l in range(LANES):
                m[_Z2 + l] += m[_P2 + l] * (amounts[s] * (1.0 + per_kg * (m[_WEIGHT + l] - 1.0)))
        elif kind == DEPOT:
            for l in range(LANES):
                m[_AD + l] += m[_F + l] * (amounts[s] * (1.0 + per_kg * (m[_WEIGHT + l] - 1.0)))
        elif kind == INFUSION:
            for l in range(LANES):
                m[_RATE + l] = rates[s] * (1.0 + per_kg * (m[_WEIGHT + l] - 1.0))
        else:
            for l in range(LANES):
                m[_RATE + l] = 0.0
        infusion = kind == INFUSION
        a, b = first_out[s], first_out[s + 1]
        # lanes that change here are done one by one; what the loop over all lanes makes of them is replaced
        l = head[s] if pending > 0 else -1
        while l >= 0:
            _change_lane(
                l, when[l], starts[s], starts[s + 1], a, b, out_time, two, depot, m[_RATE + l], m, after, line, spans,
                patch,
            )  # fmt: skip
            l = behind[l]
        _dispatch(a, b, out_table, end_table[s], m, tables, two, depot, infusion, buffer)
        l = head[s] if pending > 0 else -1
        while l >= 0:
            _take_over(l, m, after, tables, tables_after, durations.size, infused, depot)
            for k in range(a, b):
                at_l = k * LANES + l
                buffer[at_l] = select(out_time[k] > when[l], patch[at_l], buffer[at_l])
            l = behind[l]
    width = before + out_time.size
    write_rows(buffer, LANES, out_time.size, out, first * width + before, width, last - first)
    for l in range(first, last):
        for k in range(before):
            out[l * width + k] = 0.0


@jit()
def _fill(tables, m, durations, infused, two, depot):
    """All rows of the tables for all lanes; switches as constants, so that each loop is straight-line code."""
    for j in range(durations.size):
        for l in range(LANES):
            tables[j * _ROW + _E1 + l] = exp(-m[_ALPHA + l] * durations[j])
        if two:
            for l in range(LANES):
                tables[j * _ROW + _E2 + l] = exp(-m[_BETA + l] * durations[j])
    for j in range(infused):
        for l in range(LANES):
            gain = convolve2_straight(m[_ALPHA + l], tables[j * _ROW + _E1 + l], 0.0, 1.0, durations[j])
            tables[j * _ROW + _I1 + l] = m[_P1 + l] * gain
        if two:
            for l in range(LANES):
                gain = convolve2_straight(m[_BETA + l], tables[j * _ROW + _E2 + l], 0.0, 1.0, durations[j])
                tables[j * _ROW + _I2 + l] = m[_P2 + l] * gain
    if depot:
        for j in range(durations.size):
            t = durations[j]
            for l in range(LANES):
                tables[j * _ROW + _EK + l] = exp(-m[_KA + l] * t)
            for l in range(LANES):
                gain = convolve2_straight(
                    m[_ALPHA + l], tables[j * _ROW + _E1 + l], m[_KA + l], tables[j * _ROW + _EK + l], t
                )
                tables[j * _ROW + _G1 + l] = m[_KA + l] * m[_P1 + l] * gain
            if two:
                for l in range(LANES):
                    gain = convolve2_straight(
                        m[_BETA + l], tables[j * _ROW + _E2 + l], m[_KA + l], tables[j * _ROW + _EK + l], t
                    )
                    tables[j * _ROW + _G2 + l] = m[_KA + l] * m[_P2 + l] * gain


@jit()
def _dispatch(a, b, out_table, end_row, m, tables, two, depot, infusion, buffer):
    """The segment with its switches as constants, so that each case is straight-line code."""
    if infusion:
        if two:
            _segment(a, b, out_table, end_row, m, tables, True, depot, True, buffer)
        else:
            _segment(a, b, out_table, end_row, m, tables, False, depot, True, buffer)
    elif two:
        if depot:
            _segment(a, b, out_table, end_row, m, tables, True, True, False, buffer)
        else:
            _segment(a, b, out_table, end_row, m, tables, True, False, False, buffer)
    elif depot:
        _segment(a, b, out_table, end_row, m, tables, False, True, False, buffer)
    else:
        _segment(a, b, out_table, end_row, m, tables, False, False, False, buffer)


@jit(allocates=True)
def _blocks(
    first, last, theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time,
    durations, infused, change_time, change_factor, two, depot, before, out,
):  # fmt: skip
    m, after = np.zeros(_FIELDS), np.zeros(_FIELDS)
    tables, tables_after = np.zeros(_ROW * durations.size), np.zeros(_ROW * durations.size)
    most = out_time.size + _SPAN  # one more than there are outputs, rounded up to whole tiles
    line = np.zeros(_LINE * most)
    spans = np.zeros(most)
    patch = np.zeros(out_time.size * LANES)
    buffer = np.zeros(out_time.size * LANES)
    when, head = np.zeros(LANES), np.zeros(starts.size, np.int64)
    behind = np.zeros(LANES, np.int64)
    for begin in range(first, last, LANES):
        _block(
            begin, min(begin + LANES, last), theta, weight, per_weight, amounts, starts, kinds, rates, first_out,
            out_table, end_table, out_time, durations, infused, change_time, change_factor, two, depot, m,
            after, tables, tables_after, line, spans, patch, buffer, when, head, behind, before,
            out,
        )  # fmt: skip


@jit(allocates=True)
def run_serial(
    theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time, durations,
    infused, change_time, change_factor, two, depot, before, out,
):  # fmt: skip
    """All patients on the calling thread.

    ``out`` is (patient, ``before`` + time), contiguous: outputs before the first event, which are zero, then those of
    ``out_time``.
    """
    flat = out.reshape(-1)
    _blocks(
        0, theta.shape[0], theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table,
        out_time, durations, infused, change_time, change_factor, two, depot, before, flat,
    )  # fmt: skip


@jit(allocates=True, parallel=True)
def run_parallel(
    theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time, durations,
    infused, change_time, change_factor, two, depot, before, out,
):  # fmt: skip
    """All patients, chunks of them shared out over threads; the same bits as :func:`run_serial`."""
    flat = out.reshape(-1)
    n = theta.shape[0]
    chunk = 16 * LANES
    for number in numba.prange((n + chunk - 1) // chunk):
        _blocks(
            number * chunk, min(n, (number + 1) * chunk), theta, weight, per_weight, amounts, starts, kinds, rates,
            first_out, out_table, end_table, out_time, durations, infused, change_time, change_factor, two, depot,
            before, flat,
        )  # fmt: skip
