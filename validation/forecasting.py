"""Estimates and forecasts on simulated patients, whose truth is known: are they calibrated, and how far off?

Patients are drawn from a published model with the covariates of a cohort, treated with 5 mg/kg of infliximab, and
their levels are measured with the model's residual error. Whatever is then said of them by an estimate can be
compared with what was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import pkmodel as pk
import scenarios as sc
from pkmodel import estimation
from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.mapfit import predicted
from pkmodel.record import DoseRecord, Level, PatientRecord
from validation.page import Block, Heading, Table, Words

Floats = NDArray[np.float64]

MODEL = "infliximab-fasanmade-2011"
WRONG_MODEL = "infliximab-wojciechowski-2017"
_WEEKS = (0, 2, 6, 14, 22, 30, 38)
_FORECAST_WEEK = 38  # the trough before this dose is forecast; the dose is given after it
_RANKS = 19  # draws against which a truth is ranked: 20 equally likely ranks
_TRUTH, _ERROR, _LAPLACE = 1001, 1002, 1003  # replicates of a stream, apart from those of the estimation


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Which troughs are measured.

    Attributes
    ----------
    weeks
        Of the measured troughs.
    blq
        Number of them below the limit; other patients are left out. None: any.
    lloq
        Limit of quantification, mg/L.
    """

    weeks: tuple[int, ...]
    blq: int | None = None
    lloq: float = 0.3

    def __str__(self) -> str:
        number = f"{len(self.weeks)} trough{'s' if len(self.weeks) > 1 else ''}"
        return number if self.blq is None else f"{number}, {self.blq} of them below {self.lloq:g} mg/L"


ONE, TWO, FOUR = Study(weeks=(14,)), Study(weeks=(14, 22)), Study(weeks=(6, 14, 22, 30))
ONE_BLQ, TWO_BLQ, FOUR_BLQ = (replace(study, blq=1) for study in (ONE, TWO, FOUR))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patient:
    """A simulated patient: the record, and what is not in it.

    Attributes
    ----------
    record
        With measured levels.
    eta
        (eta,) true between-subject effects.
    trough, measured
        The level to be forecast, true and as measured, mg/L.
    """

    record: PatientRecord
    eta: Floats
    trough: float
    measured: float


def patients(study: Study, count: int, *, model: PopulationModel, seed: int = 1) -> Iterator[Patient]:
    """``count`` patients with these levels, in the order in which they are drawn."""
    block = 2000
    found = 0
    for number in range(50):
        cohort = sc.Cohort.load("adult-crohn").sample(block, seed=seed + number)
        draws = Draws(seed + number)
        for row in range(block):
            one = _patient(study, model, {k: float(v[row]) for k, v in cohort.covariates.items()}, row, draws)
            blq = sum(level.value is None for level in one.record.levels)
            if study.blq in (None, blq):
                found += 1
                yield one
            if found == count:
                return
    raise RuntimeError(f"only {found} of {count} patients have {study}")


def _patient(study: Study, model: PopulationModel, covariates: dict[str, float], row: int, draws: Draws) -> Patient:
    doses = tuple(DoseRecord(day=7.0 * week, milligrams=5.0 * covariates["weight"]) for week in _WEEKS[:-1])
    wanted = [*study.weeks, _FORECAST_WEEK]
    record = PatientRecord(id=str(row), doses=doses, covariates=covariates)
    plan = Plan.of(record).with_future((), [7.0 * week for week in wanted])
    b = compile_plans(model, [plan], occasions=len(plan.occasions))
    z = _normal(draws, _TRUTH, row, int(b.z_offsets[-1]))
    true = predicted(b, z[None, :])[0]
    measured = true + model.residual.sd(true) * _normal(draws, _ERROR, row, true.size)
    levels = tuple(
        Level(day=7.0 * week, value=float(y) if y >= study.lloq else None, lloq=study.lloq, trough=True)
        for week, y in zip(study.weeks, measured, strict=False)
    )
    between = len(model.eta_parameters)
    return Patient(
        record=replace(record, levels=levels), eta=b.chol @ z[:between], trough=float(true[-1]),
        measured=float(measured[-1]),
    )  # fmt: skip


def _normal(draws: Draws, replicate: int, row: int, count: int) -> Floats:
    source = replace(draws, replicate=replicate)
    return np.asarray(source.normal(Stream.POSTERIOR, np.array([row]), count)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Ranks of the truth among draws, for one way of drawing.

    Attributes
    ----------
    study, method
        What was measured, and "MAP + Laplace" or "posterior".
    quantity
        "eta of CL", ..., or "next trough".
    counts
        Patients by rank; uniform if calibrated.
    """

    study: Study
    method: str
    quantity: str
    counts: tuple[int, ...]

    @property
    def p(self) -> float:
        """P value of the chi-square test of uniformity."""
        from scipy.special import gammaincc

        expected = sum(self.counts) / len(self.counts)
        statistic = sum((count - expected) ** 2 / expected for count in self.counts)
        return float(gammaincc(0.5 * (len(self.counts) - 1), 0.5 * statistic))


def calibration(study: Study, count: int, *, seed: int = 1) -> list[Calibration]:
    """Simulation-based calibration of Laplace approximation and posterior.

    A truth drawn from the prior has, given data drawn with it, a uniform rank among draws from the true posterior
    (Talts S et al. arXiv:1804.06788). That holds among the patients whose data meet a condition, too.
    """
    model = pk.load(MODEL)
    quantities = [*(f"eta of {name}" for name in model.eta_parameters), "next trough"]
    counts = {(method, name): np.zeros(_RANKS + 1, np.int64) for method in _METHODS for name in quantities}
    for number, one in enumerate(patients(study, count, model=model, seed=seed)):
        estimate = estimation.fit(model, one.record)
        for method, draw in _METHODS.items():
            z = draw(estimate, seed + number)
            eta = z[:, : one.eta.size] @ np.linalg.cholesky(model.omega).T
            known = estimation.Beliefs(parts=((estimate, z),), methods=(method,), effective=(1.0,))
            coming = estimation.forecast(known, (), [7.0 * _FORECAST_WEEK], seed=seed + number).true
            drawn = np.column_stack([eta, coming])
            ranks = (drawn < [*one.eta, one.trough]).sum(axis=0)
            for name, rank in zip(quantities, ranks, strict=True):
                counts[method, name][rank] += 1
    return [
        Calibration(study=study, method=method, quantity=name, counts=tuple(int(c) for c in found))
        for (method, name), found in counts.items()
    ]


def _laplace(estimate: estimation.Estimate, seed: int) -> Floats:
    normal = Draws(seed, replicate=_LAPLACE).normal(Stream.POSTERIOR, np.arange(_RANKS), estimate.z.size)
    return np.asarray(estimate.z + normal @ np.linalg.cholesky(estimate.covariance).T)


def _posterior(estimate: estimation.Estimate, seed: int) -> Floats:
    # far more draws than ranks: neighbours among resampled proposals can be the same draw
    return estimation.believe(estimate, draws=50 * _RANKS, seed=seed).parts[0][1][::50]


_METHODS: dict[str, Callable[[estimation.Estimate, int], Floats]] = {
    "MAP + Laplace": _laplace,
    "posterior": _posterior,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Forecasts of the next trough.

    Attributes
    ----------
    study, fitted
        What was measured, and by which model it was explained.
    patients, coverage
        Number of patients; share of measured troughs inside the 90 % prediction interval.
    judged, bias, rmse
        Patients with a true trough of 0.5 mg/L or more, and among them mean and root mean square of the error of
        the median forecast relative to the true trough.
    """

    study: Study
    fitted: str
    patients: int
    coverage: float
    judged: int
    bias: float
    rmse: float


def accuracy(study: Study, count: int, *, fitted: str = MODEL, seed: int = 1) -> Accuracy:
    """Forecast one trough of each of ``count`` simulated patients and compare."""
    truth, model = pk.load(MODEL), pk.load(fitted)
    inside, errors = 0, []
    for number, one in enumerate(patients(study, count, model=truth, seed=seed)):
        estimate = estimation.fit(model, one.record)
        coming = estimation.forecast(estimate, (), [7.0 * _FORECAST_WEEK], seed=seed + number)
        low, high = coming.measured_band(0.9)[:, 0]
        inside += bool(low <= one.measured <= high)
        if one.trough >= 0.5:
            errors.append(float(np.median(coming.true)) / one.trough - 1.0)
    return Accuracy(
        study=study, fitted=fitted, patients=count, coverage=inside / count, judged=len(errors),
        bias=float(np.mean(errors)), rmse=math.sqrt(float(np.mean(np.square(errors)))),
    )  # fmt: skip


NONE = Study(weeks=())


def section(*, patients_each: int) -> list[Block]:
    """The part of the validation report about forecasts for single patients."""
    ranks = [one for study in (ONE, TWO, FOUR, ONE_BLQ) for one in calibration(study, patients_each)]
    right = [accuracy(study, patients_each) for study in (NONE, ONE, TWO, FOUR, ONE_BLQ)]
    wrong = [accuracy(study, patients_each, fitted=WRONG_MODEL) for study in (NONE, ONE, TWO, FOUR)]
    return [
        Heading("Forecasts for single patients"),
        Words(
            f"{patients_each} simulated patients each, drawn from {MODEL}. Ranks of the truth among draws are uniform "
            "if the draws are calibrated (p of a chi-square test with 20 ranks; one p in twenty is below 0.05 by "
            "chance)."
        ),
        _ranks_table(ranks),
        Words(
            "The trough of week 38, forecast from levels before it. Errors are of the median forecast, relative to the "
            "true trough, among patients with a true trough of 0.5 mg/L or more."
        ),
        _accuracy_table([*right, *wrong]),
    ]


def _ranks_table(found: Sequence[Calibration]) -> Table:
    rows = [[str(one.study), one.method, one.quantity, f"{one.p:.3g}"] for one in found]
    return Table(["levels", "method", "quantity", "p"], rows)


def _accuracy_table(found: Sequence[Accuracy]) -> Table:
    return Table(
        head=["levels", "model", "90 % interval covers", "bias", "RMSE"],
        rows=[
            [str(one.study), one.fitted, f"{one.coverage:.1%}", f"{one.bias:+.0%}", f"{one.rmse:.0%}"]
            for one in found
        ],
    )  # fmt: skip
