"""The quick road for trials: many patients at every visit, one warm start each, Fisher information for the covariance.

Newton polish and exact Hessian of :mod:`pkmodel.kernels.estimate` are left out where scoring converges: it goes on
until a step is so short that the objective is within 1e-6 of its minimum.
"""

from __future__ import annotations

import numba
import numpy as np

from pkmodel.kernels._jit import jit
from pkmodel.kernels.estimate import TOO_MANY_STEPS, cholesky, fisher, polish, search, solve
from pkmodel.kernels.prediction import room, walk

_CLOSE = 1e-4  # a step of this length ends the search


@jit(allocates=True)
def _follow(b, patient, z, covariance):
    """Search from z (changed in place): (status, objective). Covariance is twice the inverse of the Fisher-scoring
    Hessian."""
    d = z.size
    levels = b.level_offsets[patient + 1] - b.level_offsets[patient]
    status, best = search(b, patient, z, levels, -1, _CLOSE)
    hessian, factor, unit = np.empty((d, d)), np.empty((d, d)), np.empty(d)
    if status == TOO_MANY_STEPS:
        status, best = polish(b, patient, z, levels, hessian)
    fisher(b, patient, z, levels, hessian)
    cholesky(hessian, factor, 0.0)
    for a in range(d):
        for c in range(d):
            unit[c] = 2.0 if a == c else 0.0
        solve(factor, unit, covariance[a])
    return status, best


@jit(allocates=True, parallel=True)
def follow_parallel(b, z, covariance, objectives, status):
    """MAP (patient, z), changed in place from warm starts, covariance (patient, z, z) and S of many patients."""
    for patient in numba.prange(status.size):
        status[patient], objectives[patient] = _follow(b, patient, z[patient], covariance[patient])


@jit(allocates=True)
def follow_serial(b, z, covariance, objectives, status):
    """As :func:`follow_parallel` on the calling thread; the same bits."""
    for patient in range(status.size):
        status[patient], objectives[patient] = _follow(b, patient, z[patient], covariance[patient])


@jit(allocates=True, parallel=True)
def predict_parallel(b, z, out):
    """Predictions (patient, draw, sample) for random effects (patient, draw, z)."""
    for patient in numba.prange(z.shape[0]):
        eta, work = np.empty(b.eta_columns.size), np.empty(room(b, patient))
        for draw in range(z.shape[1]):
            walk(b, patient, z[patient, draw], out[patient, draw], eta, work)


@jit(allocates=True)
def predict_serial(b, z, out):
    """As :func:`predict_parallel` on the calling thread; the same bits."""
    for patient in range(z.shape[0]):
        eta, work = np.empty(b.eta_columns.size), np.empty(room(b, patient))
        for draw in range(z.shape[1]):
            walk(b, patient, z[patient, draw], out[patient, draw], eta, work)
