"""A whole model file: what its keys must mean together, and the model it builds.

Every number stands with its unit, where it was read, and a confidence tag:

    A   in two independent places         B   in one place        B-  in one place, doubtful extraction
    C   from memory only, not verified    D   derived from numbers that were read
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pydantic import Field, model_validator

from pkmodel.covariates import COVARIATES, Covariate
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.expressions import FUNCTIONS
from pkmodel.files import FileModel
from pkmodel.model_parts import (
    CheckList,
    CitationEntry,
    Covariance,
    EffectEntry,
    ExpressionEntry,
    Number,
    OwnCovariate,
    Range,
    ResidualEntry,
    Typical,
    Variance,
    in_internal_unit,
)
from pkmodel.structure import Structure
from pkmodel.variability import omega_matrix


class ModelFile(FileModel):
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
    citation: CitationEntry
    typical: Typical
    covariate: dict[str, OwnCovariate] = Field(default={})
    effect: list[EffectEntry] = Field(default=[])
    expression: list[ExpressionEntry] = Field(default=[])
    omega: dict[str, Variance] = Field(default={})
    covariance: list[Covariance] = Field(default=[])
    iov: dict[str, Variance] = Field(default={})
    residual: ResidualEntry = ResidualEntry()
    domain: dict[str, Range] = Field(default={})
    reference: dict[str, Number] = Field(default={})
    checks: CheckList = Field(default_factory=lambda: CheckList())

    @model_validator(mode="after")
    def _check_whole(self) -> ModelFile:
        pairs = [(effect.parameter, effect.covariate) for effect in self.effect]
        for index, pair in enumerate(pairs):
            if pair in pairs[:index]:
                raise InputError.one(f"{pair[1]} acts on {pair[0]} twice", "keep one", key=f"effect.{index}")
        couples = [frozenset(pair.between) for pair in self.covariance]
        for index, couple in enumerate(couples):
            if couple in couples[:index]:
                raise InputError.one(f"{' with '.join(sorted(couple))} twice", "keep one", key=f"covariance.{index}")
        self._check_declared()
        factors = self._each("expression", self.expression)
        self._each("effect", self.effect)
        for index, one in enumerate(factors):
            if (one.parameter, one.covariates) in [(two.parameter, two.covariates) for two in factors[:index]]:
                problem = f"{', '.join(one.covariates)} acts on {one.parameter} in two expressions"
                raise InputError.one(problem, "multiply them into one", key=f"expression.{index}")
        self.build("")
        return self

    def _declared(self) -> dict[str, Covariate]:
        return {name: covariate.build() for name, covariate in self.covariate.items()}

    def _check_declared(self) -> None:
        for name in self.covariate:
            key = f"covariate.{name}"
            if name in COVARIATES:
                known = ", ".join(filter(None, (COVARIATES[name].meaning, COVARIATES[name].unit)))
                raise InputError.one(f"'{name}' is known already ({known})", "leave it out", key=key)
            if not name.isidentifier() or keyword.iskeyword(name) or name in FUNCTIONS:
                raise InputError.one(f"'{name}' cannot name a covariate", "write letters, digits and _", key=key)

    def _each(self, key: str, entries: Sequence[EffectEntry | ExpressionEntry]) -> list[Any]:
        """Build every entry of a list; all faults together, each at its place."""
        built, faults = [], []
        for index, entry in enumerate(entries):
            try:
                built.append(entry.build(self._declared()))
            except InputError as error:
                for fault in error.faults:
                    place = ".".join(part for part in (key, str(index), fault.key) if part)
                    faults.append(replace(fault, key=place))
        if faults:
            raise InputError(faults)
        return built

    def build(self, text: str) -> PopulationModel:
        """Return the model, its numbers in internal units."""
        variances = {name: number.internal for name, number in self.omega.items()}
        varying, omega = omega_matrix(
            variances,
            {(pair.between[0], pair.between[1]): pair.covariance(variances) for pair in self.covariance},
        )
        declared = self._declared()
        domain = {
            name: (
                in_internal_unit(name, studied.low, studied.unit, declared),
                in_internal_unit(name, studied.high, studied.unit, declared),
            )
            for name, studied in self.domain.items()
        }
        reference = {
            name: in_internal_unit(name, number.value, number.unit, declared) for name, number in self.reference.items()
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
                *(effect.build(declared) for effect in self.effect),
                *(expression.build(declared) for expression in self.expression),
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
