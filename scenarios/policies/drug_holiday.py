"""A drug holiday, and what ends it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.errors import InputError
from scenarios.visit import Orders, Visit

_REASONS = (
    "",
    "well on treatment: a holiday from the drug",
    "symptoms during the holiday",
    "the holiday is over",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugHoliday:
    """Pause treatment once, in patients who are well; go on at relapse or after a time.

    Whether treatment goes on with induction is the clinic's choice (``reinduction``).

    Parameters
    ----------
    start
        From this time on, at the first dose that is due without symptoms, the dose is left out and the holiday begins.
    length
        The holiday ends after this time at the latest; default: at symptoms only.
    until_symptoms
        Symptoms end it at once.
    """

    needs_levels: ClassVar[bool] = False
    start: str
    length: str | None = None
    until_symptoms: bool = True
    _start_d: float = field(init=False, repr=False)
    _length_d: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        length = math.inf if self.length is None else units.time_d(self.length)
        if not self.until_symptoms and math.isinf(length):
            raise InputError.one("nothing ends this holiday", "give a length, or until_symptoms = true", key="length")
        object.__setattr__(self, "_start_d", units.time_d(self.start))
        object.__setattr__(self, "_length_d", length)

    def __call__(self, visit: Visit) -> Orders:
        """As planned, but for the holiday."""
        begin = visit.due & (visit.day >= self._start_d) & (visit.changes == 0)
        begin &= visit.in_maintenance & ~visit.symptoms
        ill = visit.paused & visit.symptoms & self.until_symptoms
        over = visit.paused & ~ill & (visit.days_since_change >= self._length_d)
        return Orders(
            give=visit.due & ~begin,
            amount=visit.dose,
            dose=visit.dose,
            interval=visit.interval,
            pause=begin,
            restart=ill | over,
            reason=np.select([begin, ill, over], [1, 2, 3], 0),
            reasons=_REASONS,
        )
