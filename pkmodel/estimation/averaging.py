"""Several published models for one patient, weighted by how well they explain the levels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pkmodel.covariates import CovariateEffect
from pkmodel.drug import PopulationModel
from pkmodel.errors import Fault, InputError
from pkmodel.estimation.estimate import Estimate
from pkmodel.estimation.mapfit import fit
from pkmodel.record import PatientRecord

_SAME_UNIT = 4.0
"""References of one covariate that differ by more than this factor do not mean the same unit: published reference
patients of one disease do not, and g/dL against g/L is 10, kg against lb is 2.2 (which this cannot see)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Average:
    """Estimates of one patient by several models.

    Attributes
    ----------
    estimates, weights
        One of each for every model; the weights sum to 1.
    warnings
        In words; those of the estimates are with them.
    """

    estimates: tuple[Estimate, ...]
    weights: tuple[float, ...]
    warnings: tuple[str, ...]


def average(models: Sequence[PopulationModel], record: PatientRecord, *, starts: int | None = None) -> Average:
    """Fit every model and weigh them by the Laplace approximation of their marginal likelihood, all models being
    equally likely before the levels.

    Forecasts of the result are mixtures of the models' forecasts.

    Raises
    ------
    InputError
        For fewer than two models, models of different drugs, or models that do not mean the same by a covariate:
        their reference patients differ by more than a factor of 4 in it.

    Notes
    -----
    Hoeting JA, Madigan D, Raftery AE, Volinsky CT. Statist Sci 1999;14:382-417 (Bayesian model averaging); Uster DW et
    al. Clin Pharmacol Ther 2021;109:175-83, doi:10.1002/cpt.2065 (for dosing). A marginal likelihood depends on
    how wide a model's omega and residual error are, not on its curve alone.
    """
    _refuse(models)
    estimates = tuple(fit(model, record, starts=starts) for model in models)
    logs = np.array([estimate.log_marginal for estimate in estimates])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    said = _missing(models, record)
    if not record.levels:
        said.append("no levels: the models weigh the same")
    if all(estimate.check["prior"] < 0.01 for estimate in estimates):
        said.append("the levels contradict every one of the models")
    return Average(estimates=estimates, weights=tuple(float(w) for w in weights), warnings=tuple(said))


def _refuse(models: Sequence[PopulationModel]) -> None:
    names = [model.name for model in models]
    if len(models) < 2 or len(set(names)) < len(names):
        raise InputError.one(f"an average of {', '.join(names) or 'no model'}", "name two or more models", key="models")
    drugs = sorted({model.drug for model in models})
    if len(drugs) > 1:
        raise InputError.one(f"models of {' and '.join(drugs)}", "average models of one drug", key="models")
    faults = []
    for one, other in itertools.combinations(models, 2):
        theirs = _references(other)
        for name, value in _references(one).items():
            if name in theirs and max(value, theirs[name]) > _SAME_UNIT * min(value, theirs[name]):
                problem = f"{one.name} refers to {value:g}, {other.name} to {theirs[name]:g}: not the same unit"
                faults.append(Fault(key=name, problem=problem, remedy="repair the unit in one of the model files"))
    if faults:
        raise InputError(faults)


def _references(model: PopulationModel) -> dict[str, float]:
    """Positive reference values of a model's covariates."""
    simple = [effect for effect in model.effects if isinstance(effect, CovariateEffect)]  # an expression has none
    found = {effect.covariate: effect.reference for effect in simple if effect.reference > 0.0}
    return {**found, **{name: value for name, value in model.reference.items() if value > 0.0}}


def _missing(models: Sequence[PopulationModel], record: PatientRecord) -> list[str]:
    """Covariates that some model would use and the record does not have."""
    said = []
    known = {*record.covariates, *record.over_time}
    for model in models:
        absent = sorted({name for effect in model.effects for name in effect.covariates} - known)
        if absent:
            said.append(f"{model.name} would use {', '.join(absent)}, which the record does not have")
    return said
