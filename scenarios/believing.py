"""What a policy believes of its patients: draws of their parameters from estimates by one model or several."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from pkmodel import library
from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.estimation.design import model_arrays
from pkmodel.estimation.panel import Given, PanelEstimate, follow
from scenarios.chart import Chart, Floats

_PAIRS = 32  # draws of each patient, every one with its mirror image
_SEED = 1  # of the draws: the same for all patients, visits and arms, so that they part two choices by nothing else


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Believed:
    """What is believed of some patients.

    Attributes
    ----------
    parts
        For each model: its weight (patient,), which sum to 1 over models, and draws of the parameters (patient, draw,
        parameter). The draws hold between-occasion variability of an occasion to come.
    notes
        For each model the MAP (patient, z), from which the next visit starts.
    """

    parts: tuple[tuple[Floats, Floats], ...]
    notes: tuple[Floats, ...] = ()


def known_truth(theta: Floats, chart: Chart) -> Believed:
    """True parameters (patient, parameter); only the occasion to come is uncertain."""
    model = library.load(chart.model)
    drawn = _with_occasion(np.repeat(theta[:, None, :], 2 * _PAIRS, axis=1), model, 0)
    return Believed(parts=((np.ones(theta.shape[0]), drawn),))


def believe(models: tuple[str, ...], covariates: dict[str, Floats], chart: Chart, drug: str) -> Believed:
    """Estimates from all doses and levels of the charts, in which every patient has had a dose.

    Parameters
    ----------
    models
        Names; several are weighed by the Laplace approximation of their marginal likelihood, for each patient.
    covariates
        By name, (patient,); taken as constant in time.
    chart
        Of the patients; its notes are the warm starts.
    drug
        Of the scenario.
    """
    found = []
    for number, name in enumerate(models):
        model = library.load(name)
        if model.drug != drug:
            problem = f"model '{name}' is for {model.drug}, the arm's drug is {drug}"
            raise InputError.one(problem, "name a model of the same drug", key="knowledge")
        n = chart.dose_days.shape[0]
        typical = model.typical_parameters(covariates, n)
        warm = chart.notes[number] if number < len(chart.notes) else None
        estimate = estimate_charts(model, typical, chart, warm)
        found.append((estimate, draw_parameters(model, typical, estimate)))
    logs = np.stack([estimate.log_marginal for estimate, _ in found])
    weights = np.exp(logs - logs.max(axis=0))
    weights /= weights.sum(axis=0)
    return Believed(
        parts=tuple((weight, theta) for weight, (_, theta) in zip(weights, found, strict=True)),
        notes=tuple(estimate.z for estimate, _ in found),
    )


def estimate_charts(model: PopulationModel, typical: Floats, chart: Chart, warm: Floats | None) -> PanelEstimate:
    """MAP of every chart. Time begins with the first dose; a sample that is not after it says nothing."""
    first = chart.dose_days[:, :1]
    given = Given(days=chart.dose_days - first, milligrams=chart.milligrams, duration=chart.infusion, route=chart.route)
    days = np.where(chart.level_days > first, chart.level_days - first, np.nan)
    return follow(model, typical, given, days, chart.levels, chart.lloq, warm=warm, threads=chart.threads)


def draw_parameters(model: PopulationModel, typical: Floats, estimate: PanelEstimate) -> Floats:
    """(patient, draw, parameter) from the normal approximation at the MAP, with an occasion to come.

    Sums go column by column: a matrix product may round by the number of rows.
    """
    arrays = model_arrays(model)
    d = len(model.eta_parameters)
    normals = _normals(d + arrays["iov_sd"].size)
    root = np.linalg.cholesky(estimate.covariance[:, :d, :d])
    z = []
    for j in range(d):
        drawn = np.repeat(estimate.z[:, j, None], normals.shape[0], axis=1)
        for k in range(j + 1):
            drawn += root[:, j, k, None] * normals[:, k]
        z.append(drawn)
    theta = np.repeat(typical[:, None, :], normals.shape[0], axis=1)
    for i, column in enumerate(arrays["eta_columns"]):
        eta = np.zeros(theta.shape[:2])
        for j in range(i + 1):
            if arrays["chol"][i, j] != 0.0:
                eta += arrays["chol"][i, j] * z[j]
        theta[:, :, column] *= np.exp(eta)
    return _with_occasion(theta, model, d)


def _with_occasion(theta: Floats, model: PopulationModel, first: int) -> Floats:
    """Parameters times the factors of an occasion to come; its normals are numbered from ``first``."""
    arrays = model_arrays(model)
    normals = _normals(first + arrays["iov_sd"].size)
    for i, column in enumerate(arrays["iov_columns"]):
        theta[:, :, column] *= np.exp(arrays["iov_sd"][i] * normals[:, first + i])
    return theta


@functools.cache
def _normals(d: int) -> Floats:
    """(draw, d) standard normals and their mirror images."""
    one = Draws(_SEED).normal(Stream.POSTERIOR, np.arange(_PAIRS), d)
    return np.concatenate([one, -one])
