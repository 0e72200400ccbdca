"""Closed-loop dosing against doses made elsewhere: label, stepwise and proportional infliximab.

The reference is Wojciechowski et al. (AAPS J 2017;19:1136), outputs generated with the authors' own code; etas and
residuals are given there, so every dose must come out. The model and the residuals are injected here.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import pkmodel as pk
import scenarios as sc
from pkmodel.draws import Draws, Stream
from scenarios import policies
from scenarios.arm import ArmRun
from scenarios.ledger import Ledger
from scenarios.observe import Report
from scenarios.setting import Setting

TRUTH = Path(__file__).parents[1].parent / "shared" / "truth" / "adaptive_infliximab_mit"
INFUSION = 0.08333333  # d, as the reference has it

TRIAL = """
title = "Closed loop"
question = "Do the doses of the reference come out?"
drug = "infliximab"
model = "infliximab-wojciechowski-2017"
immunogenicity = "infliximab"
cohort = "adult-crohn"
window = "taxit"
duration = "86 weeks"
visits_weeks = [0, 86]
review_every = "1 week"
[assays]
drug = "infliximab-elisa"
[[arm]]
name = "label"
[[arm.dosing]]
dose = "5 mg/kg"
weeks = [0, 2, 6]
[[arm.dosing]]
dose = "5 mg/kg"
every = "8 weeks"
until = "86 weeks"
"""


@dataclass(frozen=True)
class GivenEtas(Draws):
    """Draws whose etas are those of the reference."""

    etas: tuple[tuple[float, ...], ...] = ()

    def normal(self, stream, patients, count=1, first=0):
        if stream == Stream.ETA:
            return np.array(self.etas)[patients]
        return super().normal(stream, patients, count, first)


@dataclass(frozen=True)
class GivenResiduals:
    """A laboratory that reports IPRE (1 + ERRPRO of the day)."""

    errors: dict[tuple[int, float], float]

    def report(self, state, ids, draws):
        free = state.free_drug()
        error = np.array([self.errors.get((int(one), state.time), 0.0) for one in ids])
        none = np.full(ids.size, -1, np.int8)
        return Report(
            level=free * (1.0 + error), below_lloq=np.zeros(ids.size, bool), sensitive=none, tolerant=none,
            titre=np.full(ids.size, np.nan), free=free, total=np.zeros(ids.size),
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not TRUTH.exists(), reason="the reference is not there")
@pytest.mark.parametrize("policy", ["label", "stepwise", "proportional"])
def test_doses_of_the_reference(policy):
    with (TRUTH / "patients.csv").open() as file:
        people = list(csv.DictReader(file))
    number = {(one["SIM"], one["ID"]): k for k, one in enumerate(people)}
    expected = defaultdict(list)
    errors = {}
    with (TRUTH / "dose_ledger.csv").open() as file:
        for row in csv.DictReader(file):
            if row["time_dep"] != "0":
                continue
            k, day = number[row["SIM"], row["ID"]], float(row["day"])
            # one residual for each patient and day, the same in every arm
            assert errors.setdefault((k, day), float(row["ERRPRO"])) == float(row["ERRPRO"])
            if row["policy"] == policy:
                expected[k].append((day, float(row["dose_mg"]), float(row["IPRE"])))
    patients = pk.Patients.from_arrays(
        {
            "weight": [float(one["BASE_WT_kg"]) for one in people],
            "albumin": [10.0 * float(one["BASE_ALB_gdL"]) for one in people],
        }
    )
    scenario = sc.Scenario.parse(TRIAL)
    arm = scenario.arms[0]
    doses = tuple(replace(dose, duration=INFUSION) for dose in arm.regimen.doses)
    arm = replace(arm, regimen=replace(arm.regimen, doses=doses))
    if policy != "label":
        arm = replace(arm, policy=policies.make(policy))
    setting = Setting.of(scenario, 1, 1)
    model = replace(setting.model, omega=np.eye(4), eta_parameters=("CL", "V1", "Q", "V2"))
    etas = tuple(tuple(float(one[f"ETA_{name}"]) for name in ("CL", "V1", "Q", "V2")) for one in people)
    setting = replace(
        setting,
        model=model,
        immunogenicity=setting.immunogenicity.with_values(h0=0.0, clearance_scale=1.0, eta_CL_scale=1.0),
        laboratory=GivenResiduals(errors),
        draws=GivenEtas(seed=1, etas=etas),
    )
    ledger, levels = Ledger(), {}

    def watch(run, _, day):
        levels[day] = run.state.free_drug()

    ArmRun(setting, arm, patients).carry_through(watch=watch, pages=ledger.pages(policy))
    for k, rows in expected.items():
        got = [(row["day"], row["dose_mg"]) for row in ledger.rows(patient=k) if row["dose_mg"] > 0.0]
        given = [(day, dose) for day, dose, _ in rows if dose > 0.0]
        assert [day for day, _ in got] == [day for day, _ in given], (policy, k)
        # the reference is printed to ten digits and integrated numerically; 1e-5 is what its checkers reached
        assert np.allclose([dose for _, dose in got], [dose for _, dose in given], rtol=1e-5, atol=0.0), (policy, k)
        assert np.allclose([levels[day][k] for day, _, _ in rows], [ipre for _, _, ipre in rows], rtol=1e-5, atol=1e-9)
