"""After onset: the antibody system of many patients, in lanes.

Each lane carries one patient with its own time, step and error control; all lanes take a step together, in loops
that vectorise, and a lane whose step is rejected simply takes a shorter one next. When a patient is done its lane
takes the next one waiting. Lanes never share a step: a patient's numbers do not depend on its neighbours, and
lanes without a patient calculate on what was left in them and are ignored.

All lane arrays live in one block of memory at distances the compiler knows, which is what lets it prove that
nothing read is overwritten.
"""

from __future__ import annotations

import math

from pkmodel.kernels import binding, events
from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import exp, log

LANES = 16

# of the local error, relative and absolute (mg/L); the global error is checked against a twin in the tests
RELATIVE_TOLERANCE = 6e-7
_ABSOLUTE_DRUG = 2e-7
_ABSOLUTE_ANTIBODY = 2e-8
_MIN_STEP = 1e-9
_MOST_STEPS = 100_000

# fields of the lane memory, each LANES long: state, its new value, error, dense output
_Y, _N, _ERR, _DENSE = 0 * LANES, 6 * LANES, 12 * LANES, 18 * LANES
# parameters in the order of binding.PARAMETERS
_P = 24 * LANES
# time, end of the interval, step wanted, step tried, size of the error, scale of the next step, 1 if accepted
_T, _T1, _H, _TRY, _SIZE, _SCALE, _ACCEPT = (
    38 * LANES, 39 * LANES, 40 * LANES, 41 * LANES, 42 * LANES, 43 * LANES, 44 * LANES,
)  # fmt: skip
# free drug, effect, accumulated and momentary hazard of loss at both ends of the step; next output
_C0, _C1, _E0, _E1, _L0, _L1, _R0, _R1, _OUT = (
    45 * LANES, 46 * LANES, 47 * LANES, 48 * LANES, 49 * LANES, 50 * LANES, 51 * LANES, 52 * LANES, 53 * LANES,
)  # fmt: skip
# clearance; 1 if a scalar look is needed; steps taken; hazard at which response is lost; log EC50
_CL, _LOOK, _COUNT, _LOSS_TARGET, _LOG_EC50 = 54 * LANES, 55 * LANES, 56 * LANES, 57 * LANES, 58 * LANES
MEMORY = 59 * LANES

# Gauss-Legendre, three points on [0, 1]: _X0, one half, 1 - _X0
_X0 = 0.1127016653792583
_W0, _W1 = 5.0 / 18.0, 8.0 / 18.0


@jit(forceinline=True)
def _step(m):
    """A trial step of every lane."""
    for l in range(LANES):
        left = m[_T1 + l] - m[_T + l]
        # two equal steps rather than a long one and a sliver
        m[_TRY + l] = left if m[_H + l] >= left else min(m[_H + l], 0.5 * left)
    for l in range(LANES):
        new, error, dense = binding.step(
            (
                m[_Y + l],
                m[_Y + LANES + l],
                m[_Y + 2 * LANES + l],
                m[_Y + 3 * LANES + l],
                m[_Y + 4 * LANES + l],
                m[_Y + 5 * LANES + l],
            ),
            m[_TRY + l],
            (
                m[_P + l],
                m[_P + LANES + l],
                m[_P + 2 * LANES + l],
                m[_P + 3 * LANES + l],
                m[_P + 4 * LANES + l],
                m[_P + 5 * LANES + l],
                m[_P + 6 * LANES + l],
                m[_P + 7 * LANES + l],
                m[_P + 8 * LANES + l],
                m[_P + 9 * LANES + l],
                m[_P + 10 * LANES + l],
                m[_P + 11 * LANES + l],
                m[_P + 12 * LANES + l],
                m[_P + 13 * LANES + l],
            ),
        )
        m[_N + l] = new[0]
        m[_N + LANES + l] = new[1]
        m[_N + 2 * LANES + l] = new[2]
        m[_N + 3 * LANES + l] = new[3]
        m[_N + 4 * LANES + l] = new[4]
        m[_N + 5 * LANES + l] = new[5]
        m[_ERR + l] = error[0]
        m[_ERR + LANES + l] = error[1]
        m[_ERR + 2 * LANES + l] = error[2]
        m[_ERR + 3 * LANES + l] = error[3]
        m[_ERR + 4 * LANES + l] = error[4]
        m[_DENSE + l] = dense[0]
        m[_DENSE + LANES + l] = dense[1]
        m[_DENSE + 2 * LANES + l] = dense[2]
        m[_DENSE + 3 * LANES + l] = dense[3]
        m[_DENSE + 4 * LANES + l] = dense[4]
        m[_DENSE + 5 * LANES + l] = dense[5]


@jit(inline="always")
def _relative(m, l, field, absolute, coming):
    scale = max(m[_Y + field * LANES + l], m[_N + field * LANES + l]) + coming
    return abs(m[_ERR + field * LANES + l]) / (absolute + RELATIVE_TOLERANCE * scale)


@jit(forceinline=True)
def _judge(m):
    """Size of the error (1 is just acceptable), scale of the next step, acceptance."""
    for l in range(LANES):
        v = m[_P + 4 * LANES + l]
        # while an infusion runs, what is yet to come is the measure of the drug: the first minutes pass through
        # binding so fast that resolving them to their own level would cost half of all steps and change nothing
        coming = m[_P + l] * (m[_T1 + l] - m[_T + l])
        drug = max(_relative(m, l, 0, _ABSOLUTE_DRUG * v, 0.0), _relative(m, l, 1, _ABSOLUTE_DRUG * v, coming))
        drug = max(drug, _relative(m, l, 2, _ABSOLUTE_DRUG * v, 0.1 * coming))
        antibody = _relative(m, l, 3, _ABSOLUTE_ANTIBODY * v, 0.0)
        antibody = max(antibody, _relative(m, l, 4, _ABSOLUTE_ANTIBODY, 0.0))
        m[_SIZE + l] = max(drug, antibody)
    for l in range(LANES):
        size = m[_SIZE + l]
        # fifth root: the error estimate is of order 5 in the step; a NaN (never < anything) shrinks the step
        root = exp(-0.2 * log(max(size, 1e-6))) if size < 1e30 else 0.0
        m[_SCALE + l] = min(5.0, max(0.1, 0.85 * root))
    for l in range(LANES):
        m[_ACCEPT + l] = 1.0 if m[_SIZE + l] <= 1.0 else 0.0


@jit(inline="always")
def _free_between(m, l, x):
    """Free drug at share x of the trial step."""
    a_c = binding.between(
        x, m[_Y + LANES + l], m[_N + LANES + l], m[_DENSE + l], m[_DENSE + LANES + l], m[_DENSE + 2 * LANES + l]
    )
    a_s = binding.between(
        x, m[_Y + 3 * LANES + l], m[_N + 3 * LANES + l], m[_DENSE + 3 * LANES + l], m[_DENSE + 4 * LANES + l],
        m[_DENSE + 5 * LANES + l],
    )  # fmt: skip
    per_v = m[_P + 13 * LANES + l]
    c, _ = binding.free_drug(a_c * per_v, a_s * per_v, m[_P + 8 * LANES + l])
    return c


@jit(forceinline=True)
def _effect(m, k, hill, mech, pk):
    """Effect and accumulated hazard of loss at the end of the trial step.

    dE/dt = k (target(C) - E) is linear in E: within a step free drug comes from the dense output, and its target
    effect is integrated by a three-point Gauss rule, of higher order than the step, plain and weighted by what is
    left of each moment at the step's end. The integral of E follows from the two.
    """
    for l in range(LANES):
        h = m[_TRY + l]
        early = _target(_free_between(m, l, _X0), hill, m[_LOG_EC50 + l])
        middle = _target(_free_between(m, l, 0.5), hill, m[_LOG_EC50 + l])
        late = _target(_free_between(m, l, 1.0 - _X0), hill, m[_LOG_EC50 + l])
        left = _W0 * exp(-k * (1.0 - _X0) * h) * early + _W1 * exp(-k * 0.5 * h) * middle
        left += _W0 * exp(-k * _X0 * h) * late
        m[_E1 + l] = m[_E0 + l] * exp(-k * h) + k * h * left
        m[_R1 + l] = _W0 * early + _W1 * middle + _W0 * late
    for l in range(LANES):
        per_v, kss = m[_P + 13 * LANES + l], m[_P + 8 * LANES + l]
        m[_C1 + l], _ = binding.free_drug(m[_N + LANES + l] * per_v, m[_N + 3 * LANES + l] * per_v, kss)
    for l in range(LANES):
        h, e0, e1 = m[_TRY + l], m[_E0 + l], m[_E1 + l]
        m[_L1 + l] = m[_L0 + l] + h * (mech + pk * (1.0 - m[_R1 + l])) + pk * (e1 - e0) / k
        m[_R0 + l] = mech + pk * (1.0 - e0)
        m[_R1 + l] = mech + pk * (1.0 - e1)


@jit(inline="always")
def _target(c, hill, log_ec50):
    """The effect that a steady level would have in the end (:func:`pkmodel.kernels.hazards.target_effect`)."""
    return 1.0 - 1.0 / (1.0 + exp(hill * (log(max(c, 1e-300)) - log_ec50)))


@jit(forceinline=True)
def _watch(m, level):
    """Mark the lanes that need a scalar look: end of interval, output, crossing, trouble. Returns how many."""
    for l in range(LANES):
        reached = m[_T + l] + m[_TRY + l]
        ends = 1.0 if m[_H + l] >= m[_T1 + l] - m[_T + l] else 0.0
        output = 1.0 if m[_OUT + l] <= reached else 0.0
        lost = 1.0 if m[_L1 + l] >= m[_LOSS_TARGET + l] else 0.0
        crossed = 1.0 if (m[_E1 + l] >= level) != (m[_E0 + l] >= level) else 0.0
        small = 1.0 if m[_TRY + l] < _MIN_STEP else 0.0
        many = 1.0 if m[_COUNT + l] > _MOST_STEPS else 0.0
        m[_LOOK + l] = m[_ACCEPT + l] * (ends + output + lost + crossed) + (1.0 - m[_ACCEPT + l]) * small + many
    total = 0.0
    for l in range(LANES):
        total += m[_LOOK + l]
    return total


@jit(forceinline=True)
def _commit(m):
    """Take over the accepted steps; choose the next ones."""
    for l in range(LANES):
        wanted, tried = m[_H + l], m[_TRY + l]
        scaled = tried * m[_SCALE + l]
        # a step cut short by an event says nothing about the next: never ask for less than was asked before
        kept = max(wanted, scaled) if tried < wanted else scaled
        m[_H + l] = kept if m[_ACCEPT + l] > 0.0 else scaled
    for l in range(LANES):
        m[_T + l] = m[_T + l] + m[_TRY + l] if m[_ACCEPT + l] > 0.0 else m[_T + l]
    for field in range(6):
        for l in range(LANES):
            m[_Y + field * LANES + l] = m[_N + field * LANES + l] if m[_ACCEPT + l] > 0.0 else m[_Y + field * LANES + l]
    for l in range(LANES):
        m[_C0 + l] = m[_C1 + l] if m[_ACCEPT + l] > 0.0 else m[_C0 + l]
    for l in range(LANES):
        m[_E0 + l] = m[_E1 + l] if m[_ACCEPT + l] > 0.0 else m[_E0 + l]
    for l in range(LANES):
        m[_L0 + l] = m[_L1 + l] if m[_ACCEPT + l] > 0.0 else m[_L0 + l]
    for l in range(LANES):
        m[_COUNT + l] += 1.0


@jit(forceinline=True)
def load(m, l, row, theta, state, immune, subject, t, t1, output):
    """Put a patient into lane l at time t."""
    v = theta[row, at.V1]
    factor = state[row, at.OCCASION]
    r_max = subject[row, at.R_MAX]
    if state[row, at.COTHERAPY] > 0.0:
        factor *= immune[at.IMM_CLEARANCE] ** state[row, at.COTHERAPY]
        r_max *= immune[at.IMM_PRODUCTION] ** state[row, at.COTHERAPY]
    cl = theta[row, at.CL] * factor
    m[_CL + l] = cl
    m[_P + l] = state[row, at.RATE]
    m[_P + LANES + l] = theta[row, at.KA]
    m[_P + 2 * LANES + l] = theta[row, at.Q]
    m[_P + 3 * LANES + l] = theta[row, at.Q] / theta[row, at.V2]
    m[_P + 4 * LANES + l] = v
    m[_P + 5 * LANES + l] = cl / v + immune[at.K_EXTRA]
    m[_P + 6 * LANES + l] = immune[at.K_EXTRA]
    m[_P + 7 * LANES + l] = immune[at.K_ADA]
    m[_P + 8 * LANES + l] = immune[at.KSS]
    m[_P + 9 * LANES + l] = immune[at.C_AG]
    m[_P + 10 * LANES + l] = r_max
    m[_P + 11 * LANES + l] = 1.0 / (immune[at.TAU_R] * state[row, at.MEMORY])
    m[_P + 12 * LANES + l] = subject[row, at.DRIVE_RATE]
    m[_P + 13 * LANES + l] = 1.0 / v
    m[_Y + l] = state[row, at.A_DEPOT]
    m[_Y + LANES + l] = state[row, at.A_CENTRAL]
    m[_Y + 2 * LANES + l] = state[row, at.A_PERIPHERAL]
    m[_Y + 3 * LANES + l] = state[row, at.A_ANTIBODY]
    m[_Y + 4 * LANES + l] = state[row, at.PRODUCTION]
    m[_Y + 5 * LANES + l] = state[row, at.DRIVE]
    m[_E0 + l] = state[row, at.EFFECT]
    m[_L0 + l] = state[row, at.LOSS_HAZARD]
    m[_LOG_EC50 + l] = subject[row, at.LOG_EC50]
    m[_LOSS_TARGET + l] = state[row, at.LOSS_TARGET] if state[row, at.LOSS_TIME] == math.inf else math.inf
    m[_T + l] = t
    m[_T1 + l] = t1
    m[_H + l] = state[row, at.STEP]
    m[_OUT + l] = output
    m[_COUNT + l] = 0.0
    m[_C0 + l], _ = binding.free_drug(state[row, at.A_CENTRAL] / v, state[row, at.A_ANTIBODY] / v, immune[at.KSS])


@jit(forceinline=True)
def store(m, l, row, state):
    """Take the patient's state out of lane l."""
    state[row, at.A_DEPOT] = m[_Y + l]
    state[row, at.A_CENTRAL] = max(m[_Y + LANES + l], 0.0)
    state[row, at.A_PERIPHERAL] = max(m[_Y + 2 * LANES + l], 0.0)
    state[row, at.A_ANTIBODY] = max(m[_Y + 3 * LANES + l], 0.0)
    state[row, at.PRODUCTION] = max(m[_Y + 4 * LANES + l], 0.0)
    state[row, at.DRIVE] = m[_Y + 5 * LANES + l]
    state[row, at.EFFECT] = m[_E0 + l]
    state[row, at.LOSS_HAZARD] = m[_L0 + l]
    state[row, at.STEP] = m[_H + l]


@jit(forceinline=True)
def _hermite(x, f0, d0, f1, d1, h):
    """Cubic through (0, f0) and (1, f1) with slopes d0, d1 per unit of time, at x in [0, 1]."""
    u = 1.0 - x
    return f0 * (1.0 + 2.0 * x) * u * u + f1 * x * x * (3.0 - 2.0 * x) + h * x * u * (d0 * u - d1 * x)


@jit(forceinline=True)
def _crossings(m, l, state, k, hill, level):
    """Loss of response and fall below the relapse level within the accepted step of lane l."""
    h, t = m[_TRY + l], m[_T + l]
    if m[_L1 + l] >= m[_LOSS_TARGET + l]:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            at_middle = _hermite(middle, m[_L0 + l], m[_R0 + l], m[_L1 + l], m[_R1 + l], h)
            if at_middle >= m[_LOSS_TARGET + l]:
                high = middle
            else:
                low = middle
        state[at.LOSS_TIME] = t + high * h
        m[_LOSS_TARGET + l] = math.inf
    e0, e1 = m[_E0 + l], m[_E1 + l]
    if e1 >= level:
        state[at.BELOW_SINCE] = math.inf
    elif e0 >= level:
        low, high = 0.0, 1.0
        d0 = k * (_target(m[_C0 + l], hill, m[_LOG_EC50 + l]) - e0)
        d1 = k * (_target(m[_C1 + l], hill, m[_LOG_EC50 + l]) - e1)
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
    h, t = m[_TRY + l], m[_T + l]
    end = m[_T1 + l] if last else t + h
    while k < times.size and times[k] <= end:
        a_c, a_s = m[_N + LANES + l], m[_N + 3 * LANES + l]
        if times[k] < end:
            x = (times[k] - t) / h
            a_c = binding.between(
                x, m[_Y + LANES + l], a_c, m[_DENSE + l], m[_DENSE + LANES + l], m[_DENSE + 2 * LANES + l]
            )
            a_s = binding.between(
                x, m[_Y + 3 * LANES + l], a_s, m[_DENSE + 3 * LANES + l], m[_DENSE + 4 * LANES + l],
                m[_DENSE + 5 * LANES + l],
            )  # fmt: skip
        write(out, row, k, m[_P + 4 * LANES + l], max(a_c, 0.0), max(a_s, 0.0), m[_P + 8 * LANES + l], m[_CL + l],
              m[_P + 5 * LANES + l])  # fmt: skip
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
        _step(m)
        _judge(m)
        if k_e > 0.0:
            _effect(m, k_e, hill, response[at.LAMBDA_MECH], response[at.LAMBDA_PK])
        if _watch(m, level) == 0.0:
            _commit(m)
            continue
        ended = 0
        for l in range(LANES):
            if m[_LOOK + l] == 0.0 or who[l] < 0:
                continue
            row = who[l]
            if m[_ACCEPT + l] == 0.0 or m[_COUNT + l] > _MOST_STEPS:
                status[row] = at.TOO_MANY_STEPS
                if m[_COUNT + l] <= _MOST_STEPS:
                    status[row] = at.STEP_TOO_SMALL if m[_SIZE + l] < math.inf else at.NOT_FINITE
                who[l] = -1
                busy -= 1
                continue
            last = m[_H + l] >= m[_T1 + l] - m[_T + l]
            if k_e > 0.0:
                _crossings(m, l, state[row], k_e, hill, level)
            if m[_OUT + l] <= m[_T1 + l]:
                output[l] = _outputs(m, l, row, times, output[l], last, out)
                m[_OUT + l] = times[output[l]] if output[l] < times.size else math.inf
            if last:
                finished[ended] = l
                ended += 1
        _commit(m)
        for e in range(ended):
            l = finished[e]
            row = who[l]
            # the interval's end: its event, exactly there
            store(m, l, row, state)
            j, stop = event[l], offsets[row + 1]
            t = m[_T1 + l]
            while j < stop and ev_time[j] <= t:
                events.apply(row, theta, state, immune, ev_kind[j], ev_value[j], t, tables)
                j += 1
            if j >= stop and t >= until:
                who[l] = -1
                busy -= 1
                continue
            event[l] = j
            t1 = ev_time[j] if j < stop else until
            out_time = times[output[l]] if output[l] < times.size else math.inf
            load(m, l, row, theta, state, immune, subject, t, t1, out_time)
