"""Many patients on one timetable: linear disposition with exponentials once per distinct duration.

When all patients are dosed and sampled on the same days (a population simulation without antibody layer), the
time differences that occur are few: 62 intervals of a year of infliximab have a dozen distinct lengths. Patients
go in lanes: every inner loop runs over the lanes of a block, does the same arithmetic in each, and vectorises.
Lanes are padded, never shared: a patient's numbers do not depend on its neighbours.

State is kept in modal coordinates: the central amount is z1 + z2, each decaying with its own rate. Outputs are
evaluated from the last event, never from each other. Where clearances change, each at the patient's own time, the
timetable is gone through twice (:mod:`pkmodel.kernels.shared_change`). :mod:`pkmodel.kernels.propagate` is the
general engine; the tests hold the two together.
"""

from __future__ import annotations

import numba
import numpy as np

from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import select
from pkmodel.kernels.shared_change import change, hold, output_by_output, resume
from pkmodel.kernels.shared_tables import (
    AD,
    CL,
    E1,
    E2,
    EK,
    FIELDS,
    G1,
    G2,
    I1,
    I2,
    KA,
    LANES,
    P1,
    P2,
    PER_V,
    RATE,
    ROW,
    V1,
    V2,
    WEIGHT,
    WHEN,
    Z1,
    Z2,
    F,
    Q,
    fill_tables,
    set_modes,
)
from pkmodel.kernels.transpose import write_rows

# what happens at the start of a segment
NOTHING, BOLUS, DEPOT, INFUSION = range(4)


@jit(inline="always")
def _level(m, row, l, two, depot, infusion):
    """Central amount of a lane, a duration (its row of the tables) after the state."""
    amount = m[Z1 + l] * row[E1 + l]
    if two:
        amount += m[Z2 + l] * row[E2 + l]
    if depot:
        gain = row[G1 + l]
        if two:
            gain += row[G2 + l]
        amount += m[AD + l] * gain
    if infusion:
        gain = row[I1 + l]
        if two:
            gain += row[I2 + l]
        amount += m[RATE + l] * gain
    return amount


@jit(inline="always")
def _move1(m, row, l, depot, infusion):
    """First mode of a lane after a duration."""
    z = m[Z1 + l] * row[E1 + l]
    if depot:
        z += m[AD + l] * row[G1 + l]
    if infusion:
        z += m[RATE + l] * row[I1 + l]
    m[Z1 + l] = z


@jit(inline="always")
def _move2(m, row, l, depot, infusion):
    """Second mode of a lane after a duration."""
    z = m[Z2 + l] * row[E2 + l]
    if depot:
        z += m[AD + l] * row[G2 + l]
    if infusion:
        z += m[RATE + l] * row[I2 + l]
    m[Z2 + l] = z


@jit(inline="always")
def _segment(first, last, out_table, out_time, end_row, m, tables, two, depot, infusion, later, buffer):
    """Outputs of a segment, then the state at its end, for all lanes; if ``later``, outputs behind changes only.

    Rows are cut out of the tables before the loops: a row number read from an array could be negative for all the
    compiler knows, which would count from the end; so it would gather and scatter one number at a time.
    """
    for k in range(first, last):
        begin = out_table[k] * ROW
        row = tables[begin : begin + ROW]
        to = buffer[k * LANES : (k + 1) * LANES]
        if later:
            t = out_time[k]
            for l in range(LANES):
                level = m[PER_V + l] * _level(m, row, l, two, depot, infusion)
                to[l] = select(t > m[WHEN + l], level, to[l])
        else:
            for l in range(LANES):
                to[l] = m[PER_V + l] * _level(m, row, l, two, depot, infusion)
    row = tables[end_row * ROW : (end_row + 1) * ROW]
    # one array written per loop: the compiler must prove that nothing read is overwritten, and gives up on many
    for l in range(LANES):
        _move1(m, row, l, depot, infusion)
    if two:
        for l in range(LANES):
            _move2(m, row, l, depot, infusion)
    if depot:
        for l in range(LANES):
            m[AD + l] *= row[EK + l]


@jit(inline="always")
def _dispatch(a, b, out_table, out_time, end_row, m, tables, two, depot, infusion, later, buffer):
    """The segment with its switches as constants, so that each case is straight-line code."""
    if infusion:
        if two:
            _segment(a, b, out_table, out_time, end_row, m, tables, True, depot, True, later, buffer)
        else:
            _segment(a, b, out_table, out_time, end_row, m, tables, False, depot, True, later, buffer)
    elif two:
        if depot:
            _segment(a, b, out_table, out_time, end_row, m, tables, True, True, False, later, buffer)
        else:
            _segment(a, b, out_table, out_time, end_row, m, tables, True, False, False, later, buffer)
    elif depot:
        _segment(a, b, out_table, out_time, end_row, m, tables, False, True, False, later, buffer)
    else:
        _segment(a, b, out_table, out_time, end_row, m, tables, False, False, False, later, buffer)


@jit()
def _outputs(a, b, out_table, out_time, end_row, m, tables, two, depot, infusion, buffer):
    """All outputs of a segment."""
    _dispatch(a, b, out_table, out_time, end_row, m, tables, two, depot, infusion, False, buffer)


@jit()
def _outputs_later(a, b, out_table, out_time, end_row, m, tables, two, depot, infusion, buffer):
    """Each lane's outputs behind its change, in place of those that :func:`_outputs` left there."""
    _dispatch(a, b, out_table, out_time, end_row, m, tables, two, depot, infusion, True, buffer)


@jit()
def _dose(kind, amount, rate, per_weight, m):
    """What happens at the start of a segment: a dose is its amount, or its amount times weight."""
    per_kg = 1.0 if per_weight else 0.0
    if kind == INFUSION:
        for l in range(LANES):
            m[RATE + l] = rate * (1.0 + per_kg * (m[WEIGHT + l] - 1.0))
    else:
        for l in range(LANES):
            m[RATE + l] = 0.0
    if kind == BOLUS:
        for l in range(LANES):
            m[Z1 + l] += m[P1 + l] * (amount * (1.0 + per_kg * (m[WEIGHT + l] - 1.0)))
        for l in range(LANES):
            m[Z2 + l] += m[P2 + l] * (amount * (1.0 + per_kg * (m[WEIGHT + l] - 1.0)))
    elif kind == DEPOT:
        for l in range(LANES):
            m[AD + l] += m[F + l] * (amount * (1.0 + per_kg * (m[WEIGHT + l] - 1.0)))


@jit()
def _load(first, last, theta, weight, change_time, starts, m):
    """Up to LANES patients; the lanes beyond ``last`` repeat its last patient and are thrown away.

    Returns how many change. A change before the first event is one at that event (there is no drug); one after the
    last output is none.
    """
    changing = 0
    for l in range(LANES):
        i = min(first + l, last - 1)
        m[CL + l] = theta[i, at.CL]
        m[V1 + l] = theta[i, at.V1]
        m[Q + l] = theta[i, at.Q]
        m[V2 + l] = theta[i, at.V2]
        m[KA + l] = theta[i, at.KA]
        m[PER_V + l] = 1.0 / theta[i, at.V1]
        m[WEIGHT + l] = weight[i]
        m[F + l] = theta[i, at.F]
        m[Z1 + l] = 0.0
        m[Z2 + l] = 0.0
        m[AD + l] = 0.0
        m[WHEN + l] = max(min(change_time[i], starts[-1]), starts[0])
        changing += change_time[i] < starts[-1]
    return changing


@jit()
def _block(
    first, last, theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time,
    durations, infused, change_time, change_factor, two, depot, m, tables, own_row, own_spans, buffer, before, out,
):  # fmt: skip
    changing = _load(first, last, theta, weight, change_time, starts, m)
    set_modes(m)
    fill_tables(tables, m, durations, infused, two, depot)
    for s in range(starts.size - 1):
        _dose(kinds[s], amounts[s], rates[s], per_weight[s], m)
        if changing > 0:
            hold(m, starts[s], depot)
        a, b = first_out[s], first_out[s + 1]
        _outputs(a, b, out_table, out_time, end_table[s], m, tables, two, depot, kinds[s] == INFUSION, buffer)
    if changing > 0:
        far = change(m, first, last, change_factor, own_row, own_spans, two, depot)
        fill_tables(tables, m, durations, infused, two, depot)
        for s in range(starts.size - 1):
            _dose(kinds[s], amounts[s], rates[s], per_weight[s], m)
            resume(m, starts[s], depot)
            a, b = first_out[s], first_out[s + 1]
            _outputs_later(a, b, out_table, out_time, end_table[s], m, tables, two, depot, kinds[s] == INFUSION, buffer)
            if far > 0:
                output_by_output(
                    m, starts[s], starts[s + 1], a, b, out_time, own_row, own_spans, two, depot, buffer
                )  # fmt: skip
    width = before + out_time.size
    write_rows(buffer, LANES, out_time.size, out, first * width + before, width, last - first)
    for l in range(first, last):
        for k in range(before):
            out[l * width + k] = 0.0


@jit(allocates=True)
def _blocks(
    first, last, theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time,
    durations, infused, change_time, change_factor, two, depot, before, out,
):  # fmt: skip
    m, tables, buffer = np.zeros(FIELDS), np.zeros(ROW * durations.size), np.zeros(out_time.size * LANES)
    own_row, own_spans = np.zeros(ROW), np.zeros(LANES)
    for begin in range(first, last, LANES):
        _block(
            begin, min(begin + LANES, last), theta, weight, per_weight, amounts, starts, kinds, rates, first_out,
            out_table, end_table, out_time, durations, infused, change_time, change_factor, two, depot, m, tables,
            own_row, own_spans, buffer, before, out,
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
