"""The library of published models: one TOML file each, read into :class:`pkmodel.drug.PopulationModel`.

The classes here mirror the file.  Every number stands with its unit, where it was read, and a confidence tag:

    A   in two independent places         B   in one place        B-  in one place, doubtful extraction
    C   from memory only, not verified    D   derived from numbers that were read
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from pkmodel import units
from pkmodel.covariates import COVARIATES, CovariateEffect
from pkmodel.drug import Check, Citation, PopulationModel
from pkmodel.errors import InputError, unknown_name
from pkmodel.expressions import Expression, ExpressionEffect
from pkmodel.files import FileModel, parse_toml, read_text
from pkmodel.structure import Structure
from pkmodel.variability import ResidualError, omega_matrix, variance

_DIRECTORY = Path(__file__).parent / "data" / "models"
_COVARIATE_KINDS = {"kg": units.WEIGHT, "g/L": units.ALBUMIN, "mg/L": units.CONCENTRATION}


def models() -> list[str]:
    """Return the names of all models that come with the package, sorted."""
    return sorted(path.stem for path in _DIRECTORY.glob("*.toml"))


def load(name_or_path: str | Path) -> PopulationModel:
    """Return a model of the library by name, or one of your own by its path (ending in ``.toml``).

    Raises
    ------
    UnknownNameError
        If the library has no such model; the nearest name is offered.
    InputError
        With every fault of the file.
    """
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
        return parse(read_text(name_or_path), file=str(name_or_path))
    return _from_library(name_or_path)


def cite(name: str) -> str:
    """Return the BibTeX entry of a model, its name being the key."""
    model = load(name)
    return model.citation.bibtex(key=model.name)


def parse(text: str, *, file: str = "<text>") -> PopulationModel:
    """Return the model that a TOML text describes; ``file`` is the name that messages carry.

    Raises
    ------
    InputError
        With every fault of the text.
    """
    return parse_toml(text, _ModelFile, file=file).build(text)


@functools.cache
def _from_library(name: str) -> PopulationModel:
    if name not in models():
        raise unknown_name("model", name, models())
    path = _DIRECTORY / f"{name}.toml"
    return parse(read_text(path), file=path.name)


def _in_internal_unit(covariate: str, value: float, unit: str) -> float:
    """Return a covariate's value in its internal unit; flags and shares carry no unit."""
    if covariate not in COVARIATES:
        raise unknown_name("covariate", covariate, COVARIATES)
    internal = COVARIATES[covariate].unit
    if internal:
        return units.convert(value, unit, _COVARIATE_KINDS[internal])
    if unit:
        raise InputError.one(f"{covariate} has no unit, not '{unit}'", "leave the unit empty")
    return value


class _Number(FileModel):
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
    def _check_unit(self) -> _Number:
        if self.kind:
            _ = self.internal
        return self


class _Clearance(_Number):
    kind = units.CLEARANCE


class _Volume(_Number):
    kind = units.VOLUME


class _Rate(_Number):
    kind = units.RATE


class _Fraction(_Number):
    kind = units.FRACTION


class _Time(_Number):
    kind = units.TIME


class _EliminationRate(_Number):
    kind = units.ELIMINATION_RATE


class _Concentration(_Number):
    kind = units.CONCENTRATION


class _Variance(_Number):
    """Size of an exponential eta; its unit is one of ``variability.SCALES``."""

    @property
    def internal(self) -> float:
        return variance(self.value, self.unit)

    @model_validator(mode="after")
    def _check_scale(self) -> _Variance:
        _ = self.internal
        return self


class _Typical(FileModel):
    CL: _Clearance | None = None
    V1: _Volume
    Q: _Clearance | None = None
    V2: _Volume | None = None
    KA: _Rate | None = None
    F: _Fraction | None = None
    LAG: _Time | None = None
    Q3: _Clearance | None = None
    V3: _Volume | None = None
    VMAX: _EliminationRate | None = None
    KM: _Concentration | None = None
    D1: _Time | None = None

    def build(self) -> dict[str, float]:
        return {name: number.internal for name, number in self if number is not None}


class _Covariance(_Number):
    between: list[str] = Field(min_length=2, max_length=2)
    unit: Literal["covariance", "correlation"]

    def covariance(self, variances: Mapping[str, float]) -> float:
        if self.unit == "covariance":
            return self.value
        one, other = (variances.get(name, 0.0) for name in self.between)
        return self.value * math.sqrt(one * other)

    @model_validator(mode="after")
    def _check_correlation(self) -> _Covariance:
        if self.unit == "correlation" and not -1.0 < self.value < 1.0:
            raise InputError.one(f"a correlation of {self.value:g}", "write a number between -1 and 1", key="value")
        return self


class _Effect(_Number):
    parameter: str
    covariate: str
    form: str
    unit: Literal["exponent", "factor", "relative change"]
    reference: float = 0.0
    reference_unit: str = ""
    role: str = "covariate"
    default: float | None = None

    def build(self) -> CovariateEffect:
        return CovariateEffect(
            parameter=self.parameter,
            covariate=self.covariate,
            form=self.form,
            coefficient=self.value,
            reference=_in_internal_unit(self.covariate, self.reference, self.reference_unit),
            role=self.role,
            default=self.default,
        )

    @model_validator(mode="after")
    def _check_effect(self) -> _Effect:
        self.build()
        meant = {"power": "exponent", "linear": "relative change", "factor": "factor"}[self.form]
        if self.unit != meant:
            raise InputError.one(f"unit '{self.unit}' of a {self.form} form", f"write unit = '{meant}'")
        return self


class _Expression(FileModel):
    """A factor that no form of ``[[effect]]`` can say."""

    parameter: str
    factor: str
    role: str = "covariate"
    tag: Literal["A", "B", "B-", "C", "D"]
    source: str = Field(min_length=3)
    note: str = ""

    @field_validator("factor")
    @classmethod
    def _check_factor(cls, text: str) -> str:
        Expression.parse(text)
        return text

    @model_validator(mode="after")
    def _check_expression(self) -> _Expression:
        self.build()
        return self

    def build(self) -> ExpressionEffect:
        return ExpressionEffect(parameter=self.parameter, expression=Expression.parse(self.factor), role=self.role)


class _Range(FileModel):
    low: float
    high: float
    unit: str
    tag: Literal["A", "B", "B-", "C", "D"]
    source: str = Field(min_length=3)


class _Residual(FileModel):
    proportional: _Fraction | None = None
    additive: _Concentration | None = None

    def build(self) -> ResidualError:
        return ResidualError(**{name: number.internal for name, number in self if number is not None})


class _Citation(FileModel):
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


class _Check(FileModel):
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


class _Checks(FileModel):
    note: str = ""
    numbers: list[_Check] = Field(default=[])


class _ModelFile(FileModel):
    """A model file, in the order in which a person reads it."""

    name: str = Field(min_length=1)
    drug: str = Field(min_length=1)
    disease: str = ""
    title: str
    note: str = ""
    compartments: int
    routes: list[str]
    elimination: str = "linear"
    absorption: str = "first-order"
    citation: _Citation
    typical: _Typical
    effect: list[_Effect] = Field(default=[])
    expression: list[_Expression] = Field(default=[])
    omega: dict[str, _Variance] = Field(default={})
    covariance: list[_Covariance] = Field(default=[])
    iov: dict[str, _Variance] = Field(default={})
    residual: _Residual = _Residual()
    domain: dict[str, _Range] = Field(default={})
    reference: dict[str, _Number] = Field(default={})
    checks: _Checks = Field(default_factory=lambda: _Checks())

    @model_validator(mode="after")
    def _check_whole(self) -> _ModelFile:
        pairs = [(effect.parameter, effect.covariate) for effect in self.effect]
        for index, pair in enumerate(pairs):
            if pair in pairs[:index]:
                raise InputError.one(f"{pair[1]} acts on {pair[0]} twice", "keep one", key=f"effect.{index}")
        couples = [frozenset(pair.between) for pair in self.covariance]
        for index, couple in enumerate(couples):
            if couple in couples[:index]:
                raise InputError.one(f"{' with '.join(sorted(couple))} twice", "keep one", key=f"covariance.{index}")
        factors = [effect.build() for effect in self.expression]
        for index, one in enumerate(factors):
            if (one.parameter, one.covariates) in [(two.parameter, two.covariates) for two in factors[:index]]:
                problem = f"{', '.join(one.covariates)} acts on {one.parameter} in two expressions"
                raise InputError.one(problem, "multiply them into one", key=f"expression.{index}")
        self.build("")
        return self

    def build(self, text: str) -> PopulationModel:
        """Return the model, its numbers in internal units."""
        variances = {name: number.internal for name, number in self.omega.items()}
        varying, omega = omega_matrix(
            variances,
            {(pair.between[0], pair.between[1]): pair.covariance(variances) for pair in self.covariance},
        )
        domain = {
            name: (
                _in_internal_unit(name, studied.low, studied.unit),
                _in_internal_unit(name, studied.high, studied.unit),
            )
            for name, studied in self.domain.items()
        }
        reference = {
            name: _in_internal_unit(name, number.value, number.unit) for name, number in self.reference.items()
        }
        return PopulationModel(
            name=self.name,
            drug=self.drug,
            disease=self.disease,
            title=self.title,
            structure=Structure(
                compartments=self.compartments,
                routes=tuple(self.routes),
                elimination=self.elimination,
                absorption=self.absorption,
            ),
            typical=self.typical.build(),
            effects=(
                *(effect.build() for effect in self.effect),
                *(expression.build() for expression in self.expression),
            ),
            eta_parameters=varying,
            omega=omega,
            iov=MappingProxyType({name: number.internal for name, number in self.iov.items()}),
            residual=self.residual.build(),
            domain=MappingProxyType(domain),
            reference=MappingProxyType(reference),
            citation=self.citation.build(),
            checks=tuple(check.build() for check in self.checks.numbers),
            text=text,
        )
