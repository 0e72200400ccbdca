"""Before onset: closed form, with the hazards integrated along it.

The hazards of seroconversion and of loss of response are integrated by Gauss-Legendre rules on panels that grow
with the time since the last change of the input. The panels of an interval are evaluated together, in loops over
all their nodes that vectorise; a crossing (onset, loss of response) is then found inside its panel by Newton's
method on the same integral, one value at a time.

The panels depend on the patient's own events and rates and on nothing else.
"""

from __future__ import annotations

import math

from pkmodel.kernels import hazards, linear
from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit
from pkmodel.kernels.elementary import exp, log
from pkmodel.kernels.linear import convolve2_straight

# Gauss-Legendre, four points on [0, 1]
X0, X1 = 0.06943184420297371, 0.33000947820757187
W0, W1 = 0.17392742256872693, 0.32607257743127307

_FIRST = 0.5  # d; then panels as long as the time since the last change of the input ...
_LONGEST = 14.0  # ... up to this, and to one time constant of the slowest decay (drug falls by e at most)
_GROWTH = math.exp(1.5)  # growth of (knee + time) over a panel while drug rises from near nothing

_QUICK = 0.5  # 1/d; a decay or an absorption quicker than this shapes its own panels ...
_GONE = 12.0  # ... until it has run for so many time constants

# panels evaluated together, and their nodes: four and the end of each, padded to whole vectors
PANELS = 24
NODES = 128
_PAD = 16
# rows of the work space: time, weight; decays of modes, effect site and depot; convolutions; results
_T, _W, _E1, _E2, _EK, _ED, _F1, _F2, _A, _CE, _G, _L, _X, _Y = range(14)
WORK_ROWS = 14


@jit(forceinline=True)
def _lay_out(a, end, knee, since, longest, fastest, work, edges):
    """Nodes and weights of the panels from ``a`` (d since the last event) on, up to ``end`` or to PANELS of them.

    ``since`` is the time since the input last changed, at the event. With a finite ``knee`` the nodes are even
    in log(knee + t): within minutes of the start of an infusion the drug passes through the immunogenic range,
    and a rule even in t would miss it. Returns the number of panels.
    """
    count = 0
    edges[0] = a
    while a < end and count < PANELS:
        stretched = knee < math.inf and a < _FIRST
        width = max(_FIRST, min(since + a, longest))
        if fastest > _QUICK and fastest * (since + a) < _GONE:
            width = min(width, 0.7 / fastest)
        if stretched:
            width = min(width, (knee + a) * (_GROWTH - 1.0))
        b = a + width
        if b > end - 0.25 * width:
            b = end
        j = 5 * count
        if stretched:
            origin = log(knee + a)
            length = log(knee + b) - origin
            for n in range(4):
                x = (X0, X1, 1.0 - X1, 1.0 - X0)[n]
                t = exp(origin + x * length) - knee
                work[_T, j + n] = t
                work[_W, j + n] = (W0, W1, W1, W0)[n] * length * (knee + t)
        else:
            length = b - a
            work[_T, j], work[_W, j] = a + X0 * length, W0 * length
            work[_T, j + 1], work[_W, j + 1] = a + X1 * length, W1 * length
            work[_T, j + 2], work[_W, j + 2] = a + (1.0 - X1) * length, W1 * length
            work[_T, j + 3], work[_W, j + 3] = a + (1.0 - X0) * length, W0 * length
        work[_T, j + 4], work[_W, j + 4] = b, 0.0
        count += 1
        a = b
        edges[count] = b
    for j in range(5 * count, 5 * count + _PAD):
        work[_T, j] = 0.0
    return count


@jit(forceinline=True)
def _levels(n, theta, mode, state, k, work):
    """Central amount and effect-site level at the first ``n`` nodes (a multiple of the padding)."""
    k12, k21, alpha, beta, p1, p2 = mode
    two = k12 > 0.0
    share = k21 / (alpha - beta)
    a_d, rate = state[at.A_DEPOT], state[at.RATE]
    z1 = p1 * state[at.A_CENTRAL] - share * state[at.A_PERIPHERAL]
    z2 = p2 * state[at.A_CENTRAL] + share * state[at.A_PERIPHERAL]
    gain = k / theta[at.V1]
    c_e = state[at.EFFECT]
    for j in range(n):
        work[_E1, j] = exp(-alpha * work[_T, j])
    for j in range(n):
        work[_EK, j] = exp(-k * work[_T, j])
    for j in range(n):
        work[_F1, j] = convolve2_straight(alpha, work[_E1, j], k, work[_EK, j], work[_T, j])
    for j in range(n):
        work[_A, j] = z1 * work[_E1, j]
    for j in range(n):
        work[_CE, j] = c_e * work[_EK, j] + gain * z1 * work[_F1, j]
    if two:
        for j in range(n):
            work[_E2, j] = exp(-beta * work[_T, j])
        for j in range(n):
            work[_F2, j] = convolve2_straight(beta, work[_E2, j], k, work[_EK, j], work[_T, j])
        for j in range(n):
            work[_A, j] += z2 * work[_E2, j]
        for j in range(n):
            work[_CE, j] += gain * z2 * work[_F2, j]
    if rate != 0.0:
        for j in range(n):
            work[_X, j] = convolve2_straight(k, work[_EK, j], 0.0, 1.0, work[_T, j])
        _add_input(n, alpha, rate * p1, 0.0, gain, _E1, _F1, work)
        if two:
            _add_input(n, beta, rate * p2, 0.0, gain, _E2, _F2, work)
    if a_d != 0.0:
        ka = theta[at.KA]
        for j in range(n):
            work[_ED, j] = exp(-ka * work[_T, j])
        for j in range(n):
            work[_X, j] = convolve2_straight(k, work[_EK, j], ka, work[_ED, j], work[_T, j])
        _add_input(n, alpha, ka * a_d * p1, ka, gain, _E1, _F1, work)
        if two:
            _add_input(n, beta, ka * a_d * p2, ka, gain, _E2, _F2, work)


@jit(inline="always")
def _add_input(n, decay, amount, source, gain, row_e, row_f, work):
    """What an input that itself decays with rate ``source`` adds through one mode; the row _X holds the
    convolution of the source with the effect site."""
    if source == 0.0:
        for j in range(n):
            work[_Y, j] = amount * convolve2_straight(decay, work[row_e, j], 0.0, 1.0, work[_T, j])
    else:
        for j in range(n):
            work[_Y, j] = amount * convolve2_straight(decay, work[row_e, j], source, work[_ED, j], work[_T, j])
    for j in range(n):
        work[_A, j] += work[_Y, j]
    per_gap = gain * amount / (decay - source)
    for j in range(n):
        work[_CE, j] += per_gap * (work[_X, j] - work[row_f, j])


@jit(forceinline=True)
def _levels_one_by_one(n, theta, mode, state, k, work):
    """As :func:`_levels` where rates nearly coincide and its differences would cancel."""
    a_d, a_c, a_p, rate = state[at.A_DEPOT], state[at.A_CENTRAL], state[at.A_PERIPHERAL], state[at.RATE]
    for j in range(n):
        t = work[_T, j]
        work[_A, j] = linear.central_amount(theta, mode, a_d, a_c, a_p, rate, t)
        work[_CE, j] = linear.effect_site(theta, mode, k, state[at.EFFECT], a_d, a_c, a_p, rate, t)


@jit(forceinline=True)
def _hazards(n, v, immune, response, onset_rate, work):
    """Stimulus (times the onset rate) and hazard of loss at the nodes; :mod:`pkmodel.kernels.hazards` one by one."""
    if onset_rate > 0.0:
        gamma = immune[at.GAMMA]
        log_tol = math.log(immune[at.C_TOL]) if immune[at.C_TOL] < math.inf else 1e6
        c_ag = immune[at.C_AG]
        for j in range(n):
            c = max(work[_A, j] / v, 1e-300)
            tolerance = exp(gamma * (log(c) - log_tol))
            work[_G, j] = onset_rate * c / ((c + c_ag) * (1.0 + tolerance))
    if response[at.K_EFFECT] == 0.0:  # no exposure-response model
        for j in range(n):
            work[_L, j] = 0.0
        return
    hill, log_half = response[at.HILL], math.log(response[at.EC50])
    mech, pk = response[at.LAMBDA_MECH], response[at.LAMBDA_PK]
    for j in range(n):
        c_e = max(work[_CE, j], 1e-300)
        work[_L, j] = mech + pk / (1.0 + exp(hill * (log(c_e) - log_half)))


@jit()
def _panel(theta, mode, state, immune, response, onset_rate, a, b, knee):
    """Integrals over [a, b] of the onset hazard and of the hazard of loss, one value at a time."""
    stretched = knee < math.inf and a < _FIRST
    origin = math.log(knee + a) if stretched else 0.0
    width = math.log(knee + b) - origin if stretched else b - a
    onset = 0.0
    loss = 0.0
    a_d, a_c, a_p, rate = state[at.A_DEPOT], state[at.A_CENTRAL], state[at.A_PERIPHERAL], state[at.RATE]
    for n in range(4):
        x = (X0, X1, 1.0 - X1, 1.0 - X0)[n]
        weight = (W0, W1, W1, W0)[n]
        if stretched:
            t = math.exp(origin + x * width) - knee
            weight *= knee + t
        else:
            t = a + x * width
        if onset_rate > 0.0:
            c = linear.central_amount(theta, mode, a_d, a_c, a_p, rate, t) / theta[at.V1]
            onset += weight * hazards.immunogenic_stimulus(c, immune)
        loss += weight * hazards.loss_hazard(effect_at(theta, mode, state, response, t), response)
    return onset_rate * onset * width, loss * width


@jit()
def _crossing(theta, mode, state, immune, response, onset_rate, a, b, knee, which, amount, total):
    """Time in [a, b] at which the integral from a reaches ``amount`` of its ``total`` (which: 0 onset, 1 loss).

    Newton on the increasing integral, kept inside a bracket that bisection shrinks.
    """
    low, high = a, b
    t = a + (b - a) * min(amount / total, 1.0)
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
            slope = hazards.loss_hazard(effect_at(theta, mode, state, response, t), response)
        following = t - miss / slope
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - t) < 1e-10 or high - low < 1e-10:
            return following
        t = following
    return t


@jit()
def effect_at(theta, mode, state, response, t):
    """Effect-site level ``t`` days after the state."""
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
    """Time in [a, b] at which the effect site, above C_relapse at a and below it at b, crosses.

    Regula falsi with the Illinois weights: the bracket shrinks from both ends, to 1e-9 d.
    """
    target = response[at.C_RELAPSE]
    f_a = effect_at(theta, mode, state, response, a) - target
    f_b = effect_at(theta, mode, state, response, b) - target
    for _ in range(60):
        if b - a < 1e-9 or f_a == f_b:
            break
        t = b - f_b * (b - a) / (f_b - f_a)
        f_t = effect_at(theta, mode, state, response, t) - target
        if f_t >= 0.0:
            a, f_a, f_b = t, f_t, 0.5 * f_b
        else:
            b, f_b, f_a = t, f_t, 0.5 * f_a
        if f_t == 0.0:
            break
    return b


@jit()
def integrate(theta, mode, state, immune, response, onset_rate, threshold, t0, end, work, edges):
    """Accumulate both hazards from the last event to ``end`` days after it, or to onset; returns where it
    stopped and the effect-site level there. Sets ONSET_TIME, LOSS_TIME, the hazards and the relapse clock;
    amounts and effect site are left alone."""
    v = theta[at.V1]
    k = response[at.K_EFFECT]
    slowest = mode[3] if mode[0] > 0.0 else mode[2]
    longest = min(_LONGEST, 1.0 / slowest)
    since = t0 - state[at.LAST_INPUT]
    knee = math.inf
    rise = (state[at.RATE] + theta[at.KA] * state[at.A_DEPOT]) / v
    if rise > 0.0 and since < _FIRST:
        knee = (state[at.A_CENTRAL] / v + immune[at.C_AG]) / rise
    if knee > _FIRST:
        knee = math.inf  # a rise slower than the first panel needs no help
    ka = theta[at.KA]
    fastest = max(mode[2], ka) if state[at.A_DEPOT] > 0.0 else mode[2]
    close = state[at.A_DEPOT] != 0.0 and (abs(mode[2] - ka) < 1e-3 * ka or abs(mode[3] - ka) < 1e-3 * ka)
    level = state[at.EFFECT]
    above = level >= response[at.C_RELAPSE]
    a = 0.0
    while a < end:
        count = _lay_out(a, end, knee, since, longest, fastest, work, edges)
        n = (5 * count + _PAD - 1) // _PAD * _PAD
        if close:
            _levels_one_by_one(n, theta, mode, state, k, work)
        else:
            _levels(n, theta, mode, state, k, work)
        _hazards(n, v, immune, response, onset_rate, work)
        for panel in range(count):
            a, b = edges[panel], edges[panel + 1]
            j = 5 * panel
            onset = 0.0
            loss = 0.0
            for i in range(j, j + 4):
                loss += work[_W, i] * work[_L, i]
            if onset_rate > 0.0:
                for i in range(j, j + 4):
                    onset += work[_W, i] * work[_G, i]
            level = work[_CE, j + 4]
            hit = onset_rate > 0.0 and state[at.ONSET_HAZARD] + onset >= threshold
            if hit:
                total = onset
                onset = threshold - state[at.ONSET_HAZARD]
                b = _crossing(theta, mode, state, immune, response, onset_rate, a, b, knee, 0, onset, total)
                _, loss = _panel(theta, mode, state, immune, response, onset_rate, a, b, knee)
                level = effect_at(theta, mode, state, response, b)
                state[at.ONSET_TIME] = t0 + b
            if state[at.LOSS_TIME] == math.inf and state[at.LOSS_HAZARD] + loss >= state[at.LOSS_TARGET]:
                missing = state[at.LOSS_TARGET] - state[at.LOSS_HAZARD]
                state[at.LOSS_TIME] = t0 + _crossing(
                    theta, mode, state, immune, response, onset_rate, a, b, knee, 1, missing, loss
                )
            state[at.ONSET_HAZARD] += onset
            state[at.LOSS_HAZARD] += loss
            now_above = level >= response[at.C_RELAPSE]
            if now_above:
                state[at.BELOW_SINCE] = math.inf
            elif above:
                state[at.BELOW_SINCE] = t0 + _fall_time(theta, mode, state, response, a, b)
            above = now_above
            if hit:
                return b, level
        a = edges[count]
    return end, level
