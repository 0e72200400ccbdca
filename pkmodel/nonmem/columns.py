"""Columns of a NONMEM-style table: names, units, and which number of a compartment means what.

Names are read in any case.  A header cell may state the unit, ``TIME [h]``, ``AMT [mg]``, ``DV [ug/mL]``,
``ALB [g/dL]``; a bare TIME, RATE, DUR or II is in the unit of time that the reader was told, a bare AMT in mg, a
bare DV or LLOQ in mg/L (ug/mL), a bare covariate in the project's own unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pkmodel import units
from pkmodel.covariates import CARRIED, COVARIATES
from pkmodel.errors import InputError
from pkmodel.structure import Structure

TIMES = ("TIME", "II", "DUR")
LEVELS = ("DV", "LLOQ", "LIMIT")
FLAGS = ("EVID", "MDV", "CMT", "ADDL", "SS", "BLQ", "CENS")
RESERVED = ("ID", *TIMES, "AMT", "RATE", *FLAGS, *LEVELS)
COMMENT = "C"
"""NM-TRAN's column of remarks: a row with "C", "@" or "#" in it is left out."""

_SAME = MappingProxyType({"BQL": "BLQ", "LOQ": "LLOQ", "TINF": "DUR", "SUBJECT": "ID", "CONC": "DV"})
_COVARIATES = MappingProxyType(
    {
        "WT": "weight", "BW": "weight", "BWT": "weight", "LBW": "lean_body_weight", "ALB": "albumin",
        "ADA": "ada_positive", "ATI": "ada_positive", "IMM": "immunomodulator", "HLA": "hla_dqa1_05",
    }
)  # fmt: skip
_KINDS = MappingProxyType({"kg": units.WEIGHT, "g/L": units.ALBUMIN, "mg/L": units.CONCENTRATION})
_CARRIED = (*COVARIATES, *CARRIED)
_HEADER = re.compile(r"(?P<name>[^\[\]]*?)\s*(?:\[(?P<unit>[^\[\]]*)\])?")

# Which compartment a number names: a depot, where there is one, comes first, as in NONMEM's ADVAN2 and ADVAN4.
DEPOT, CENTRAL, PERIPHERAL = "depot", "central", "peripheral"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file: what it holds, and the factor that takes its numbers to the internal unit."""

    head: str
    name: str
    factor: float = 1.0
    covariate: bool = False


def read_header(cell: str, time_unit: str | None) -> Column | None:
    """What a header cell means; None for a column that means nothing here.

    Raises
    ------
    InputError
        For a unit that does not belong to the column, or a time without unit.
    """
    found = _HEADER.fullmatch(cell)
    plain, unit = (found["name"].strip(), found["unit"]) if found else (cell.strip(), None)
    name = _SAME.get(plain.upper(), plain.upper())
    if name in RESERVED:
        return Column(cell, name, _factor(name, unit, time_unit))
    covariate = _COVARIATES.get(name, plain.lower())
    if covariate not in _CARRIED:
        return None
    internal = COVARIATES[covariate].unit if covariate in COVARIATES else ""
    if not internal:
        _refuse_unit(name, unit)
        return Column(cell, covariate, covariate=True)
    stated = internal if unit is None else unit
    return Column(cell, covariate, units.convert(1.0, _plain(stated), _KINDS[internal]), covariate=True)


def _factor(name: str, unit: str | None, time_unit: str | None) -> float:
    if name in TIMES:
        return units.convert(1.0, _plain(_stated_time(name, unit, time_unit)), units.TIME)
    if name == "RATE":
        return _rate_factor(unit, time_unit)
    if name == "AMT":
        return units.convert(1.0, _plain(unit or "mg"), units.DOSE)
    if name in LEVELS:
        return units.convert(1.0, _plain(unit or "mg/L"), units.CONCENTRATION)
    _refuse_unit(name, unit)
    return 1.0


def _rate_factor(unit: str | None, time_unit: str | None) -> float:
    if unit is None:
        return 1.0 / units.convert(1.0, _plain(_stated_time("RATE", None, time_unit)), units.TIME)
    amount, slash, time = _plain(unit).partition("/")
    if not slash or amount.strip() != "mg":
        raise InputError.one(f"[{unit}] is not a rate of infusion", "write [mg/h] or [mg/day]")
    return 1.0 / units.convert(1.0, time.strip(), units.TIME)


def _stated_time(name: str, unit: str | None, time_unit: str | None) -> str:
    stated = unit if unit is not None else time_unit
    if stated is None:
        raise InputError.one(
            "is a time without unit", f"write '{name} [h]' or '{name} [d]', or say the unit (--time-unit h)"
        )
    return stated


def _refuse_unit(name: str, unit: str | None) -> None:
    if unit not in (None, "", "-", "1", "0/1"):
        raise InputError.one(f"'{name}' has no unit, got [{unit}]", f"write '{name}'")


def _plain(unit: str) -> str:
    return unit.replace("\u00b5", "u").replace("\u03bc", "u").strip()


def compartments(structure: Structure) -> Mapping[int, str]:
    """Number to compartment; 0 is the default one (of doses the first, of samples the central)."""
    names = ([DEPOT] if "sc" in structure.routes else []) + [CENTRAL]
    names += [PERIPHERAL] * (structure.compartments - 1)
    return MappingProxyType(dict(enumerate(names, start=1)))
