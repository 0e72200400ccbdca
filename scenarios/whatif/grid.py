"""The grid of regimens that can be given, per drug as data, and the limits within which a choice is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from pkmodel import units
from pkmodel.errors import InputError, unknown_name
from pkmodel.files import FileModel, read_toml
from pkmodel.units import Amount

_DATA = Path(__file__).parent.parent / "data" / "grids"
DAYS_PER_YEAR = 365.25

_ROUNDING = 1e-9  # a dose of exactly the limit is allowed, whatever its last digit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One cell: a maintenance dose every ``interval`` days, with or without an immunomodulator."""

    dose: Amount
    interval: float
    immunomodulator: bool = False

    def __str__(self) -> str:
        together = " with an immunomodulator" if self.immunomodulator else ""
        return f"{self.dose} every {weeks_text(self.interval).removeprefix('1 ')}{together}"

    def milligrams(self, weight: Floats) -> Floats:
        """(patient,) mg of one dose."""
        return self.dose.value * (weight if self.dose.per_weight else np.ones_like(weight))


def weeks_text(days: float) -> str:
    """Days as people say them: "8 weeks", "1 week", "10 days"."""
    if days % 7.0:
        return f"{days:g} days"
    return "1 week" if days == 7.0 else f"{days / 7.0:g} weeks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a choice must respect.

    Attributes
    ----------
    max_dose
        Largest single dose; a limit in mg/kg binds every patient, whatever the unit of the option.
    intervals
        Allowed intervals, days; None for all of the grid.
    budget
        Most drug, mg per patient and year, on average over the patients.
    """

    max_dose: Amount | None = None
    intervals: tuple[float, ...] | None = None
    budget: float | None = None

    def refuse(self, option: Option, weight: Floats) -> str:
        """Why an option is not allowed; an empty text if it is."""
        milligrams = option.milligrams(weight)
        if self.max_dose is not None:
            given = milligrams / weight if self.max_dose.per_weight else milligrams
            above = float(np.mean(given > self.max_dose.value * (1 + _ROUNDING)))
            if above > 0:
                return f"above {self.max_dose}" + (f" in {100 * above:.1f} % of patients" if weight.size > 1 else "")
        if self.intervals is not None and option.interval not in self.intervals:
            return "interval not allowed"
        if self.budget is not None and float(np.mean(milligrams)) * DAYS_PER_YEAR / option.interval > self.budget:
            return f"above {self.budget:g} mg a year"
        return ""

    def allow(self, milligrams: Floats, weight: Floats, intervals: Floats) -> NDArray[np.bool_]:
        """(patient, cell) which doses are allowed to each patient by itself; ``milligrams`` is (patient, cell)."""
        allowed = np.ones(milligrams.shape, np.bool_)
        if self.max_dose is not None:
            given = milligrams / weight[:, None] if self.max_dose.per_weight else milligrams
            allowed &= given <= self.max_dose.value * (1 + _ROUNDING)
        if self.intervals is not None:
            allowed &= np.isin(intervals, self.intervals)
        if self.budget is not None:
            allowed &= milligrams * DAYS_PER_YEAR / intervals <= self.budget
        return allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Regimens of one drug that can be given.

    Attributes
    ----------
    drug, source, status
        Which drug, and where the numbers come from.
    vial
        mg of one vial or pen.
    doses
        Maintenance doses.
    intervals
        Days between them.
    induction
        (day, dose) of the first doses of a new patient.
    usual
        The standard regimen: what today's regimen is in patients without any.
    duration
        Length of an infusion, days.
    limits
        What the data file asks for.
    """

    drug: str
    vial: float
    doses: tuple[Amount, ...]
    intervals: tuple[float, ...]
    induction: tuple[tuple[float, Amount], ...]
    usual: Option
    duration: float
    limits: Limits
    source: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        if not self.doses or not self.intervals:
            raise InputError.one("a grid without doses or intervals", "name at least one of each", key="grid")
        if any(not 0.0 < days < math.inf for days in self.intervals):
            raise InputError.one("an interval is not positive", "intervals are times such as '8 weeks'", key="grid")

    def options(self, immunomodulator: tuple[bool, ...] = (False,)) -> tuple[Option, ...]:
        """All cells, by immunomodulator, interval and dose; the usual regimen is always among them."""
        cells = [
            Option(dose=dose, interval=interval, immunomodulator=also)
            for also in immunomodulator
            for interval in self.intervals
            for dose in self.doses
        ]
        return tuple(cells if self.usual in cells else [self.usual, *cells])


_Dose = Annotated[Amount, BeforeValidator(units.dose)]
_Time = Annotated[float, BeforeValidator(units.time_d)]


class _Model(FileModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)


class _Induction(_Model):
    doses: list[_Dose] = Field(min_length=1)
    weeks: list[float | int] = Field(min_length=1)


class _Usual(_Model):
    dose: _Dose
    every: _Time


class _GridFile(_Model):
    title: str
    drug: str = Field(min_length=1)
    vial: _Dose
    vials: list[int] = Field(min_length=1)
    per_weight: list[_Dose]
    intervals: list[_Time] = Field(min_length=1)
    max_dose: _Dose | None = None
    infusion: str
    induction: _Induction
    usual: _Usual
    source: str = Field(min_length=3)
    status: str = Field(min_length=3)


def load_grid(drug: str, *, per_weight: bool = False) -> Grid:
    """The shipped grid of a drug: in whole vials or, where the drug is dosed so, in mg/kg.

    Raises
    ------
    UnknownNameError
        If no grid is shipped for the drug.
    """
    names = sorted(path.stem for path in _DATA.glob("*.toml"))
    if drug not in names:
        raise unknown_name("grid of doses for drug", drug, names)
    file = read_toml(_DATA / f"{drug}.toml", _GridFile)
    whole = tuple(Amount(count * file.vial.value, False) for count in file.vials)
    return Grid(
        drug=file.drug,
        vial=file.vial.value,
        doses=tuple(file.per_weight) if per_weight and file.per_weight else whole,
        intervals=tuple(file.intervals),
        induction=tuple(
            (7.0 * week, dose) for week, dose in zip(file.induction.weeks, file.induction.doses, strict=True)
        ),
        usual=Option(dose=file.usual.dose, interval=file.usual.every),
        duration=0.0 if file.infusion == "bolus" else units.time_d(file.infusion),
        limits=Limits(max_dose=file.max_dose),
        source=file.source,
        status=file.status,
    )
