"""Dose in proportion to a target trough, as simulated by Wojciechowski and others.

Source: Wojciechowski J et al. AAPS J 2017;19:1136-47, doi:10.1208/s12248-017-0082-8, as in the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.errors import InputError
from scenarios.amounts import in_mg
from scenarios.visit import Orders, Visit

_REASONS = (
    "",
    "level {level} calls for more than the cap: the cap, and more often",
    "level {level} calls for less than the floor: the floor, and less often",
    "level {level}: the dose in proportion to the target",
    "level {level}, near enough to the target",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportional:
    """Dose times target over level, outside a window that begins at the target.

    Where that is above ``max_dose`` (or nothing was measurable), the cap is given and the interval shortened by a
    step; where it is below ``min_dose``, the floor is given and the interval lengthened.

    Parameters
    ----------
    target, high
        From ``target`` to below ``high`` nothing is changed.
    min_dose, max_dose
        Floor and cap.
    interval_step, min_interval, max_interval
        Step and limits of the interval.
    """

    needs_levels: ClassVar[bool] = True
    target: str = "3 ug/mL"
    high: str = "5 ug/mL"
    min_dose: str = "3 mg/kg"
    max_dose: str = "10 mg/kg"
    interval_step: str = "1 week"
    min_interval: str = "1 week"
    max_interval: str = "8 weeks"
    _levels: tuple[float, float] = field(init=False, repr=False)
    _doses: tuple[units.Amount, units.Amount] = field(init=False, repr=False)
    _days: tuple[float, float, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        levels = (units.concentration(self.target), units.concentration(self.high))
        days = tuple(map(units.time_d, (self.interval_step, self.min_interval, self.max_interval)))
        if not 0.0 < levels[0] < levels[1]:
            raise InputError.one(f"target {self.target} and high {self.high}", "give 0 < target < high", key="high")
        if not (days[0] > 0.0 and 0.0 < days[1] <= days[2]):
            raise InputError.one("a step and limits of the interval that do not fit", "order them", key="min_interval")
        object.__setattr__(self, "_levels", levels)
        object.__setattr__(self, "_doses", (units.dose(self.min_dose), units.dose(self.max_dose)))
        object.__setattr__(self, "_days", days)

    def __call__(self, visit: Visit) -> Orders:
        """Today's dose and the next interval by the result in hand."""
        target, high = self._levels
        step, shortest, longest = self._days
        floor, cap = (in_mg(amount, visit.weight) for amount in self._doses)
        judged = visit.due & visit.in_maintenance & np.isfinite(visit.sampled_day)
        measured = judged & ~visit.below_lloq & (visit.level > 0.0)
        level = np.where(measured, visit.level, 1.0)
        off = judged & (~measured | (level < target) | (level >= high))
        wanted = np.where(measured, visit.dose * target / level, np.inf)
        above, below = off & (wanted > cap), off & (wanted < floor)

        dose = np.where(off, np.clip(wanted, floor, cap), visit.dose)
        interval = np.where(above, np.maximum(visit.interval - step, shortest), visit.interval)
        interval = np.where(below, np.minimum(visit.interval + step, longest), interval)
        reason = np.select([above, below, off, judged], [1, 2, 3, 4], 0)
        return Orders(give=visit.due, amount=dose, dose=dose, interval=interval, reason=reason, reasons=_REASONS)
