"""The fixed workloads, through the calls a user makes: W1, W2, W4, the antibody ODE and W5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import pkmodel as pk
import scenarios as sc
from benchmarks import references, superposition
from pkmodel.kernels import layout as at

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]
SEED = 1
_WEEK = 7.0
_INFUSION = 2.0 / 24.0  # d
W2_FACTOR = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload with a closed-form answer.

    Attributes
    ----------
    run
        Simulates once, on so many threads, and returns the labelled result with ``concentration``.
    reference
        The right concentrations, (patient, time) mg/L.
    by_hand
        The same with NumPy, by name of the form: "plain" and "tuned" (see :mod:`benchmarks.superposition`).
    """

    name: str
    patients: int
    run: Callable[[int], xr.Dataset]
    reference: Callable[[], Any]
    by_hand: Mapping[str, Callable[[], Floats]] = field(default_factory=dict)


def _individual(model: pk.PopulationModel, patients: pk.Patients) -> Floats:
    """The parameters that the simulated patients have, (patient, parameter)."""
    theta: Floats = pk.start(model, patients, pk.Draws(SEED)).theta
    return theta


def _w1_model() -> pk.PopulationModel:
    return pk.PopulationModel.simple(name="W1", CL=0.407, V1=3.29, Q=7.14, V2=4.13, omega={"CL": 0.38, "V1": 0.22})


def _w1_regimen(years: float = 1.0) -> tuple[pk.Regimen, Floats, list[tuple[float, float, float]]]:
    """Regimen, output days and doses; 350 mg over 2 h at weeks 0, 2, 6, then every 8 (to week 54 in a year)."""
    last = 54 + round(52 * (years - 1))
    weeks = [0, 2, *range(6, last + 1, 8)]
    regimen = pk.Regimen.induction("350 mg").then(pk.Regimen.every("8 weeks", dose="350 mg", until=f"{last + 1} weeks"))
    return (
        regimen,
        np.arange(0.0, _WEEK * (last + 1), _WEEK),
        [(_WEEK * week, 350.0, _INFUSION) for week in weeks],
    )


def w1(n: int, years: float = 1.0) -> Workload:
    """Two compartments, infusions, weekly output."""
    model, patients = _w1_model(), pk.Patients.typical(n)
    regimen, days, doses = _w1_regimen(years)
    theta = _individual(model, patients)
    return Workload(
        name="W1",
        patients=n,
        run=lambda threads: pk.simulate(model, patients, regimen, days, seed=SEED, threads=threads),
        reference=lambda: references.infusions(theta, doses, days),
        by_hand={
            "plain": lambda: superposition.plain_infusions(theta, doses, days),
            "tuned": lambda: superposition.infusions(theta, doses, days),
        },
    )


def w2(n: int) -> Workload:
    """W1 with CL times 2.5 from a day between 14 and 350 that is the patient's own."""
    model, patients = _w1_model(), pk.Patients.typical(n)
    regimen, days, doses = _w1_regimen()
    theta = _individual(model, patients)
    changes = np.random.default_rng(SEED).uniform(14.0, 350.0, n)
    change = pk.ClearanceChange(time=changes, factor=np.full(n, W2_FACTOR))
    return Workload(
        name="W2",
        patients=n,
        run=lambda threads: pk.simulate(
            model, patients, regimen, days, seed=SEED, clearance_change=change, threads=threads
        ),
        reference=lambda: references.infusions(theta, doses, days, factor=W2_FACTOR, changes=changes),
    )


def w4(n: int) -> Workload:
    """One compartment with absorption: 160, 80, then 40 mg every 14 days to week 52, weekly output."""
    model = pk.PopulationModel.simple(
        name="W4", CL=0.32, V1=7.6, KA=0.28, omega={"KA": 0.30, "CL": 0.38, "V1": 0.22}, routes=("sc",)
    )
    patients = pk.Patients.typical(n)
    regimen = pk.Regimen.induction(["160 mg", "80 mg"], weeks=(0, 2)).then(
        pk.Regimen.every("2 weeks", dose="40 mg", until="53 weeks")
    )
    days = np.arange(0.0, 53 * _WEEK, _WEEK)
    doses = [(14.0 * k, mg) for k, mg in enumerate([160.0, 80.0] + [40.0] * 25)]
    theta = _individual(model, patients)
    KA, CL, V1 = theta[:, at.KA], theta[:, at.CL], theta[:, at.V1]
    return Workload(
        name="W4",
        patients=n,
        run=lambda threads: pk.simulate(model, patients, regimen, days, seed=SEED, threads=threads),
        reference=lambda: references.depots(KA, CL, V1, doses, days),
        by_hand={
            "plain": lambda: superposition.plain_depots(KA, CL, V1, doses, days),
            "tuned": lambda: superposition.depots(KA, CL, V1, doses, days),
        },
    )


# --- W5: one arm of a trial, from patients to scores ------------------------------------------------------
def w5_scenario(years: float = 1.0) -> sc.Scenario:
    """Scheduled 5 mg/kg monotherapy, samples at troughs only, no review between them."""
    last = 54 + round(52 * (years - 1))
    visits = [0, 2, *range(6, last + 1, 8)]
    return sc.Scenario.parse(
        f"""
title = "W5"
question = "How long does one arm of a trial take?"
drug = "infliximab"
model = "infliximab-fasanmade-2011"
immunogenicity = "infliximab"
cohort = "adult-crohn"
window = "taxit"
duration = "{last} weeks"
visits_weeks = {visits}
review_every = "{last} weeks"

[assays]
drug = "infliximab-elisa"
drug_sensitive = "sponsor-bridging"
drug_tolerant = "idkmonitor"

[[arm]]
name = "scheduled"
policy = "fixed"

[[arm.dosing]]
dose = "5 mg/kg"
weeks = [0, 2, 6]

[[arm.dosing]]
dose = "5 mg/kg"
every = "8 weeks"
until = "{last} weeks"
""",
        file="W5",
        name="w5",
    )


def w5(n: int, threads: int, scenario: sc.Scenario | None = None) -> tuple[xr.Dataset, Any]:
    """Result and scores of one arm."""
    result = sc.run(scenario or w5_scenario(), patients=n, seed=SEED, threads=threads)
    return result, sc.score(result)
