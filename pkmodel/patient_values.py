"""Values in a patient file: quantities of the clinic as numbers in internal units."""

from __future__ import annotations

import re

import numpy as np

from pkmodel import units
from pkmodel.covariates import CARRIED, COVARIATES
from pkmodel.errors import InputError, unknown_name

_KINDS = {"kg": units.WEIGHT, "g/L": units.ALBUMIN, "mg/L": units.CONCENTRATION}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([^0-9].*)")
_BELOW = re.compile(r"<\s*(.+)")


def level(text: object) -> tuple[float | None, float | None]:
    """(value, limit) of "2.1 ug/mL" or "< 0.3 ug/mL"."""
    below = _BELOW.fullmatch(text.strip()) if isinstance(text, str) else None
    if below:
        return None, units.concentration(below[1])
    return units.concentration(text), None  # type: ignore[arg-type]


def limit(text: object) -> float | None:
    """A limit of quantification, or None."""
    return None if text is None else units.concentration(text)  # type: ignore[arg-type]


def infusion(text: object) -> float:
    """Length of an infusion in days; "bolus" is 0."""
    return 0.0 if text == "bolus" else units.time_d(text)  # type: ignore[arg-type]


def covariate_value(name: str, given: object) -> float:
    """A covariate in its internal unit: "72 kg", or a bare number where it has no unit.

    Raises
    ------
    InputError
        For an unknown covariate, a missing or wrong unit, or an impossible value.
    """
    known = {**COVARIATES, **CARRIED}
    if name not in known:
        raise unknown_name("covariate", name, known)
    unit = known[name].unit
    if unit:
        found = _QUANTITY.fullmatch(given.strip()) if isinstance(given, str) else None
        if found is None:
            raise InputError.one(f"{given!r} has no unit", f"write e.g. '40 {unit}', in quotes")
        value = units.convert(float(found[1]), found[2].strip(), _KINDS[unit])
    elif isinstance(given, bool) or not isinstance(given, int | float):
        raise InputError.one(f"{given!r} is not a number", f"write {name} = 1 or {name} = 0, without quotes")
    else:
        value = float(given)
    known[name].check(name, np.array([value]))
    return value
