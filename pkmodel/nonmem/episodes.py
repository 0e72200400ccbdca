"""What the records of a table mean: episodes between resets, the doses of each, and which samples see which.

A reset (EVID 3 or 4) and a steady-state dose (SS 1) wipe out what went before, so a patient is a chain of episodes,
each with a clock of its own and known amounts at its start.  A steady state that is added to what is there (SS 2) is
an episode beside the others: disposition is linear, and levels of episodes that run together add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pkmodel.nonmem.columns import CENTRAL, compartments
from pkmodel.nonmem.table import OBSERVATION, RESET, RESET_AND_DOSE, Table
from pkmodel.structure import Structure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AFTER = 2.0**-40
"""Days (a tenth of a microsecond) by which a sample lies behind a dose or reset of the same time whose record stands
before it: outputs of the engine are limits from the left."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Episodes:
    """All patients of a table as rows of a state.

    Attributes
    ----------
    owner
        (episode,) number of the patient, from 0.
    origin
        (episode,) day on which the episode's clock starts.
    steady_record
        (episode,) record of the steady-state dose whose amounts are there at the start; -1 where there are none.
    dose_row, dose_time, dose_record
        (dose,) episode, time on its clock, and the record that ordered the dose.
    mark_row, mark_time, mark_dose
        (mark,) episodes that run beside one that gets a dose, when on their clock, and which dose: it begins an
        occasion in them too.
    sample_record
        (sample,) records of the samples, in order of the table.
    seen_sample, seen_row, seen_time
        (pair,) which sample sees which episode, and when on that episode's clock.
    """

    owner: Ints
    origin: Floats
    steady_record: Ints
    dose_row: Ints
    dose_time: Floats
    dose_record: Ints
    mark_row: Ints
    mark_time: Floats
    mark_dose: Ints
    sample_record: Ints
    seen_sample: Ints
    seen_row: Ints
    seen_time: Floats


@dataclass(slots=True)
class _Course:
    """One patient's chain of episodes while its records are read."""

    main: int
    beside: list[int] = field(default_factory=list)
    pending: list[tuple[float, int]] = field(default_factory=list)  # additional doses: day, record
    last_change: float = -1.0


class _Reader:
    """Walks through the records once."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.owner: list[int] = []
        self.origin: list[float] = []
        self.steady: list[int] = []
        self.doses: list[tuple[int, float, int]] = []
        self.marks: list[tuple[int, float, int]] = []
        self.seen: list[tuple[int, int, float]] = []

    def open(self, owner: int, origin: float, steady: int = -1) -> int:
        self.owner.append(owner)
        self.origin.append(origin)
        self.steady.append(steady)
        return len(self.owner) - 1

    def reset(self, course: _Course, owner: int, time: float, steady: int = -1) -> None:
        """Wipe out drug, running infusions and pending additional doses."""
        self.flush(course, time)
        course.pending.clear()
        course.beside.clear()
        course.main = self.open(owner, time, steady)

    def flush(self, course: _Course, until: float) -> None:
        """Give the additional doses that fall before ``until``."""
        for day, record in course.pending:
            if day < until:
                self.give(course, day, record)
        course.pending = [(day, record) for day, record in course.pending if day >= until]

    def give(self, course: _Course, day: float, record: int) -> None:
        """A dose into the patient's main episode; it begins an occasion in those beside it as well."""
        for row in course.beside:
            if day >= self.origin[row]:
                self.marks.append((row, day - self.origin[row], len(self.doses)))
        self.doses.append((course.main, day - self.origin[course.main], record))

    def patient(self, owner: int, records: range, sample_of: dict[int, int]) -> None:
        table = self.table
        course = _Course(main=self.open(owner, 0.0))
        for record in records:
            time, event, steady = float(table.time[record]), int(table.event[record]), int(table.steady[record])
            if event == OBSERVATION:
                nudge = AFTER if time == course.last_change else 0.0
                for row in (course.main, *course.beside):
                    self.seen.append((sample_of[record], row, time - self.origin[row] + nudge))
                continue
            if event in (RESET, RESET_AND_DOSE) or steady == 1:
                self.reset(course, owner, time, record if steady == 1 else -1)
                course.last_change = time
            if table.doses[record]:
                if steady == 2:
                    course.beside.append(self.open(owner, time, record))
                self.give(course, time, record)
                more = range(1, int(table.additional[record]) + 1)
                course.pending += [(time + k * float(table.interval[record]), record) for k in more]
                course.last_change = time
        self.flush(course, np.inf)

    def in_order(self) -> tuple[Ints, Floats, Ints, Ints]:
        """Doses by episode and time, those of one time as in the table; and where each of them went."""
        row, time, record = (np.array([dose[k] for dose in self.doses]) for k in range(3))
        order = np.lexsort((time, row))
        place = np.empty(order.size, np.int64)
        place[order] = np.arange(order.size)
        return row[order].astype(np.int64), time[order].astype(np.float64), record[order].astype(np.int64), place


def episodes(table: Table) -> Episodes:
    """Read the records of every patient, in order."""
    samples = table.samples
    sample_of = {int(record): number for number, record in enumerate(samples)}
    reader = _Reader(table)
    bounds = np.flatnonzero(np.diff(table.number, prepend=-1, append=-1))
    for owner in range(bounds.size - 1):
        reader.patient(owner, range(int(bounds[owner]), int(bounds[owner + 1])), sample_of)
    dose_row, dose_time, dose_record, place = reader.in_order()
    return Episodes(
        owner=np.array(reader.owner, np.int64),
        origin=np.array(reader.origin, np.float64),
        steady_record=np.array(reader.steady, np.int64),
        dose_row=dose_row,
        dose_time=dose_time,
        dose_record=dose_record,
        mark_row=np.array([mark[0] for mark in reader.marks], np.int64),
        mark_time=np.array([mark[1] for mark in reader.marks], np.float64),
        mark_dose=place[np.array([mark[2] for mark in reader.marks], np.int64)],
        sample_record=samples,
        seen_sample=np.array([pair[0] for pair in reader.seen], np.int64),
        seen_row=np.array([pair[1] for pair in reader.seen], np.int64),
        seen_time=np.array([pair[2] for pair in reader.seen], np.float64),
    )


def routes(table: Table, structure: Structure) -> NDArray[np.str_]:
    """(record,) "iv" or "sc", from CMT."""
    known = compartments(structure)
    central = next(number for number, name in known.items() if name == CENTRAL)
    first = "sc" if central == 2 else "iv"
    return np.where(table.compartment == 0, first, np.where(table.compartment == central, "iv", "sc"))
