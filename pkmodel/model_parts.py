"""The parts of a model file: numbers with unit, source and tag, effects, variability, citation, checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pkmodel import units
from pkmodel.covariates import COVARIATES, Covariate, CovariateEffect
from pkmodel.drug import Check, Citation
from pkmodel.errors import InputError, unknown_name
from pkmodel.expressions import Expression, ExpressionEffect
from pkmodel.files import FileModel
from pkmodel.variability import ResidualError, variance

Declared = Mapping[str, Covariate]
"""Covariates that a file declares itself."""

NONE_DECLARED: Declared = MappingProxyType({})
_COVARIATE_KINDS = {"kg": units.WEIGHT, "g/L": units.ALBUMIN, "mg/L": units.CONCENTRATION}


def in_internal_unit(covariate: str, value: float, unit: str, declared: Declared = NONE_DECLARED) -> float:
    """Return a covariate's value in its internal unit; flags and shares carry no unit."""
    if covariate in declared:
        if unit != declared[covariate].unit:
            problem = f"{covariate} is declared in '{declared[covariate].unit}', not '{unit}'"
            raise InputError.one(problem, "write the unit of its declaration")
        return value
    if covariate not in COVARIATES:
        raise unknown_name("covariate", covariate, {*COVARIATES, *declared})
    internal = COVARIATES[covariate].unit
    if internal:
        return units.convert(value, unit, _COVARIATE_KINDS[internal])
    if unit:
        raise InputError.one(f"{covariate} has no unit, not '{unit}'", "leave the unit empty")
    return value


class Number(FileModel):
    """A published number; ``note`` says what a careful reader should know about it."""

    kind: ClassVar[str] = ""

    value: float
    unit: str
    tag: Literal["A", "B", "B-", "C", "D"]
    source: str = Field(min_length=3)
    note: str = ""

    @property
    def internal(self) -> float:
        return units.convert(self.value, self.unit, self.kind)

    @model_validator(mode="after")
    def _check_unit(self) -> Number:
        if self.kind:
            _ = self.internal
        return self


class Clearance(Number):
    kind = units.CLEARANCE


class Volume(Number):
    kind = units.VOLUME


class Rate(Number):
    kind = units.RATE


class Fraction(Number):
    kind = units.FRACTION


class Time(Number):
    kind = units.TIME


class EliminationRate(Number):
    kind = units.ELIMINATION_RATE


class Concentration(Number):
    kind = units.CONCENTRATION


class Variance(Number):
    """Size of an exponential eta; its unit is one of ``variability.SCALES``."""

    @property
    def internal(self) -> float:
        return variance(self.value, self.unit)

    @model_validator(mode="after")
    def _check_scale(self) -> Variance:
        _ = self.internal
        return self


class Typical(FileModel):
    CL: Clearance | None = None
    V1: Volume
    Q: Clearance | None = None
    V2: Volume | None = None
    KA: Rate | None = None
    F: Fraction | None = None
    LAG: Time | None = None
    Q3: Clearance | None = None
    V3: Volume | None = None
    VMAX: EliminationRate | None = None
    KM: Concentration | None = None
    D1: Time | None = None

    def build(self) -> dict[str, float]:
        return {name: number.internal for name, number in self if number is not None}


class Covariance(Number):
    between: list[str] = Field(min_length=2, max_length=2)
    unit: Literal["covariance", "correlation"]

    def covariance(self, variances: Mapping[str, float]) -> float:
        if self.unit == "covariance":
            return self.value
        one, other = (variances.get(name, 0.0) for name in self.between)
        return self.value * math.sqrt(one * other)

    @model_validator(mode="after")
    def _check_correlation(self) -> Covariance:
        if self.unit == "correlation" and not -1.0 < self.value < 1.0:
            raise InputError.one(f"a correlation of {self.value:g}", "write a number between -1 and 1", key="value")
        return self


class EffectEntry(Number):
    parameter: str
    covariate: str
    form: str
    unit: Literal["exponent", "factor", "relative change"]
    reference: float = 0.0
    reference_unit: str = ""
    role: str = "covariate"
    default: float | None = None

    def build(self, declared: Declared = NONE_DECLARED) -> CovariateEffect:
        if self.covariate not in COVARIATES and self.covariate not in declared:
            raise unknown_name("covariate", self.covariate, {*COVARIATES, *declared}, key="covariate")
        return CovariateEffect(
            parameter=self.parameter,
            covariate=self.covariate,
            form=self.form,
            coefficient=self.value,
            reference=in_internal_unit(self.covariate, self.reference, self.reference_unit, declared),
            role=self.role,
            default=self.default,
            declared=declared.get(self.covariate),
        )

    @model_validator(mode="after")
    def _check_effect(self) -> EffectEntry:
        if self.covariate in COVARIATES:  # one that the file declares is checked with the whole file
            self.build()
        meant = {"power": "exponent", "linear": "relative change", "factor": "factor"}.get(self.form, self.unit)
        if self.unit != meant:
            raise InputError.one(f"unit '{self.unit}' of a {self.form} form", f"write unit = '{meant}'")
        return self


class ExpressionEntry(FileModel):
    """A factor that no form of ``[[effect]]`` can say."""

    parameter: str
    factor: str
    role: str = "covariate"
    tag: Literal["A", "B", "B-", "C", "D"]
    source: str = Field(min_length=3)
    note: str = ""

    def build(self, declared: Declared = NONE_DECLARED) -> ExpressionEffect:
        try:
            expression = Expression.parse(self.factor, declared)
        except InputError as error:
            raise InputError(replace(fault, key="factor") for fault in error.faults) from None
        return ExpressionEffect(parameter=self.parameter, expression=expression, role=self.role)


class OwnCovariate(FileModel):
    """A covariate that the package does not know; its values are taken in the unit that is stated here."""

    unit: str
    low: float
    high: float
    meaning: str = Field(min_length=3)

    def build(self) -> Covariate:
        return Covariate(unit=self.unit, low=self.low, high=self.high, meaning=self.meaning)

    @model_validator(mode="after")
    def _check_range(self) -> OwnCovariate:
        if not self.low < self.high:
            raise InputError.one(f"from {self.low:g} to {self.high:g}", "low is the smaller one", key="low")
        return self


class Range(FileModel):
    low: float
    high: float
    unit: str
    tag: Literal["A", "B", "B-", "C", "D"]
    source: str = Field(min_length=3)


class ResidualEntry(FileModel):
    proportional: Fraction | None = None
    additive: Concentration | None = None

    def build(self) -> ResidualError:
        return ResidualError(**{name: number.internal for name, number in self if number is not None})


class CitationEntry(FileModel):
    authors: list[str] = Field(min_length=1)
    title: str = ""
    journal: str
    year: int
    volume: str = ""
    pages: str = ""
    doi: str = ""
    read_in: str = Field(min_length=3)

    def build(self) -> Citation:
        return Citation(**{**dict(self), "authors": tuple(self.authors)})


class CheckEntry(FileModel):
    quantity: Literal["half-life", "trough", "clearance ratio"]
    value: float
    unit: Literal["day", "ug/mL", "factor"]
    tolerance: float = Field(gt=0)
    covariates: dict[str, float]
    regimen: Literal["", "infliximab 5 mg/kg", "CT-P13 120 mg sc", "adalimumab 160/80/40 mg", "vedolizumab 300 mg"] = ""
    week: float | None = None
    source: str = Field(min_length=3)

    def build(self) -> Check:
        values = dict(self)
        del values["unit"]  # fixed by the quantity
        return Check(**{**values, "covariates": MappingProxyType(self.covariates)})


class CheckList(FileModel):
    note: str = ""
    numbers: list[CheckEntry] = Field(default=[])
