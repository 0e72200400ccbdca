"""From a model and records to what the kernels read.

Everything that depends on the record and not on the random effects is worked out here, once: the order of doses,
samples, covariate changes and occasions, and the typical parameters of each stretch of time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.errors import Fault, InputError
from pkmodel.kernels import records as at
from pkmodel.record import CovariateCourse, DoseRecord, PatientRecord
from pkmodel.regimen import resolve_route
from pkmodel.structure import COLUMN

Floats = NDArray[np.float64]

_LONGEST_LINEAR = 3.5  # d; a straight line is followed in steps of at most this, at their mid-points


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One record as the estimation sees it.

    Attributes
    ----------
    record
        Doses and covariates.
    doses
        All doses: given, and possibly planned ones behind them.
    days
        (sample,) in order of time.
    values, lloqs
        (sample,) what was measured; NaN below the limit, or where nothing was (a forecast).
    """

    record: PatientRecord
    doses: tuple[DoseRecord, ...]
    days: tuple[float, ...]
    values: tuple[float, ...]
    lloqs: tuple[float, ...]

    @classmethod
    def of(cls, record: PatientRecord) -> Plan:
        """The record with its levels."""
        return cls(
            record=record,
            doses=record.doses,
            days=tuple(level.day for level in record.levels),
            values=tuple(math.nan if level.value is None else level.value for level in record.levels),
            lloqs=tuple(math.nan if level.lloq is None else level.lloq for level in record.levels),
        )

    def with_future(self, doses: Sequence[DoseRecord], days: Sequence[float]) -> Plan:
        """The same patient with further doses, sampled on ``days``."""
        nothing = (math.nan,) * len(days)
        return Plan(
            record=self.record, doses=(*self.doses, *doses), days=tuple(days), values=nothing, lloqs=nothing
        )  # fmt: skip

    @property
    def occasions(self) -> tuple[float, ...]:
        """First day of every occasion."""
        first = self.doses[0].day
        marks = self.record.occasions
        found = {dose.day for dose in self.doses} if marks is None else set(marks)
        return (first, *sorted(day for day in found if day > first))

    @property
    def informed_occasions(self) -> tuple[float, ...]:
        """Occasions that begin before the last sample: later ones leave no trace in the levels."""
        return tuple(day for day in self.occasions if self.days and day < self.days[-1])


def compile_plans(model: PopulationModel, plans: Sequence[Plan], *, occasions: int | None = None) -> at.Records:
    """The plans as flat arrays.

    Parameters
    ----------
    model
        Of all of them.
    plans
        One for each patient.
    occasions
        Number of occasions with random effects of their own; None for those that the samples inform.

    Raises
    ------
    InputError
        If a covariate is missing, or a route is not the model's.
    """
    arrays = model_arrays(model)
    iov = arrays["iov_sd"].size
    epochs = _Epochs(model)
    entries: list[tuple[float, int, float]] = []
    depots: list[tuple[float, float]] = []
    entry_offsets, depot_offsets, level_offsets, z_offsets = [0], [0], [0], [0]
    for plan in plans:
        mine = _patient(model, plan, epochs, depots, occasions=iov > 0)
        mine.sort(key=lambda entry: entry[:2])
        entries += mine
        entry_offsets.append(len(entries))
        depot_offsets.append(len(depots))
        level_offsets.append(level_offsets[-1] + len(plan.days))
        blocks = (len(plan.informed_occasions) if occasions is None else occasions) if iov else 0
        z_offsets.append(z_offsets[-1] + len(model.eta_parameters) + blocks * iov)
    table = np.array(entries, dtype=np.float64).reshape(-1, 3)
    depot = np.array(depots, dtype=np.float64).reshape(-1, 2)
    return at.Records(
        entry_offsets=np.array(entry_offsets, np.int64),
        time=np.ascontiguousarray(table[:, 0]),
        kind=table[:, 1].astype(np.int64),
        value=np.ascontiguousarray(table[:, 2]),
        depot_offsets=np.array(depot_offsets, np.int64),
        depot_time=np.ascontiguousarray(depot[:, 0]),
        depot_amount=np.ascontiguousarray(depot[:, 1]),
        typical=epochs.typical(),
        level_offsets=np.array(level_offsets, np.int64),
        level=np.array([value for plan in plans for value in plan.values], np.float64),
        lloq=np.array([value for plan in plans for value in plan.lloqs], np.float64),
        z_offsets=np.array(z_offsets, np.int64),
        **arrays,
    )


def model_arrays(model: PopulationModel) -> dict[str, NDArray[Any]]:
    """The parts of the kernels' records that belong to the model alone.

    Raises
    ------
    InputError
        For a model that is given by a function (:class:`pkmodel.OwnEquations`).
    """
    if hasattr(model, "equations"):
        problem = f"'{model.name}' is given by a function, which estimation does not take"
        remedy = "write it as a model file if that can say it; a function is simulated only (its .simulate)"
        raise InputError.one(problem, remedy, key="model")
    varying = [name for name in COLUMN if model.iov.get(name, 0.0) > 0.0]
    residual = model.residual
    return {
        "chol": np.linalg.cholesky(model.omega) if model.omega.size else np.zeros((0, 0)),
        "eta_columns": np.array([COLUMN[name] for name in model.eta_parameters], np.int64),
        "iov_sd": np.array([math.sqrt(model.iov[name]) for name in varying], np.float64),
        "iov_columns": np.array([COLUMN[name] for name in varying], np.int64),
        "residual": np.array([residual.proportional, residual.additive, residual.correlation], np.float64),
    }


def _patient(
    model: PopulationModel,
    plan: Plan,
    epochs: _Epochs,
    depots: list[tuple[float, float]],
    *,
    occasions: bool,
) -> list[tuple[float, int, float]]:
    """Entries (day, kind, value) of one patient, in no order; doses into the depot go to ``depots``."""
    last = max(plan.days[-1] if plan.days else -math.inf, plan.doses[-1].day)
    first = plan.doses[0].day
    entries = [(day, at.SAMPLE, 0.0) for day in plan.days]
    entries += [(day, at.EPOCH, float(row)) for day, row in epochs.of(plan.record, first, last)]
    if occasions:
        entries += [(day, at.OCCASION, 0.0) for day in plan.occasions[1:]]
    resets = plan.record.resets
    entries += [(day, at.RESET, 0.0) for day in resets if first < day <= last]
    for dose in plan.doses:
        if resolve_route(dose.route, model.structure, model=model.name) == "sc":
            depots.append((dose.day, dose.milligrams))
        elif dose.duration > 0.0:
            rate = dose.milligrams / dose.duration
            end = min([dose.day + dose.duration, *(day for day in resets if day > dose.day)])
            entries += [(dose.day, at.INFUSION, rate), (end, at.INFUSION_END, rate)]
        else:
            entries.append((dose.day, at.BOLUS, dose.milligrams))
    return entries


class _Epochs:
    """Stretches of time with constant covariates, of all patients; their typical parameters are computed together."""

    def __init__(self, model: PopulationModel) -> None:
        self.model = model
        used = {name for effect in model.effects for name in effect.covariates} | set(model.required_covariates)
        self.used = tuple(sorted(used))
        self.rows: list[tuple[float, ...]] = []  # NaN where a patient does not carry the covariate
        self.faults: list[Fault] = []

    def of(self, record: PatientRecord, first: float, last: float) -> list[tuple[float, int]]:
        """(first day, row) of each epoch of a patient."""
        for name in self.model.required_covariates:
            if name not in record.covariates and name not in record.over_time:
                key = f"patient {record.id}: {name}"
                self.faults.append(Fault(key=key, problem=f"{self.model.name} needs this covariate", remedy="give it"))
        courses = {name: record.over_time[name] for name in self.used if name in record.over_time}
        days = _boundaries(list(courses.values()), first, last)
        found = []
        for number, day in enumerate(days):
            until = days[number + 1] if number + 1 < len(days) else day
            middle = 0.5 * (day + until)
            row = [record.covariates.get(name, math.nan) for name in self.used]
            for name, course in courses.items():
                row[self.used.index(name)] = course.at(middle if course.rule == "linear" else day)
            found.append((day, len(self.rows)))
            self.rows.append(tuple(row))
        return found

    def typical(self) -> Floats:
        """(epoch, parameter) typical parameters."""
        if self.faults:
            raise InputError(self.faults)
        table = np.array(self.rows, dtype=np.float64).reshape(len(self.rows), len(self.used))
        present = ~np.isnan(table)
        out = np.empty((len(self.rows), len(self.model.structure.parameters)))
        patterns, which = np.unique(present, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.ravel() == number)
            covariates = {name: table[rows, j] for j, name in enumerate(self.used) if pattern[j]}
            out[rows] = self.model.typical_parameters(covariates, rows.size)
        return out


def _boundaries(courses: Sequence[CovariateCourse], first: float, last: float) -> list[float]:
    """Days from ``first`` on at which some covariate changes."""
    days = {first}
    for course in courses:
        days.update(day for day in course.days if first < day <= last)
        if course.rule != "linear":
            continue
        edges = [day for day in (first, *course.days, last) if max(first, course.days[0]) <= day <= last]
        for begin, end in zip(sorted(edges), sorted(edges)[1:], strict=False):
            if end > course.days[-1]:
                break  # constant from here on
            steps = math.ceil((end - begin) / _LONGEST_LINEAR)
            days.update(begin + (end - begin) * k / steps for k in range(1, steps))
    return sorted(days)
