"""Patients: who they are (ids and covariates), not what happens to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel.covariates import CARRIED
from pkmodel.errors import Fault, InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeCourse:
    """A covariate that changes with time, as a step function.

    Attributes
    ----------
    times
        (record,) days, increasing.
    values
        (patient, record); NaN is not allowed.
    rule
        ``"locf"``: a value holds from its record on (last observation carried forward); ``"nocb"``: up to
        and including its record (next observation carried backward). Said aloud because the two differ.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    rule: str = "locf"

    def __post_init__(self) -> None:
        if self.rule not in ("locf", "nocb"):
            raise InputError.one(f"unknown covariate rule '{self.rule}'", "use 'locf' or 'nocb'", key="rule")
        if self.times.ndim != 1 or self.values.ndim != 2 or self.values.shape[1] != self.times.size:
            raise InputError.one(
                f"times {self.times.shape} and values {self.values.shape} do not fit",
                "times is (record,), values is (patient, record)",
                key="TimeCourse",
            )
        if np.any(np.diff(self.times) <= 0):
            raise InputError.one("record times do not increase", "sort them", key="times")
        if not np.all(np.isfinite(self.values)):
            raise InputError.one("values hold NaN or infinity", "fill or leave out the records", key="values")

    def at(self, time: float) -> NDArray[np.float64]:
        """Values (patient,) that hold just after ``time`` (days)."""
        if self.rule == "locf":
            record = int(np.searchsorted(self.times, time, side="right")) - 1
        else:
            record = int(np.searchsorted(self.times, time, side="right"))
        return self.values[:, min(max(record, 0), self.times.size - 1)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClearanceChange:
    """CL times ``factor`` from a day on that is each patient's own.

    The textbook picture of an antibody: from some day the drug goes faster. (The antibody layer does better.)

    Attributes
    ----------
    time
        (patient,) days; infinite for never.
    factor
        (patient,) multiplier on CL.
    """

    time: NDArray[np.float64]
    factor: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.time.ndim != 1 or self.time.shape != self.factor.shape:
            raise InputError.one(
                f"times {self.time.shape} and factors {self.factor.shape} do not fit",
                "give one of each for every patient",
                key="ClearanceChange",
            )
        if np.any(np.isnan(self.time)) or np.any(self.time < 0.0):
            raise InputError.one("a time is negative or NaN", "use days >= 0, inf for never", key="time")
        if not np.all(np.isfinite(self.factor)) or np.any(self.factor <= 0.0):
            raise InputError.one("a factor is not a positive number", "use e.g. 2.5", key="factor")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patients:
    """Ids and covariates.

    Attributes
    ----------
    ids
        (patient,) whole numbers, unique: the address of all random numbers of a patient.
    covariates
        Name to (patient,) values in internal units: weight kg, albumin g/L, crp mg/L, female 0/1,
        hla_dqa1_05 0/1, ...
    over_time
        Name to :class:`TimeCourse`, for covariates that change; it overrides the constant value.
    """

    ids: NDArray[np.int64]
    covariates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    over_time: Mapping[str, TimeCourse] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = []
        n = self.ids.size
        if self.ids.ndim != 1 or n == 0:
            faults.append(Fault(key="ids", problem="there are no patients", remedy="give at least one id"))
        elif n > 1 and not np.all(np.diff(self.ids) > 0) and np.unique(self.ids).size != n:
            faults.append(Fault(key="ids", problem="an id occurs twice", remedy="ids must be unique"))
        for name, values in self.covariates.items():
            if values.shape != (n,):
                faults.append(
                    Fault(key=name, problem=f"{values.shape} values for {n} patients", remedy="one value each")
                )
            elif not np.all(np.isfinite(values)):
                bad = np.flatnonzero(~np.isfinite(values))
                faults.append(
                    Fault(
                        key=name,
                        problem=f"{bad.size} missing or infinite values (first: patient {self.ids[bad[0]]})",
                        remedy="fill them or leave the patients out",
                    )
                )
        for name, course in self.over_time.items():
            if course.values.shape[0] != n:
                faults.append(Fault(key=name, problem=f"{course.values.shape[0]} rows for {n} patients"))
        faults = faults or self._impossible()
        if faults:
            raise InputError(faults)

    def _impossible(self) -> list[Fault]:
        """Values that no effect of a model would ever look at."""
        faults: list[Fault] = []
        for name, known in CARRIED.items():
            given = [self.covariates[name]] if name in self.covariates else []
            given += [self.over_time[name].values.ravel()] if name in self.over_time else []
            for values in given:
                try:
                    known.check(name, values)
                except InputError as error:
                    faults += error.faults
        return faults

    @classmethod
    def typical(cls, n: int = 1, **covariates: float) -> Patients:
        """``n`` patients with the same covariates, e.g. ``Patients.typical(weight=70, albumin=40)``."""
        return cls.from_arrays({name: np.full(n, float(value)) for name, value in covariates.items()}, n=n)

    @classmethod
    def from_arrays(cls, covariates: Mapping[str, ArrayLike], *, n: int | None = None, first: int = 0) -> Patients:
        """Patients numbered from ``first``, with one array per covariate."""
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in covariates.items()}
        size = n if n is not None else next(iter(arrays.values())).size if arrays else 0
        return cls(ids=np.arange(first, first + size, dtype=np.int64), covariates=arrays)

    def __len__(self) -> int:
        return int(self.ids.size)

    def take(self, rows: slice | NDArray[np.intp]) -> Patients:
        """A subset of the patients, ids and all."""
        return Patients(
            ids=self.ids[rows],
            covariates={name: values[rows] for name, values in self.covariates.items()},
            over_time={
                name: TimeCourse(times=course.times, values=course.values[rows], rule=course.rule)
                for name, course in self.over_time.items()
            },
        )

    def covariates_at(self, time: float) -> dict[str, NDArray[np.float64]]:
        """Covariates that hold just after ``time`` (days)."""
        return {**self.covariates, **{name: course.at(time) for name, course in self.over_time.items()}}

    def change_times(self) -> list[float]:
        """Days after 0 at which some covariate changes, sorted."""
        moments: set[float] = set()
        for course in self.over_time.values():
            moments.update(float(t) for t in course.times if t > 0.0)
        return sorted(moments)
