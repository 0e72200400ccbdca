"""How predicted levels change with the random effects: one walk through the record for all of them.

Amounts follow x' = M x + r, with M and r of the interval's parameters; so the derivative of x by any random effect
follows s' = M s + dM/dz x + dr/dz, where the last two are there only while the effect is in force. A between-occasion
effect of long ago thus costs one product with M per interval, instead of a walk of its own: with a random effect for
every dose, that is what makes the search linear and not quadratic in the number of visits. dM x + dr is a finite
difference of one interval. Dose into the depot: by walks, because arrivals wait for a lag.
"""

from __future__ import annotations

import math

from pkmodel.kernels import layout as at
from pkmodel.kernels import linear
from pkmodel.kernels._jit import jit
from pkmodel.kernels.individual import etas, individual
from pkmodel.kernels.prediction import is_integrated, walk
from pkmodel.kernels.records import BOLUS, EPOCH, INFUSION, INFUSION_END, OCCASION, RESET, SAMPLE

# steps of forward differences: in z of a walk, in the logarithm of a parameter of an interval; where the prediction is
# integrated it is good to about 1e-8 only
_STEP, _STEP_INTEGRATED = 1e-7, 1e-4
_COLUMNS = 4  # CL, V1, Q, V2: what disposition depends on
N_WORK = 7 * _COLUMNS  # numbers of work space beside the sensitivities


@jit()
def jacobian_of(b, patient, z, f, shifted, jacobian, eta, carried, nearby, work):
    """Derivatives (level, z) of the levels, whose predictions at z are f.

    ``carried`` is (z, 2), ``nearby`` (N_WORK,) and ``work`` (:func:`pkmodel.kernels.prediction.room`,) work space.
    """
    if not is_integrated(b) and b.depot_offsets[patient] == b.depot_offsets[patient + 1]:
        _in_one_walk(b, patient, z, jacobian, eta, work[: at.N_THETA], carried, nearby)
        return
    h = _STEP_INTEGRATED if is_integrated(b) else _STEP
    for a in range(z.size):
        kept = z[a]
        z[a] = kept + h
        walk(b, patient, z, shifted, eta, work)
        z[a] = kept
        for i in range(f.size):
            jacobian[i, a] = (shifted[i] - f[i]) / h


@jit()
def _modes_nearby(theta, varies, nearby):
    """Modes with each of the parameters that vary a little larger, six numbers for each."""
    for c in range(_COLUMNS):
        if varies[c] > 0.0:
            kept = theta[c]
            theta[c] = kept * math.exp(_STEP)
            mode = linear.modes(theta, 1.0)
            for i in range(6):
                nearby[6 * c + i] = mode[i]
            theta[c] = kept


@jit()
def _transition(mode, t):
    """M of :func:`linear.carry` without input."""
    k12, k21, alpha, beta, p_alpha, p_beta = mode
    share = k21 / (alpha - beta)
    ea, eb = math.exp(-alpha * t), math.exp(-beta * t)
    if k12 == 0.0:
        return p_alpha * ea + p_beta * eb, share * (eb - ea), 0.0, 0.0
    first, second = k12 / (k21 - alpha), k12 / (k21 - beta)
    return (
        p_alpha * ea + p_beta * eb,
        share * (eb - ea),
        first * p_alpha * ea + second * p_beta * eb,
        share * (second * eb - first * ea),
    )


@jit()
def _in_one_walk(b, patient, z, jacobian, eta, theta, carried, work):
    """As :func:`jacobian_of` without depot: the same order of entries as :func:`pkmodel.kernels.prediction.walk`."""
    n, m, d = b.eta_columns.size, b.iov_columns.size, z.size
    varies, nearby = work[:_COLUMNS], work[_COLUMNS:]
    varies[:] = 0.0
    for i in range(n):
        if b.eta_columns[i] < _COLUMNS:
            varies[b.eta_columns[i]] = 1.0
    for i in range(m):
        if b.iov_columns[i] < _COLUMNS:
            varies[b.iov_columns[i]] = 1.0
    carried[:] = 0.0
    jacobian[:] = 0.0
    etas(b, z, eta)
    j, stop = b.entry_offsets[patient], b.entry_offsets[patient + 1]
    epoch, occasion = int(b.value[j]), 0
    t = b.time[j]
    individual(b, epoch, occasion, z, eta, theta)
    mode = linear.modes(theta, 1.0)
    _modes_nearby(theta, varies, nearby)
    a_c, a_p, rate = 0.0, 0.0, 0.0
    running, k = 0, 0
    while j < stop:
        dt = b.time[j] - t
        own = n + m * occasion  # where the effects of this occasion lie, if it has any
        living = min(own + m, d)  # effects of later occasions have done nothing yet
        if dt > 0.0:
            c_next, p_next = linear.carry(theta, mode, 0.0, a_c, a_p, rate, dt)
            m11, m12, m21, m22 = _transition(mode, dt)
            for a in range(living):
                s_c, s_p = carried[a, 0], carried[a, 1]
                carried[a, 0] = m11 * s_c + m12 * s_p
                carried[a, 1] = m21 * s_c + m22 * s_p
            for c in range(_COLUMNS):
                if varies[c] == 0.0:
                    continue
                near = (
                    nearby[6 * c], nearby[6 * c + 1], nearby[6 * c + 2], nearby[6 * c + 3], nearby[6 * c + 4],
                    nearby[6 * c + 5],
                )  # fmt: skip
                c_near, p_near = linear.carry(theta, near, 0.0, a_c, a_p, rate, dt)
                d_c, d_p = (c_near - c_next) / _STEP, (p_near - p_next) / _STEP
                for i in range(n):
                    if b.eta_columns[i] == c:
                        for a in range(i + 1):
                            carried[a, 0] += b.chol[i, a] * d_c
                            carried[a, 1] += b.chol[i, a] * d_p
                if own + m <= d:
                    for i in range(m):
                        if b.iov_columns[i] == c:
                            carried[own + i, 0] += b.iov_sd[i] * d_c
                            carried[own + i, 1] += b.iov_sd[i] * d_p
            a_c, a_p = c_next, p_next
            t = b.time[j]
        kind = b.kind[j]
        if kind == SAMPLE:
            if a_c > 0.0:
                for a in range(living):
                    jacobian[k, a] = carried[a, 0] / theta[at.V1]
                level = a_c / theta[at.V1]
                for i in range(n):
                    if b.eta_columns[i] == at.V1:
                        for a in range(i + 1):
                            jacobian[k, a] -= b.chol[i, a] * level
                if own + m <= d:
                    for i in range(m):
                        if b.iov_columns[i] == at.V1:
                            jacobian[k, own + i] -= b.iov_sd[i] * level
            k += 1
        elif kind == INFUSION:
            rate += b.value[j]
            running += 1
        elif kind == INFUSION_END:
            running -= 1
            rate = rate - b.value[j] if running > 0 else 0.0
        elif kind == BOLUS:
            a_c += b.value[j]
        elif kind == RESET:
            a_c, a_p = 0.0, 0.0
            carried[:] = 0.0
        else:
            if kind == EPOCH:
                epoch = int(b.value[j])
            elif kind == OCCASION:
                occasion += 1
            individual(b, epoch, occasion, z, eta, theta)
            mode = linear.modes(theta, 1.0)
            _modes_nearby(theta, varies, nearby)
        j += 1
