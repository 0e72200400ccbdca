"""Amounts at steady state: the closed-form sum of the doses of an endless past.

With x' = M x between doses (depot, central, peripheral), one interval maps the amounts x before a dose to
exp(M tau) x + y, where y is what one dose leaves tau later.  At steady state x = (1 - exp(M tau))^-1 y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels import layout as at

Floats = NDArray[np.float64]

_DEPOT, _CENTRAL, _PERIPHERAL, _RATE = range(4)


def steady_amounts(
    theta: Floats, milligrams: Floats, interval: Floats, duration: Floats, injected: NDArray[np.bool_]
) -> Floats:
    """Amounts at the time of a steady-state dose record, that dose itself not counted.

    Parameters
    ----------
    theta
        (row, parameter) disposition during the steady state.
    milligrams, interval, duration
        (row,) mg, days between doses, days of infusion (0: bolus).
    injected
        (row,) True for a dose into the depot, which arrives after the absorption lag.

    Returns
    -------
    (row, 3): depot, central, peripheral, mg. With a lag, the state at the record, while the last dose but one is
    still the newest to have arrived.
    """
    m = _matrices(theta)
    whole = _exponential(m, interval)
    start = np.zeros((theta.shape[0], 4))
    infused = ~injected & (duration > 0)
    start[:, _DEPOT] = np.where(injected, milligrams * theta[:, at.F], 0.0)
    start[:, _CENTRAL] = np.where(~injected & ~infused, milligrams, 0.0)
    length = np.where(infused, duration, 0.0)
    start[:, _RATE] = np.divide(milligrams, length, out=np.zeros_like(milligrams), where=infused)
    ended = _apply(_exponential(m, length), start)
    ended[:, _RATE] = 0.0
    left = _apply(_exponential(m, interval - length), ended)[:, :3]
    before = np.asarray(np.linalg.solve(np.eye(3) - whole[:, :3, :3], left[:, :, None])[:, :, 0], dtype=np.float64)
    lag = np.where(injected, np.mod(theta[:, at.LAG], interval), 0.0)
    if not lag.any():
        return before
    arrived = np.concatenate([before, np.zeros((before.shape[0], 1))], axis=1)
    arrived[:, _DEPOT] += start[:, _DEPOT]
    waiting = _apply(_exponential(m, interval - lag), arrived)[:, :3]
    return np.where(lag[:, None] > 0, waiting, before)


def _matrices(theta: Floats) -> Floats:
    """(row, 4, 4) of x' = M x; the last entry of x is the running rate of infusion."""
    cl, v1, q, v2, ka = (theta[:, column] for column in (at.CL, at.V1, at.Q, at.V2, at.KA))
    m = np.zeros((theta.shape[0], 4, 4))
    m[:, _DEPOT, _DEPOT] = -np.where(ka > 0, ka, 1.0)  # without a depot nothing is in it; 0 would be singular
    m[:, _CENTRAL, _DEPOT] = ka
    m[:, _CENTRAL, _CENTRAL] = -(cl + q) / v1
    m[:, _CENTRAL, _PERIPHERAL] = q / v2
    m[:, _PERIPHERAL, _CENTRAL] = q / v1
    m[:, _PERIPHERAL, _PERIPHERAL] = np.where(q > 0, -q / v2, -1.0)
    m[:, _CENTRAL, _RATE] = 1.0
    return m


def _exponential(m: Floats, duration: Floats) -> Floats:
    from scipy.linalg import expm

    return np.asarray(expm(m * duration[:, None, None]))


def _apply(matrices: Floats, x: Floats) -> Floats:
    return np.asarray(np.einsum("nij,nj->ni", matrices, x))
