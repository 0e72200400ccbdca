"""Covariates of a table over time: one explicit rule per covariate, parameters at each change.

NOCB, the default because it is NONMEM's, lets a value act backward to the record before; LOCF lets it hold from its
record on; "linear" draws a straight line.  For a status such as "antibody-positive" the choice moves the change by a
whole visit interval, so a status that flips is warned about.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import InputError, PkWarning, unknown_name
from pkmodel.nonmem.table import Table
from pkmodel.record import RULES, CovariateCourse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEFAULT_RULE = "nocb"
LINEAR_STEP = 1.0
"""Longest step (d) by which a straight line is approximated: parameters are constant between events."""
_STATUS = ("ada_positive", "immunomodulator")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Courses:
    """Covariate values of all patients, as steps.

    Attributes
    ----------
    owner, day
        (step,) number of the patient, and the day from which the values hold; each patient's first step is at
        minus infinity.
    values
        Name to (step,) values.
    """

    owner: Ints
    day: Floats
    values: Mapping[str, Floats]


def rules_of(table: Table, rules: Mapping[str, str] | None) -> dict[str, str]:
    """The rule of every covariate; what is not named gets NOCB.

    Raises
    ------
    InputError
        For an unknown rule, or a covariate that the table does not have.
    """
    found = dict.fromkeys(table.covariates, DEFAULT_RULE)
    for name, rule in (rules or {}).items():
        if name not in found:
            raise unknown_name("covariate of the table", name, found, key="rules")
        if rule not in RULES:
            raise unknown_name("covariate rule", rule, RULES, key=name)
        found[name] = rule
    return found


def course_of(table: Table, name: str, rows: NDArray[np.intp], rule: str) -> CovariateCourse | None:
    """The course of one covariate in one patient; None where it does not change.

    Raises
    ------
    InputError
        If records of the same time disagree.
    """
    values, days = table.covariates[name][rows], table.time[rows]
    if np.all(values == values[0]):
        return None
    same = np.flatnonzero((np.diff(days) == 0) & (np.diff(values) != 0))
    if same.size:
        record = rows[same[0] + 1]
        raise InputError.one(
            f"{values[same[0]]:g} and {values[same[0] + 1]:g} at the same time (ID {table.patient[record]})",
            "records of one time carry one value", key=name, file=table.file, line=int(table.line[record]),
        )  # fmt: skip
    kept = np.concatenate([[True], np.diff(days) > 0])
    return CovariateCourse(days=tuple(days[kept].tolist()), values=tuple(values[kept].tolist()), rule=rule)


def courses(table: Table, rules: Mapping[str, str] | None = None) -> Courses:
    """The covariates of all patients as steps; warns where a status flips between records."""
    chosen = rules_of(table, rules)
    owner: list[int] = []
    day: list[float] = []
    values: dict[str, list[float]] = {name: [] for name in chosen}
    flips: dict[str, list[int]] = {}
    bounds = np.flatnonzero(np.diff(table.number, prepend=-1, append=-1))
    for number in range(bounds.size - 1):
        rows = np.arange(bounds[number], bounds[number + 1])
        changing = {name: course_of(table, name, rows, rule) for name, rule in chosen.items()}
        found = {name: course for name, course in changing.items() if course is not None}
        for name in found:
            if name in _STATUS:
                flips.setdefault(name, []).append(int(table.patient[rows[0]]))
        for moment, at in _steps(found):
            owner.append(number)
            day.append(moment)
            for name, column in values.items():
                column.append(found[name].at(at) if name in found else float(table.covariates[name][rows[0]]))
    _tell_flips(flips, chosen)
    return Courses(
        owner=np.array(owner, np.int64),
        day=np.array(day, np.float64),
        values={name: np.array(column, np.float64) for name, column in values.items()},
    )


def _steps(found: Mapping[str, CovariateCourse]) -> list[tuple[float, float]]:
    """(day from which a step holds, day at which to read its values): the middle of a step of a straight line."""
    moments: set[float] = set()
    for course in found.values():
        moments.update(course.days)
        if course.rule == "linear":
            for a, b in zip(course.days, course.days[1:], strict=False):
                count = int(np.ceil((b - a) / LINEAR_STEP))
                moments.update(np.linspace(a, b, count + 1).tolist())
    days = sorted(moments)
    steps = [(-np.inf, -np.inf)]
    for k, day in enumerate(days):
        inside = any(course.rule == "linear" for course in found.values()) and k + 1 < len(days)
        steps.append((day, (day + days[k + 1]) / 2 if inside else day))
    return steps


def _tell_flips(flips: Mapping[str, list[int]], rules: Mapping[str, str]) -> None:
    says = {
        "nocb": "acts backward to the record before (NOCB)",
        "locf": "acts from its record on (LOCF)",
        "linear": "is drawn as a slope between its records",
    }
    for name, patients in flips.items():
        listed = ", ".join(map(str, patients[:5])) + (", ..." if len(patients) > 5 else "")
        message = (
            f"{name} changes between records in {len(patients)} patients (ID {listed}); a change {says[rules[name]]}, "
            "which may be weeks from the day it happened: check the rule"
        )
        warnings.warn(message, PkWarning, stacklevel=4)
