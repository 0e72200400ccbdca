"""The hazard of onset wanes from dose to dose; what belongs to the patient and what to the drug."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import scenarios as sc
from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws
from pkmodel.kernels import layout as at
from pkmodel.response import Response
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.running import Setting

N = 400


def run(arm: str, **values: float) -> ArmRun:
    scenario = sc.Scenario.load("scheduled-vs-episodic")
    setting = Setting.of(scenario, 4, None)
    setting = replace(setting, immunogenicity=setting.immunogenicity.with_values(**values))
    patients = Cohort.load(scenario.cohort).sample(N, seed=4)
    chosen = next(one for one in scenario.arms if one.name == arm)
    return ArmRun(setting, chosen, patients).carry_through()


def test_a_late_onset_is_rare_when_the_hazard_wanes() -> None:
    def late(half_life: float) -> float:
        # a stimulus of its own, so that a calibration moves nothing here
        fixed = {"h0": 0.01, "frailty_sd": 0.0, "hla_factor": 3.0, "C_tol": 2.5, "gamma": 1.1}
        onset = run("scheduled", priming_half_life=half_life, **fixed).state.values[:, at.ONSET_TIME]
        return float(np.mean(onset[np.isfinite(onset)] > 200.0))

    assert late(30.0) < 0.1
    assert late(math.inf) > 0.25


def test_before_onset_a_hazard_that_does_not_wane_is_the_limit_of_one_that_does() -> None:
    constant = run("scheduled", priming_half_life=math.inf).state.values
    slow = run("scheduled", priming_half_life=1e9).state.values
    # 1e-3 d is what an onset is good for (tests/test_kernels_antibody.py): the two take different panels
    np.testing.assert_allclose(slow[:, at.ONSET_TIME], constant[:, at.ONSET_TIME], atol=1e-3)


def test_ratios_of_hazards_stay_what_they_are() -> None:
    """Halving h0 halves everybody's accumulated hazard, to the end: the share never positive becomes its root."""
    whole, half = (
        run("scheduled", h0=h0, priming_half_life=60.0, frailty_sd=0.0, hla_factor=1.0).state.values[:, at.ONSET_TIME]
        for h0 in (0.05, 0.025)
    )
    free = [float(np.mean(~np.isfinite(onset))) for onset in (whole, half)]
    # patients differ in exposure, so the root is that of the mean only to a few points
    assert free[1] == pytest.approx(math.sqrt(free[0]), abs=0.06)


def test_another_drug_has_an_onset_of_its_own_and_the_same_patient() -> None:
    patients = Cohort.load("adult-crohn").sample(3000, seed=1)
    layer = Immunogenicity.load("infliximab").with_values(frailty_sd=0.0, hla_factor=1.0)
    first = layer.subjects(patients, Draws(1))
    second = replace(layer, drug="adalimumab").subjects(patients, Draws(1))
    r = np.corrcoef(np.log(first[:, at.ONSET_THRESHOLD]), np.log(second[:, at.ONSET_THRESHOLD]))[0, 1]
    assert abs(r) < 4.0 / math.sqrt(3000)
    for column in (at.R_MAX, at.DRIVE_RATE):
        assert np.array_equal(first[:, column], second[:, column])
    assert float(np.mean(second[:, at.ONSET_THRESHOLD])) == pytest.approx(1.0, abs=4.0 / math.sqrt(3000))


def test_need_for_drug_is_the_patients_own() -> None:
    ids = np.arange(4000)
    ours = Response.load("infliximab").with_values(EC50=2.0, EC50_sd=0.6)
    other = Response.load("adalimumab").with_values(EC50=4.0, EC50_sd=0.6)
    logs = ours.log_EC50(ids, Draws(1))
    assert float(np.mean(logs)) == pytest.approx(math.log(2.0), abs=4 * 0.6 / math.sqrt(4000))
    assert float(np.std(logs)) == pytest.approx(0.6, rel=0.05)
    # who needs much of one anti-TNF needs much of the other
    np.testing.assert_allclose(other.log_EC50(ids, Draws(1)) - logs, math.log(2.0), rtol=1e-12)


def test_time_without_drug_counts_however_high_the_peak() -> None:
    """The reason for averaging the effect: with the same mean concentration, gaps make it lower."""
    scheduled, episodic = run("scheduled", h0=0.0), run("episodic", h0=0.0)
    assert scheduled.state.values[:, at.EFFECT].mean() > episodic.state.values[:, at.EFFECT].mean()
