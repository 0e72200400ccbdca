"""After onset: the antibody system of many patients, in lanes.

Each lane carries one patient with its own time, step and error control; all lanes take a step together, in loops
that vectorise, and a lane whose step is rejected simply takes a shorter one next. When a patient is done its lane
takes the next one waiting. Lanes never share a step: a patient's numbers do not depend on its neighbours, and
lanes without a patient calculate on what was left in them and are ignored.
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel.kernels import binding, events, lane_steps, rodas5p
from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import as_bits, exp, log, select
from pkmodel.kernels.lane_memory import (
    ACCEPT,
    C0,
    C1,
    CLEARANCE,
    COUNT,
    DENSE,
    E0,
    E1,
    K8,
    L0,
    L1,
    LANES,
    LOG_EC50,
    LOOK,
    LOSS_TARGET,
    OUT,
    R0,
    R1,
    SCALE,
    SIZE,
    T1,
    TRY,
    H,
    N,
    P,
    T,
    Y,
)  # fmt: skip

# of the local error, relative and absolute (mg/L); the global error is checked against a twin in the tests
RELATIVE_TOLERANCE = 6e-7
_ABSOLUTE_DRUG = 2e-7
_ABSOLUTE_ANTIBODY = 2e-8
_MIN_STEP = 1e-9
_MOST_STEPS = 100_000
_NONE = np.int64(0)

# Gauss-Legendre, three points on [0, 1]: _X0, one half, 1 - _X0
_X0 = 0.1127016653792583
_W0, _W1 = 5.0 / 18.0, 8.0 / 18.0


@jit(inline="always")
def _relative(m, l, field, absolute, coming):
    scale = max(m[Y + field * LANES + l], m[N + field * LANES + l]) + coming
    return abs(m[K8 + field * LANES + l]) / (absolute + RELATIVE_TOLERANCE * scale)


@jit(forceinline=True)
def _judge(m):
    """Size of the error (1 is just acceptable), scale of the next step, acceptance."""
    for l in range(LANES):
        v = m[P + 4 * LANES + l]
        # while an infusion runs, what is yet to come is the measure of the drug: the first minutes pass through
        # binding so fast that resolving them to their own level would cost half of all steps and change nothing
        coming = m[P + l] * (m[T1 + l] - m[T + l])
        drug = max(_relative(m, l, 0, _ABSOLUTE_DRUG * v, 0.0), _relative(m, l, 1, _ABSOLUTE_DRUG * v, coming))
        drug = max(drug, _relative(m, l, 2, _ABSOLUTE_DRUG * v, 0.1 * coming))
        antibody = _relative(m, l, 3, _ABSOLUTE_ANTIBODY * v, 0.0)
        antibody = max(antibody, _relative(m, l, 4, _ABSOLUTE_ANTIBODY, 0.0))
        size = max(drug, antibody)
        # fifth root: the error estimate is of order 5 in the step; a NaN (never < anything) shrinks the step
        root = exp(-0.2 * log(max(size, 1e-6))) if size < 1e30 else 0.0
        m[SIZE + l] = size
        m[SCALE + l] = min(5.0, max(0.1, 0.85 * root))
        m[ACCEPT + l] = 1.0 if size <= 1.0 else 0.0


@jit(inline="always")
def _free_between(m, l, x):
    """Free drug at share x of the trial step."""
    a_c = rodas5p.between(
        x, m[Y + LANES + l], m[N + LANES + l], m[DENSE + l], m[DENSE + LANES + l], m[DENSE + 2 * LANES + l]
    )
    a_s = rodas5p.between(
        x, m[Y + 3 * LANES + l], m[N + 3 * LANES + l], m[DENSE + 3 * LANES + l], m[DENSE + 4 * LANES + l],
        m[DENSE + 5 * LANES + l],
    )  # fmt: skip
    per_v = m[P + 13 * LANES + l]
    c, _ = binding.free_drug(a_c * per_v, a_s * per_v, m[P + 8 * LANES + l])
    return c


@jit(forceinline=True)
def _effect(m, k, hill, mech, pk):
    """Effect and accumulated hazard of loss at the end of the trial step.

    dE/dt = k (target(C) - E) is linear in E: within a step free drug comes from the dense output, and its target
    effect is integrated by a three-point Gauss rule, of higher order than the step, plain and weighted by what is
    left of each moment at the step's end. The integral of E follows from the two.
    """
    for l in range(LANES):
        h = m[TRY + l]
        early = _target(_free_between(m, l, _X0), hill, m[LOG_EC50 + l])
        middle = _target(_free_between(m, l, 0.5), hill, m[LOG_EC50 + l])
        late = _target(_free_between(m, l, 1.0 - _X0), hill, m[LOG_EC50 + l])
        left = _W0 * exp(-k * (1.0 - _X0) * h) * early + _W1 * exp(-k * 0.5 * h) * middle
        left += _W0 * exp(-k * _X0 * h) * late
        m[E1 + l] = m[E0 + l] * exp(-k * h) + k * h * left
        m[R1 + l] = _W0 * early + _W1 * middle + _W0 * late
    for l in range(LANES):
        per_v, kss = m[P + 13 * LANES + l], m[P + 8 * LANES + l]
        m[C1 + l], _ = binding.free_drug(m[N + LANES + l] * per_v, m[N + 3 * LANES + l] * per_v, kss)
    for l in range(LANES):
        h, e0, e1 = m[TRY + l], m[E0 + l], m[E1 + l]
        m[L1 + l] = m[L0 + l] + h * (mech + pk * (1.0 - m[R1 + l])) + pk * (e1 - e0) / k
        m[R0 + l] = mech + pk * (1.0 - e0)
        m[R1 + l] = mech + pk * (1.0 - e1)


@jit(inline="always")
def _target(c, hill, log_ec50):
    """The effect that a steady level would have in the end (:func:`pkmodel.kernels.hazards.target_effect`)."""
    return 1.0 - 1.0 / (1.0 + exp(hill * (log(max(c, 1e-300)) - log_ec50)))


@jit(forceinline=True)
def _watch(m, level):
    """Mark the lanes that need a scalar look: end of interval, output, crossing, trouble. True if there are any."""
    for l in range(LANES):
        reached = m[T + l] + m[TRY + l]
        ends = select(m[H + l] >= m[T1 + l] - m[T + l], 1.0, 0.0)
        output = select(m[OUT + l] <= reached, 1.0, 0.0)
        lost = select(m[L1 + l] >= m[LOSS_TARGET + l], 1.0, 0.0)
        crossed = abs(select(m[E1 + l] >= level, 1.0, 0.0) - select(m[E0 + l] >= level, 1.0, 0.0))
        small = select(m[TRY + l] < _MIN_STEP, 1.0, 0.0)
        many = select(m[COUNT + l] > _MOST_STEPS, 1.0, 0.0)
        m[LOOK + l] = m[ACCEPT + l] * (ends + output + lost + crossed) + (1.0 - m[ACCEPT + l]) * small + many
    # bits of the marks or-ed: sums of floats must be taken one after the other
    marks = _NONE
    for l in range(LANES):
        marks |= as_bits(m[LOOK + l])
    return marks != _NONE


@jit(forceinline=True)
def _commit(m):
    """Take over the accepted steps; choose the next ones."""
    # one long loop: short ones would be unrolled before they could be vectorised
    for l in range(LANES):
        accepted = m[ACCEPT + l] > 0.0
        wanted, tried = m[H + l], m[TRY + l]
        scaled = tried * m[SCALE + l]
        # a step cut short by an event says nothing about the next: never ask for less than was asked before
        kept = select(tried < wanted, max(wanted, scaled), scaled)
        m[H + l] = select(accepted, kept, scaled)
        m[T + l] = select(accepted, m[T + l] + tried, m[T + l])
        m[Y + l] = select(accepted, m[N + l], m[Y + l])
        m[Y + LANES + l] = select(accepted, m[N + LANES + l], m[Y + LANES + l])
        m[Y + 2 * LANES + l] = select(accepted, m[N + 2 * LANES + l], m[Y + 2 * LANES + l])
        m[Y + 3 * LANES + l] = select(accepted, m[N + 3 * LANES + l], m[Y + 3 * LANES + l])
        m[Y + 4 * LANES + l] = select(accepted, m[N + 4 * LANES + l], m[Y + 4 * LANES + l])
        m[Y + 5 * LANES + l] = select(accepted, m[N + 5 * LANES + l], m[Y + 5 * LANES + l])
        m[C0 + l] = select(accepted, m[C1 + l], m[C0 + l])
        m[E0 + l] = select(accepted, m[E1 + l], m[E0 + l])
        m[L0 + l] = select(accepted, m[L1 + l], m[L0 + l])
        m[COUNT + l] += 1.0


@jit(forceinline=True)
def _load_parameters(m, l, row, theta, state, immune, subject):
    """The patient's parameters of the moment into lane l."""
    v = theta[row, at.V1]
    factor = state[row, at.OCCASION]
    r_max = subject[row, at.R_MAX]
    if state[row, at.COTHERAPY] > 0.0:
        factor *= immune[at.IMM_CLEARANCE] ** state[row, at.COTHERAPY]
        r_max *= immune[at.IMM_PRODUCTION] ** state[row, at.COTHERAPY]
    cl = theta[row, at.CL] * factor
    m[CLEARANCE + l] = cl
    m[P + LANES + l] = theta[row, at.KA]
    m[P + 2 * LANES + l] = theta[row, at.Q]
    m[P + 3 * LANES + l] = theta[row, at.Q] / theta[row, at.V2]
    m[P + 4 * LANES + l] = v
    m[P + 5 * LANES + l] = cl / v + immune[at.K_EXTRA]
    m[P + 6 * LANES + l] = immune[at.K_EXTRA]
    m[P + 7 * LANES + l] = immune[at.K_ADA]
    m[P + 8 * LANES + l] = immune[at.KSS]
    m[P + 9 * LANES + l] = immune[at.C_AG]
    m[P + 10 * LANES + l] = r_max
    m[P + 11 * LANES + l] = 1.0 / immune[at.TAU_R]
    m[P + 12 * LANES + l] = subject[row, at.DRIVE_RATE]
    m[P + 13 * LANES + l] = 1.0 / v
    m[P + 14 * LANES + l] = 1.0 / (immune[at.TAU_RISE] * state[row, at.MEMORY]) - 1.0 / immune[at.TAU_R]


@jit(forceinline=True)
def _load_interval(m, l, row, state, t, t1):
    """The patient's state at time t into lane l, to be carried to t1."""
    m[P + l] = state[row, at.RATE]
    m[Y + l] = state[row, at.A_DEPOT]
    m[Y + LANES + l] = state[row, at.A_CENTRAL]
    m[Y + 2 * LANES + l] = state[row, at.A_PERIPHERAL]
    m[Y + 3 * LANES + l] = state[row, at.A_ANTIBODY]
    m[Y + 4 * LANES + l] = state[row, at.PRODUCTION]
    m[Y + 5 * LANES + l] = state[row, at.DRIVE]
    m[T + l] = t
    m[T1 + l] = t1
    m[COUNT + l] = 0.0
    per_v = m[P + 13 * LANES + l]
    m[C0 + l], _ = binding.free_drug(
        state[row, at.A_CENTRAL] * per_v, state[row, at.A_ANTIBODY] * per_v, m[P + 8 * LANES + l]
    )


@jit(forceinline=True)
def load(m, l, row, theta, state, immune, subject, t, t1, output):
    """Put a patient into lane l at time t."""
    _load_parameters(m, l, row, theta, state, immune, subject)
    _load_interval(m, l, row, state, t, t1)
    m[E0 + l] = state[row, at.EFFECT]
    m[L0 + l] = state[row, at.LOSS_HAZARD]
    m[LOG_EC50 + l] = subject[row, at.LOG_EC50]
    m[LOSS_TARGET + l] = select(state[row, at.LOSS_TIME] == math.inf, state[row, at.LOSS_TARGET], math.inf)
    m[H + l] = state[row, at.STEP]
    m[OUT + l] = output


@jit(forceinline=True)
def _store_amounts(m, l, row, state):
    """What an event may change or look at, out of lane l."""
    state[row, at.A_DEPOT] = m[Y + l]
    state[row, at.A_CENTRAL] = max(m[Y + LANES + l], 0.0)
    state[row, at.A_PERIPHERAL] = max(m[Y + 2 * LANES + l], 0.0)
    state[row, at.A_ANTIBODY] = max(m[Y + 3 * LANES + l], 0.0)
    state[row, at.PRODUCTION] = max(m[Y + 4 * LANES + l], 0.0)
    state[row, at.DRIVE] = m[Y + 5 * LANES + l]


@jit(forceinline=True)
def _store_rest(m, l, row, state):
    """What only a patient who leaves its lane needs."""
    state[row, at.EFFECT] = m[E0 + l]
    state[row, at.LOSS_HAZARD] = m[L0 + l]
    state[row, at.STEP] = m[H + l]


@jit(forceinline=True)
def _hermite(x, f0, d0, f1, d1, h):
    """Cubic through (0, f0) and (1, f1) with slopes d0, d1 per unit of time, at x in [0, 1]."""
    u = 1.0 - x
    return f0 * (1.0 + 2.0 * x) * u * u + f1 * x * x * (3.0 - 2.0 * x) + h * x * u * (d0 * u - d1 * x)


@jit(forceinline=True)
def _crossings(m, l, state, k, hill, level):
    """Loss of response and fall below the relapse level within the accepted step of lane l."""
    h, t = m[TRY + l], m[T + l]
    if m[L1 + l] >= m[LOSS_TARGET + l]:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            at_middle = _hermite(middle, m[L0 + l], m[R0 + l], m[L1 + l], m[R1 + l], h)
            if at_middle >= m[LOSS_TARGET + l]:
                high = middle
            else:
                low = middle
        state[at.LOSS_TIME] = t + high * h
        m[LOSS_TARGET + l] = math.inf
    e0, e1 = m[E0 + l], m[E1 + l]
    if e1 >= level:
        state[at.BELOW_SINCE] = math.inf
    elif e0 >= level:
        low, high = 0.0, 1.0
        d0 = k * (_target(m[C0 + l], hill, m[LOG_EC50 + l]) - e0)
        d1 = k * (_target(m[C1 + l], hill, m[LOG_EC50 + l]) - e1)
        for _ in range(40):
            middle = 0.5 * (low + high)
            if _hermite(middle, e0, d0, e1, d1, h) >= level:
                low = middle
            else:
                high = middle
        state[at.BELOW_SINCE] = t + high * h


@jit(forceinline=True)
def _outputs(m, l, row, times, k, last, out):
    """Outputs that lie within the accepted step of lane l, by its dense output; the next output's number."""
    h, t = m[TRY + l], m[T + l]
    end = m[T1 + l] if last else t + h
    while k < times.size and times[k] <= end:
        a_c, a_s = m[N + LANES + l], m[N + 3 * LANES + l]
        if times[k] < end:
            x = (times[k] - t) / h
            a_c = rodas5p.between(
                x, m[Y + LANES + l], a_c, m[DENSE + l], m[DENSE + LANES + l], m[DENSE + 2 * LANES + l]
            )
            a_s = rodas5p.between(
                x, m[Y + 3 * LANES + l], a_s, m[DENSE + 3 * LANES + l], m[DENSE + 4 * LANES + l],
                m[DENSE + 5 * LANES + l],
            )  # fmt: skip
        write(out, row, k, m[P + 4 * LANES + l], max(a_c, 0.0), max(a_s, 0.0), m[P + 8 * LANES + l], m[CLEARANCE + l],
              m[P + 5 * LANES + l])  # fmt: skip
        k += 1
    return k


@jit(forceinline=True)
def write(out, row, k, v, a_c, a_s, kss, clearance, k_cx):
    """Free drug, free antibody, total antibody (mg/L) and the clearance that the total drug sees (L/d)."""
    d = a_c / v
    if a_s == 0.0:
        out[row, k, 0] = d
        out[row, k, 1] = 0.0
        out[row, k, 2] = 0.0
        out[row, k, 3] = clearance
        return
    s = a_s / v
    c, _ = binding.free_drug(d, s, kss)
    x = d - c
    out[row, k, 0] = c
    out[row, k, 1] = s - x
    out[row, k, 2] = s
    out[row, k, 3] = (clearance * c + k_cx * x * v) / d if d > 0.0 else clearance + k_cx * v * s / (s + kss)


@jit()
def run(
    waiting, rows, starts, next_event, next_output, theta, state, subject, immune, response, until, offsets, ev_time,
    ev_kind, ev_value, tables, times, out, status, m, who, event, output, finished,
):  # fmt: skip
    """Carry the ``waiting`` patients (rows, starts, next events and outputs) to ``until``.

    ``m`` is the lane memory; ``who`` (-1: idle), ``event`` and ``output`` say which patient a lane holds and
    which of its events and outputs come next; ``finished`` is room for the lanes whose interval ends.
    """
    k_e, hill, level = response[at.K_EFFECT], response[at.HILL], response[at.E_RELAPSE]
    taken = 0
    busy = 0
    for l in range(LANES):
        who[l] = -1
    while True:
        if taken < waiting:
            for l in range(LANES):
                if who[l] < 0 and taken < waiting:
                    row = rows[taken]
                    who[l], event[l], output[l] = row, next_event[taken], next_output[taken]
                    stop = offsets[row + 1]
                    t1 = ev_time[event[l]] if event[l] < stop else until
                    out_time = times[output[l]] if output[l] < times.size else math.inf
                    load(m, l, row, theta, state, immune, subject, starts[taken], t1, out_time)
                    taken += 1
                    busy += 1
        if busy == 0:
            return
        lane_steps.step(m)
        lane_steps.dense(m)
        _judge(m)
        if k_e > 0.0:
            _effect(m, k_e, hill, response[at.LAMBDA_MECH], response[at.LAMBDA_PK])
        if not _watch(m, level):
            _commit(m)
            continue
        ended = 0
        for l in range(LANES):
            if m[LOOK + l] == 0.0 or who[l] < 0:
                continue
            row = who[l]
            if m[ACCEPT + l] == 0.0 or m[COUNT + l] > _MOST_STEPS:
                status[row] = at.TOO_MANY_STEPS
                if m[COUNT + l] <= _MOST_STEPS:
                    status[row] = at.STEP_TOO_SMALL if m[SIZE + l] < math.inf else at.NOT_FINITE
                who[l] = -1
                busy -= 1
                continue
            last = m[H + l] >= m[T1 + l] - m[T + l]
            if k_e > 0.0:
                _crossings(m, l, state[row], k_e, hill, level)
            if m[OUT + l] <= m[T1 + l]:
                output[l] = _outputs(m, l, row, times, output[l], last, out)
                m[OUT + l] = times[output[l]] if output[l] < times.size else math.inf
            if last:
                finished[ended] = l
                ended += 1
        _commit(m)
        for e in range(ended):
            l = finished[e]
            row = who[l]
            # the interval's end: its events, exactly there
            _store_amounts(m, l, row, state)
            j, stop = event[l], offsets[row + 1]
            t = m[T1 + l]
            changed = False
            while j < stop and ev_time[j] <= t:
                changed |= events.apply(row, theta, state, immune, ev_kind[j], ev_value[j], t, tables)
                j += 1
            if j >= stop and t >= until:
                _store_rest(m, l, row, state)
                who[l] = -1
                busy -= 1
                continue
            event[l] = j
            if changed:
                _load_parameters(m, l, row, theta, state, immune, subject)
            _load_interval(m, l, row, state, t, ev_time[j] if j < stop else until)
