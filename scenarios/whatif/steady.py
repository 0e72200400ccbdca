"""The choice by the trough at steady state, for many patients at once: from draws of parameters to a cell each.

Made for policies that decide at every visit of a trial: closed forms instead of simulations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError
from pkmodel.kernels import layout as at
from pkmodel.nonmem.steady import steady_amounts
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

    For "sc" the matrix form of :mod:`pkmodel.nonmem.steady`, which needs no case for equal rates.
    """
    patients, draws, columns = theta.shape
    if columns > at.N_THETA:
        problem = "a steady state of a model with saturation, three compartments or zero-order absorption"
        raise InputError.one(problem, "choose by search_patient, which forecasts", key="model")
    out = np.empty((patients, len(intervals), draws))
    if route == "sc":
        flat = np.ascontiguousarray(theta.reshape(patients * draws, -1))
        one, injected = np.ones(flat.shape[0]), np.ones(flat.shape[0], np.bool_)
        for number, interval in enumerate(intervals):
            amounts = steady_amounts(flat, one, interval * one, 0.0 * one, injected)
            out[:, number, :] = (amounts[:, 1] / flat[:, at.V1]).reshape(patients, draws)
        return out
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
            given = np.ones_like(rate) if duration == 0.0 else -np.expm1(-rate * duration) / (rate * duration)
            level += share * given * np.exp(-rate * (interval - duration)) / -np.expm1(-rate * interval)
        out[:, number, :] = level
    return out


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
    options = tuple(Option(dose=dose, interval=days) for days in grid.intervals for dose in grid.doses)
    slope = steady_slopes(theta, np.array(grid.intervals), grid.duration, route)
    doses = np.stack([Option(dose=dose, interval=1.0).milligrams(weight) for dose in grid.doses], axis=1)
    chances = line_probabilities(np.zeros_like(slope), slope, doses, target).reshape(weight.size, -1)
    bounds = limits or grid.limits
    given = np.tile(doses, (1, len(grid.intervals)))
    per_year = given * DAYS_PER_YEAR / np.repeat(grid.intervals, len(grid.doses))
    allowed = bounds.allow(given, weight, np.repeat(grid.intervals, len(grid.doses)))
    return choose_cells(chances, np.round(per_year, 3), probability, allowed), options
