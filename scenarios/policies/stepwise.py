"""Stepwise adjustment to a trough, as simulated by Wojciechowski and others.

Source: Wojciechowski J et al. AAPS J 2017;19:1136-47, doi:10.1208/s12248-017-0082-8, as in the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.errors import InputError
from scenarios.amounts import in_mg, raised
from scenarios.visit import Orders, Visit

_REASONS = (
    "",
    "the six-weekly dose was meant for once: back to the long interval whatever the level",
    "level {level}, very low: a rung up, and the next dose earlier",
    "level {level}, very low: a shorter interval",
    "level {level}, low: a little more",
    "level {level}, high enough",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepwise:
    """Up by rungs when the level is very low, by small steps when it is low; never down.

    Very low (below ``very_low``): from the long interval a ``rung`` more and the middle interval next; at the
    cap, or already at a short interval, the short interval. A middle interval below the cap serves once: at the
    next dose the plan goes back to the long one whatever the level. Low (below ``low``): ``step`` more. The
    published algorithm also has a branch that lowers the dose by ``step`` at a high level. It can never fire,
    because the branch before it, "high enough", already catches every such level; it is left out here.

    Parameters
    ----------
    very_low, low
        Limits of the level.
    rung, step, max_dose
        Sizes of the two steps of the dose, and its cap.
    long, middle, short
        Intervals.
    """

    needs_levels: ClassVar[bool] = True
    very_low: str = "1 ug/mL"
    low: str = "3 ug/mL"
    rung: str = "2.5 mg/kg"
    step: str = "50 mg"
    max_dose: str = "10 mg/kg"
    long: str = "8 weeks"
    middle: str = "6 weeks"
    short: str = "4 weeks"
    _limits: tuple[float, float] = field(init=False, repr=False)
    _amounts: tuple[units.Amount, units.Amount, units.Amount] = field(init=False, repr=False)
    _days: tuple[float, float, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        limits = (units.concentration(self.very_low), units.concentration(self.low))
        days = (units.time_d(self.long), units.time_d(self.middle), units.time_d(self.short))
        if not limits[0] <= limits[1]:
            raise InputError.one(f"{self.very_low} is above {self.low}", "exchange them", key="very_low")
        if not days[0] > days[1] > days[2] > 0.0:
            raise InputError.one("the intervals do not fall from long to short", "order them", key="middle")
        object.__setattr__(self, "_limits", limits)
        object.__setattr__(self, "_amounts", tuple(map(units.dose, (self.rung, self.step, self.max_dose))))
        object.__setattr__(self, "_days", days)

    def __call__(self, visit: Visit) -> Orders:
        """Today's dose and the next interval by the result in hand."""
        very_low, low = self._limits
        rung, step, cap = (in_mg(amount, visit.weight) for amount in self._amounts)
        long, middle, short = self._days
        judged = visit.due & visit.in_maintenance & np.isfinite(visit.sampled_day)
        level = np.where(visit.below_lloq, 0.0, visit.level)
        returning = judged & (visit.interval == middle) & (visit.dose < cap)
        lowest = judged & ~returning & (level < very_low)
        up = lowest & (visit.interval > middle)
        little = judged & ~returning & ~lowest & (level < low)

        dose = np.where(up, raised(visit.dose, rung, cap), visit.dose)
        dose = np.where(little, raised(visit.dose, step, cap), dose)
        interval = np.where(up, middle, np.where(lowest, short, np.where(returning, long, visit.interval)))
        fine = judged & ~returning & ~lowest & ~little
        reason = np.select([returning, up, lowest, little, fine], [1, 2, 3, 4, 5], 0)
        return Orders(give=visit.due, amount=dose, dose=dose, interval=interval, reason=reason, reasons=_REASONS)
