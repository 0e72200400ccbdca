"""The quick road for trials: many patients at every visit, one warm start each, Fisher information for the covariance.

Newton polish and exact Hessian of :mod:`pkmodel.kernels.estimate` are left out where scoring converges. The
objective is then within about 1e-3 of its minimum.
"""

from __future__ import annotations

import numba
import numpy as np

from pkmodel.kernels._jit import jit
from pkmodel.kernels.estimate import TOO_MANY_STEPS, cholesky, fisher, polish, search, solve
from pkmodel.kernels.prediction import room, walk


@jit(allocates=True)
def _follow(b, patient, z, covariance):
    """Search from z (changed in place); covariance is twice the inverse of the Fisher-scoring Hessian: status."""
    d = z.size
    levels = b.level_offsets[patient + 1] - b.level_offsets[patient]
    status, _ = search(b, patient, z, levels, -1)
    hessian, factor, unit = np.empty((d, d)), np.empty((d, d)), np.empty(d)
    if status == TOO_MANY_STEPS:
        status, _ = polish(b, patient, z, levels, hessian)
    fisher(b, patient, z, levels, hessian)
    cholesky(hessian, factor, 0.0)
    for a in range(d):
        for c in range(d):
            unit[c] = 2.0 if a == c else 0.0
        solve(factor, unit, covariance[a])
    return status


@jit(allocates=True, parallel=True)
def follow_parallel(b, z, covariance, status):
    """MAP (patient, z), changed in place from warm starts, and covariance (patient, z, z) of many patients."""
    for patient in numba.prange(status.size):
        status[patient] = _follow(b, patient, z[patient], covariance[patient])


@jit(allocates=True)
def follow_serial(b, z, covariance, status):
    """As :func:`follow_parallel` on the calling thread; the same bits."""
    for patient in range(status.size):
        status[patient] = _follow(b, patient, z[patient], covariance[patient])


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
