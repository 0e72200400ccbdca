"""What-if search for patients without levels: the cells of a grid in a virtual cohort."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.cotherapy import Cotherapy
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.patients import Patients
from pkmodel.regimen import Dose, Regimen
from pkmodel.simulation import simulate
from pkmodel.units import Amount
from pkmodel.windows import TargetWindow
from scenarios.whatif.grid import Grid, Limits, Option
from scenarios.whatif.outlook import Line, Outcome, trough_days
from scenarios.whatif.pricing import DosePrice
from scenarios.whatif.ranking import Ranking, rank

Floats = NDArray[np.float64]

HORIZON_D = 364.0
"""Maintenance that is looked at, days."""
COMING = 3
"""Troughs whose share in the window is told by itself."""
IMMUNOMODULATOR = "thiopurine"


def search_population(
    model: PopulationModel,
    patients: Patients,
    target: TargetWindow,
    grid: Grid,
    *,
    probability: float = 0.8,
    limits: Limits | None = None,
    immunogenicity: Immunogenicity | None = None,
    seed: int = 1,
    price: DosePrice | None = None,
    coming: int = COMING,
    progress: Callable[[float], None] | None = None,
    threads: int | None = None,
) -> Ranking:
    """Evaluate every cell of a grid in the same patients, after the grid's induction.

    Parameters
    ----------
    model, patients
        Who is treated; every patient has a weight, kg.
    target
        Window of the trough at the end of a year of maintenance.
    grid
        From :func:`scenarios.whatif.load_grid`.
    probability
        Asked share of patients in the window.
    limits
        None for those of the grid.
    immunogenicity
        The antibody layer: then each cell is simulated by itself, which takes longer, and an immunomodulator acts
        through antibodies too.
    seed
        Of all random numbers; the same in every cell.
    price
        None where it is not known.
    coming
        Number of the first maintenance troughs whose share in the window is told by itself: what comes next, from
        today's state on.
    progress
        Called with the share done.

    Raises
    ------
    InputError
        For patients without weight, a model of another drug, a probability outside 0 to 1.
    """
    check(model, target, grid, probability)
    weight = patients.covariates.get("weight")
    if weight is None:
        raise InputError.one("patients without weight", "limits of a dose per kg need it", key="weight")
    without = _given(patients, "immunomodulator")
    helps = immunogenicity is not None or model.role_factor("immunomodulator") != 1.0
    options = grid.options((False, True) if helps and not without.any() else (False,))
    # a level is a straight line in the dose only where nothing saturates
    linear = immunogenicity is None and model.structure.elimination == "linear"
    evaluate = _Linear(model, patients, grid, seed, threads) if linear else None
    outcomes = []
    for number, option in enumerate(options):
        if evaluate is not None:
            outcomes.append(evaluate(option))
        else:
            outcomes.append(_simulated(model, patients, grid, option, immunogenicity, seed, threads))
        if progress is not None:
            progress((number + 1) / len(options))
    return rank(
        options, outcomes, weight, target, grid, limits or grid.limits, probability=probability, today=grid.usual,
        price=price, coming=coming, who=f"{len(patients):,} virtual patients", model=model.name,
    )  # fmt: skip


def check(model: PopulationModel, target: TargetWindow, grid: Grid, probability: float) -> None:
    """Refuse what does not go together.

    Raises
    ------
    InputError
        With every fault.
    """
    if not 0.0 < probability < 1.0:
        raise InputError.one(
            f"a probability of {probability:g}", "ask for one between 0 and 1, e.g. 0.8", key="probability"
        )
    for what, drug in (("the grid of doses", grid.drug), ("the target window", target.drug)):
        if drug != model.drug:
            remedy = f"use one for {model.drug}"
            raise InputError.one(f"{what} is for {drug}, model {model.name} for {model.drug}", remedy, key="drug")


def _given(patients: Patients, name: str) -> Floats:
    return patients.covariates.get(name, np.zeros(len(patients)))


def _regimen(grid: Grid, option: Option) -> tuple[Regimen, Floats]:
    """Induction and maintenance, and the days of the maintenance troughs."""
    first = grid.induction[-1][0] + option.interval
    days = trough_days(first, option.interval, first + HORIZON_D)
    doses = [Dose(time=day, amount=dose, duration=grid.duration) for day, dose in grid.induction]
    starts = [first, *days[:-1].tolist()]
    doses += [Dose(time=day, amount=option.dose, duration=grid.duration) for day in starts]
    return Regimen(doses=tuple(doses)), days


def _treated(patients: Patients, option: Option) -> Patients:
    """The patients as the model's own immunomodulator term sees them."""
    if not option.immunomodulator:
        return patients
    taken = {**patients.covariates, "immunomodulator": np.ones(len(patients))}
    return replace(patients, covariates=taken)


class _Linear:
    """Cells of a model without antibodies: two simulations for each interval, then straight lines."""

    def __init__(self, model: PopulationModel, patients: Patients, grid: Grid, seed: int, threads: int | None) -> None:
        self.model, self.patients, self.grid, self.seed, self.threads = model, patients, grid, seed, threads
        self.lines: dict[tuple[float, bool], Line] = {}

    def __call__(self, option: Option) -> Outcome:
        key = option.interval, option.immunomodulator
        if key not in self.lines:
            one, other = (self._troughs(option, count * self.grid.vial) for count in (1.0, 2.0))
            self.lines[key] = Line.through(one, other, self.grid.vial, self.grid.vial)
        return Outcome(troughs=self.lines[key].at(option.milligrams(self.patients.covariates["weight"])))

    def _troughs(self, option: Option, milligrams: float) -> Floats:
        treated = _treated(self.patients, option)
        regimen, days = _regimen(self.grid, replace(option, dose=Amount(milligrams, False)))
        found = simulate(self.model, treated, regimen, days, seed=self.seed, threads=self.threads)
        return np.asarray(found["concentration"].values)


def _simulated(
    model: PopulationModel,
    patients: Patients,
    grid: Grid,
    option: Option,
    immunogenicity: Immunogenicity | None,
    seed: int,
    threads: int | None,
) -> Outcome:
    """One cell by itself: with antibodies, or where elimination saturates."""
    regimen, days = _regimen(grid, option)
    layered = immunogenicity is not None
    found = simulate(
        model, patients if layered else _treated(patients, option), regimen, days, seed=seed,
        immunogenicity=immunogenicity,
        cotherapy=(Cotherapy(drug=IMMUNOMODULATOR),) if layered and option.immunomodulator else (), threads=threads,
    )  # fmt: skip
    return Outcome(
        troughs=np.asarray(found["concentration"].values),
        antibody_risk=float(np.mean(found["antibody_total"].values[:, -1] > 0.0)) if layered else math.nan,
    )
