"""One patient as a TOML file that people can write: covariates, doses, levels, antibody results.

A file says what happened in the units of the clinic ("5 mg/kg", "14 weeks", "< 0.3 ug/mL"); see
docs/how-to/your-data.md for a complete example.  Not for treating a patient.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import BeforeValidator, Field, field_validator, model_validator

from pkmodel import patient_values, units
from pkmodel.errors import Fault, InputError
from pkmodel.files import FileModel, read_toml
from pkmodel.patient_values import covariate_value
from pkmodel.record import AntibodyReading, CovariateCourse, DoseRecord, Level, PatientRecord
from pkmodel.regimen import DEFAULT_INFUSION_D
from pkmodel.units import Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientFile:
    """What a patient file says.

    Attributes
    ----------
    record
        The patient.
    drug, model
        Name of the drug, and of the model the file asks for (empty: the user decides).
    today
        Day on which the file was written: no dose before it can be changed.
    current
        Maintenance dose and interval (d) in force; None where the doses do not show one.
    """

    record: PatientRecord
    drug: str
    model: str
    today: float
    current: tuple[Amount, float] | None


def read_patient(path: str | Path) -> PatientFile:
    """Read a patient file.

    Raises
    ------
    InputError
        With every fault of the file: line, key, value, what was expected.
    """
    return read_toml(path, _PatientModel).build(str(path))


_Time = Annotated[float, BeforeValidator(units.time_d)]
_Dose = Annotated[Amount, BeforeValidator(units.dose)]
_Infusion = Annotated[float, BeforeValidator(patient_values.infusion)]
_Level = Annotated[tuple[float | None, float | None], BeforeValidator(patient_values.level)]
_Limit = Annotated[float | None, BeforeValidator(patient_values.limit)]


class _Part(FileModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)


class _DoseModel(_Part):
    at: _Time
    dose: _Dose
    route: Literal["iv", "sc"] | None = None
    infusion: _Infusion = DEFAULT_INFUSION_D


class _RegimenModel(_Part):
    """Doses at weeks, or from a time on at an interval."""

    dose: _Dose
    weeks: list[float | int] | None = Field(default=None, min_length=1)
    every: _Time | None = None
    first: _Time | None = None
    last: _Time | None = None
    route: Literal["iv", "sc"] | None = None
    infusion: _Infusion = DEFAULT_INFUSION_D

    @model_validator(mode="after")
    def _one_way(self) -> _RegimenModel:
        repeated = (self.every, self.first, self.last)
        if (self.weeks is None) == (self.every is None):
            raise InputError.one(
                "neither or both of 'weeks' and 'every'", "write one: weeks = [0, 2, 6], or every, first and last"
            )
        if self.every is not None and (None in repeated or self.every <= 0 or self.last < self.first):  # type: ignore[operator]
            raise InputError.one(
                "'every' without a span", "write every, first and last, e.g. '8 weeks', '14 weeks', '38 weeks'"
            )
        return self

    def days(self) -> list[float]:
        """Days of the doses, in order, the last included."""
        if self.weeks is not None:
            return sorted(7.0 * week for week in self.weeks)
        assert self.every is not None
        assert self.first is not None
        assert self.last is not None
        return [self.first + k * self.every for k in range(int((self.last - self.first) / self.every + 1e-9) + 1)]


class _LevelModel(_Part):
    at: _Time
    value: _Level
    lloq: _Limit = None
    trough: bool = False

    @model_validator(mode="after")
    def _one_limit(self) -> _LevelModel:
        below = self.value[1]
        if below is not None and self.lloq is not None and not math.isclose(below, self.lloq):
            raise InputError.one(
                f"the level is below {below:g} ug/mL, and its lloq is {self.lloq:g} ug/mL",
                "write one limit: leave 'lloq' out where the value says '< ...'",
                key="lloq",
            )
        return self


class _AntibodyModel(_Part):
    at: _Time
    result: Literal["positive", "negative", "inconclusive"]
    titre: _Limit = None


class _CovariateModel(_Part):
    name: str
    rule: Literal["nocb", "locf", "linear"]
    at: list[_Time] = Field(min_length=2)
    values: list[str | float | int] = Field(min_length=2)

    @model_validator(mode="after")
    def _readable(self) -> _CovariateModel:
        _ = self.course()
        return self

    def course(self) -> CovariateCourse:
        """The course in internal units."""
        values = tuple(covariate_value(self.name, value) for value in self.values)
        return CovariateCourse(days=tuple(self.at), values=values, rule=self.rule)


class _PatientModel(_Part):
    id: str = Field(min_length=1)
    drug: str = Field(min_length=1)
    model: str = ""
    note: str = ""
    today: _Time | None = None
    covariates: dict[str, str | float | int] = Field(default_factory=dict)
    covariate: list[_CovariateModel] = Field(default_factory=list)
    regimen: list[_RegimenModel] = Field(default_factory=list)
    dose: list[_DoseModel] = Field(default_factory=list)
    level: list[_LevelModel] = Field(default_factory=list)
    antibody: list[_AntibodyModel] = Field(default_factory=list)

    @field_validator("covariates", mode="after")
    @classmethod
    def _readable(cls, given: dict[str, str | float | int]) -> dict[str, str | float | int]:
        faults = []
        for name, value in given.items():
            try:
                covariate_value(name, value)
            except InputError as error:
                faults += [Fault(key=name, problem=one.problem, remedy=one.remedy) for one in error.faults]
        if faults:
            raise InputError(faults)
        return given

    @model_validator(mode="after")
    def _consistent(self) -> _PatientModel:
        faults = [
            Fault(key=f"covariate.{k}.name", problem=f"{one.name} stands under [covariates] too", remedy="keep one")
            for k, one in enumerate(self.covariate)
            if one.name in self.covariates
        ]
        faults = faults or self._record_faults()
        if faults:
            raise InputError(faults)
        return self

    def _record_faults(self) -> list[Fault]:
        try:
            self._record()
        except InputError as error:
            return [Fault(key=self._key(one.key), problem=self._said(one), remedy=one.remedy) for one in error.faults]
        return []

    def _key(self, key: str) -> str:
        """The place in the file that a fault of the record speaks of."""
        found = re.search(r"level (\d+)", key)
        if found:
            return f"level.{self._order()[int(found[1]) - 1]}"
        return "level" if "levels" in key else "dose" if key.startswith("dose") else ""

    @staticmethod
    def _said(fault: Fault) -> str:
        _, _, what = fault.key.partition(": ")
        return f"{what} {fault.problem}" if what and not what.startswith("level ") else fault.problem

    def _order(self) -> list[int]:
        return sorted(range(len(self.level)), key=lambda k: self.level[k].at)

    def _weight(self, day: float) -> float | None:
        for course in self.covariate:
            if course.name == "weight":
                return course.course().at(day)
        given = self.covariates.get("weight")
        return None if given is None else covariate_value("weight", given)

    def _doses(self) -> list[DoseRecord]:
        planned = [(day, one.dose, one.route, one.infusion) for one in self.regimen for day in one.days()] + [
            (one.at, one.dose, one.route, one.infusion) for one in self.dose
        ]
        found = []
        for day, amount, route, infusion in sorted(planned, key=lambda one: one[0]):
            weight = self._weight(day)
            if amount.per_weight and weight is None:
                raise InputError.one(
                    f"a dose of {amount} without a weight", "add weight = '... kg' under [covariates]", key="dose"
                )
            milligrams = amount.value * (weight or 1.0) if amount.per_weight else amount.value
            found.append(DoseRecord(day=day, milligrams=milligrams, route=route, duration=infusion))
        return found

    def _record(self) -> PatientRecord:
        levels = [self.level[k] for k in self._order()]
        return PatientRecord(
            id=self.id,
            doses=tuple(self._doses()),
            levels=tuple(
                Level(day=one.at, value=one.value[0], lloq=one.value[1] or one.lloq, trough=one.trough)
                for one in levels
            ),
            covariates={name: covariate_value(name, given) for name, given in self.covariates.items()},
            over_time={one.name: one.course() for one in self.covariate},
            antibody=tuple(
                AntibodyReading(
                    day=one.at,
                    positive={"positive": True, "negative": False, "inconclusive": None}[one.result],
                    titre=one.titre,
                )
                for one in sorted(self.antibody, key=lambda one: one.at)
            ),
        )

    def build(self, file: str) -> PatientFile:
        """The checked content."""
        record = self._record()
        seen = max([record.doses[-1].day, *(one.day for one in record.levels), *(one.day for one in record.antibody)])
        if self.today is not None and self.today < seen:
            problem = f"today is day {self.today:g}, but something happened on day {seen:g}"
            raise InputError.one(problem, "leave 'today' out, or set it later", key="today", file=file)
        return PatientFile(
            record=record, drug=self.drug, model=self.model, today=seen if self.today is None else self.today,
            current=self._current(record),
        )  # fmt: skip

    def _current(self, record: PatientRecord) -> tuple[Amount, float] | None:
        """The last dose as it was written, and the days between the last two."""
        if len(record.doses) < 2:
            return None
        written = max(
            [(one.days()[-1], one.dose) for one in self.regimen] + [(one.at, one.dose) for one in self.dose],
            key=lambda one: one[0],
        )
        return written[1], record.doses[-1].day - record.doses[-2].day
