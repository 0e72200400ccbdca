"""Each patient's dosing plan within an arm: what is due, and what follows from orders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError
from pkmodel.regimen import Regimen
from scenarios.visit import Codes, Flags, Floats

_SLACK = 1e-6  # d; visits and doses are planned on the same grid, rounding must not lose one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrugPlan:
    """The timetable of one drug; times count from the day it is begun.

    Attributes
    ----------
    times
        (entry,) days.
    milligrams
        (patient, entry).
    induction
        Number of entries before maintenance.
    interval, end
        Days between maintenance doses and where they end; infinite where the regimen does not say.
    """

    times: Floats
    milligrams: Floats
    induction: int
    interval: float
    end: float

    @classmethod
    def of(cls, regimen: Regimen, weight: Floats | None, n: int) -> DrugPlan:
        """The timetable of a regimen for ``n`` patients of ``weight`` kg."""
        return cls(
            times=np.array([dose.time for dose in regimen.doses]),
            milligrams=np.stack([dose.milligrams(weight, n) for dose in regimen.doses], axis=1),
            induction=len(regimen.doses) - regimen.repeated,
            interval=regimen.interval if regimen.interval is not None else math.inf,
            end=regimen.until if regimen.until is not None else math.inf,
        )

    def maintenance_dose(self) -> Floats:
        """Planned maintenance dose, mg, shape (patient,)."""
        return self.milligrams[:, min(self.induction, self.times.size - 1)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instructions:
    """Orders as the clinic carries them out; every array has shape (patient,).

    Attributes
    ----------
    give, amount
        Doses given today, mg.
    dose, interval
        The plan from now on, mg and days.
    switch_to
        Number of the drug whose timetable begins today, -1 to stay.
    begin_again
        The present drug's timetable begins again today.
    resume
        Maintenance goes on after a pause.
    immunomodulator
        0 as is, -1 stopped, 1 started.
    pause, stop
        Dosing is suspended; it ends for good.
    """

    give: Flags
    amount: Floats
    dose: Floats
    interval: Floats
    switch_to: Codes
    begin_again: Flags
    resume: Flags
    immunomodulator: Codes
    pause: Flags
    stop: Flags

    @property
    def begun(self) -> Flags:
        """Whose timetable begins today: the new drug's, or the present one's again."""
        return np.asarray((self.switch_to >= 0) | self.begin_again)

    def only(self, rows: Flags, plan: Plan) -> Instructions:
        """These instructions for ``rows``; the others keep their plan and get nothing."""
        if rows.all():
            return self
        return replace(
            self,
            give=self.give & rows,
            dose=np.where(rows, self.dose, plan.dose),
            interval=np.where(rows, self.interval, plan.interval),
            switch_to=np.where(rows, self.switch_to, -1).astype(np.int8),
            begin_again=self.begin_again & rows,
            resume=self.resume & rows,
            immunomodulator=np.where(rows, self.immunomodulator, 0).astype(np.int8),
            pause=self.pause & rows,
            stop=self.stop & rows,
        )


class Plan:
    """Book-keeping of one arm; internal to a run (policies see copies of what they may see).

    A patient follows the present drug's timetable until a policy changes dose or interval; from then on the next
    dose is one interval after the last one, up to the regimen's end.
    """

    def __init__(self, regimens: Sequence[Regimen], weight: Floats | None, n: int) -> None:
        self.drugs = [DrugPlan.of(regimen, weight, n) for regimen in regimens]
        first = self.drugs[0]
        self.rows = np.arange(n)
        self.drug = np.zeros(n, np.int8)
        self.had = np.zeros((n, len(self.drugs)), np.bool_)
        self.had[:, 0] = True
        self.origin = np.zeros(n)  # day on which the present timetable began
        self.end = np.full(n, first.end)
        self.first_dose = first.maintenance_dose().copy()
        self.first_interval = np.full(n, first.interval)
        self.taken = np.zeros(n, np.int64)  # timetable entries used up, given or missed
        self.own = np.zeros(n, np.bool_)  # left the timetable
        self.next_due = np.full(n, first.times[0])
        self.dose = first.milligrams[:, 0].copy()
        self.interval = self.first_interval.copy()
        self.last_dose = np.full(n, -math.inf)
        self.postponed = np.zeros(n, np.bool_)
        self.paused = np.zeros(n, np.bool_)
        self.stopped = np.zeros(n, np.bool_)
        self.changes = np.zeros(n, np.int64)
        self.last_change = np.full(n, -math.inf)
        self.total = np.zeros((n, len(self.drugs)))
        self.counts = np.zeros((n, len(self.drugs)), np.int64)

    @property
    def count(self) -> NDArray[np.int64]:
        """(patient,) doses given so far, of all drugs."""
        return np.asarray(self.counts.sum(axis=1))

    def due(self, day: float) -> Flags:
        """Who is due today."""
        return np.asarray(self.next_due <= day + _SLACK)

    def in_maintenance(self) -> Flags:
        """Who has had (or missed) the whole induction."""
        return np.asarray(self.taken >= np.array([one.induction for one in self.drugs])[self.drug])

    def skip(self, missed: Flags, late: Flags, late_by: float, day: float) -> None:
        """A missed dose is left out; the late one comes ``late_by`` days later."""
        self._move_on(missed, day)
        self.next_due = np.where(late, day + late_by, self.next_due)
        self.postponed |= late

    def lapses(self, late: Flags, late_by: float, day: float) -> Flags:
        """Whose dose would come so late that the plan has ended by then: nobody gives it."""
        return np.asarray(late & (day + late_by >= self.end - _SLACK))

    def leave(self, gone: Flags) -> None:
        """Patients who have left the trial have no appointments."""
        self.next_due = np.where(gone, math.inf, self.next_due)

    def carry_out(self, orders: Instructions, day: float) -> NDArray[np.intp]:
        """Follow instructions; rows that get a dose today, of the drug that is now theirs."""
        begun = orders.begun
        self._begin(orders, day)
        changed = ((orders.dose != self.dose) | (orders.interval != self.interval)) & ~begun
        self.own |= changed
        acted = changed | begun | (orders.immunomodulator != 0) | orders.pause | orders.resume | orders.stop
        self.changes = self.changes + acted
        self.last_change = np.where(acted, day, self.last_change)
        self.dose = np.where(changed, orders.dose, self.dose)
        self.interval = np.where(changed, orders.interval, self.interval)
        given = orders.give & (orders.amount > 0.0)
        self.next_due = np.where(orders.resume, day, self.next_due)
        self.own |= orders.resume
        due = self.due(day)
        self.last_dose = np.where(given, day, self.last_dose)
        self.total[self.rows, self.drug] += np.where(given, orders.amount, 0.0)
        self.counts[self.rows, self.drug] += given
        # an appointment is used up whether or not the dose was given: a dose left out is not made up for
        self._move_on(due, day)
        # a new interval moves an appointment already made; it counts from the last dose
        moved = changed & ~due & np.isfinite(self.last_dose)
        self.next_due = np.where(moved, np.maximum(self.last_dose + self.interval, day + _SLACK), self.next_due)
        self.next_due = np.where(self.next_due < self.end - _SLACK, self.next_due, math.inf)
        self.paused = (self.paused & ~begun & ~orders.resume) | orders.pause
        self.stopped = (self.stopped & ~begun) | orders.stop
        self.next_due = np.where(self.paused | self.stopped, math.inf, self.next_due)
        return np.flatnonzero(given)

    def first_doses(self, drug: Codes) -> Floats:
        """Milligrams due on the first day of the timetable of ``drug`` (patient,); 0 where it begins later."""
        out = np.zeros(self.rows.size)
        for number, one in enumerate(self.drugs):
            if one.times[0] <= _SLACK:
                out = np.where(drug == number, one.milligrams[:, 0], out)
        return out

    def _begin(self, orders: Instructions, day: float) -> None:
        """Begin a timetable today: the new drug's, or the present drug's again."""
        begun, switched = orders.begun, orders.switch_to >= 0
        if not begun.any():
            return
        self.drug = np.where(switched, orders.switch_to, self.drug).astype(np.int8)
        self.had[self.rows, self.drug] = True
        for number, one in enumerate(self.drugs):
            mine = begun & (self.drug == number)
            fresh = mine & switched
            self.last_dose = np.where(fresh, -math.inf, self.last_dose)
            self.first_dose = np.where(fresh, one.maintenance_dose(), self.first_dose)
            self.first_interval = np.where(fresh, one.interval, self.first_interval)
            self.end = np.where(fresh, day + one.end, self.end)
            self.interval = np.where(mine, one.interval, self.interval)
            self.dose = np.where(mine, one.milligrams[:, 0], self.dose)
            self.origin = np.where(mine, day, self.origin)
            self.next_due = np.where(mine, day + one.times[0], self.next_due)
            self.taken = np.where(mine, 0, self.taken)
        self.own &= ~begun
        self.postponed &= ~begun

    def _move_on(self, rows: Flags, day: float) -> None:
        """Use up the appointment of ``rows``, and every timetable entry that has passed meanwhile."""
        if not rows.any():
            return
        on_time = rows & ~self.postponed  # a dose put off until after the next one counts for both
        self.postponed &= ~rows
        self._refuse_unseen(on_time & self.own & (day - self.next_due > self.interval - 0.5 * _SLACK), day)
        for number, one in enumerate(self.drugs):
            mine = rows & (self.drug == number)
            if not mine.any():
                continue
            passed = np.searchsorted(one.times, day - self.origin + _SLACK, side="right")
            self._refuse_unseen(on_time & mine & ~self.own & (passed > self.taken + 1), day)
            self.taken = np.where(mine, np.maximum(self.taken + 1, passed), self.taken)
            entry = np.minimum(self.taken, one.times.size - 1)
            timetable = np.where(self.taken < one.times.size, self.origin + one.times[entry], math.inf)
            following = np.where(self.own, day + self.interval, timetable)
            self.next_due = np.where(mine, following, self.next_due)
            planned = one.milligrams[self.rows, entry]
            self.dose = np.where(mine & ~self.own, planned, self.dose)

    def _refuse_unseen(self, rows: Flags, day: float) -> None:
        """Between two looks a dose can wait, but a second one behind it would never be given."""
        if rows.any():
            first = int(np.flatnonzero(rows)[0])
            since = self.next_due[first]
            raise InputError.one(
                f"by day {day:g} more than one dose has come due since day {since:g} "
                f"({rows.sum()} patients, drug number {self.drug[first]}): nobody was there to give them",
                "review more often, at least at every interval that a plan can have",
                key="review_every",
            )
