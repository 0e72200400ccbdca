"""MAP estimation, many patients at once: Levenberg-Marquardt from several starts, then Newton, then Laplace.

The objective is S(z) = sum of l(f(z)) over levels + z'z, z being independent standard normals. Far from the minimum
the Hessian is taken as J' E[l''] J + 2 I (Fisher scoring), which is positive definite by construction; near it
as J' l'' J + sum l' d2f/dz2 + 2 I, which is exact. Derivatives of f are finite differences: f is closed form, good to
1e-15 (where it is not, to the integrator's tolerance), and z is scaled by its prior, so that the step needs no tuning.

Sources: More JJ. The Levenberg-Marquardt algorithm. Lecture Notes in Mathematics 1978;630:105-16; Nielsen HB.
Damping parameter in Marquardt's method. IMM-REP-1999-05 (the update of the damping).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from pkmodel.kernels._jit import jit
from pkmodel.kernels.likelihood import of_level
from pkmodel.kernels.prediction import is_integrated, room, walk
from pkmodel.kernels.slopes import N_WORK, jacobian_of

CONVERGED, TOO_MANY_STEPS, NO_PREDICTION = range(3)
# steps of second differences: truncation 1e-7, rounding 1e-9 of f; where f is integrated it is good to about 1e-8 only
_CURVE_STEP, _CURVE_STEP_INTEGRATED = 1e-3, 3e-3
CLOSE = 1e-3  # a step of this length (in prior standard deviations) hands over to Newton
_SETTLED = 0.1  # a step of this length ends the search with one coordinate held
_MOST = 40  # steps of scoring; where it crawls (a valley between two minima) Newton goes on from there
_MOST_NEWTON = 100


@jit()
def objective(b, patient, z, f, eta, work):
    """S(z); infinite where a level has no density."""
    walk(b, patient, z, f, eta, work)
    total = 0.0
    for k in range(z.size):
        total += z[k] * z[k]
    first = b.level_offsets[patient]
    for i in range(b.level_offsets[patient + 1] - first):
        total += of_level(b.level[first + i], b.lloq[first + i], f[i], b.residual)[0]
    return total if total == total else math.inf


@jit()
def _normal_equations(b, patient, z, f, shifted, jacobian, gradient, hessian, eta, carried, nearby, work):
    """Gradient and Fisher-scoring Hessian at z, whose predictions f are known."""
    d, first = z.size, b.level_offsets[patient]
    n = b.level_offsets[patient + 1] - first
    jacobian_of(b, patient, z, f, shifted, jacobian, eta, carried, nearby, work)
    for a in range(d):
        gradient[a] = 2.0 * z[a]
        for c in range(a + 1):
            hessian[a, c] = 2.0 if a == c else 0.0
    for i in range(n):
        _, slope, _, expected = of_level(b.level[first + i], b.lloq[first + i], f[i], b.residual)
        for a in range(d):
            if jacobian[i, a] == 0.0:
                continue  # an occasion behind the level
            gradient[a] += slope * jacobian[i, a]
            weighted = expected * jacobian[i, a]
            for c in range(a + 1):
                hessian[a, c] += weighted * jacobian[i, c]


@jit()
def _exact(b, patient, z, f, plus, minus, shifted, gradient, hessian, eta, work):
    """Gradient and exact Hessian at z; ``plus`` and ``minus`` are (z, level) work space."""
    d, first = z.size, b.level_offsets[patient]
    n = b.level_offsets[patient + 1] - first
    h = _CURVE_STEP_INTEGRATED if is_integrated(b) else _CURVE_STEP
    walk(b, patient, z, f, eta, work)
    for a in range(d):
        kept = z[a]
        z[a] = kept + h
        walk(b, patient, z, plus[a], eta, work)
        z[a] = kept - h
        walk(b, patient, z, minus[a], eta, work)
        z[a] = kept
    for a in range(d):
        gradient[a] = 2.0 * z[a]
        hessian[a, a] = 2.0
        for i in range(n):
            _, slope, curve, _ = of_level(b.level[first + i], b.lloq[first + i], f[i], b.residual)
            rise = (plus[a, i] - minus[a, i]) / (2.0 * h)
            gradient[a] += slope * rise
            hessian[a, a] += curve * rise * rise + slope * (plus[a, i] - 2.0 * f[i] + minus[a, i]) / (h * h)
        for c in range(a):
            kept_a, kept_c = z[a], z[c]
            z[a], z[c] = kept_a + h, kept_c + h
            walk(b, patient, z, shifted, eta, work)
            total = 0.0
            for i in range(n):
                _, slope, curve, _ = of_level(b.level[first + i], b.lloq[first + i], f[i], b.residual)
                bend = shifted[i] - plus[a, i] - plus[c, i] + 2.0 * f[i] - minus[a, i] - minus[c, i]
                total += slope * bend / (2.0 * h * h)
                total += curve * (plus[a, i] - minus[a, i]) * (plus[c, i] - minus[c, i]) / (4.0 * h * h)
            z[a], z[c] = kept_a - h, kept_c - h
            walk(b, patient, z, shifted, eta, work)
            z[a], z[c] = kept_a, kept_c
            for i in range(n):
                _, slope, _, _ = of_level(b.level[first + i], b.lloq[first + i], f[i], b.residual)
                total += slope * shifted[i] / (2.0 * h * h)
            hessian[a, c] = total


@jit()
def cholesky(matrix, factor, damping):
    """Lower factor of ``matrix`` with its diagonal times 1 + damping; False if it is not positive definite."""
    n = matrix.shape[0]
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j] * (1.0 + damping if i == j else 1.0)
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                factor[i, i] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    return True


@jit()
def solve(factor, right, x):
    """x with factor factor' x = right."""
    n = right.size
    for i in range(n):
        total = right[i]
        for k in range(i):
            total -= factor[i, k] * x[k]
        x[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, n):
            total -= factor[k, i] * x[k]
        x[i] = total / factor[i, i]


@jit()
def _hold(gradient, hessian, held):
    """Take one coordinate out of the normal equations."""
    gradient[held] = 0.0
    for a in range(gradient.size):
        hessian[max(a, held), min(a, held)] = 0.0
    hessian[held, held] = 2.0


@jit(allocates=True)
def search(b, patient, z, levels, held, close):
    """Levenberg-Marquardt from z (changed in place), at first without the coordinate ``held`` (-1: none), until the
    others are within a tenth of a standard deviation of where they then belong; until a step is shorter than ``close``:
    (status, objective)."""
    d = z.size
    f, shifted = np.empty(levels), np.empty(levels)
    jacobian = np.empty((levels, d))
    gradient, step, trial = np.empty(d), np.empty(d), np.empty(d)
    hessian, factor = np.empty((d, d)), np.empty((d, d))
    eta, work = np.empty(b.eta_columns.size), np.empty(room(b, patient))
    carried, nearby = np.empty((d, 2)), np.empty(N_WORK)
    best = objective(b, patient, z, f, eta, work)
    damping, growth = 1e-3, 2.0
    fresh = False
    for _ in range(_MOST):
        if not best < math.inf:
            return NO_PREDICTION, best
        if not fresh:
            _normal_equations(b, patient, z, f, shifted, jacobian, gradient, hessian, eta, carried, nearby, work)
            if held >= 0:
                _hold(gradient, hessian, held)
            fresh = True
        if not cholesky(hessian, factor, damping):
            return NO_PREDICTION, best
        solve(factor, gradient, step)
        longest = 0.0
        foreseen = 0.0
        for a in range(d):
            longest = max(longest, abs(step[a]))
            foreseen += step[a] * (0.5 * gradient[a] + 0.5 * damping * hessian[a, a] * step[a])
        # beyond two prior standard deviations the quadratic picture of an exponential is worthless
        shorten = min(1.0, 2.0 / longest) if longest > 0.0 else 1.0
        for a in range(d):
            trial[a] = z[a] - shorten * step[a]
        value = objective(b, patient, trial, shifted, eta, work)
        if value <= best:
            gain = (best - value) / max(foreseen, 1e-300)
            for a in range(d):
                z[a] = trial[a]
            for i in range(levels):
                f[i] = shifted[i]
            best = value
            fresh = False
            if held >= 0:
                if shorten * longest < _SETTLED:
                    held = -1
            elif shorten * longest < close:
                return CONVERGED, best
            damping *= max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3)
            growth = 2.0
        else:
            if longest < 1e-9:
                if held < 0:
                    return CONVERGED, best
                held = -1
                fresh = False
            damping *= growth
            growth *= 2.0
    return TOO_MANY_STEPS, best


@jit(allocates=True)
def fisher(b, patient, z, levels, hessian):
    """Fisher-scoring Hessian at z (lower triangle)."""
    f, shifted = np.empty(levels), np.empty(levels)
    eta, work = np.empty(b.eta_columns.size), np.empty(room(b, patient))
    walk(b, patient, z, f, eta, work)
    jacobian, gradient = np.empty((levels, z.size)), np.empty(z.size)
    carried, nearby = np.empty((z.size, 2)), np.empty(N_WORK)
    _normal_equations(b, patient, z, f, shifted, jacobian, gradient, hessian, eta, carried, nearby, work)


@jit(allocates=True)
def polish(b, patient, z, levels, hessian):
    """Newton steps from z (changed in place) and the exact Hessian at the end: (status, objective)."""
    d = z.size
    f, shifted = np.empty(levels), np.empty(levels)
    plus, minus = np.empty((d, levels)), np.empty((d, levels))
    gradient, step, trial = np.empty(d), np.empty(d), np.empty(d)
    factor = np.empty((d, d))
    eta, work = np.empty(b.eta_columns.size), np.empty(room(b, patient))
    best = objective(b, patient, z, f, eta, work)
    for _ in range(_MOST_NEWTON):
        _exact(b, patient, z, f, plus, minus, shifted, gradient, hessian, eta, work)
        damping = 0.0
        while not cholesky(hessian, factor, damping):
            # a saddle, or the shoulder of a hill: lean on the diagonal, which is then not positive either
            for a in range(d):
                hessian[a, a] = max(hessian[a, a], 2.0)
            damping = 2.0 * damping + 1e-2
        solve(factor, gradient, step)
        length = 1.0
        while True:
            longest = 0.0
            for a in range(d):
                trial[a] = z[a] - length * step[a]
                longest = max(longest, abs(length * step[a]))
            if longest < 1e-7:
                return CONVERGED, best
            value = objective(b, patient, trial, shifted, eta, work)
            if value <= best + 1e-12 * abs(best):
                break
            length *= 0.5
        for a in range(d):
            z[a] = trial[a]
        best = value
        if longest < 1e-5 and damping == 0.0:
            return CONVERGED, best  # the Hessian 1e-5 away is the Hessian
    return TOO_MANY_STEPS, best


@jit(allocates=True)
def _one(b, patient, z, held, offset, objectives, status, curvature, curvature_offset):
    """All starts of a patient, rows of ``z``; the best is polished and put first."""
    starts = z.shape[0]
    d = b.z_offsets[patient + 1] - b.z_offsets[patient]
    levels = b.level_offsets[patient + 1] - b.level_offsets[patient]
    winner = 0
    for start in range(starts):
        mine = z[start, offset : offset + d]
        code, value = search(b, patient, mine, levels, held[start], CLOSE)
        objectives[start, patient] = value
        if start == 0:
            status[patient] = code
        if value < objectives[winner, patient]:
            winner, status[patient] = start, code
    for a in range(offset, offset + d):
        z[0, a], z[winner, a] = z[winner, a], z[0, a]
    objectives[0, patient], objectives[winner, patient] = objectives[winner, patient], objectives[0, patient]
    hessian = np.empty((d, d))
    if status[patient] != NO_PREDICTION:
        status[patient], objectives[0, patient] = polish(b, patient, z[0, offset : offset + d], levels, hessian)
    for a in range(d):
        for c in range(a + 1):
            curvature[curvature_offset + a * d + c] = hessian[a, c]
            curvature[curvature_offset + c * d + a] = hessian[a, c]


@jit(allocates=True)
def fit_serial(b, z, held, objectives, status, curvature, curvature_offsets):
    """MAP of every patient on the calling thread.

    Parameters
    ----------
    b
        :class:`pkmodel.kernels.records.Records`.
    z
        (start, all random effects) starting points; the local minima on return, the best one in row 0.
    held
        (start,) random effect that a start holds fixed at first, -1 for none.
    objectives, status
        (start, patient) S at the minima; (patient,) codes of this module.
    curvature, curvature_offsets
        Hessians of S at the best minima, row by row, one patient after another.
    """
    for patient in range(status.size):
        _one(b, patient, z, held, b.z_offsets[patient], objectives, status, curvature, curvature_offsets[patient])


@jit(allocates=True, parallel=True)
def fit_parallel(b, z, held, objectives, status, curvature, curvature_offsets):
    """As :func:`fit_serial`, patients shared out over threads; the same bits."""
    for patient in numba.prange(status.size):
        _one(b, patient, z, held, b.z_offsets[patient], objectives, status, curvature, curvature_offsets[patient])
