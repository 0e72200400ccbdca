"""The choice by the trough at steady state, for many patients at once: from draws of parameters to a cell each.

Made for policies that decide at every visit of a trial: closed forms instead of simulations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError
from pkmodel.kernels import layout as at
from pkmodel.windows import TargetWindow
from scenarios.whatif.choosing import Choice, choose_cells, line_probabilities
from scenarios.whatif.grid import DAYS_PER_YEAR, Grid, Limits, Option

Floats = NDArray[np.float64]


def steady_slopes(theta: Floats, intervals: Floats, duration: float, route: str) -> Floats:
    """Trough at steady state per mg of dose, mg/L, for linear one- and two-compartment models.

    Parameters
    ----------
    theta
        (patient, draw, parameter), order of ``pkmodel.structure.PARAMETERS``.
    intervals
        (interval,) days.
    duration
        Of an infusion, days; 0 is a bolus. Ignored for "sc".
    route
        "iv" or "sc".

    Returns
    -------
    (patient, interval, draw)

    Raises
    ------
    InputError
        If the model has no such closed form (``theta`` then has more columns).

    Notes
    -----
    For "iv" the sum of the two exponentials of a two-compartment model, each as the geometric series of an endless
    past (Gibaldi and Perrier, Pharmacokinetics, 2nd ed., chapter 3)::

        sum_i A_i / (T s_i) (1 - exp(-s_i T)) exp(-s_i (tau - T)) / (1 - exp(-s_i tau))

    For "sc" each is convolved with absorption, t being the time since the last dose arrived (tau without a lag)::

        sum_i A_i F ka/(ka - s_i) (exp(-s_i t)/(1 - exp(-s_i tau)) - exp(-ka t)/(1 - exp(-ka tau)))

    Where ka and s_i agree to 1e-6, ka is taken 1e-6 larger: equal rates would need a case of their own.
    """
    patients, draws, columns = theta.shape
    if columns > at.N_THETA:
        problem = "a steady state of a model with saturation, three compartments or zero-order absorption"
        raise InputError.one(problem, "choose by search_patient, which forecasts", key="model")
    out = np.empty((patients, len(intervals), draws))
    cl, v1, q, v2 = (theta[:, :, column] for column in (at.CL, at.V1, at.Q, at.V2))
    k10, k12, k21 = cl / v1, q / v1, q / v2
    total = k10 + k12 + k21
    fast = (total + np.sqrt(total**2 - 4.0 * k10 * k21)) / 2.0
    slow = np.where(q > 0.0, k10 * k21 / fast, 0.0)  # without exchange one exponential is left
    weight = np.where(q > 0.0, (fast - k21) / np.where(q > 0.0, fast - slow, 1.0), 1.0)
    parts = [(fast, weight / v1), (np.where(q > 0.0, slow, 1.0), np.where(q > 0.0, 1.0 - weight, 0.0) / v1)]
    for number, interval in enumerate(intervals):
        level = np.zeros((patients, draws))
        for rate, share in parts:
            if route == "sc":
                level += share * _absorbed(theta, rate, float(interval))
                continue
            given = np.ones_like(rate) if duration == 0.0 else -np.expm1(-rate * duration) / (rate * duration)
            level += share * given * np.exp(-rate * (interval - duration)) / -np.expm1(-rate * interval)
        out[:, number, :] = level
    return out


def _absorbed(theta: Floats, rate: Floats, interval: float) -> Floats:
    """(patient, draw) what an endless row of depot doses of 1 mg leaves of one exponential at the time of the next."""
    ka = theta[:, :, at.KA]
    ka = np.where(np.abs(ka - rate) < 1e-6 * ka, (1.0 + 1e-6) * rate, ka)
    t = interval - np.mod(theta[:, :, at.LAG], interval)
    slow, fast = (np.exp(-k * t) / -np.expm1(-k * interval) for k in (rate, ka))
    return np.asarray(theta[:, :, at.F] * ka / (ka - rate) * (slow - fast))


def steady_probabilities(theta: Floats, weight: Floats, target: TargetWindow, grid: Grid, *, route: str) -> Floats:
    """Probability (patient, cell) of a steady trough in the window; the arguments of :func:`choose_steady`."""
    slope = steady_slopes(theta, np.array(grid.intervals), grid.duration, route)
    chances = line_probabilities(np.zeros_like(slope), slope, _milligrams(grid, weight), target)
    return chances.reshape(weight.size, -1)


def choose_by(
    chances: Floats, weight: Floats, grid: Grid, *, probability: float, limits: Limits | None = None
) -> tuple[Choice, tuple[Option, ...]]:
    """The choice of :func:`choose_steady`, from probabilities (patient, cell) of the target."""
    options = tuple(Option(dose=dose, interval=days) for days in grid.intervals for dose in grid.doses)
    intervals = np.repeat(grid.intervals, len(grid.doses))
    given = np.tile(_milligrams(grid, weight), (1, len(grid.intervals)))
    allowed = (limits or grid.limits).allow(given, weight, intervals)
    return choose_cells(chances, np.round(given * DAYS_PER_YEAR / intervals, 3), probability, allowed), options


def _milligrams(grid: Grid, weight: Floats) -> Floats:
    """(patient, dose) mg of the grid's doses."""
    return np.stack([Option(dose=dose, interval=1.0).milligrams(weight) for dose in grid.doses], axis=1)


def choose_steady(
    theta: Floats,
    weight: Floats,
    target: TargetWindow,
    grid: Grid,
    *,
    probability: float,
    route: str,
    limits: Limits | None = None,
) -> tuple[Choice, tuple[Option, ...]]:
    """The cheapest allowed cell for each patient whose steady trough is in the window with the asked probability.

    Parameters
    ----------
    theta
        (patient, draw, parameter) draws from each patient's posterior.
    weight
        (patient,) kg.
    target, grid, probability, limits
        As in :func:`scenarios.whatif.search_population`; a budget is one of each patient here.
    route
        "iv" or "sc".

    Returns
    -------
    The choice, and the options that its cells number.
    """
    chances = steady_probabilities(theta, weight, target, grid, route=route)
    return choose_by(chances, weight, grid, probability=probability, limits=limits)
