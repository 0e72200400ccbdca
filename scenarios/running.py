"""Run a scenario: the same virtual patients through every arm.

Patients are simulated in chunks of fixed size; results do not depend on chunks, threads or other arms, because
random numbers are addressed and every patient's grid is its own.
"""

from __future__ import annotations

import json
import math
import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import pkmodel
from pkmodel import antibody, library
from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError, PkWarning
from pkmodel.kernels import layout as at
from pkmodel.patients import Patients
from pkmodel.response import Response
from scenarios.allocation import allocate, as_trial
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.observe import Laboratory
from scenarios.reactions import Reactions
from scenarios.scenario import Scenario

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 4096  # patients; their state and outputs then stay in a core's cache
_KEEPS = ("summary", "trajectories")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all arms share: drug model, antibodies, response, laboratory, days of visits."""

    scenario: Scenario
    model: PopulationModel
    immunogenicity: Immunogenicity | None
    response: Response
    laboratory: Laboratory
    draws: Draws
    days: tuple[float, ...]
    threads: int | None
    reactions: Reactions | None = None

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
            reactions=Reactions.for_drug(scenario.drug),
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
    store = _Store(scenario, setting, n, keep)
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
                progressed = ArmRun(setting, arm, chunk.take(mine)).carry_through(keep == "trajectories")
                store.take_arm(first + mine, number, progressed)
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


class _Store:
    """Preallocated results; a chunk of an arm is written into its slice."""

    def __init__(self, scenario: Scenario, setting: Setting, n: int, keep: str) -> None:
        arms, visits = len(scenario.arms), len(scenario.visits)
        self.scenario, self.setting, self.n = scenario, setting, n
        shape = (arms, n, visits)
        self.by_visit: dict[str, NDArray[Any]] = {
            "trough": np.empty(shape),
            "trough_measured": np.empty(shape),
            "trough_blq": np.empty(shape, np.int8),
            "ada_drug_sensitive": np.empty(shape, np.int8),
            "ada_drug_tolerant": np.empty(shape, np.int8),
            "antibody_total": np.empty(shape),
        }
        self.by_patient: dict[str, NDArray[Any]] = {
            "dose_total": np.empty((arms, n)),
            "doses": np.empty((arms, n), np.int64),
            "responder": np.empty((arms, n), np.bool_),
            "loss_time": np.empty((arms, n)),
            "onset_time": np.empty((arms, n)),
            "infusions": np.empty((arms, n), np.int64),
            "tests": np.empty((arms, n), np.int64),
        }
        if setting.reactions is not None:
            self.by_patient["reactions"] = np.empty((arms, n), np.int64)
        self.ids = np.empty(n, np.int64)
        self.covariates: dict[str, NDArray[np.float64]] = {}
        self.trajectories = np.empty((arms, n, len(setting.days))) if keep == "trajectories" else None

    def take_covariates(self, rows: slice, patients: Patients) -> None:
        self.ids[rows] = patients.ids
        for name, values in patients.covariates.items():
            self.covariates.setdefault(name, np.empty(self.n))[rows] = values

    def take_arm(self, rows: NDArray[np.int64], number: int, arm: ArmRun) -> None:
        for name, target in self.by_visit.items():
            for visit, values in enumerate(arm.seen[name]):
                target[number, rows, visit] = values
        state = arm.state.values
        self.by_patient["dose_total"][number, rows] = arm.plan.total
        self.by_patient["doses"][number, rows] = arm.plan.count
        self.by_patient["responder"][number, rows] = arm.responder
        self.by_patient["tests"][number, rows] = arm.tests
        self.by_patient["infusions"][number, rows] = arm.infusions.infusions
        if "reactions" in self.by_patient:
            self.by_patient["reactions"][number, rows] = arm.infusions.reactions
        for name, column in (("loss_time", at.LOSS_TIME), ("onset_time", at.ONSET_TIME)):
            values = state[:, column]
            self.by_patient[name][number, rows] = np.where(np.isfinite(values), values, math.nan)
        if self.trajectories is not None:
            self.trajectories[number, rows] = np.stack(arm.free, axis=1)

    def dataset(self, seed: int) -> xr.Dataset:
        import xarray as xr

        scenario = self.scenario
        level = {"units": "ug/mL"}
        result = {
            "flag_values": np.array([0, 1, 2], np.int8),
            "flag_meanings": "negative positive inconclusive",
        }
        about: dict[str, dict[str, Any]] = {
            "trough": {**level, "long_name": "true free drug just before any dose"},
            "trough_measured": {**level, "long_name": "drug level as reported; missing below the LLOQ"},
            "trough_blq": {"long_name": "1: reported below the LLOQ"},
            "ada_drug_sensitive": {"long_name": f"antibody by {scenario.assays.drug_sensitive}", **result},
            "ada_drug_tolerant": {"long_name": f"antibody by {scenario.assays.drug_tolerant}", **result},
            "antibody_total": {**level, "long_name": "true antibody, as drug-binding capacity"},
            "dose_total": {"units": "mg", "long_name": "drug given in the whole period"},
            "doses": {"units": "1", "long_name": "doses given in the whole period"},
            "responder": {"long_name": "primary response at its assessment week"},
            "loss_time": {"units": "day", "long_name": "loss of response; missing if kept to the end"},
            "onset_time": {"units": "day", "long_name": "seroconversion; missing if none"},
            "infusions": {"units": "1", "long_name": "infusions among the doses"},
            "tests": {"units": "1", "long_name": "samples taken for the policy (drug and antibody)"},
            "reactions": {"units": "1", "long_name": "infusions with an acute reaction"},
        }
        variables: dict[str, Any] = {
            name: (("arm", "patient", "visit"), values, about[name]) for name, values in self.by_visit.items()
        }
        variables |= {name: (("arm", "patient"), values, about[name]) for name, values in self.by_patient.items()}
        units = {"weight": "kg", "albumin": "g/L", "crp": "mg/L"}
        variables |= {
            name: (("patient",), values, {"units": units.get(name, "1")}) for name, values in self.covariates.items()
        }
        coords: dict[str, Any] = {
            "arm": [arm.name for arm in scenario.arms],
            "patient": self.ids,
            "visit": ("visit", np.array(scenario.visits) / 7.0, {"units": "week"}),
        }
        if self.trajectories is not None:
            coords["time"] = ("time", np.array(self.setting.days), {"units": "day"})
            variables["concentration"] = (
                ("arm", "patient", "time"),
                self.trajectories,
                {**level, "long_name": "free drug just before any dose of the day"},
            )
        return xr.Dataset(variables, coords=coords, attrs=self._attributes(seed))

    def _attributes(self, seed: int) -> dict[str, Any]:
        scenario, setting = self.scenario, self.setting
        layer = setting.immunogenicity
        return {
            "scenario": scenario.name,
            "title": scenario.title,
            "question": scenario.question,
            "scenario_toml": scenario.text,
            "drug": scenario.drug,
            "model": scenario.model,
            "cohort": scenario.cohort,
            "immunogenicity": scenario.immunogenicity + (f" ({layer.status})" if layer is not None else ""),
            "window": scenario.window,
            "seed": seed,
            "patients": self.n,
            "duration_d": scenario.duration,
            "assessment_d": setting.response.assessment_day,
            "drug_lloq": setting.laboratory.drug.lloq,
            "assay_drug": scenario.assays.drug,
            "assay_drug_sensitive": scenario.assays.drug_sensitive,
            "assay_drug_tolerant": scenario.assays.drug_tolerant,
            "versions": json.dumps(versions(), sort_keys=True),
        }


def versions() -> dict[str, str]:
    """Versions of what computed a result."""
    found = {"pkmodel": pkmodel.__version__, "python": platform.python_version()}
    for package in ("numpy", "numba", "scipy", "xarray"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


__all__ = ["CHUNK", "Setting", "Stream", "decision_days", "run", "versions"]
