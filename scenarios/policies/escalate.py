"""Empiric escalation: at loss of response, more drug without asking why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.errors import InputError, unknown_name
from scenarios.visit import Orders, Visit

_ACTIONS = ("double-dose", "halve-interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateOnLoss:
    """Double the dose or halve the interval, once, when a responder loses response.

    Parameters
    ----------
    action
        "double-dose" or "halve-interval".
    max_dose
        Cap, per kg or in mg (10 mg/kg is the highest labelled infliximab dose).
    """

    needs_levels: ClassVar[bool] = False
    action: str
    max_dose: str = "10 mg/kg"
    _cap: units.Amount = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.action not in _ACTIONS:
            raise unknown_name("action", self.action, _ACTIONS, key="action")
        cap = units.dose(self.max_dose)
        if cap.value <= 0.0:
            raise InputError.one(f"a cap of {self.max_dose}", "give a positive dose", key="max_dose")
        object.__setattr__(self, "_cap", cap)

    def __call__(self, visit: Visit) -> Orders:
        """As planned, with the new plan for whoever has just lost response."""
        now = visit.lost_response & (visit.changes == 0) & visit.in_maintenance
        dose, interval = visit.dose, visit.interval
        if self.action == "double-dose":
            cap = self._cap.value * visit.weight if self._cap.per_weight else np.full_like(dose, self._cap.value)
            dose = np.where(now, np.maximum(np.minimum(2.0 * dose, cap), dose), dose)
            return Orders(give=visit.due, amount=dose, dose=dose, interval=interval)
        interval = np.where(now, 0.5 * interval, interval)
        due = visit.due | (now & (visit.days_since_dose >= interval))
        return Orders(give=due, amount=dose, dose=dose, interval=interval)
