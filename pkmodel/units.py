"""The door for quantities: text with a unit goes in, floats in internal units come out.

The table of units is closed.  A general evaluator of units reads "4–7 µg/mL" as a product and "10 AU/mL" as
ten absorbance units; here a text is either understood completely or refused with a reason.

Internal units: day, mg, mg/kg, mg/L (the same number as ug/mL), L, L/day, 1/day, kg, g/L of albumin.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from typing import NoReturn

from pkmodel.errors import InputError, PkWarning, nearest

TIME, DOSE, DOSE_PER_WEIGHT, CONCENTRATION = "time", "dose", "dose per kilogram", "concentration"
CLEARANCE, VOLUME, RATE, FRACTION = "clearance", "volume", "rate", "fraction"
ELIMINATION_RATE = "rate of elimination"
WEIGHT, ALBUMIN, TITRE = "weight", "albumin", "antibody titre"

# unit -> (kind, factor to the internal unit)
_UNITS: dict[str, tuple[str, float]] = {
    "min": (TIME, 1 / 1440), "minute": (TIME, 1 / 1440), "minutes": (TIME, 1 / 1440),
    "h": (TIME, 1 / 24), "hour": (TIME, 1 / 24), "hours": (TIME, 1 / 24),
    "d": (TIME, 1.0), "day": (TIME, 1.0), "days": (TIME, 1.0),
    "week": (TIME, 7.0), "weeks": (TIME, 7.0),
    "year": (TIME, 365.25), "years": (TIME, 365.25),
    "mg": (DOSE, 1.0), "mg/kg": (DOSE_PER_WEIGHT, 1.0),
    "mg/L": (CONCENTRATION, 1.0), "ug/mL": (CONCENTRATION, 1.0), "mcg/mL": (CONCENTRATION, 1.0),
    "ng/mL": (CONCENTRATION, 1e-3),
    "L/day": (CLEARANCE, 1.0), "L/h": (CLEARANCE, 24.0),
    "L": (VOLUME, 1.0), "1/day": (RATE, 1.0), "1/h": (RATE, 24.0),
    "mg/day": (ELIMINATION_RATE, 1.0), "mg/h": (ELIMINATION_RATE, 24.0),
    "fraction": (FRACTION, 1.0), "percent": (FRACTION, 1 / 100),
    "kg": (WEIGHT, 1.0), "g/L": (ALBUMIN, 1.0), "g/dL": (ALBUMIN, 10.0),
    "AU/mL": (TITRE, math.nan), "U/mL": (TITRE, math.nan),
}  # fmt: skip
_MEANT = {
    "wk": "weeks", "wks": "weeks", "w": "weeks", "yr": "years", "yrs": "years", "y": "years", "hr": "hours",
    "hrs": "hours", "mins": "minutes", "mgs": "mg", "mg/kgs": "mg/kg", "mg/kg bw": "mg/kg",
}  # fmt: skip
_TIME = "a time such as '8 weeks'"
_DOSE = "a dose such as '5 mg/kg'"
_CONCENTRATION = "a concentration such as '5 ug/mL'"
_WINDOW = "a window such as '4-7 ug/mL' or '>= 3 ug/mL'"
# Papers print en dashes for ranges and either of two letters for micro.
_SPELLINGS = (
    ("\u00b5", "u"), ("\u03bc", "u"), ("\u2013", "-"), ("\u2014", "-"), ("\u2212", "-"), ("\u2265", ">="),
    ("\u00a0", " "), ("\u202f", " "),
)  # fmt: skip

# Beyond what has ever been given of a biologic in these diseases: most likely a slip of the unit.
_LARGEST_USUAL = {True: 30.0, False: 3000.0}

# not \d: that takes the digits of every script, which float() then reads without a word
_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"(?P<number>[+-]?{_NUMBER})\s*(?P<unit>\D.*)?")
_RANGE = re.compile(rf"(?P<low>{_NUMBER})\s*(?:-|to)\s*(?P<high>{_NUMBER})\s*(?P<unit>\D.*)?")
_MINIMUM = re.compile(rf">=\s*(?P<low>{_NUMBER})\s*(?P<unit>\D.*)?")


@dataclass(frozen=True, slots=True)
class Amount:
    """A dose: ``value`` in mg, or in mg per kg of body weight if ``per_weight``.

    Raises
    ------
    InputError
        If the value is not a positive, finite number.
    """

    value: float
    per_weight: bool

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise InputError.one(f"a dose of {self.value:g} {self._unit}", "doses are positive and finite")

    @property
    def _unit(self) -> str:
        return "mg/kg" if self.per_weight else "mg"

    def __str__(self) -> str:
        return f"{self.value:g} {self._unit}"


def time_d(text: str) -> float:
    """Return a duration or point of time in days; ``time_d("8 weeks") == 56.0``.

    A year has 365.25 days.  Months are refused because nobody agrees on their length.

    Raises
    ------
    InputError
        If the text is no time, is negative, or has no or an unknown unit.
    """
    return _quantity(text, (TIME,), _TIME)[0]


def concentration(text: str) -> float:
    """Return a drug concentration in mg/L; ``concentration("5 ug/mL") == 5.0``.

    Raises
    ------
    InputError
        If the text is no concentration, is negative, or has no or an unknown unit.
    """
    return _quantity(text, (CONCENTRATION,), _CONCENTRATION)[0]


def dose(text: str) -> Amount:
    """Return a dose; ``dose("5 mg/kg") == Amount(5.0, per_weight=True)``.

    Warns with :class:`PkWarning` above 30 mg/kg or 3000 mg, which no study in these diseases has given.

    Raises
    ------
    InputError
        If the text is no dose, is zero or negative, or has no or an unknown unit.
    """
    value, kind = _quantity(text, (DOSE, DOSE_PER_WEIGHT), _DOSE)
    if value == 0:
        raise InputError.one(f"'{text}' is a dose of nothing", "leave the dose out, or write a positive dose")
    amount = Amount(value, kind == DOSE_PER_WEIGHT)
    if amount.value > _LARGEST_USUAL[amount.per_weight]:
        warnings.warn(f"a dose of {amount} is far above any in use: check its unit", PkWarning, stacklevel=2)
    return amount


def window(text: str) -> tuple[float, float]:
    """Return (low, high) in mg/L of a target window; a lower bound alone gives an infinite high end.

    ``window("4–7 µg/mL") == (4.0, 7.0)`` and ``window(">= 3 ug/mL") == (3.0, inf)``.

    Raises
    ------
    InputError
        If the text is no window of concentrations or its low end is not below its high end.
    """
    plain = _normalised(text, _WINDOW)
    found = _RANGE.fullmatch(plain) or _MINIMUM.fullmatch(plain)
    if found is None:
        _refuse(text, "is not a window", _WINDOW)
    factor, _ = _factor(text, found["unit"], (CONCENTRATION,), _WINDOW)
    low = float(found["low"]) * factor
    high = float(found["high"]) * factor if "high" in found.groupdict() else math.inf
    if "high" in found.groupdict() and not math.isfinite(high):
        _refuse(text, "is not finite", _WINDOW)
    if not low < high:
        _refuse(text, "has its low end at or above its high end", _WINDOW)
    return low, high


def convert(value: float, unit: str, kind: str) -> float:
    """Return ``value`` of a stated unit in the internal unit of ``kind`` (one of this module's constants).

    Raises
    ------
    InputError
        If the unit is unknown or belongs to another kind.
    """
    factor, _ = _factor(f"{value:g} {unit}", unit, (kind,), f"a {kind} in {' or '.join(_units_of((kind,)))}")
    return value * factor


def _quantity(text: str, kinds: tuple[str, ...], example: str) -> tuple[float, str]:
    """Return (value in internal units, kind) of a text "number unit"."""
    plain = _normalised(text, example)
    if re.match(r"[+-]?[0-9]+,[0-9]", plain):
        problem, remedy = f"'{text}' has a comma in its number", "write a decimal point and no thousands mark"
        raise InputError.one(problem, remedy)
    if _RANGE.fullmatch(plain):
        _refuse(text, "is a range", example)
    found = _QUANTITY.fullmatch(plain)
    if found is None:
        _refuse(text, "is not a number with a unit", example)
    factor, kind = _factor(text, found["unit"], kinds, example)
    value = float(found["number"]) * factor
    if not math.isfinite(value):
        _refuse(text, "is not finite", example)
    if value < 0:
        _refuse(text, "is negative", example)
    return value, kind


def _factor(text: str, unit: str | None, kinds: tuple[str, ...], example: str) -> tuple[float, str]:
    """Return (factor, kind) of a unit, or refuse it with the best hint there is."""
    unit = (unit or "").strip()
    if not unit:
        _refuse(text, "has no unit", example)
    if unit in _UNITS:
        kind, factor = _UNITS[unit]
        if kind in kinds:
            return factor, kind
        article = "an" if kind[0] in "aeiou" else "a"
        raise InputError.one(f"'{text}': that is {article} {kind}", f"expected {example}")
    if unit.casefold() in ("month", "months"):
        raise InputError.one(f"'{text}': a month has no defined length", "write weeks or days")
    guess = _MEANT.get(unit.casefold(), "") or _alike(unit, kinds)
    hint = f"did you mean '{guess}'?" if guess else f"expected {example}"
    raise InputError.one(f"'{text}': unknown unit '{unit}'", f"{hint} (units: {', '.join(_units_of(kinds))})")


def _alike(unit: str, kinds: tuple[str, ...]) -> str:
    """Return the unit that was probably meant, or an empty string.

    Compound and very short units are matched on their letters' case only: the unit most like 'g' is 'mg', and
    to suggest it would be to suggest a thousandfold error.
    """
    known = _units_of(kinds)
    folded = {name.casefold(): name for name in known}
    if unit.casefold() in folded:
        return folded[unit.casefold()]
    return nearest(unit, known) if len(unit) > 2 and "/" not in unit else ""


def _units_of(kinds: tuple[str, ...]) -> list[str]:
    return [unit for unit, (kind, _) in _UNITS.items() if kind in kinds]


def _normalised(text: object, example: str) -> str:
    """Return the text with one spelling of micro, dash, at-least and slash; refuse what is not text."""
    if not isinstance(text, str):
        problem = "has no unit" if isinstance(text, int | float) else "is not text"
        raise InputError.one(f"{text!r} {problem}", f"expected {example}, in quotes")
    for odd, usual in _SPELLINGS:
        text = text.replace(odd, usual)
    return re.sub(r"\s*/\s*", "/", text.strip())


def _refuse(text: str, problem: str, example: str) -> NoReturn:
    raise InputError.one(f"'{text}' {problem}", f"expected {example}")
