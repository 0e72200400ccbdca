"""Many patients on one timetable: linear disposition with exponentials once per distinct duration.

When all patients are dosed and sampled on the same days (a population simulation without antibody layer), the
time differences that occur are few: 62 intervals of a year of infliximab have a dozen distinct lengths. Per
patient the kernel takes the exponentials of those lengths in one vectorised loop, and the rest is multiplication.

State is kept in modal coordinates: the central amount is z1 + z2, each decaying with its own rate. Outputs are
evaluated from the last event, never from each other. A change of clearance at a patient's own time re-expresses
the state in the new modes. :mod:`pkmodel.kernels.propagate` is the general engine; the tests hold them together.
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
BLOCK = 64  # patients a thread takes at a time


@jit(inline="always")
def _convolve(a, ea, b, eb, t):
    """As ``linear.convolve2`` without a branch, so that loops over it vectorise."""
    x = (a - b) * t
    series = ea * t * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0)))))
    gap = a - b
    direct = (eb - ea) / (gap if gap != 0.0 else 1.0)
    return direct if abs(x) > 0.02 else series


@jit(inline="always")
def _modes(cl, v1, q, v2):
    """(alpha, beta, p_alpha, p_beta, q_alpha, w_alpha, w_beta): rates, projections of a central and a
    peripheral amount on the modes (q_beta = -q_alpha), peripheral amount carried by a unit of each mode."""
    k10 = cl / v1
    k12 = q / v1
    k21 = q / v2
    gap = math.sqrt((k10 + k12 - k21) ** 2 + 4.0 * k12 * k21)
    alpha = 0.5 * (k10 + k12 + k21 + gap)
    beta = k10 * k21 / alpha
    p_alpha = (alpha - k21) / gap
    two = q > 0.0
    return (
        alpha,
        beta,
        p_alpha,
        1.0 - p_alpha,
        -k21 / gap,
        k12 / (k21 - alpha) if two else 0.0,
        k12 / (k21 - beta) if two else 0.0,
    )


@jit()
def _fill_tables(durations, alpha, beta, ka, depot, infused, tables):
    """Rows of ``tables`` over durations: decay of both modes, of the depot, and convolutions with the input."""
    count = durations.size
    for j in range(count):
        tables[0, j] = exp(-alpha * durations[j])
        tables[1, j] = exp(-beta * durations[j])
    if depot:
        for j in range(count):
            tables[2, j] = exp(-ka * durations[j])
        for j in range(count):
            tables[3, j] = _convolve(alpha, tables[0, j], ka, tables[2, j], durations[j])
            tables[4, j] = _convolve(beta, tables[1, j], ka, tables[2, j], durations[j])
    for j in range(infused):
        tables[5, j] = _convolve(alpha, tables[0, j], 0.0, 1.0, durations[j])
        tables[6, j] = _convolve(beta, tables[1, j], 0.0, 1.0, durations[j])


@jit()
def patient(
    theta, dose_scale, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time, durations, infused,
    change_time, change_factor, tables, row, fresh, own,
):  # fmt: skip
    """Free drug (mg/L) of one patient at every output time, into ``row``.

    ``fresh`` (7, 1) and ``own`` (1,) are room for the durations around the patient's own change of clearance.
    """
    v1 = theta[at.V1]
    ka = theta[at.KA]
    depot = ka > 0.0
    cl = theta[at.CL]
    alpha, beta, p1, p2, q1, w1, w2 = _modes(cl, v1, theta[at.Q], theta[at.V2])
    _fill_tables(durations, alpha, beta, ka, depot, infused, tables)
    z1 = 0.0
    z2 = 0.0
    a_d = 0.0
    per_v = 1.0 / v1
    for s in range(starts.size - 1):
        kind = kinds[s]
        rate = 0.0
        if kind == BOLUS:
            z1 += p1 * amounts[s] * dose_scale[s]
            z2 += p2 * amounts[s] * dose_scale[s]
        elif kind == DEPOT:
            a_d += theta[at.F] * amounts[s] * dose_scale[s]
        elif kind == INFUSION:
            rate = rates[s] * dose_scale[s]
        k = first_out[s]
        last = first_out[s + 1]
        start = starts[s]
        if change_time < starts[s + 1]:
            while k < last and out_time[k] <= change_time:
                j = out_table[k]
                row[k] = per_v * _level(z1, z2, a_d, rate, ka, p1, p2, tables, j, depot)
                k += 1
            if change_time > start:
                own[0] = change_time - start
                _fill_tables(own, alpha, beta, ka, depot, 1, fresh)
                z1, z2, a_d = _move(z1, z2, a_d, rate, ka, p1, p2, fresh, 0, depot)
                start = change_time
            peripheral = w1 * z1 + w2 * z2
            central = z1 + z2
            cl = cl * change_factor
            alpha, beta, p1, p2, q1, w1, w2 = _modes(cl, v1, theta[at.Q], theta[at.V2])
            z1 = p1 * central + q1 * peripheral
            z2 = p2 * central - q1 * peripheral
            change_time = math.inf
            while k < last:
                own[0] = out_time[k] - start
                _fill_tables(own, alpha, beta, ka, depot, 1, fresh)
                row[k] = per_v * _level(z1, z2, a_d, rate, ka, p1, p2, fresh, 0, depot)
                k += 1
            own[0] = starts[s + 1] - start
            _fill_tables(own, alpha, beta, ka, depot, 1, fresh)
            z1, z2, a_d = _move(z1, z2, a_d, rate, ka, p1, p2, fresh, 0, depot)
            _fill_tables(durations, alpha, beta, ka, depot, infused, tables)
            continue
        if rate == 0.0 and not depot:
            while k < last:
                j = out_table[k]
                row[k] = per_v * (z1 * tables[0, j] + z2 * tables[1, j])
                k += 1
            j = end_table[s]
            z1 *= tables[0, j]
            z2 *= tables[1, j]
            continue
        while k < last:
            row[k] = per_v * _level(z1, z2, a_d, rate, ka, p1, p2, tables, out_table[k], depot)
            k += 1
        z1, z2, a_d = _move(z1, z2, a_d, rate, ka, p1, p2, tables, end_table[s], depot)


@jit(inline="always")
def _level(z1, z2, a_d, rate, ka, p1, p2, tables, j, depot):
    amount = z1 * tables[0, j] + z2 * tables[1, j]
    if depot:
        amount += ka * a_d * (p1 * tables[3, j] + p2 * tables[4, j])
    if rate != 0.0:
        amount += rate * (p1 * tables[5, j] + p2 * tables[6, j])
    return amount


@jit(inline="always")
def _move(z1, z2, a_d, rate, ka, p1, p2, tables, j, depot):
    z1 = z1 * tables[0, j]
    z2 = z2 * tables[1, j]
    if depot:
        z1 += ka * a_d * p1 * tables[3, j]
        z2 += ka * a_d * p2 * tables[4, j]
        a_d = a_d * tables[2, j]
    if rate != 0.0:
        z1 += rate * p1 * tables[5, j]
        z2 += rate * p2 * tables[6, j]
    return z1, z2, a_d


@jit()
def _block(
    first, last, theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time,
    durations, infused, change_time, change_factor, out,
):  # fmt: skip
    tables = np.zeros((7, durations.size))
    fresh = np.zeros((7, 1))
    own = np.zeros(1)
    scale = np.ones(starts.size)
    for i in range(first, last):
        for s in range(starts.size - 1):
            scale[s] = weight[i] if per_weight[s] else 1.0
        patient(
            theta[i], scale, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time, durations,
            infused, change_time[i], change_factor[i], tables, out[i], fresh, own,
        )  # fmt: skip


@jit()
def run_serial(
    theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time, durations,
    infused, change_time, change_factor, out,
):  # fmt: skip
    """All patients on the calling thread; ``out`` is (patient, time)."""
    _block(
        0, theta.shape[0], theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table,
        out_time, durations, infused, change_time, change_factor, out,
    )  # fmt: skip


@jit(parallel=True)
def run_parallel(
    theta, weight, per_weight, amounts, starts, kinds, rates, first_out, out_table, end_table, out_time, durations,
    infused, change_time, change_factor, out,
):  # fmt: skip
    """All patients, blocks of them shared out over threads; the same bits as :func:`run_serial`."""
    n = theta.shape[0]
    for block in numba.prange((n + BLOCK - 1) // BLOCK):
        _block(
            block * BLOCK, min(n, (block + 1) * BLOCK), theta, weight, per_weight, amounts, starts, kinds, rates,
            first_out, out_table, end_table, out_time, durations, infused, change_time, change_factor, out,
        )  # fmt: skip
