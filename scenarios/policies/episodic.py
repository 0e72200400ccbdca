"""On demand: after the planned doses, an infusion whenever the disease has come back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from scenarios.visit import Orders, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodic:
    """Re-treat at relapse.

    Parameters
    ----------
    earliest
        No re-treatment before this time (ACCENT I: from week 14 on).
    latest
        No re-treatment from this time on (a trial's last infusion); default none.
    min_gap
        Shortest time between two infusions, as a clinic would keep it.
    dose
        Dose on demand; default the regimen's last planned dose.
    """

    needs_levels: ClassVar[bool] = False
    earliest: str = "14 weeks"
    min_gap: str = "4 weeks"
    dose: str | None = None
    latest: str | None = None
    _earliest_d: float = field(init=False, repr=False)
    _latest_d: float = field(init=False, repr=False)
    _gap_d: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_earliest_d", units.time_d(self.earliest))
        object.__setattr__(self, "_latest_d", math.inf if self.latest is None else units.time_d(self.latest))
        object.__setattr__(self, "_gap_d", units.time_d(self.min_gap))
        if self.dose is not None:
            units.dose(self.dose)

    def __call__(self, visit: Visit) -> Orders:
        """Planned doses, and a dose for whoever has relapsed."""
        planned = visit.as_planned()
        demand = visit.relapsed & (visit.days_since_dose >= self._gap_d)
        demand &= (visit.day >= self._earliest_d) & (visit.day < self._latest_d)
        amount = planned.amount
        if self.dose is not None:
            text = units.dose(self.dose)
            on_demand = text.value * visit.weight if text.per_weight else np.full_like(amount, text.value)
            amount = np.where(planned.give, amount, on_demand)
        return Orders(give=planned.give | demand, amount=amount, dose=planned.dose, interval=planned.interval)
