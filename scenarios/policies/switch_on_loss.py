"""Another drug at loss of response, without asking why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.errors import unknown_name
from scenarios.visit import Orders, Visit

_TO = ("within-class", "out-of-class")
_REASONS = ("", "response lost", "no response")


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchOnLoss:
    """Go on with the next drug of the arm when response is lost.

    Parameters
    ----------
    to
        "within-class" or "out-of-class".
    wait
        Time to leave each drug (and each change) before the next switch.
    primary_nonresponse
        Switch also who never responded.
    """

    needs_levels: ClassVar[bool] = False
    to: str
    wait: str = "12 weeks"
    primary_nonresponse: bool = False
    _wait_d: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.to not in _TO:
            raise unknown_name("direction", self.to, _TO, key="to")
        object.__setattr__(self, "_wait_d", units.time_d(self.wait))

    def __call__(self, visit: Visit) -> Orders:
        """As planned, but for the switch."""
        target = visit.within_class if self.to == "within-class" else visit.out_of_class
        never = visit.no_response & self.primary_nonresponse
        now = (visit.lost_response | never) & (target >= 0) & (visit.days_since_change >= self._wait_d)
        now &= ~visit.stopped
        return Orders(
            give=visit.due,
            amount=visit.dose,
            dose=visit.dose,
            interval=visit.interval,
            switch_to=np.where(now, target, -1).astype(np.int8),
            reason=np.where(now, np.where(visit.lost_response, 1, 2), 0),
            reasons=_REASONS,
        )
