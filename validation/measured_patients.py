"""Simulated patients with measured levels, whose truth is known.

They are drawn from a published model with the covariates of a cohort, treated with 5 mg/kg of infliximab, and their
levels are measured with the model's residual error. Whatever is then said of them by an estimate can be compared with
what was drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import scenarios as sc
from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.mapfit import predicted
from pkmodel.record import DoseRecord, Level, PatientRecord

Floats = NDArray[np.float64]

MODEL = "infliximab-fasanmade-2011"
_WEEKS = (0, 2, 6, 14, 22, 30, 38)
FORECAST_WEEK = 38  # the trough before this dose is forecast; the dose is given after it
_TRUTH, _ERROR = 1001, 1002  # replicates of a stream, apart from those of the estimation


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
        number = f"{len(self.weeks)} trough{'' if len(self.weeks) == 1 else 's'}"
        return number if self.blq is None else f"{number}, {self.blq} of them below {self.lloq:g} mg/L"


NONE, ONE, TWO, FOUR = Study(weeks=()), Study(weeks=(14,)), Study(weeks=(14, 22)), Study(weeks=(6, 14, 22, 30))
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
    wanted = [*study.weeks, FORECAST_WEEK]
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
