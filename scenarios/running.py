"""Run a scenario: the same virtual patients through every arm.

Patients are simulated in chunks of fixed size; results do not depend on chunks, threads or other arms, because
random numbers are addressed and every patient's grid is its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel import antibody, library
from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError, PkWarning
from pkmodel.patients import Patients
from pkmodel.response import Response
from scenarios.allocation import allocate, as_trial
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.ledger import Ledger
from scenarios.observe import Laboratory
from scenarios.scenario import Scenario
from scenarios.store import Store
from scenarios.therapy import Drug

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 4096  # patients; their state and outputs then stay in a core's cache
_KEEPS = ("summary", "trajectories")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all arms share: drug model, antibodies, response, laboratory, days of visits.

    ``later`` are laboratories that take over on a day, as (day, laboratory).
    """

    scenario: Scenario
    model: PopulationModel
    immunogenicity: Immunogenicity | None
    response: Response
    laboratory: Laboratory
    draws: Draws
    days: tuple[float, ...]
    threads: int | None
    later: tuple[tuple[float, Laboratory], ...] = ()

    def drug(self) -> Drug:
        """The scenario's own drug."""
        return Drug(
            name=self.scenario.drug,
            model=self.model,
            immunogenicity=self.immunogenicity,
            response=self.response,
            laboratories=((0.0, self.laboratory), *self.later),
        )

    @classmethod
    def of(cls, scenario: Scenario, seed: int, threads: int | None) -> Setting:
        """Load everything a scenario names."""
        model = library.load(scenario.model)
        response = Response.load(scenario.drug)
        return cls(
            scenario=scenario,
            model=model,
            immunogenicity=antibody.layer(scenario.immunogenicity),
            response=response,
            laboratory=Laboratory.load(scenario.assays, scenario.drug),
            draws=Draws(seed),
            days=decision_days(scenario, response.assessment_day),
            threads=threads,
            later=tuple(
                (change.day, Laboratory.load(change.panel, scenario.drug)) for change in scenario.assay_changes
            ),
        )


def decision_days(scenario: Scenario, assessment_day: float) -> tuple[float, ...]:
    """Days at which every arm stops to look and decide: the same in all arms.

    The union of scored visits, planned doses of all arms, the regular reviews, the day on which primary
    response is judged, and the end.
    """
    days = {0.0, scenario.duration, *scenario.visits}
    days.update(dose.time for arm in scenario.arms for dose in arm.regimen.doses)
    if scenario.review_every > 0.0:
        days.update(scenario.review_every * k for k in range(int(scenario.duration / scenario.review_every) + 1))
    days.add(assessment_day)
    return tuple(sorted(day for day in days if day <= scenario.duration))


def run(
    scenario: Scenario,
    patients: int | Patients = 1000,
    seed: int = 1,
    *,
    keep: str = "summary",
    ledger: Ledger | None = None,
    progress: Callable[[float], None] | None = None,
    threads: int | None = None,
) -> xr.Dataset:
    """Simulate every arm of a scenario with the same patients.

    Parameters
    ----------
    scenario
        From :meth:`scenarios.Scenario.load`.
    patients
        How many to draw from the scenario's cohort, or the patients themselves.
    seed
        Of all random numbers.
    keep
        "summary" keeps what was seen at the scored visits; "trajectories" also the free drug at every
        decision day.
    ledger
        An empty :class:`scenarios.Ledger` to take down every decision of every patient; None keeps none.
    progress
        Called with the share done, 0 to 1.
    threads
        1 for the serial kernel.

    Returns
    -------
    xarray.Dataset
        Dimensions (arm, patient, visit[, time]); see docs/reference/result.md for the variables.

    Raises
    ------
    InputError
        For faulty names, numbers of patients or seeds.
    """
    if keep not in _KEEPS:
        raise InputError.one(f"cannot keep '{keep}'", f"use one of: {', '.join(_KEEPS)}", key="keep")
    setting = Setting.of(scenario, seed, threads)
    cohort = Cohort.load(scenario.cohort) if isinstance(patients, int) else None
    n = patients if isinstance(patients, int) else len(patients)
    if n < 1:
        raise InputError.one(f"{n} patients", "ask for at least 1", key="patients")
    store = Store(scenario, setting, n, keep)
    outside: dict[str, int] = {}
    for first in range(0, n, CHUNK):
        rows = slice(first, min(first + CHUNK, n))
        if isinstance(patients, int):
            assert cohort is not None
            chunk = cohort.sample(rows.stop - first, seed=seed, first=first)
        else:
            chunk = patients.take(rows)
        for name, count in setting.model.outside_domain(chunk.covariates).items():
            outside[name] = outside.get(name, 0) + count
        store.take_covariates(rows, chunk)
        for number, arm in enumerate(scenario.arms):
            mine = _members(scenario, number, chunk, setting.draws)
            if mine.size:
                pages = None if ledger is None else ledger.pages(arm.name)
                done = ArmRun(setting, arm, chunk.take(mine)).carry_through(keep == "trajectories", pages=pages)
                store.take_arm(first + mine, number, done)
            if progress is not None:
                progress((first + (number + 1) / len(scenario.arms) * (rows.stop - first)) / n)
    for name, count in outside.items():
        if count:
            warnings.warn(
                f"{count} of {n} patients have a {name} outside the range model '{scenario.model}' was built on",
                PkWarning,
                stacklevel=2,
            )
    return as_trial(store.dataset(seed), scenario.design, setting.draws)


def _members(scenario: Scenario, number: int, chunk: Patients, draws: Draws) -> NDArray[np.int64]:
    """Rows of a chunk that are in an arm: all of them, unless the trial is randomised."""
    if not scenario.design.randomised:
        return np.arange(len(chunk))
    return np.flatnonzero(allocate(scenario.design, chunk.ids, draws) == number)


__all__ = ["CHUNK", "Setting", "Stream", "decision_days", "run"]
