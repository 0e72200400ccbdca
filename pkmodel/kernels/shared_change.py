"""A change of clearance at a patient's own time, for the shared-timetable kernel.

Days of change are as many as patients, so no table has the time from a change to an output. The timetable is therefore
gone through twice: with the old clearance, and with the new one from the event before the change, starting there from
the amounts that *would* have led to those of the day of change. These come from running the new modes backwards: with
z the new modes' amounts on the day of change, tau days after the event, and i what an infusion or a depot adds in tau
days, they are (z - i) exp(rate tau). From then on they take the new modes' tables like anything else.

Rounding errors made on the day of change grow by exp(rate tau) on the way back and shrink by it again; what is read
has a relative error of about rate * tau units in the last place. Beyond a rate * tau of ``_REACH`` the amounts leave
the range of numbers: such lanes (modes of minutes, or drug gone hundreds of half-lives ago) are done output by output.
"""

from __future__ import annotations

from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import exp, select
from pkmodel.kernels.shared_tables import (
    AD,
    ALPHA,
    BETA,
    CL,
    E1,
    E2,
    EK,
    FAR,
    G1,
    G2,
    HELD1,
    HELD2,
    HELD_AD,
    HELD_RATE,
    I1,
    I2,
    LANES,
    NEW1,
    NEW2,
    NEW_AD,
    P2,
    PER_V,
    RATE,
    SINCE,
    V1,
    V2,
    WHEN,
    Z1,
    Z2,
    Q,
    fill_own,
    gap,
    set_modes,
)

_REACH = 600.0  # exp(600) times any dose, and its inverse, are ordinary numbers


@jit(inline="always")
def _mode1(z, a_d, rate, row, l):
    """First mode a row's duration later; what does not apply is multiplied by zero."""
    return z * row[E1 + l] + a_d * row[G1 + l] + rate * row[I1 + l]


@jit(inline="always")
def _mode2(z, a_d, rate, row, l):
    """Second mode, in the same way."""
    return z * row[E2 + l] + a_d * row[G2 + l] + rate * row[I2 + l]


@jit()
def hold(m, start, depot):
    """Keep the state just after an event, for lanes whose change lies behind it (the last such event counts)."""
    for l in range(LANES):
        m[HELD1 + l] = select(start <= m[WHEN + l], m[Z1 + l], m[HELD1 + l])
    for l in range(LANES):
        m[HELD2 + l] = select(start <= m[WHEN + l], m[Z2 + l], m[HELD2 + l])
    for l in range(LANES):
        m[HELD_RATE + l] = select(start <= m[WHEN + l], m[RATE + l], m[HELD_RATE + l])
    for l in range(LANES):
        m[SINCE + l] = select(start <= m[WHEN + l], start, m[SINCE + l])
    if depot:
        for l in range(LANES):
            m[HELD_AD + l] = select(start <= m[WHEN + l], m[AD + l], m[HELD_AD + l])


@jit()
def change(m, first, last, change_factor, row, spans, two, depot):
    """New parameters, and in place of the state held the one from which they lead to the same amounts at the change.

    Returns how many lanes are beyond reach of that.
    """
    for l in range(LANES):
        spans[l] = m[WHEN + l] - m[SINCE + l]
    fill_own(row, m, spans, two, depot)
    for l in range(LANES):  # central amount
        z1 = _mode1(m[HELD1 + l], m[HELD_AD + l], m[HELD_RATE + l], row, l)
        m[NEW1 + l] = z1 + _mode2(m[HELD2 + l], m[HELD_AD + l], m[HELD_RATE + l], row, l)
    # a unit of a mode carries k12/(k21 - rate) of peripheral amount; k21/(alpha - beta) of a peripheral amount
    # goes to the second new mode and is missing from the first
    for l in range(LANES):
        k12, k21 = m[Q + l] / m[V1 + l], m[Q + l] / m[V2 + l]
        z1 = _mode1(m[HELD1 + l], m[HELD_AD + l], m[HELD_RATE + l], row, l)
        z2 = _mode2(m[HELD2 + l], m[HELD_AD + l], m[HELD_RATE + l], row, l)
        peripheral = k12 * (z1 / (k21 - m[ALPHA + l]) + z2 / (k21 - m[BETA + l]))
        m[NEW2 + l] = select(k12 > 0.0, peripheral, 0.0)
    for l in range(LANES):
        m[CL + l] *= change_factor[min(first + l, last - 1)]
    set_modes(m)
    for l in range(LANES):
        k10, k12, k21 = m[CL + l] / m[V1 + l], m[Q + l] / m[V1 + l], m[Q + l] / m[V2 + l]
        moved = m[NEW2 + l] * (k21 / gap(k10, k12, k21))
        m[NEW2 + l] = m[P2 + l] * m[NEW1 + l] + moved
    for l in range(LANES):  # the modes add up to the central amount
        m[NEW1 + l] -= m[NEW2 + l]
    return _run_back(m, row, spans, two, depot)


@jit()
def _run_back(m, row, spans, two, depot):
    for l in range(LANES):
        m[NEW_AD + l] = m[HELD_AD + l] * row[EK + l]
    fill_own(row, m, spans, two, depot)
    for l in range(LANES):
        added = _mode1(0.0, m[HELD_AD + l], m[HELD_RATE + l], row, l)
        m[HELD1 + l] = (m[NEW1 + l] - added) * exp(min(m[ALPHA + l] * spans[l], _REACH))
    for l in range(LANES):
        added = _mode2(0.0, m[HELD_AD + l], m[HELD_RATE + l], row, l)
        m[HELD2 + l] = (m[NEW2 + l] - added) * exp(min(m[BETA + l] * spans[l], _REACH))
    beyond = 0
    for l in range(LANES):  # alpha is the faster
        far = m[ALPHA + l] * spans[l] > _REACH
        m[FAR + l] = select(far, 1.0, 0.0)
        beyond += far
    return beyond


@jit()
def resume(m, start, depot):
    """Lanes whose change lies behind this event set out from it anew: in the end, from the last such event."""
    for l in range(LANES):
        m[Z1 + l] = select(start <= m[WHEN + l], m[HELD1 + l], m[Z1 + l])
    for l in range(LANES):
        m[Z2 + l] = select(start <= m[WHEN + l], m[HELD2 + l], m[Z2 + l])
    if depot:
        for l in range(LANES):
            m[AD + l] = select(start <= m[WHEN + l], m[HELD_AD + l], m[AD + l])


@jit()
def output_by_output(m, start, end, first, last, out_time, row, spans, two, depot, buffer):
    """The segment of the change, from the change itself, for lanes beyond reach; it costs exponentials per output."""
    for k in range(first, last):
        for l in range(LANES):
            spans[l] = max(out_time[k] - m[WHEN + l], 0.0)
        fill_own(row, m, spans, two, depot)
        to = buffer[k * LANES : (k + 1) * LANES]
        for l in range(LANES):
            here = m[FAR + l] > 0.0 and start <= m[WHEN + l] < out_time[k]
            amount = _mode1(m[NEW1 + l], m[NEW_AD + l], m[RATE + l], row, l)
            amount += _mode2(m[NEW2 + l], m[NEW_AD + l], m[RATE + l], row, l)
            to[l] = m[PER_V + l] * amount if here else to[l]
    for l in range(LANES):
        spans[l] = max(end - m[WHEN + l], 0.0)
    fill_own(row, m, spans, two, depot)
    for l in range(LANES):
        if m[FAR + l] > 0.0 and start <= m[WHEN + l] < end:
            m[Z1 + l] = _mode1(m[NEW1 + l], m[NEW_AD + l], m[RATE + l], row, l)
            m[Z2 + l] = _mode2(m[NEW2 + l], m[NEW_AD + l], m[RATE + l], row, l)
