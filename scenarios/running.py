"""Run a scenario: the same virtual patients through every arm.

Patients are simulated in chunks of fixed size; results do not depend on chunks, threads or other arms, because
random numbers are addressed and every patient's grid is its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws
from pkmodel.errors import InputError, PkWarning
from pkmodel.patients import Patients
from scenarios.allocation import allocate, as_trial
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.ledger import Ledger
from scenarios.scenario import Scenario
from scenarios.setting import Setting
from scenarios.store import Store

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 4096  # patients; their state and outputs then stay in a core's cache
_KEEPS = ("summary", "trajectories")


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
