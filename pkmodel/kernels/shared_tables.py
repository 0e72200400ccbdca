"""Memory of the lanes of the shared-timetable kernel: what each field is, and the fields that follow from others.

Lane memory is flat, LANES values a field, at distances the compiler knows: that is what lets it prove that nothing
read is overwritten. For the same reason every loop writes one array. All functions do all lanes.
"""

from __future__ import annotations

import math

from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import exp
from pkmodel.kernels.linear import convolve2_straight

LANES = 64
# of a row of tables, the propagator of one duration: decay of both modes and of the depot; what a unit of depot and
# of infusion rate adds to each mode (their convolutions, times the share of central input that goes to the mode)
E1, E2, EK, G1, G2, I1, I2 = (field * LANES for field in range(7))
ROW = 7 * LANES
# of a patient: parameters, modes, state
CL, V1, Q, V2, KA, PER_V, WEIGHT, F, ALPHA, BETA, P1, P2, Z1, Z2, AD, RATE = (field * LANES for field in range(16))
# of a patient whose clearance changes, see :mod:`pkmodel.kernels.shared_change`
WHEN, SINCE, HELD1, HELD2, HELD_AD, HELD_RATE, NEW1, NEW2, NEW_AD, FAR = (field * LANES for field in range(16, 26))
FIELDS = 26 * LANES


@jit(inline="always")
def gap(k10, k12, k21):
    """Difference of the rates of the two modes."""
    return math.sqrt((k10 + k12 - k21) * (k10 + k12 - k21) + 4.0 * k12 * k21)


@jit()
def set_modes(m):
    """From CL, V1, Q, V2: rates of the modes, and the shares of a central amount that go to them."""
    for l in range(LANES):
        k10, k12, k21 = m[CL + l] / m[V1 + l], m[Q + l] / m[V1 + l], m[Q + l] / m[V2 + l]
        m[ALPHA + l] = 0.5 * (k10 + k12 + k21 + gap(k10, k12, k21))
    for l in range(LANES):
        k10, k12, k21 = m[CL + l] / m[V1 + l], m[Q + l] / m[V1 + l], m[Q + l] / m[V2 + l]
        m[P1 + l] = (m[ALPHA + l] - k21) / gap(k10, k12, k21)
    for l in range(LANES):
        m[BETA + l] = m[CL + l] / m[V1 + l] * (m[Q + l] / m[V2 + l]) / m[ALPHA + l]
    for l in range(LANES):
        m[P2 + l] = 1.0 - m[P1 + l]


@jit(inline="always")
def _fill_row(row, m, spans, step, two, depot, infusion):
    """A row; lane l's duration is ``spans[step * l]``. Switches stand outside the loops, which are straight-line."""
    for l in range(LANES):
        row[E1 + l] = exp(-m[ALPHA + l] * spans[step * l])
    if two:
        for l in range(LANES):
            row[E2 + l] = exp(-m[BETA + l] * spans[step * l])
    if infusion:
        for l in range(LANES):
            row[I1 + l] = m[P1 + l] * convolve2_straight(m[ALPHA + l], row[E1 + l], 0.0, 1.0, spans[step * l])
        if two:
            for l in range(LANES):
                row[I2 + l] = m[P2 + l] * convolve2_straight(m[BETA + l], row[E2 + l], 0.0, 1.0, spans[step * l])
    if depot:
        for l in range(LANES):
            row[EK + l] = exp(-m[KA + l] * spans[step * l])
        for l in range(LANES):
            gain = convolve2_straight(m[ALPHA + l], row[E1 + l], m[KA + l], row[EK + l], spans[step * l])
            row[G1 + l] = m[KA + l] * m[P1 + l] * gain
        if two:
            for l in range(LANES):
                gain = convolve2_straight(m[BETA + l], row[E2 + l], m[KA + l], row[EK + l], spans[step * l])
                row[G2 + l] = m[KA + l] * m[P2 + l] * gain


@jit()
def fill_tables(tables, m, durations, infused, two, depot):
    """One row for each duration, the same for all lanes; the first ``infused`` of them occur during infusions."""
    for j in range(durations.size):
        _fill_row(tables[j * ROW : (j + 1) * ROW], m, durations[j : j + 1], 0, two, depot, j < infused)


@jit()
def fill_own(row, m, spans, two, depot):
    """One row in which every lane has a duration of its own."""
    _fill_row(row, m, spans, 1, two, depot, True)
