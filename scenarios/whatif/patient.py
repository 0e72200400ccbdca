"""What-if search for one patient: the cells of a grid for draws from the patient's posterior."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError, PkWarning
from pkmodel.estimation import Estimate, fit, forecast
from pkmodel.estimation.beliefs import Beliefs, believe
from pkmodel.estimation.risk import antibody_risk
from pkmodel.patient_file import PatientFile
from pkmodel.record import CovariateCourse, DoseRecord, PatientRecord
from pkmodel.windows import TargetWindow
from scenarios.whatif.grid import Grid, Limits, Option
from scenarios.whatif.outlook import Line, Outcome, trough_days
from scenarios.whatif.population import COMING, HORIZON_D, check
from scenarios.whatif.pricing import DosePrice
from scenarios.whatif.ranking import Ranking, rank

Floats = NDArray[np.float64]

_RISK_DRAWS = 100
"""Draws that a probability of antibodies is averaged over; it is a mean of probabilities, not a share of draws."""

Predict = Callable[[Beliefs, Sequence[DoseRecord], Floats], Floats]
"""(draw, time) true free drug after further doses: the future of one patient."""


def search_patient(
    model: PopulationModel,
    patient: PatientFile,
    target: TargetWindow,
    grid: Grid,
    *,
    probability: float = 0.8,
    limits: Limits | None = None,
    immunogenicity: Immunogenicity | None = None,
    draws: int = 500,
    seed: int = 1,
    price: DosePrice | None = None,
    coming: int = COMING,
    progress: Callable[[float], None] | None = None,
) -> tuple[Ranking, Estimate]:
    """Estimate one patient and evaluate every cell of a grid on the same draws from the posterior.

    Parameters
    ----------
    model
        Population model of the estimation.
    patient
        From :func:`pkmodel.patient_file.read_patient`.
    immunogenicity
        The antibody layer: then each cell also gets the probability of antibodies by the horizon
        (:func:`pkmodel.estimation.risk.antibody_risk`).
    draws
        From the posterior (:func:`pkmodel.estimation.beliefs.believe`), the same in every cell.
    target, grid, probability, limits, price, coming, progress
        As in :func:`scenarios.whatif.search_population`.

    Returns
    -------
    The ranking, and the estimate that it rests on (its warnings belong to the answer).

    Notes
    -----
    The next dose is one interval after the last, but not before today.  Levels are the patient's true ones; a
    measured trough scatters around them.  They are levels as long as no antibodies appear that are not there today;
    how likely those are is told beside them, and what they would do to the level is not part of it.
    """
    check(model, target, grid, probability)
    estimate = fit(model, patient.record)
    weight = _weight(patient.record, patient.today)
    bound = (limits or grid.limits).max_dose
    if bound is not None and bound.per_weight and math.isnan(weight):
        problem, remedy = f"a limit of {bound} for a patient without weight", "give the weight, or the limit in mg"
        raise InputError.one(problem, remedy, key="max_dose")
    today = _today(patient, weight)
    known = grid if today is None else replace(grid, usual=today)
    helps = model.role_factor("immunomodulator") != 1.0 and not _takes(patient.record, patient.today)
    options = known.options((False, True) if helps else (False,))
    layer = None if immunogenicity is None or _positive(patient.record, patient.today) else immunogenicity
    cells = Cells(believe(estimate, draws=draws, seed=seed), patient, grid, _forecasts(seed), layer)
    outcomes = []
    for number, option in enumerate(options):
        outcomes.append(cells(option, weight))
        if progress is not None:
            progress((number + 1) / len(options))
    ranking = rank(
        options, outcomes, np.full(draws, weight), target, grid, limits or grid.limits, probability=probability,
        today=today, price=price, coming=coming,
        who=f"Patient {patient.record.id}, {draws:,} draws from the posterior",
        model=model.name,
    )  # fmt: skip
    return ranking, estimate


class Cells:
    """Cells of one patient: a level is a straight line in the doses to come, or is computed for every dose."""

    def __init__(
        self,
        beliefs: Beliefs,
        patient: PatientFile,
        grid: Grid,
        predict: Predict,
        layer: Immunogenicity | None = None,
    ) -> None:
        self.layer = layer
        self.beliefs, self.patient, self.grid, self.predict = beliefs, patient, grid, predict
        self.lines: dict[tuple[float, bool], Line] = {}
        self.linear = all(one.model.structure.elimination == "linear" for one, _ in beliefs.parts)

    def __call__(self, option: Option, weight: float) -> Outcome:
        milligrams = float(option.milligrams(np.array([weight]))[0])
        risk = self._risk(option, milligrams)
        if not self.linear:
            return Outcome(troughs=self._troughs(option, milligrams), antibody_risk=risk)
        key = option.interval, option.immunomodulator
        if key not in self.lines:
            vial = self.grid.vial
            self.lines[key] = Line.through(self._troughs(option, vial), self._troughs(option, 2 * vial), vial, vial)
        line = self.lines[key]
        return Outcome(troughs=line.at(np.full(line.base.shape[0], milligrams)), antibody_risk=risk)

    def _risk(self, option: Option, milligrams: float) -> float:
        if self.layer is None:
            return math.nan
        known, doses, days = self._future(option, milligrams)
        return antibody_risk(_thinned(known), self.layer, float(days[-1]), doses=doses, since=self.patient.today)

    def _troughs(self, option: Option, milligrams: float) -> Floats:
        known, doses, days = self._future(option, milligrams)
        return self.predict(known, doses, days)

    def _future(self, option: Option, milligrams: float) -> tuple[Beliefs, list[DoseRecord], Floats]:
        """What is believed, the doses to come, and the days of their troughs."""
        last = self.patient.record.doses[-1]
        first = max(self.patient.today, last.day + option.interval)
        days = trough_days(first, option.interval, first + HORIZON_D)
        doses = [
            DoseRecord(day=day, milligrams=milligrams, route=last.route, duration=last.duration)
            for day in (first, *days[:-1].tolist())
        ]
        known = _with_immunomodulator(self.beliefs, first) if option.immunomodulator else self.beliefs
        return known, doses, days


def _forecasts(seed: int) -> Predict:
    def predict(known: Beliefs, doses: Sequence[DoseRecord], days: Floats) -> Floats:
        return forecast(known, doses, days, seed=seed).true

    return predict


def _with_immunomodulator(beliefs: Beliefs, start: float) -> Beliefs:
    """The same beliefs with an immunomodulator from a day on, at full strength (its build-up takes weeks)."""
    record = beliefs.parts[0][0].record
    course = CovariateCourse(days=(record.doses[0].day - 1.0, start), values=(0.0, 1.0), rule="locf")
    constant = {name: value for name, value in record.covariates.items() if name != "immunomodulator"}
    treated = replace(record, covariates=constant, over_time={**record.over_time, "immunomodulator": course})
    return replace(beliefs, parts=tuple((replace(one, record=treated), z) for one, z in beliefs.parts))


def _thinned(beliefs: Beliefs) -> Beliefs:
    """Every so many draws: the layer is simulated for each of them."""
    step = max(len(beliefs) // _RISK_DRAWS, 1)
    return replace(beliefs, parts=tuple((one, z[::step]) for one, z in beliefs.parts))


def _positive(record: PatientRecord, day: float) -> bool:
    """Whether antibodies are there already: then there is no risk left to compute, and a warning says so."""
    found = [reading.positive for reading in record.antibody if reading.positive is not None]
    course = record.over_time.get("ada_positive")
    status = record.covariates.get("ada_positive", 0.0) if course is None else course.at(day)
    if status <= 0.0 and not (found and found[-1]):
        return False
    warnings.warn(f"patient {record.id} has antibodies: their risk is not computed", PkWarning, stacklevel=3)
    return True


def _takes(record: PatientRecord, day: float) -> bool:
    if "immunomodulator" in record.over_time:
        return record.over_time["immunomodulator"].at(day) > 0.0
    return record.covariates.get("immunomodulator", 0.0) > 0.0


def _weight(record: PatientRecord, day: float) -> float:
    """Weight today, kg; NaN where it is not known."""
    if "weight" in record.over_time:
        return record.over_time["weight"].at(day)
    return record.covariates.get("weight", float("nan"))


def _today(patient: PatientFile, weight: float) -> Option | None:
    """The regimen in force, in mg: a patient gets whole milligrams, whatever the protocol says."""
    from pkmodel.units import Amount

    if patient.current is None:
        return None
    amount, interval = patient.current
    if amount.per_weight:
        amount = Amount(patient.record.doses[-1].milligrams, False)
    return Option(dose=amount, interval=interval)
