"""Between tables and patient records."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.errors import Fault, InputError, PkWarning
from pkmodel.nonmem.courses import course_of, rules_of
from pkmodel.nonmem.episodes import Episodes, episodes, routes
from pkmodel.nonmem.table import DOSE, OBSERVATION, OTHER, RESET, RESET_AND_DOSE, Table
from pkmodel.record import CovariateCourse, DoseRecord, Level, PatientRecord

STEADY_DAYS = 730.0
"""A record has no steady state; an SS dose becomes this many days of earlier doses. With a terminal half-life of up to
20 days that leaves 1e-11 of the steady state out; with 60 days, 2e-4."""


def records(
    table: Table, *, model: PopulationModel | None = None, rules: Mapping[str, str] | None = None
) -> tuple[PatientRecord, ...]:
    """The patients of a table, as :mod:`pkmodel.estimation` takes them.

    Parameters
    ----------
    model
        Gives CMT its meaning; without it every dose takes the route of the model it is later used with.
    rules
        Covariate to "nocb" (the default), "locf" or "linear".

    Raises
    ------
    InputError
        With the faults of all patients: SS 2, an SS 1 with earlier doses, samples at the very moment of a dose.
    """
    chosen = rules_of(table, rules)
    found = episodes(table)
    route = routes(table, model.structure) if model is not None else None
    made: list[PatientRecord] = []
    faults: list[Fault] = []
    for number in range(table.ids.size):
        rows = np.flatnonzero(table.number == number)
        try:
            made.append(_record(table, found, number, rows, chosen, route))
        except InputError as error:
            line = int(table.line[rows[0]])
            faults += [replace(one, file=table.file, line=one.line or line) for one in error.faults]
    if faults:
        raise InputError(faults)
    return tuple(made)


def _record(
    table: Table,
    found: Episodes,
    number: int,
    rows: NDArray[np.intp],
    rules: Mapping[str, str],
    route: NDArray[np.str_] | None,
) -> PatientRecord:
    mine = np.flatnonzero(found.owner[found.dose_row] == number)
    doses = [_dose(table, found, int(k), route) for k in mine]
    resets = [float(table.time[r]) for r in rows if table.event[r] in (RESET, RESET_AND_DOSE)]
    for r in rows[table.steady[rows] > 0].tolist():
        past = _past(table, r, doses, route)
        doses = past + doses
        resets.append(past[0].day)
    constant, changing = {}, {}
    for name, rule in rules.items():
        course = course_of(table, name, rows, rule)
        if course is None:
            constant[name] = float(table.covariates[name][rows[0]])
        else:
            changing[name] = course
    return PatientRecord(
        id=str(int(table.patient[rows[0]])),
        doses=tuple(sorted(doses, key=lambda dose: dose.day)),
        levels=tuple(_level(table, r, rows) for r in rows.tolist() if table.used[r]),
        covariates=constant,
        over_time=changing,
        resets=tuple(sorted(resets)),
    )


def _dose(table: Table, found: Episodes, k: int, route: NDArray[np.str_] | None) -> DoseRecord:
    record = int(found.dose_record[k])
    return DoseRecord(
        day=float(found.dose_time[k] + found.origin[found.dose_row[k]]),
        milligrams=float(table.amount[record]),
        route=None if route is None else str(route[record]),
        duration=float(table.duration[record]),
    )


def _past(table: Table, record: int, doses: Sequence[DoseRecord], route: NDArray[np.str_] | None) -> list[DoseRecord]:
    """The doses that led to a steady state."""
    time, interval = float(table.time[record]), float(table.interval[record])
    key, line = f"patient {table.patient[record]}: SS", int(table.line[record])
    if table.steady[record] == 2:
        problem = "SS 2 has no meaning in a patient record"
        raise InputError.one(problem, "write the doses", key=key, file=table.file, line=line)
    if any(dose.day < time for dose in doses):
        problem = "a steady state after other doses has no meaning in a patient record"
        raise InputError.one(problem, "write the doses that led to it", key=key, file=table.file, line=line)
    count = math.ceil(STEADY_DAYS / interval)
    return [
        DoseRecord(
            day=time - k * interval,
            milligrams=float(table.amount[record]),
            route=None if route is None else str(route[record]),
            duration=float(table.duration[record]),
        )
        for k in range(count, 0, -1)
    ]


def _level(table: Table, row: int, rows: NDArray[np.intp]) -> Level:
    together = rows[(table.time[rows] == table.time[row]) & table.doses[rows]]
    lloq = float(table.lloq[row])
    return Level(
        day=float(table.time[row]),
        value=None if table.below[row] else float(table.level[row]),
        lloq=None if math.isnan(lloq) else lloq,
        trough=bool(together.size and row < together[0]),
    )


@dataclass(slots=True)
class _Rows:
    """Rows of a table under construction."""

    columns: dict[str, list[float]] = field(
        default_factory=lambda: {
            name: []
            for name in ("patient", "time", "amount", "duration", "event", "compartment", "level", "lloq", "below")
        }
    )
    covariates: dict[str, list[float]] = field(default_factory=dict)

    def add(self, covariates: Mapping[str, float], **values: float) -> None:
        empty = {"amount": 0.0, "duration": 0.0, "compartment": 0.0, "level": math.nan, "lloq": math.nan, "below": 0.0}
        for name, column in self.columns.items():
            column.append(values.get(name, empty.get(name, 0.0)))
        for name, value in covariates.items():
            self.covariates.setdefault(name, []).append(value)

    def table(self, file: str) -> Table:
        columns = {name: np.array(values, np.float64) for name, values in self.columns.items()}
        n = columns["time"].size
        event = columns["event"].astype(np.int64)
        return Table(
            file=file,
            line=np.arange(2, n + 2),
            patient=columns["patient"].astype(np.int64),
            time=columns["time"],
            amount=columns["amount"],
            duration=columns["duration"],
            event=event,
            compartment=columns["compartment"].astype(np.int64),
            additional=np.zeros(n, np.int64),
            interval=np.zeros(n),
            steady=np.zeros(n, np.int64),
            level=columns["level"],
            lloq=columns["lloq"],
            below=columns["below"] > 0,
            used=(event == OBSERVATION) & (~np.isnan(columns["level"]) | (columns["below"] > 0)),
            covariates={name: np.array(values, np.float64) for name, values in self.covariates.items()},
        )


def table_of_records(patients: Sequence[PatientRecord], model: PopulationModel, *, file: str = "records") -> Table:
    """Patient records as a table of one record for each dose, level, reset and change of a covariate.

    IDs that are whole numbers are kept; otherwise patients are numbered from 1 and a warning says so.
    Covariates that some patients lack are refused.

    Raises
    ------
    InputError
        If patients do not carry the same covariates.
    """
    names = {name for one in patients for name in (*one.covariates, *one.over_time)}
    faults = [
        Fault(key=f"patient {one.id}: {name}", problem="no value, but others have one", remedy="give it or drop it")
        for one in patients
        for name in sorted(names - set(one.covariates) - set(one.over_time))
    ]
    if faults:
        raise InputError(faults)
    numbers = _numbers(patients)
    rows = _Rows()
    for number, one in zip(numbers, patients, strict=True):
        for time, _, values in sorted(_events(one, model), key=lambda event: event[:2]):
            rows.add({name: _value(one, name, time) for name in sorted(names)}, patient=number, time=time, **values)
    return rows.table(file)


def _numbers(patients: Sequence[PatientRecord]) -> list[int]:
    texts = [one.id for one in patients]
    if all(text.isascii() and text.isdecimal() for text in texts) and len({int(text) for text in texts}) == len(texts):
        return [int(text) for text in texts]
    warnings.warn(f"IDs become numbers in a table: {texts[0]} is 1, and so on", PkWarning, stacklevel=3)
    return list(range(1, len(texts) + 1))


def _events(one: PatientRecord, model: PopulationModel) -> list[tuple[float, int, dict[str, float]]]:
    """(time, order at equal times, columns): resets first, then troughs, doses, changes and other samples."""
    central = 2 if "sc" in model.structure.routes else 1
    found: list[tuple[float, int, dict[str, float]]] = [(day, 0, {"event": RESET}) for day in one.resets]
    for level in one.levels:
        lloq = math.nan if level.lloq is None else level.lloq
        value = {"level": math.nan, "below": 1.0} if level.value is None else {"level": level.value}
        found.append((level.day, 1, {"event": OBSERVATION, "compartment": central, "lloq": lloq, **value}))
    for dose in one.doses:
        injected = (dose.route or model.structure.routes[0]) == "sc"
        found.append(
            (dose.day, 2, {"event": DOSE, "amount": dose.milligrams, "duration": 0.0 if injected else dose.duration,
                           "compartment": 1 if injected else central})
        )  # fmt: skip
    changes = {day for course in one.over_time.values() for day in course.days}
    found += [(day, 3, {"event": OTHER}) for day in sorted(changes - {event[0] for event in found})]
    return found


def _value(one: PatientRecord, name: str, day: float) -> float:
    """What a record of that day carries: under NOCB the value up to it, else the value from it on."""
    if name not in one.over_time:
        return one.covariates[name]
    course: CovariateCourse = one.over_time[name]
    return course.at(math.nextafter(day, -math.inf) if course.rule == "nocb" else day)
