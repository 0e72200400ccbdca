"""Cohorts from CSV files: one patient per row, one covariate per column, every bad cell reported.

The first row names the covariates, with their units in square brackets:
``weight [kg],albumin [g/dL],crp [mg/L],female``.  A known covariate without a unit is read in the project's
own unit (kg, g/L, mg/L, 0/1).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pkmodel import units
from pkmodel.errors import Fault, InputError, nearest
from pkmodel.files import read_text

ID_COLUMN = "id"


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a covariate: kind of unit, unit of bare numbers, bounds no living patient leaves."""

    kind: str
    unit: str
    low: float
    high: float


# The bounds are not domains of validity (models have those, and warn): they catch g/dL given for g/L.
_CONTINUOUS = {
    "weight": _Known(units.WEIGHT, "kg", 1.0, 500.0),
    "lean_body_weight": _Known(units.WEIGHT, "kg", 1.0, 300.0),
    "albumin": _Known(units.ALBUMIN, "g/L", 8.0, 80.0),
    "crp": _Known(units.CONCENTRATION, "mg/L", 0.0, 1000.0),
}
_BINARY = ("female", "hla_dqa1_05")
# Covariates of published models that a trial decides or computes, so that a patient cannot bring them along.
_NOT_A_COHORT = {
    "immunomodulator": "say it per arm, with [[arm.cotherapy]]",
    "weekly_dosing": "it follows from the arm's dosing",
    "ada_positive": "the antibody layer computes it",
}
_HEADER = re.compile(r"(?P<name>[^\[\]]*?)\s*(?:\[(?P<unit>[^\[\]]*)\])?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MISSING = {"", ".", "na", "n/a", "nan", "null", "none", "-"}


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its covariate, factor to the internal unit, bounds, and whether it is a yes or no."""

    name: str
    factor: float
    low: float
    high: float
    binary: bool
    unit: str


def read_cohort_csv(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Return the columns of a cohort CSV in internal units, each of shape (patient,).

    An ``id`` column is checked for repetitions and left out: patients are numbered from 0, in order of rows.

    Raises
    ------
    InputError
        With every fault of the header, or else every bad cell with its line and column.
    """
    file = str(path)
    rows = _rows(read_text(path), file)
    header_line, header = rows[0]
    columns = _columns(header, file, header_line)
    faults: list[Fault] = []
    values = np.full((len(rows) - 1, len(columns)), np.nan)
    for index, (line, cells) in enumerate(rows[1:]):
        if len(cells) != len(header):
            problem = f"row {index + 1} has {len(cells)} cells, the header has {len(header)}"
            faults.append(Fault(problem=problem, remedy="one cell per column", file=file, line=line))
            continue
        for place, column in enumerate(columns):
            if column is None:
                continue
            value = _value(cells[place], column)
            if isinstance(value, Fault):
                said = f"row {index + 1}: {value.problem}"
                faults.append(Fault(problem=said, remedy=value.remedy, key=column.name, file=file, line=line))
            else:
                values[index, place] = value
    faults += _repeated_ids(rows, columns, file)
    if faults:
        raise InputError(sorted(faults, key=lambda fault: fault.line or 0))
    return {
        column.name: np.ascontiguousarray(values[:, place])
        for place, column in enumerate(columns)
        if column is not None
    }


def _rows(text: str, file: str) -> list[tuple[int, list[str]]]:
    """Return (line, cells) of each row that is not blank; the first is the header."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        line = 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError.one(f"not CSV: {error}", "check the quotes", file=file, line=reader.line_num) from None
    if not rows:
        raise InputError.one("the file is empty", "write a header and one row per patient", file=file, line=1)
    header = rows[0][1]
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            remedy = "separate cells by commas and write decimal points"
            raise InputError.one(f"cells are separated by {name}", remedy, file=file, line=rows[0][0])
    if len(rows) == 1:
        raise InputError.one("there are no patients", "add one row per patient", file=file, line=rows[0][0])
    return rows


def _columns(header: list[str], file: str, line: int) -> list[_Column | None]:
    """Read the header; None stands for the id column."""
    columns: list[_Column | None] = []
    faults: list[Fault] = []
    for cell in header:
        try:
            columns.append(_column(cell))
        except InputError as error:
            faults += [
                Fault(problem=one.problem, remedy=one.remedy, key=cell or "header", file=file, line=line)
                for one in error.faults
            ]
    names = [column.name for column in columns if column is not None]
    faults += [
        Fault(problem="this column is there twice", remedy="remove one", key=name, file=file, line=line)
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if faults:
        raise InputError(faults)
    if not names:
        remedy = f"known covariates: {', '.join([*_CONTINUOUS, *_BINARY])}"
        raise InputError.one("there is no covariate", remedy, file=file, line=line)
    return columns


def _column(cell: str) -> _Column | None:
    """Read one header cell such as ``albumin [g/dL]``."""
    found = _HEADER.fullmatch(cell)
    name, unit = (found["name"].strip(), found["unit"]) if found else (cell, None)
    if found is None or not name:
        raise InputError.one(f"'{cell}' is no column name", "write a name and a unit, such as 'weight [kg]'")
    if name.casefold() == ID_COLUMN:
        return None
    if name in _NOT_A_COHORT:
        raise InputError.one("not a property of a patient before treatment", _NOT_A_COHORT[name])
    if name in _BINARY:
        if unit not in (None, "", "-", "1", "0/1"):
            raise InputError.one(f"'{name}' has no unit, got [{unit}]", f"write '{name}' and 0 or 1 in its cells")
        return _Column(name, 1.0, 0.0, 1.0, True, "")
    if name in _CONTINUOUS:
        known = _CONTINUOUS[name]
        stated = known.unit if unit is None else unit.replace("µ", "u").replace("μ", "u").strip()
        factor = units.convert(1.0, stated, known.kind)
        return _Column(name, factor, known.low, known.high, False, stated)
    return _other_column(name, unit)


def _other_column(name: str, unit: str | None) -> _Column:
    """A covariate only the user's own model knows: read as it is, if its unit is stated and it is no slip."""
    guess = nearest(name, [*_CONTINUOUS, *_BINARY])
    own_unit = unit is not None and not (guess in _CONTINUOUS and unit == _CONTINUOUS[guess].unit)
    if not (own_unit and name.isidentifier()):
        hint = f"did you mean '{guess}'? " if guess else ""
        known = ", ".join([*_CONTINUOUS, *_BINARY])
        remedy = f"{hint}(known: {known}; a covariate of your own model needs its unit, as in 'bmi [kg/m2]')"
        raise InputError.one("unknown covariate", remedy)
    assert unit is not None
    return _Column(name, 1.0, 0.0, math.inf, False, unit)


def _value(cell: str, column: _Column) -> float | Fault:
    """Return the number in a cell in the internal unit, or what is wrong with it."""
    wanted = "0 or 1" if column.binary else f"a number in {column.unit}"
    if cell.casefold() in _MISSING:
        said = "missing" if not cell else f"missing ('{cell}')"
        return Fault(problem=f"the value is {said}", remedy=f"write {wanted}; no value is made up")
    if not _NUMBER.fullmatch(cell):
        comma = " with a decimal point" if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", cell) else ""
        return Fault(problem=f"'{cell}' is not a number", remedy=f"write {wanted}{comma}")
    value = float(cell) * column.factor
    if column.binary and value not in (0.0, 1.0):
        return Fault(problem=f"{cell} is neither 0 nor 1", remedy="write 1 for yes and 0 for no")
    if value < 0:
        return Fault(problem=f"{cell} is negative", remedy=f"write {wanted}")
    if not column.low <= value <= column.high or not math.isfinite(value):
        said = f"{cell} {column.unit} is not possible for {column.name}"
        return Fault(problem=said, remedy=f"check the value, or state the unit as in '{column.name} [unit]'")
    return value


def _repeated_ids(rows: list[tuple[int, list[str]]], columns: list[_Column | None], file: str) -> Iterator[Fault]:
    for place, column in enumerate(columns):
        if column is not None:
            continue
        first_line: dict[str, int] = {}
        for line, cells in rows[1:]:
            if len(cells) != len(columns):
                continue
            if cells[place] in first_line:
                problem = f"id '{cells[place]}' is also on line {first_line[cells[place]]}"
                yield Fault(problem=problem, remedy="one row per patient", key=ID_COLUMN, file=file, line=line)
            first_line.setdefault(cells[place], line)
