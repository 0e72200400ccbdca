"""Empiric escalation: at loss of response, more drug without asking why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.errors import InputError, unknown_name
from scenarios.amounts import in_mg, raised
from scenarios.visit import Orders, Visit

_ACTIONS = ("double-dose", "halve-interval", "shorten-interval")
_THEN = ("nothing", "switch-within-class", "switch-out-of-class")
_REASONS = ("", "response lost", "no response after escalation either")


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateOnLoss:
    """More drug when a responder loses response: once, or step by step.

    Parameters
    ----------
    action
        "double-dose" or "halve-interval", once; or "shorten-interval", by ``step`` down to ``min_interval``, again
        whenever response is (still) lost after ``wait``.
    max_dose
        Cap, per kg or in mg (10 mg/kg is the highest labelled infliximab dose).
    step, min_interval
        Of "shorten-interval" only: "2 weeks" and "4 weeks" where they are left out.
    then
        What is done if response does not come back: "nothing", "switch-within-class" or "switch-out-of-class".
    wait
        Time to leave an escalation before the next step.
    """

    needs_levels: ClassVar[bool] = False
    action: str
    max_dose: str = "10 mg/kg"
    step: str | None = None
    min_interval: str | None = None
    then: str = "nothing"
    wait: str = "12 weeks"
    _cap: units.Amount = field(init=False, repr=False)
    _wait_d: float = field(init=False, repr=False)
    _days: tuple[float, float] = field(init=False, repr=False)  # step and shortest interval

    def __post_init__(self) -> None:
        if self.action not in _ACTIONS:
            raise unknown_name("action", self.action, _ACTIONS, key="action")
        if self.then not in _THEN:
            raise unknown_name("action", self.then, _THEN, key="then")
        cap = units.dose(self.max_dose)
        if cap.value <= 0.0:
            raise InputError.one(f"a cap of {self.max_dose}", "give a positive dose", key="max_dose")
        object.__setattr__(self, "_cap", cap)
        object.__setattr__(self, "_wait_d", units.time_d(self.wait))
        for key in ("step", "min_interval"):
            given = getattr(self, key)
            if given is not None and self.action != "shorten-interval":
                raise InputError.one(f"action '{self.action}' does not use it", "leave it out", key=key)
            if given is not None and units.time_d(given) <= 0.0:
                raise InputError.one(f"'{given}' is no interval", "give a positive time", key=key)
        days = (units.time_d(self.step or "2 weeks"), units.time_d(self.min_interval or "4 weeks"))
        object.__setattr__(self, "_days", days)

    def __call__(self, visit: Visit) -> Orders:
        """As planned, with the new plan for whoever has just lost response."""
        now = visit.lost_response & visit.in_maintenance
        dose, interval, due = visit.dose, visit.interval, visit.due
        step, shortest = self._days
        if self.action == "shorten-interval":
            now &= (visit.days_since_change >= self._wait_d) & (interval > shortest)
        else:
            now &= visit.changes == 0
        if self.action == "double-dose":
            dose = np.where(now, raised(dose, dose, in_mg(self._cap, visit.weight)), dose)
        else:
            shorter = 0.5 * interval if self.action == "halve-interval" else np.maximum(interval - step, shortest)
            interval = np.where(now, shorter, interval)
            due = due | (now & (visit.days_since_dose >= interval))
        switch = self._switch(visit)
        reason = np.where(now, 1, np.where(switch >= 0, 2, 0))
        return Orders(
            give=due, amount=dose, dose=dose, interval=interval, switch_to=switch, reason=reason, reasons=_REASONS
        )

    def _switch(self, visit: Visit) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
        """Number of the next drug for whom escalation has not helped, -1 for everybody else."""
        stay = np.full(visit.due.size, -1, np.int8)
        if self.then == "nothing":
            return stay
        target = visit.within_class if self.then == "switch-within-class" else visit.out_of_class
        failed = visit.lost_response & (visit.changes > 0) & (visit.days_since_change >= self._wait_d)
        if self.action == "shorten-interval":
            failed &= visit.interval <= self._days[1]
        return np.where(failed & (target >= 0), target, stay).astype(np.int8)
