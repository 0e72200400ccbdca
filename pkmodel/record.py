"""What is known about one patient: doses that were given, levels that were measured, covariates, antibody results.

A record is plain data, checked when it is made. Which model explains it is the business of
:mod:`pkmodel.estimation`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import numpy as np

from pkmodel.errors import Fault, InputError, unknown_name
from pkmodel.regimen import DEFAULT_INFUSION_D, Regimen
from pkmodel.structure import ROUTES

RULES = ("locf", "nocb", "linear")
"""How a covariate is read between its records: last observation carried forward (a value holds from its record
on), next observation carried backward (up to and including its record), or a straight line in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One measured drug level.

    Attributes
    ----------
    day
        When the sample was taken, in days on the clock of the doses.
    value
        mg/L (the same number as ug/mL); None where the laboratory reported "below the limit".
    lloq
        Lower limit of quantification of that assay, mg/L; needed where ``value`` is None.
    trough
        True for a sample taken just before the dose of the same moment. Only then may ``day`` be the day of a
        dose: a sample "at" a dose could be its trough or its peak, and the two differ manyfold.
    """

    day: float
    value: float | None
    lloq: float | None = None
    trough: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseRecord:
    """One dose that was given, or is planned.

    Attributes
    ----------
    day
        Start of the infusion, or the injection, in days.
    milligrams
        Amount, mg (not mg/kg: what the patient got).
    route
        "iv" or "sc"; None takes the model's own route.
    duration
        Length of an infusion in days; 0 is a bolus. Ignored for "sc".
    """

    day: float
    milligrams: float
    route: str | None = None
    duration: float = DEFAULT_INFUSION_D


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateCourse:
    """A covariate that changes.

    Attributes
    ----------
    days, values
        Records in order of time, in internal units.
    rule
        One of :data:`RULES`; there is no default because they give different answers.
    """

    days: tuple[float, ...]
    values: tuple[float, ...]
    rule: str

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise unknown_name("covariate rule", self.rule, RULES, key="rule")
        if not self.days or len(self.days) != len(self.values):
            remedy = "give one value for each day"
            raise InputError.one(f"{len(self.days)} days and {len(self.values)} values", remedy, key="days")
        if not all(math.isfinite(x) for x in (*self.days, *self.values)):
            raise InputError.one("a record is not a finite number", "leave out missing records", key="values")
        if any(later <= earlier for earlier, later in itertools.pairwise(self.days)):
            raise InputError.one("records are not in order of time", "sort them; one record a day", key="days")

    def at(self, day: float) -> float:
        """The value that holds just after ``day``."""
        if self.rule == "linear":
            return float(np.interp(day, self.days, self.values))
        after = int(np.searchsorted(self.days, day, side="right"))
        row = after - 1 if self.rule == "locf" else after
        return self.values[min(max(row, 0), len(self.days) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AntibodyReading:
    """One antibody result.

    Attributes
    ----------
    day
        Day of the sample.
    positive
        What the laboratory called it; None if it was inconclusive.
    titre
        mg/L of drug-binding capacity, None where only positive or negative was reported. AU/mL, U/mL and
        ng/mL of published assays cannot be converted.
    """

    day: float
    positive: bool | None
    titre: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRecord:
    """One patient.

    Attributes
    ----------
    id
        Any text; it appears in messages.
    doses, levels
        In order of time.
    covariates
        Name to value, internal units (weight kg, albumin g/L, ...; ``pkmodel.covariates.COVARIATES``).
    over_time
        Name to :class:`CovariateCourse`; overrides the constant value.
    antibody
        Antibody results. They are used where antibody is estimated (``fit_onset``); a model's own binary
        antibody term needs the covariate ``ada_positive``.
    occasions
        Days on which a new occasion (between-occasion variability) begins. None: at every dose.
    resets
        Days on which all drug is taken to be gone (NONMEM's EVID 3).

    Raises
    ------
    InputError
        With every fault.
    """

    id: str
    doses: tuple[DoseRecord, ...]
    levels: tuple[Level, ...] = ()
    covariates: Mapping[str, float] = field(default_factory=dict)
    over_time: Mapping[str, CovariateCourse] = field(default_factory=dict)
    antibody: tuple[AntibodyReading, ...] = ()
    occasions: tuple[float, ...] | None = None
    resets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "covariates", MappingProxyType(dict(self.covariates)))
        object.__setattr__(self, "over_time", MappingProxyType(dict(self.over_time)))
        say = _Faults(self.id)
        _check_doses(self.doses, say)
        if self.doses and not say.found:
            for number, level in enumerate(self.levels, start=1):
                _check_level(number, level, self.doses, say)
            _in_order("levels", [level.day for level in self.levels], say)
            if len(set(self.levels)) < len(self.levels):
                say("levels", "a level stands here twice", "leave out the copy")
        for name, value in self.covariates.items():
            if not math.isfinite(value):
                say(f"covariates.{name}", f"is {value}", "give a number, or leave the covariate out")
        _in_order("antibody", [reading.day for reading in self.antibody], say)
        for number, reading in enumerate(self.antibody, start=1):
            if reading.titre is not None and not 0.0 <= reading.titre < math.inf:
                say(f"antibody result {number}", f"a titre of {reading.titre:g}", "a titre is zero or more mg/L")
        for name in ("occasions", "resets"):
            _in_order(name, list(getattr(self, name) or ()), say)
        say.raise_if_any()

    def until(self, day: float) -> PatientRecord:
        """The record as it was on ``day``: levels and antibody results up to and including it, doses before it.

        Covariates are kept whole.
        """
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        kept["doses"] = tuple(dose for dose in self.doses if dose.day < day)
        kept["levels"] = tuple(level for level in self.levels if level.day <= day)
        kept["antibody"] = tuple(reading for reading in self.antibody if reading.day <= day)
        return PatientRecord(**kept)


def doses_of(regimen: Regimen, *, weight: float | None = None, until: float = math.inf) -> tuple[DoseRecord, ...]:
    """The doses of a regimen before day ``until``, in mg for a patient of ``weight`` kg."""
    kilograms = None if weight is None else np.array([weight])
    return tuple(
        DoseRecord(
            day=dose.time,
            milligrams=float(dose.milligrams(kilograms, 1)[0]),
            route=dose.route,
            duration=dose.duration,
        )
        for dose in regimen.doses
        if dose.time < until
    )


class _Faults:
    """Collects what is wrong with one patient."""

    def __init__(self, patient: str) -> None:
        self.patient = patient
        self.found: list[Fault] = []

    def __call__(self, key: str, problem: str, remedy: str) -> None:
        self.found.append(Fault(key=f"patient {self.patient}: {key}", problem=problem, remedy=remedy))

    def raise_if_any(self) -> None:
        if self.found:
            raise InputError(self.found)


def _in_order(key: str, days: Sequence[float], say: Callable[[str, str, str], None]) -> None:
    if not all(math.isfinite(day) for day in days):
        say(key, "a day is not a finite number", "give days")
    elif any(later < earlier for earlier, later in itertools.pairwise(days)):
        say(key, "are not in order of time", "sort them")


def _check_doses(doses: Sequence[DoseRecord], say: Callable[[str, str, str], None]) -> None:
    if not doses:
        say("doses", "there are none", "give at least one dose: without drug there is nothing to explain")
    for number, dose in enumerate(doses, start=1):
        key = f"dose {number} (day {dose.day:g})"
        if not 0.0 <= dose.milligrams < math.inf:
            say(key, f"{dose.milligrams:g} mg", "give the amount in mg, zero or more")
        if not 0.0 <= dose.duration <= 400.0:
            say(key, f"an infusion of {dose.duration:g} days", "give its length in days, 0 for a bolus")
        if dose.route is not None and dose.route not in ROUTES:
            say(key, f"route '{dose.route}'", "use 'iv' or 'sc'")
    _in_order("doses", [dose.day for dose in doses], say)
    if len(set(doses)) < len(doses):
        say("doses", "a dose stands here twice", "leave out the copy, or write one dose of the sum")


def _check_level(number: int, level: Level, doses: Sequence[DoseRecord], say: Callable[[str, str, str], None]) -> None:
    key = f"level {number} (day {level.day:g})"
    if level.lloq is not None and not 0.0 < level.lloq < math.inf:
        say(key, f"a limit of quantification of {level.lloq:g} mg/L", "give a positive limit, or none")
    elif level.value is None:
        if level.lloq is None:
            say(key, "is below the limit of quantification, and the limit is missing", "give its lloq in mg/L")
    elif not math.isfinite(level.value) or level.value < 0.0:
        say(key, f"is {level.value:g} mg/L", "a level is positive; one below the limit has no value, but an lloq")
    elif level.value == 0.0:
        say(key, "is 0 mg/L", "laboratories report 'below the limit': give no value, and the lloq")
    elif level.lloq is not None and level.value < level.lloq:
        problem = f"is {level.value:g} mg/L, below its own limit of {level.lloq:g}"
        say(key, problem, "give no value (it then counts as below the limit), or the right limit")
    if level.day < doses[0].day:
        remedy = f"add the earlier doses, or leave it out: the first dose is on day {doses[0].day:g}"
        say(key, "lies before the first dose", remedy)
    elif not level.trough and any(dose.day == level.day and dose.milligrams > 0.0 for dose in doses):
        remedy = "set trough to true if it was taken before that dose; give a later time if it is a peak"
        say(key, "lies at the very moment of a dose, and could be its trough or its peak", remedy)
