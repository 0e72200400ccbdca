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
# rows of the work space: time, weight, time to the end of the panel; decays of modes, effect and depot; amount;
# stimulus and effect; an input's part
_T, _W, _U, _E1, _E2, _EU, _ED, _A, _G, _X, _Y = range(11)
WORK_ROWS = 11


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
        for n in range(4):
            work[_U, j + n] = b - work[_T, j + n]
        work[_U, j + 4] = b - a
        count += 1
        a = b
        edges[count] = b
    for j in range(5 * count, 5 * count + _PAD):
        work[_T, j] = 0.0
        work[_U, j] = 0.0
    return count


@jit(forceinline=True)
def _levels(n, theta, mode, state, work):
    """Central amount at the first ``n`` nodes (a multiple of the padding)."""
    k12, k21, alpha, beta, p1, p2 = mode
    two = k12 > 0.0
    share = k21 / (alpha - beta)
    a_d, rate = state[at.A_DEPOT], state[at.RATE]
    z1 = p1 * state[at.A_CENTRAL] - share * state[at.A_PERIPHERAL]
    z2 = p2 * state[at.A_CENTRAL] + share * state[at.A_PERIPHERAL]
    for j in range(n):
        work[_E1, j] = exp(-alpha * work[_T, j])
    for j in range(n):
        work[_A, j] = z1 * work[_E1, j]
    if two:
        for j in range(n):
            work[_E2, j] = exp(-beta * work[_T, j])
        for j in range(n):
            work[_A, j] += z2 * work[_E2, j]
    if rate != 0.0:
        _add_input(n, alpha, rate * p1, 0.0, _E1, work)
        if two:
            _add_input(n, beta, rate * p2, 0.0, _E2, work)
    if a_d != 0.0:
        ka = theta[at.KA]
        for j in range(n):
            work[_ED, j] = exp(-ka * work[_T, j])
        _add_input(n, alpha, ka * a_d * p1, ka, _E1, work)
        if two:
            _add_input(n, beta, ka * a_d * p2, ka, _E2, work)


@jit(inline="always")
def _add_input(n, decay, amount, source, row_e, work):
    """What an input that itself decays with rate ``source`` adds through one mode."""
    if source == 0.0:
        for j in range(n):
            work[_Y, j] = amount * convolve2_straight(decay, work[row_e, j], 0.0, 1.0, work[_T, j])
    else:
        for j in range(n):
            work[_Y, j] = amount * convolve2_straight(decay, work[row_e, j], source, work[_ED, j], work[_T, j])
    for j in range(n):
        work[_A, j] += work[_Y, j]


@jit(forceinline=True)
def _integrands(n, v, immune, response, log_ec50, onset_rate, waning, work):
    """Stimulus (times the onset rate) and effect at the nodes; :mod:`pkmodel.kernels.hazards` one by one."""
    if onset_rate > 0.0:
        gamma = immune[at.GAMMA]
        log_tol = math.log(immune[at.C_TOL]) if immune[at.C_TOL] < math.inf else 1e6
        c_ag = immune[at.C_AG]
        for j in range(n):
            c = max(work[_A, j] / v, 1e-300)
            tolerance = exp(gamma * (log(c) - log_tol))
            work[_G, j] = onset_rate * exp(-waning * work[_T, j]) * c / ((c + c_ag) * (1.0 + tolerance))
    if response[at.K_EFFECT] == 0.0:  # no exposure-response model
        return
    hill, k = response[at.HILL], response[at.K_EFFECT]
    for j in range(n):
        c = max(work[_A, j] / v, 1e-300)
        work[_X, j] = 1.0 - 1.0 / (1.0 + exp(hill * (log(c) - log_ec50)))
    for j in range(n):
        work[_EU, j] = exp(-k * work[_U, j])


@jit()
def _panel(theta, mode, state, immune, response, log_ec50, onset_rate, waning, a, b, knee, level):
    """Integrals over [a, b] of the onset hazard (which wanes with rate ``waning``) and of the hazard of loss, and the
    effect at b (``level`` is that at a), one value at a time."""
    stretched = knee < math.inf and a < _FIRST
    origin = math.log(knee + a) if stretched else 0.0
    width = math.log(knee + b) - origin if stretched else b - a
    k = response[at.K_EFFECT]
    onset, area, late = 0.0, 0.0, 0.0
    a_d, a_c, a_p, rate = state[at.A_DEPOT], state[at.A_CENTRAL], state[at.A_PERIPHERAL], state[at.RATE]
    for n in range(4):
        x = (X0, X1, 1.0 - X1, 1.0 - X0)[n]
        weight = (W0, W1, W1, W0)[n] * width
        if stretched:
            t = math.exp(origin + x * width) - knee
            weight *= knee + t
        else:
            t = a + x * width
        c = linear.central_amount(theta, mode, a_d, a_c, a_p, rate, t) / theta[at.V1]
        if onset_rate > 0.0:
            onset += weight * math.exp(-waning * t) * hazards.immunogenic_stimulus(c, immune)
        if k > 0.0:
            e = weight * hazards.target_effect(c, response, log_ec50)
            area += e
            late += e * math.exp(-k * (b - t))
    if k == 0.0:
        return onset_rate * onset, 0.0, level
    reached, loss = _follow(response, level, b - a, math.exp(-k * (b - a)), area, late)
    return onset_rate * onset, loss, reached


@jit(inline="always")
def _follow(response, level, width, decay, area, late):
    """Effect at the end of a panel and hazard of loss over it.

    ``area`` is the integral of the target effect, ``late`` the same weighted by what is left of each moment at the
    end, ``decay`` what is left of the effect at the start (``level``). The integral of E itself follows from
    dE/dt = k (target - E): it needs no rule of its own.
    """
    k = response[at.K_EFFECT]
    reached = level * decay + k * late
    effect = area - (reached - level) / k
    return reached, response[at.LAMBDA_MECH] * width + response[at.LAMBDA_PK] * (width - effect)


@jit()
def _crossing(
    theta, mode, state, immune, response, log_ec50, onset_rate, waning, a, b, knee, level, which, amount, total
):  # fmt: skip
    """Time in [a, b] at which the integral from a reaches ``amount`` of its ``total`` (which: 0 onset, 1 loss).

    Newton on the increasing integral, kept inside a bracket that bisection shrinks.
    """
    low, high = a, b
    t = a + (b - a) * min(amount / total, 1.0)
    for _ in range(60):
        onset, loss, effect = _panel(
            theta, mode, state, immune, response, log_ec50, onset_rate, waning, a, t, knee, level
        )
        miss = (onset if which == 0 else loss) - amount
        if miss > 0.0:
            high = t
        else:
            low = t
        if which == 0:
            c = linear.central_amount(
                theta, mode, state[at.A_DEPOT], state[at.A_CENTRAL], state[at.A_PERIPHERAL], state[at.RATE], t
            )
            slope = onset_rate * math.exp(-waning * t) * hazards.immunogenic_stimulus(c / theta[at.V1], immune)
        else:
            slope = response[at.LAMBDA_MECH] + response[at.LAMBDA_PK] * (1.0 - effect)
        following = t - miss / slope
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - t) < 1e-10 or high - low < 1e-10:
            return following
        t = following
    return t


@jit()
def _fall_time(theta, mode, state, immune, response, log_ec50, a, b, knee, level, last):
    """Time in [a, b] at which the effect, ``level`` at a and ``last`` at b, falls below that of relapse.

    Regula falsi with the Illinois weights: the bracket shrinks from both ends, to 1e-9 d.
    """
    target = response[at.E_RELAPSE]
    low, high = a, b
    f_low, f_high = level - target, last - target
    for _ in range(60):
        if high - low < 1e-9 or f_low == f_high:
            break
        t = high - f_high * (high - low) / (f_high - f_low)
        _, _, now = _panel(theta, mode, state, immune, response, log_ec50, 0.0, 0.0, a, t, knee, level)
        f_t = now - target
        if f_t >= 0.0:
            low, f_low, f_high = t, f_t, 0.5 * f_high
        else:
            high, f_high, f_low = t, f_t, 0.5 * f_low
        if f_t == 0.0:
            break
    return high


@jit()
def integrate(theta, mode, state, immune, response, subject, onset_rate, t0, end, work, edges):
    """Accumulate both hazards from the last event to ``end`` days after it, or to onset; returns where it
    stopped and the effect there. Sets ONSET_TIME, LOSS_TIME, the hazards and the relapse clock; amounts and effect
    are left alone."""
    v = theta[at.V1]
    k = response[at.K_EFFECT]
    threshold, log_ec50 = subject[at.ONSET_THRESHOLD], subject[at.LOG_EC50]
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
    level = state[at.EFFECT]
    # before the first drug there is no stimulus that could wane
    waning = immune[at.WANING] if state[at.FIRST_DRUG] < math.inf else 0.0
    onset_rate *= math.exp(-waning * (t0 - state[at.FIRST_DRUG])) if waning > 0.0 else 1.0
    a = 0.0
    while a < end:
        count = _lay_out(a, end, knee, since, longest, fastest, work, edges)
        n = (5 * count + _PAD - 1) // _PAD * _PAD
        _levels(n, theta, mode, state, work)
        _integrands(n, v, immune, response, log_ec50, onset_rate, waning, work)
        for panel in range(count):
            a, b = edges[panel], edges[panel + 1]
            j = 5 * panel
            onset, loss, last = 0.0, 0.0, level
            if onset_rate > 0.0:
                for i in range(j, j + 4):
                    onset += work[_W, i] * work[_G, i]
            if k > 0.0:
                area, late = 0.0, 0.0
                for i in range(j, j + 4):
                    e = work[_W, i] * work[_X, i]
                    area += e
                    late += e * work[_EU, i]
                last, loss = _follow(response, level, b - a, work[_EU, j + 4], area, late)
            hit = onset_rate > 0.0 and state[at.ONSET_HAZARD] + onset >= threshold
            if hit:
                total = onset
                onset = threshold - state[at.ONSET_HAZARD]
                b = _crossing(
                    theta,
                    mode,
                    state,
                    immune,
                    response,
                    log_ec50,
                    onset_rate,
                    waning,
                    a,
                    b,
                    knee,
                    level,
                    0,
                    onset,
                    total,
                )
                _, loss, last = _panel(
                    theta, mode, state, immune, response, log_ec50, onset_rate, waning, a, b, knee, level
                )
                state[at.ONSET_TIME] = t0 + b
            if state[at.LOSS_TIME] == math.inf and state[at.LOSS_HAZARD] + loss >= state[at.LOSS_TARGET]:
                missing = state[at.LOSS_TARGET] - state[at.LOSS_HAZARD]
                state[at.LOSS_TIME] = t0 + _crossing(
                    theta,
                    mode,
                    state,
                    immune,
                    response,
                    log_ec50,
                    onset_rate,
                    waning,
                    a,
                    b,
                    knee,
                    level,
                    1,
                    missing,
                    loss,
                )
            state[at.ONSET_HAZARD] += onset
            state[at.LOSS_HAZARD] += loss
            if last >= response[at.E_RELAPSE]:
                state[at.BELOW_SINCE] = math.inf
            elif level >= response[at.E_RELAPSE]:
                state[at.BELOW_SINCE] = t0 + _fall_time(
                    theta, mode, state, immune, response, log_ec50, a, b, knee, level, last
                )
            level = last
            if hit:
                return b, level
        a = edges[count]
    return end, level
