"""What a clinic sees at a visit, and what it orders. A policy is a function from the first to the second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visit:
    """One visit of all patients; every array has shape (patient,). Nothing here is hidden truth.

    Attributes
    ----------
    day, number
        Day of the visit and its number within the trial.
    weight
        Body weight, kg.
    due
        The patient's plan asks for a dose today.
    dose, interval
        Planned dose (mg) of today or the next infusion, and days between maintenance doses.
    first_dose, first_interval
        What maintenance started with, mg and days: what "double" and "half" refer to.
    in_maintenance
        Induction is over.
    days_since_dose
        Days since the last dose; infinite before the first.
    sampled
        Blood was taken; where False the next four are empty (NaN, False, -1, -1).
    level, below_lloq
        Drug level as reported, ug/mL (NaN where below the limit of quantification, then the flag is set).
    antibody_sensitive, antibody_tolerant
        Results of the two antibody assays: 0 negative, 1 positive, 2 inconclusive, -1 not measured.
    lost_response
        A primary responder has lost response (at any time up to today).
    relapsed
        The disease of a patient has come back since the last dose.
    changes
        How often this policy has changed the patient's plan so far.
    """

    day: float
    number: int
    weight: Floats
    due: Flags
    dose: Floats
    interval: Floats
    first_dose: Floats
    first_interval: Floats
    in_maintenance: Flags
    days_since_dose: Floats
    sampled: Flags
    level: Floats
    below_lloq: Flags
    antibody_sensitive: NDArray[np.int8]
    antibody_tolerant: NDArray[np.int8]
    lost_response: Flags
    relapsed: Flags
    changes: NDArray[np.int64]

    def as_planned(self) -> Orders:
        """The orders that change nothing."""
        return Orders(give=self.due, amount=self.dose, dose=self.dose, interval=self.interval)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Orders:
    """What happens next; every array has shape (patient,).

    Attributes
    ----------
    give, amount
        Whether a dose is given today, and how many mg.
    dose, interval
        The plan from now on: mg of the next maintenance dose and days between doses.
    """

    give: Flags
    amount: Floats
    dose: Floats
    interval: Floats


class Policy(Protocol):
    """A dosing policy: a frozen dataclass with ``__call__``.

    ``needs_levels`` says whether it wants blood taken at every dose (policies that never look at a level leave
    it False and cost no assays).
    """

    needs_levels: bool

    def __call__(self, visit: Visit) -> Orders:
        """Orders for all patients at this visit."""
        ...
