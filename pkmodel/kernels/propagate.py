"""One patient from event to event: closed form before onset, error-controlled ODE after it.

The grid of the hazard integral and the steps of the integrator depend on the patient's own events and nothing
else: not on the output times (an output is evaluated from the last event or step and thrown away), not on the
other patients, not on chunks or threads. That is what makes results equal bit for bit however they are cut.

Outputs are limits from the left: at the moment of a dose they show the level just before it, the trough.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from pkmodel.kernels import binding, hazards, linear
from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit

# Gauss-Legendre, four points on [0, 1]
_X0, _X1 = 0.06943184420297371, 0.33000947820757187
_W0, _W1 = 0.17392742256872693, 0.32607257743127307

RELATIVE_TOLERANCE = 4e-7  # of the local error; the global error is checked against a twin in the tests
_ABSOLUTE_MG_PER_L = 1e-7
_MIN_STEP = 1e-9
_MAX_STEPS = 100_000
_FIRST_PANEL = 0.5  # d; then panels as long as the time since the last change of the input ...
_LONGEST_PANEL = 8.0  # ... up to this, and to one time constant of the slowest decay (drug falls by e at most)
_LOG_PANEL = math.exp(2.0)  # growth of (knee + time) over a panel while drug rises from near nothing


@jit()
def _clearance_factor(state, immune):
    factor = state[at.OCCASION]
    if state[at.COTHERAPY] > 0.0:
        factor *= immune[at.IMM_CLEARANCE] ** state[at.COTHERAPY]
    return factor


@jit()
def _panel(theta, mode, state, immune, response, onset_rate, a, b, knee):
    """Integrals over [a, b] (d since the last event) of the onset hazard and of the hazard of loss.

    With a finite ``knee`` the nodes are even in log(knee + t): within minutes of the start of an infusion the
    drug passes through the immunogenic range, and a rule even in t would miss it.
    """
    stretched = knee < math.inf
    origin = math.log(knee + a) if stretched else 0.0
    width = math.log(knee + b) - origin if stretched else b - a
    onset = 0.0
    loss = 0.0
    for node in range(4):
        if node == 0:
            x, weight = _X0, _W0
        elif node == 1:
            x, weight = _X1, _W1
        elif node == 2:
            x, weight = 1.0 - _X1, _W1
        else:
            x, weight = 1.0 - _X0, _W0
        if stretched:
            t = math.exp(origin + x * width) - knee
            weight *= knee + t
        else:
            t = a + x * width
        a_d, a_c, a_p, rate = state[at.A_DEPOT], state[at.A_CENTRAL], state[at.A_PERIPHERAL], state[at.RATE]
        if onset_rate > 0.0:
            c = linear.central_amount(theta, mode, a_d, a_c, a_p, rate, t) / theta[at.V1]
            onset += weight * hazards.immunogenic_stimulus(c, immune)
        c_e = linear.effect_site(theta, mode, response[at.K_EFFECT], state[at.EFFECT], a_d, a_c, a_p, rate, t)
        loss += weight * hazards.loss_hazard(c_e, response)
    return onset_rate * onset * width, loss * width


@jit()
def _crossing(theta, mode, state, immune, response, onset_rate, a, b, knee, which, amount):
    """Time in [a, b] at which the integral from a reaches ``amount`` (which: 0 onset, 1 loss); NaN if never.

    Newton on the increasing integral, kept inside a bracket that bisection shrinks.
    """
    low, high = a, b
    t = 0.5 * (a + b)
    for _ in range(60):
        parts = _panel(theta, mode, state, immune, response, onset_rate, a, t, knee)
        miss = parts[which] - amount
        if miss > 0.0:
            high = t
        else:
            low = t
        if which == 0:
            c = linear.central_amount(
                theta, mode, state[at.A_DEPOT], state[at.A_CENTRAL], state[at.A_PERIPHERAL], state[at.RATE], t
            )
            slope = onset_rate * hazards.immunogenic_stimulus(c / theta[at.V1], immune)
        else:
            c_e = _effect_at(theta, mode, state, response, t)
            slope = hazards.loss_hazard(c_e, response)
        following = t - miss / slope
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - t) < 1e-10 or high - low < 1e-10:
            return following
        t = following
    return t


@jit()
def _effect_at(theta, mode, state, response, t):
    return linear.effect_site(
        theta,
        mode,
        response[at.K_EFFECT],
        state[at.EFFECT],
        state[at.A_DEPOT],
        state[at.A_CENTRAL],
        state[at.A_PERIPHERAL],
        state[at.RATE],
        t,
    )


@jit()
def _fall_time(theta, mode, state, response, a, b):
    """Time in [a, b] at which the effect site, above C_relapse at a and below it at b, crosses (bisection)."""
    for _ in range(50):
        middle = 0.5 * (a + b)
        if _effect_at(theta, mode, state, response, middle) >= response[at.C_RELAPSE]:
            a = middle
        else:
            b = middle
    return b


@jit()
def _write(out, row, k, v, a_c, a_s, kss, clearance, k_cx):
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
def _before_onset(theta, state, immune, response, threshold, t0, t1, times, k, out, row):
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
    if onset_rate > 0.0 or response[at.K_EFFECT] > 0.0:
        a = 0.0
        knee = math.inf
        rise = (rate + theta[at.KA] * a_d) / theta[at.V1]
        if rise > 0.0 and t0 - state[at.LAST_INPUT] < _FIRST_PANEL:
            knee = (a_c / theta[at.V1] + immune[at.C_AG]) / rise
        if knee > _FIRST_PANEL:
            knee = math.inf  # a rise slower than the first panel needs no help
        slowest = mode[3] if mode[0] > 0.0 else mode[2]
        longest = min(_LONGEST_PANEL, 1.0 / slowest)
        above = state[at.EFFECT] >= response[at.C_RELAPSE]
        while a < end:
            if a >= _FIRST_PANEL:
                knee = math.inf
            width = max(_FIRST_PANEL, min(t0 + a - state[at.LAST_INPUT], longest))
            if knee < math.inf:
                width = min(width, (knee + a) * (_LOG_PANEL - 1.0))
            b = a + width
            if b > end - 0.25 * width:
                b = end
            onset, loss = _panel(theta, mode, state, immune, response, onset_rate, a, b, knee)
            hit = onset_rate > 0.0 and state[at.ONSET_HAZARD] + onset >= threshold
            if hit:
                missing = threshold - state[at.ONSET_HAZARD]
                b = _crossing(theta, mode, state, immune, response, onset_rate, a, b, knee, 0, missing)
                onset, loss = _panel(theta, mode, state, immune, response, onset_rate, a, b, knee)
                onset = missing
                end = b
                state[at.ONSET_TIME] = t0 + b
            if state[at.LOSS_TIME] == math.inf and state[at.LOSS_HAZARD] + loss >= state[at.LOSS_TARGET]:
                missing = state[at.LOSS_TARGET] - state[at.LOSS_HAZARD]
                state[at.LOSS_TIME] = t0 + _crossing(
                    theta, mode, state, immune, response, onset_rate, a, b, knee, 1, missing
                )
            state[at.ONSET_HAZARD] += onset
            state[at.LOSS_HAZARD] += loss
            now_above = _effect_at(theta, mode, state, response, b) >= response[at.C_RELAPSE]
            if now_above:
                state[at.BELOW_SINCE] = math.inf
            elif above:
                state[at.BELOW_SINCE] = t0 + _fall_time(theta, mode, state, response, a, b)
            above = now_above
            a = b
    reached = t1 if end == span else t0 + end
    while k < times.size and times[k] <= reached:
        amount = linear.central_amount(theta, mode, a_d, a_c, a_p, rate, times[k] - t0)
        _write(out, row, k, theta[at.V1], amount, 0.0, 1.0, theta[at.CL] * factor, 0.0)
        k += 1
    new_c = linear.central_amount(theta, mode, a_d, a_c, a_p, rate, end)
    new_p = linear.peripheral_amount(theta, mode, a_d, a_c, a_p, rate, end)
    if response[at.K_EFFECT] > 0.0:
        state[at.EFFECT] = _effect_at(theta, mode, state, response, end)
    state[at.A_CENTRAL] = new_c
    state[at.A_PERIPHERAL] = new_p
    if a_d != 0.0:
        state[at.A_DEPOT] = a_d * math.exp(-theta[at.KA] * end)
    if end < span:
        state[at.DRIVE] = 1.0
    return reached, k


@jit()
def _effect_over_step(k, c_e, c0, s0, c1, s1, h):
    """C_e after a step in which C follows the cubic with values c0, c1 and slopes s0, s1 at its ends.

    Exact for the cubic: k times the convolution of exp(-k t) with it, by repeated integration by parts;
    for small k h by the series of the same integral (three-point Gauss), where parts would cancel.
    """
    cubic2 = (3.0 * (c1 - c0) / h - 2.0 * s0 - s1) / h
    cubic3 = (2.0 * (c0 - c1) / h + s0 + s1) / (h * h)
    total = 0.0
    for node in range(4):
        if node == 0:
            x, weight = _X0, _W0
        elif node == 1:
            x, weight = _X1, _W1
        elif node == 2:
            x, weight = 1.0 - _X1, _W1
        else:
            x, weight = 1.0 - _X0, _W0
        t = x * h
        total += weight * math.exp(-k * (h - t)) * (c0 + t * (s0 + t * (cubic2 + t * cubic3)))
    return c_e * math.exp(-k * h) + k * h * total


@jit()
def _hermite(x, f0, d0, f1, d1, h):
    """Cubic through (0, f0) and (1, f1) with slopes d0, d1 per unit of time, at x in [0, 1]."""
    u = 1.0 - x
    return f0 * (1.0 + 2.0 * x) * u * u + f1 * x * x * (3.0 - 2.0 * x) + h * x * u * (d0 * u - d1 * x)


@jit()
def _after_onset(theta, state, immune, response, subject, t0, t1, times, k, out, row):
    """Integrate the antibody system from t0 to t1: (status, next output)."""
    v = theta[at.V1]
    cl = theta[at.CL] * _clearance_factor(state, immune)
    ka, q = theta[at.KA], theta[at.Q]
    k21 = q / theta[at.V2]
    k_cx = cl / v + immune[at.K_EXTRA]
    k_extra, k_ada, kss, c_ag = immune[at.K_EXTRA], immune[at.K_ADA], immune[at.KSS], immune[at.C_AG]
    tau = immune[at.TAU_R] * state[at.MEMORY]
    r_max = subject[at.R_MAX]
    if state[at.COTHERAPY] > 0.0:
        r_max *= immune[at.IMM_PRODUCTION] ** state[at.COTHERAPY]
    p = (
        state[at.RATE], ka, q, k21, v, k_cx, k_extra, k_ada, kss, c_ag, r_max, tau, subject[at.DRIVE_RATE],
    )  # fmt: skip
    k_e = response[at.K_EFFECT]
    atol = _ABSOLUTE_MG_PER_L * v

    y = (
        state[at.A_DEPOT],
        state[at.A_CENTRAL],
        state[at.A_PERIPHERAL],
        state[at.A_ANTIBODY],
        state[at.PRODUCTION],
        state[at.DRIVE],
    )
    t = t0
    h = state[at.STEP]
    for _ in range(_MAX_STEPS):
        left = t1 - t
        if left <= 0.0:
            break
        last = h >= left
        # two equal steps rather than a long one and a sliver
        trial = left if last else min(h, 0.5 * left)
        new, error = binding.step(y, trial, p)
        size = max(
            abs(error[1]) / (atol + RELATIVE_TOLERANCE * max(y[1], new[1])),
            abs(error[2]) / (atol + RELATIVE_TOLERANCE * max(y[2], new[2])),
            abs(error[3]) / (atol + RELATIVE_TOLERANCE * max(y[3], new[3])),
            abs(error[0]) / (atol + RELATIVE_TOLERANCE * y[0]),
            abs(error[4]) / (_ABSOLUTE_MG_PER_L + RELATIVE_TOLERANCE * max(y[4], new[4])),
        )
        if not size < math.inf:
            h = 0.1 * trial
            if h < _MIN_STEP:
                return at.NOT_FINITE, k
            continue
        scale = min(5.0, max(0.2, 0.9 / math.sqrt(math.sqrt(max(size, 1e-8)))))
        if size > 1.0:
            h = trial * scale
            if h < _MIN_STEP:
                return at.STEP_TOO_SMALL, k
            continue
        reached = t1 if last else t + trial
        while k < times.size and times[k] < reached:
            part, _ = binding.step(y, times[k] - t, p)
            _write(out, row, k, v, part[1], part[3], kss, cl, k_cx)
            k += 1
        if k_e > 0.0:
            _effect_step(state, response, y, new, t, trial, p)
        y = new
        t = reached
        # a step cut short by an event says nothing about the next one: never shrink below what was asked
        h = max(h, trial * scale) if trial < h else trial * scale
        if k < times.size and times[k] == t:
            _write(out, row, k, v, y[1], y[3], kss, cl, k_cx)
            k += 1
    if t < t1:
        return at.TOO_MANY_STEPS, k
    state[at.A_DEPOT] = y[0]
    state[at.A_CENTRAL] = max(y[1], 0.0)
    state[at.A_PERIPHERAL] = max(y[2], 0.0)
    state[at.A_ANTIBODY] = max(y[3], 0.0)
    state[at.PRODUCTION] = max(y[4], 0.0)
    state[at.DRIVE] = y[5]
    state[at.STEP] = h
    return at.OK, k


@jit()
def _effect_step(state, response, y, new, t, h, p):
    """Carry effect site, hazard of loss and relapse clock over an accepted step (fourth order, as the step)."""
    c0, s0 = _free_and_slope(y, p)
    c1, s1 = _free_and_slope(new, p)
    k_e = response[at.K_EFFECT]
    e0 = state[at.EFFECT]
    e1 = _effect_over_step(k_e, e0, c0, s0, c1, s1, h)
    d0, d1 = k_e * (c0 - e0), k_e * (c1 - e1)
    l0, l1 = hazards.loss_hazard(e0, response), hazards.loss_hazard(e1, response)
    m0 = hazards.loss_hazard_slope(e0, response) * d0
    m1 = hazards.loss_hazard_slope(e1, response) * d1
    gain = h * (0.5 * (l0 + l1) + h * (m0 - m1) / 12.0)
    before = state[at.LOSS_HAZARD]
    after = before + gain
    if state[at.LOSS_TIME] == math.inf and after >= state[at.LOSS_TARGET]:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            if _hermite(middle, before, l0, after, l1, h) >= state[at.LOSS_TARGET]:
                high = middle
            else:
                low = middle
        state[at.LOSS_TIME] = t + high * h
    level = response[at.C_RELAPSE]
    if e1 >= level:
        state[at.BELOW_SINCE] = math.inf
    elif e0 >= level:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            if _hermite(middle, e0, d0, e1, d1, h) >= level:
                low = middle
            else:
                high = middle
        state[at.BELOW_SINCE] = t + high * h
    state[at.EFFECT] = e1
    state[at.LOSS_HAZARD] = after


@jit()
def _free_and_slope(y, p):
    """Free drug (mg/L) and its rate of change (mg/L/d)."""
    v, kss = p[4], p[8]
    c, root = binding.free_drug(y[1] / v, y[3] / v, kss)
    f = binding.slopes(y, p)
    return c, ((c + kss) * f[1] - c * f[3]) / (max(root, 1e-300) * v)


@jit()
def _apply(theta, state, immune, kind, value, t, tables):
    """What an event does, at time t, to state and theta (in place)."""
    arrives = kind == at.BOLUS or kind == at.DEPOT or (kind == at.RATE_CHANGE and value > 0.0)
    if arrives and state[at.ONSET_TIME] < math.inf and state[at.MEMORY] == 1.0:
        v = theta[at.V1]
        c, _ = binding.free_drug(state[at.A_CENTRAL] / v, state[at.A_ANTIBODY] / v, immune[at.KSS])
        # drug had washed out and comes back: the second response is faster than the first
        if c < immune[at.C_AG]:
            state[at.MEMORY] = immune[at.MEMORY_FACTOR]
    if kind == at.BOLUS:
        state[at.A_CENTRAL] += value
        state[at.LAST_INPUT] = t
    elif kind == at.DEPOT:
        state[at.A_DEPOT] += value * theta[at.F]
        state[at.LAST_INPUT] = t
    elif kind == at.RATE_CHANGE:
        state[at.RATE] += value
        state[at.RUNNING] += 1.0 if value > 0.0 else -1.0
        if state[at.RUNNING] == 0.0:
            state[at.RATE] = 0.0
        state[at.LAST_INPUT] = t
    elif kind == at.COTHERAPY_SET:
        state[at.COTHERAPY] = value
    elif kind == at.STEROID_SET:
        state[at.STEROID] = value
    elif kind == at.OCCASION_SET:
        state[at.OCCASION] = value
    elif kind == at.PARAMETERS_SET:
        for j in range(at.N_THETA):
            theta[j] = tables[int(value), j]


@jit()
def advance_patient(
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
):
    """Advance one patient from ``time`` to ``until`` through its events; returns a status code."""
    k = 0
    t = time
    stop = offsets[row + 1]
    j = offsets[row]
    while True:
        t1 = ev_time[j] if j < stop else until
        if t1 > t:
            if state[row, at.ONSET_TIME] == math.inf:
                reached, k = _before_onset(
                    theta[row],
                    state[row],
                    immune,
                    response,
                    subject[row, at.ONSET_THRESHOLD],
                    t,
                    t1,
                    times,
                    k,
                    out,
                    row,
                )
            else:
                reached = t
            if reached < t1:
                status, k = _after_onset(
                    theta[row], state[row], immune, response, subject[row], reached, t1, times, k, out, row
                )
                if status != at.OK:
                    return status
            t = t1
        if j >= stop:
            break
        _apply(theta[row], state[row], immune, ev_kind[j], ev_value[j], t, tables)
        j += 1
    if not state[row, at.A_CENTRAL] < math.inf:
        return at.NOT_FINITE
    return at.OK


@jit()
def advance_serial(
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
    status,
):
    """Advance every patient on the calling thread (safe in servers and worker processes)."""
    for row in range(state.shape[0]):
        status[row] = advance_patient(
            row, theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables,
            times, out,
        )  # fmt: skip


@jit(parallel=True)
def advance_parallel(
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
    status,
):
    """Advance every patient, patients shared out over threads; the same bits as :func:`advance_serial`."""
    for row in numba.prange(state.shape[0]):
        status[row] = advance_patient(
            row, theta, state, subject, immune, response, time, until, offsets, ev_time, ev_kind, ev_value, tables,
            times, out,
        )  # fmt: skip


def empty_outputs(patients: int) -> np.ndarray:
    """Outputs for no output times: the kernels need an array of the right kind even then."""
    return np.empty((patients, 0, 4))
