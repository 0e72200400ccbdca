"""Equations of a user's own, given as a numba function: one patient from dose to dose.

Method: the explicit Runge-Kutta pair of order 5(4) of Dormand JR, Prince PJ. J Comput Appl Math 1980;6:19-26,
doi:10.1016/0771-050X(80)90013-3, with its dense output of order 4 (Hairer E, Norsett SP, Wanner G. Solving Ordinary
Differential Equations I, 2nd ed. Springer 1993, section II.6). Explicit: equations much stiffer than their interesting
times need very many steps, and are refused after a hundred thousand rather than taken loosely.

Nothing here is saved on disk: machine code depends on the user's function.
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit

RELATIVE_TOLERANCE = 1e-9
_MIN_STEP = 1e-10
_MOST_STEPS = 100_000

_A21 = 1 / 5
_A31, _A32 = 3 / 40, 9 / 40
_A41, _A42, _A43 = 44 / 45, -56 / 15, 32 / 9
_A51, _A52, _A53, _A54 = 19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729
_A61, _A62, _A63, _A64, _A65 = 9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656
_B1, _B3, _B4, _B5, _B6 = 35 / 384, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84
_E1, _E3, _E4, _E5, _E6, _E7 = 71 / 57600, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40
_D1, _D3, _D4 = -12715105075 / 11282082432, 87487479700 / 32700410799, -10690763975 / 1880347072
_D5, _D6, _D7 = 701980252875 / 199316789632, -1453857185 / 822651844, 69997945 / 29380423


@jit(cached=False)
def _slopes(equations, t, y, p, rates, out):
    """The user's right-hand side, and what is being infused (mg/d into each state)."""
    for i in range(out.size):
        out[i] = 0.0
    equations(t, y, p, out)
    for i in range(out.size):
        out[i] += rates[i]


@jit(cached=False)
def _span(equations, y, p, t, t1, wanted, rates, absolute, times, k, out, work):
    """Carry y from t to t1: (status, step wanted next, next output). Outputs are all states."""
    k1, k2, k3, k4, k5, k6, k7, mid, new = work
    n = y.size
    _slopes(equations, t, y, p, rates, k1)
    for _ in range(_MOST_STEPS):
        left = t1 - t
        last = wanted >= left
        # two equal steps rather than a long one and a sliver
        h = left if last else min(wanted, 0.5 * left)
        for i in range(n):
            mid[i] = y[i] + h * _A21 * k1[i]
        _slopes(equations, t + 0.2 * h, mid, p, rates, k2)
        for i in range(n):
            mid[i] = y[i] + h * (_A31 * k1[i] + _A32 * k2[i])
        _slopes(equations, t + 0.3 * h, mid, p, rates, k3)
        for i in range(n):
            mid[i] = y[i] + h * (_A41 * k1[i] + _A42 * k2[i] + _A43 * k3[i])
        _slopes(equations, t + 0.8 * h, mid, p, rates, k4)
        for i in range(n):
            mid[i] = y[i] + h * (_A51 * k1[i] + _A52 * k2[i] + _A53 * k3[i] + _A54 * k4[i])
        _slopes(equations, t + 8.0 / 9.0 * h, mid, p, rates, k5)
        for i in range(n):
            mid[i] = y[i] + h * (_A61 * k1[i] + _A62 * k2[i] + _A63 * k3[i] + _A64 * k4[i] + _A65 * k5[i])
        _slopes(equations, t + h, mid, p, rates, k6)
        for i in range(n):
            new[i] = y[i] + h * (_B1 * k1[i] + _B3 * k3[i] + _B4 * k4[i] + _B5 * k5[i] + _B6 * k6[i])
        _slopes(equations, t + h, new, p, rates, k7)
        size = 0.0
        for i in range(n):
            error = h * (_E1 * k1[i] + _E3 * k3[i] + _E4 * k4[i] + _E5 * k5[i] + _E6 * k6[i] + _E7 * k7[i])
            share = abs(error) / (absolute + RELATIVE_TOLERANCE * max(abs(y[i]), abs(new[i])))
            size = max(size, share) if share < math.inf else math.inf
        scaled = h * min(5.0, max(0.1, 0.85 * max(size, 1e-6) ** -0.2)) if size < math.inf else 0.1 * h
        if not size <= 1.0:
            wanted = scaled
            if wanted < _MIN_STEP:
                return (at.STEP_TOO_SMALL if size < math.inf else at.NOT_FINITE), wanted, k
            continue
        reached = t1 if last else t + h
        while k < times.size and times[k] <= reached:
            x = 1.0 if times[k] == reached else (times[k] - t) / h
            for i in range(n):
                gap = new[i] - y[i]
                bend = h * k1[i] - gap
                rest = h * (_D1 * k1[i] + _D3 * k3[i] + _D4 * k4[i] + _D5 * k5[i] + _D6 * k6[i] + _D7 * k7[i])
                inner = bend + x * (gap - h * k7[i] - bend + (1.0 - x) * rest)
                out[k, i] = y[i] + x * (gap + (1.0 - x) * inner)
            k += 1
        wanted = max(wanted, scaled) if h < wanted else scaled
        for i in range(n):
            y[i] = new[i]
            k1[i] = k7[i]
        t = reached
        if last:
            return at.OK, wanted, k
    return at.TOO_MANY_STEPS, wanted, k


@jit(cached=False, allocates=True)
def _patient(equations, y, p, until, ev_time, ev_state, ev_amount, ev_rate, absolute, times, out):
    """One patient from day 0 to ``until``: status code."""
    work = np.empty((9, y.size))
    parts = (work[0], work[1], work[2], work[3], work[4], work[5], work[6], work[7], work[8])
    rates, running = np.zeros(y.size), np.zeros(y.size)
    k = 0
    while k < times.size and times[k] <= 0.0:
        out[k, :] = y
        k += 1
    t, wanted = 0.0, 0.5
    for j in range(ev_time.size + 1):
        t1 = min(ev_time[j], until) if j < ev_time.size else until
        if t1 > t:
            code, wanted, k = _span(equations, y, p, t, t1, wanted, rates, absolute, times, k, out, parts)
            if code != at.OK:
                return code
            t = t1
        if j == ev_time.size or ev_time[j] >= until:
            return at.OK
        i = ev_state[j]
        y[i] += ev_amount[j]
        if ev_rate[j] != 0.0:
            rates[i] += ev_rate[j]
            running[i] += 1.0 if ev_rate[j] > 0.0 else -1.0
            if running[i] == 0.0:
                rates[i] = 0.0
    return at.OK


@jit(cached=False, allocates=True)
def run(equations, y, p, until, offsets, ev_time, ev_state, ev_amount, ev_rate, absolute, times, out, status):
    """Patients one after the other; ``y`` (patient, state) is carried on, ``out`` is (patient, time, state).

    Releases the interpreter's lock: callers share patients out over threads. (Parallel loops of numba would triple
    the time it takes to compile, which everybody with a function of their own waits for.)
    """
    for row in range(y.shape[0]):
        a, z = offsets[row], offsets[row + 1]
        status[row] = _patient(
            equations, y[row], p[row], until, ev_time[a:z], ev_state[a:z], ev_amount[a:z], ev_rate[a:z], absolute,
            times, out[row],
        )  # fmt: skip
