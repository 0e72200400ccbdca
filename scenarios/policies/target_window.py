"""Proactive monitoring: keep the trough inside a target window, as TAXIT did.

Below the window the interval is shortened stepwise and then the dose is raised; above it the dose is lowered to
where it started and then the interval is lengthened. The result of a sample arrives after the infusion, so it
changes the next appointment and the next dose, never today's.

Source: Vande Casteele N et al. Gastroenterology 2015;148:1320-9, doi:10.1053/j.gastro.2015.02.031 (the
direction of its steps; their sizes here are parameters).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.errors import InputError
from scenarios.amounts import in_mg, raised
from scenarios.visit import Orders, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustToWindow:
    """Adjust to a window.

    Parameters
    ----------
    target
        Window as text, e.g. "4-7 ug/mL".
    min_interval, max_interval, interval_step
        Limits and size of a step of the interval.
    dose_step, max_dose
        Size of a step of the dose and its cap.
    """

    needs_levels: ClassVar[bool] = True
    target: str
    min_interval: str = "4 weeks"
    max_interval: str = "12 weeks"
    interval_step: str = "2 weeks"
    dose_step: str = "2.5 mg/kg"
    max_dose: str = "10 mg/kg"
    _reasons: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _window: tuple[float, float] = field(init=False, repr=False)
    _days: tuple[float, float, float] = field(init=False, repr=False)
    _doses: tuple[units.Amount, units.Amount] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        days = (
            units.time_d(self.min_interval),
            units.time_d(self.max_interval),
            units.time_d(self.interval_step),
        )
        if not 0.0 < days[0] <= days[1] or days[2] <= 0.0:
            raise InputError.one(
                f"interval limits {self.min_interval} to {self.max_interval} in steps of {self.interval_step}",
                "give a positive minimum, a maximum not below it and a positive step",
                key="min_interval",
            )
        reasons = (
            "",
            f"trough {{level}}, below {self.target}",
            f"trough {{level}}, above {self.target}",
            f"trough {{level}}, within {self.target}",
        )
        object.__setattr__(self, "_reasons", reasons)
        object.__setattr__(self, "_window", units.window(self.target))
        object.__setattr__(self, "_days", days)
        object.__setattr__(self, "_doses", (units.dose(self.dose_step), units.dose(self.max_dose)))

    def __call__(self, visit: Visit) -> Orders:
        """Today's dose as planned; the plan after it by today's sample."""
        low, high = self._window
        shortest, longest, step = self._days
        raise_by, cap = (in_mg(amount, visit.weight) for amount in self._doses)
        judged = visit.new_result & visit.at_dose & visit.in_maintenance
        below = judged & (visit.below_lloq | (visit.level < low))
        above = judged & ~visit.below_lloq & (visit.level > high)

        can_shorten = visit.interval > shortest
        can_lower = visit.dose > visit.first_dose
        interval = np.where(below & can_shorten, np.maximum(visit.interval - step, shortest), visit.interval)
        interval = np.where(above & ~can_lower, np.minimum(interval + step, longest), interval)
        dose = np.where(below & ~can_shorten, raised(visit.dose, raise_by, cap), visit.dose)
        dose = np.where(above & can_lower, np.maximum(visit.dose - raise_by, visit.first_dose), dose)
        reason = np.select([below, above, judged], [1, 2, 3], 0)
        return Orders(
            give=visit.due, amount=visit.dose, dose=dose, interval=interval, reason=reason, reasons=self._reasons
        )
