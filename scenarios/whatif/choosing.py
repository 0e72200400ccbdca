"""The choice itself, for many patients at once: the cheapest cell that meets the target, else the likeliest one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.windows import TargetWindow

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """One cell for each patient.

    Attributes
    ----------
    cell
        (patient,) number of the chosen cell; -1 where none is allowed.
    probability
        (patient,) probability of its trough to lie in the window; NaN where none is allowed.
    met
        (patient,) whether that is at least what was asked.
    """

    cell: NDArray[np.int64]
    probability: Floats
    met: NDArray[np.bool_]


def line_probabilities(base: Floats, slope: Floats, milligrams: Floats, target: TargetWindow) -> Floats:
    """Probability of the window for every patient, interval and dose.

    Parameters
    ----------
    base, slope
        (patient, interval, draw): trough without a further dose, and per mg of it (disposition is linear).
    milligrams
        (dose,), or (patient, dose) where doses go by weight.

    Returns
    -------
    (patient, interval, dose) share of draws in the window, bounds included.
    """
    doses = np.broadcast_to(milligrams, (base.shape[0], np.shape(milligrams)[-1]))
    found = np.empty((base.shape[0], base.shape[1], doses.shape[1]))
    for number in range(doses.shape[1]):  # one dose at a time: the whole product would not fit in memory
        levels = base + slope * doses[:, number, None, None]
        found[:, :, number] = np.mean((levels >= target.low) & (levels <= target.high), axis=2)
    return found


def choose_cells(
    probability: Floats, drug_per_year: Floats, asked: float, allowed: NDArray[np.bool_] | None = None
) -> Choice:
    """The cheapest allowed cell that reaches ``asked``; where none does, the likeliest, the cheaper of equals.

    Parameters
    ----------
    probability
        (patient, cell) probability of the target.
    drug_per_year
        (cell,) or (patient, cell) mg per year.
    asked
        Probability to be reached.
    allowed
        (cell,) or (patient, cell); None for all.
    """
    cost = np.broadcast_to(drug_per_year, probability.shape)
    open_ = np.ones(probability.shape, np.bool_) if allowed is None else np.broadcast_to(allowed, probability.shape)
    enough = open_ & (probability >= asked)
    met = np.asarray(enough.any(axis=1))
    # lexsort: the last key counts most
    cheapest = _first(np.where(enough, cost, np.inf), -probability)
    likeliest = _first(np.where(open_, -probability, np.inf), cost)
    cell = np.where(met, cheapest, likeliest)
    none = ~open_.any(axis=1)
    best = probability[np.arange(cell.size), cell]
    return Choice(cell=np.where(none, -1, cell), probability=np.where(none, np.nan, best), met=met)


def _first(most: Floats, then: Floats) -> NDArray[np.int64]:
    """(patient,) the cell with the smallest ``most``, ties broken by ``then``."""
    return np.asarray(np.lexsort((then, most), axis=1)[:, 0], dtype=np.int64)
