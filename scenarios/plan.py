"""Each patient's dosing plan within an arm: what is due, and what follows from orders."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pkmodel.regimen import Regimen
from scenarios.scenario import Adherence
from scenarios.visit import Flags, Floats, Orders

_SLACK = 1e-6  # d; visits and doses are planned on the same grid, rounding must not lose one


class Plan:
    """Book-keeping of one arm; internal to a run (policies see copies of what they may see).

    A patient follows the regimen's timetable until a policy changes dose or interval; from then on the next
    dose is one interval after the last one, up to the regimen's end.
    """

    def __init__(self, regimen: Regimen, weight: Floats | None, n: int) -> None:
        self.regimen = regimen
        self.times = np.array([dose.time for dose in regimen.doses])
        self.milligrams = np.stack([dose.milligrams(weight, n) for dose in regimen.doses], axis=1)
        self.induction = len(regimen.doses) - regimen.repeated
        self.end = regimen.until if regimen.until is not None else math.inf
        first_kept = min(self.induction, len(regimen.doses) - 1)
        self.first_dose = self.milligrams[:, first_kept].copy()
        self.first_interval = np.full(n, regimen.interval if regimen.interval is not None else math.inf)
        self.taken = np.zeros(n, np.int64)  # timetable entries used up, given or missed
        self.own = np.zeros(n, np.bool_)  # left the timetable
        self.next_due = np.full(n, self.times[0])
        self.dose = self.milligrams[:, 0].copy()
        self.interval = self.first_interval.copy()
        self.last_dose = np.full(n, -math.inf)
        self.postponed = np.zeros(n, np.bool_)
        self.changes = np.zeros(n, np.int64)
        self.total = np.zeros(n)
        self.count = np.zeros(n, np.int64)

    def due(self, day: float) -> Flags:
        """Who is due today."""
        return np.asarray(self.next_due <= day + _SLACK)

    def in_maintenance(self) -> Flags:
        """Who has had (or missed) the whole induction."""
        return np.asarray(self.taken >= self.induction)

    def keep_appointments(self, day: float, uniform: Floats, adherence: Adherence) -> Flags:
        """Who is due and comes; the missed dose is skipped, the late one comes ``late_by`` days later."""
        due = self.due(day)
        missed = due & (uniform < adherence.missed) & ~self.postponed
        late = due & ~missed & (uniform < adherence.missed + adherence.late) & ~self.postponed
        self._move_on(missed, day)
        self.next_due = np.where(late, day + adherence.late_by, self.next_due)
        self.postponed |= late
        return np.asarray(due & ~missed & ~late)

    def carry_out(self, orders: Orders, day: float) -> NDArray[np.int64]:
        """Take over new orders; rows that get a dose today."""
        changed = (orders.dose != self.dose) | (orders.interval != self.interval)
        self.own |= changed
        self.changes += changed
        self.dose = np.where(changed, orders.dose, self.dose)
        self.interval = np.where(changed, orders.interval, self.interval)
        given = orders.give & (orders.amount > 0.0)
        due = self.due(day)
        self.last_dose = np.where(given, day, self.last_dose)
        self.total += np.where(given, orders.amount, 0.0)
        self.count += given
        # an appointment is used up whether or not the dose was given: a dose left out is not made up for
        self._move_on(due, day)
        # a new interval moves an appointment already made; it counts from the last dose
        moved = changed & ~due & np.isfinite(self.last_dose)
        self.next_due = np.where(moved, np.maximum(self.last_dose + self.interval, day + _SLACK), self.next_due)
        self.next_due = np.where(self.next_due < self.end - _SLACK, self.next_due, math.inf)
        return np.flatnonzero(given)

    def _move_on(self, rows: Flags, day: float) -> None:
        """Use up the appointment of ``rows``, and every timetable entry that has passed meanwhile."""
        passed = int(np.searchsorted(self.times, day + _SLACK, side="right"))
        self.taken = np.where(rows, np.maximum(self.taken + 1, passed), self.taken)
        self.postponed &= ~rows
        entry = np.minimum(self.taken, self.times.size - 1)
        timetable = np.where(self.taken < self.times.size, self.times[entry], math.inf)
        following = np.where(self.own, day + self.interval, timetable)
        self.next_due = np.where(rows, following, self.next_due)
        planned = self.milligrams[np.arange(entry.size), entry]
        self.dose = np.where(rows & ~self.own, planned, self.dose)
