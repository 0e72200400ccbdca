"""The contrasts come from the equations: switch a term off and its part of the contrast goes, and only that."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import pkmodel as pk
import scenarios as sc
from pkmodel.kernels import layout
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.setting import Setting

N = 500
SEED = 8


def seroconverted(name, arms, **values):
    """Share of seroconverted patients in two arms of a shipped scenario with antibody parameters changed."""
    scenario = sc.Scenario.load(name)
    setting = Setting.of(scenario, SEED, None)
    setting = replace(setting, immunogenicity=setting.immunogenicity.with_values(**values))
    patients = Cohort.load(scenario.cohort).sample(N, seed=SEED)
    shares = []
    for wanted in arms:
        arm = next(arm for arm in scenario.arms if arm.name == wanted)
        state = ArmRun(setting, arm, patients).carry_through().state
        shares.append(np.isfinite(state.values[:, layout.ONSET_TIME]))
    return shares


def test_low_exposure_immunises_only_because_high_exposure_tolerises():
    scheduled, episodic = seroconverted("scheduled-vs-episodic", ("scheduled", "episodic"))
    contrast = episodic.mean() - scheduled.mean()
    assert contrast > 0.03
    scheduled, episodic = seroconverted("scheduled-vs-episodic", ("scheduled", "episodic"), C_tol=math.inf)
    # without tolerance drug is always immunogenic: gaps without drug can only spare patients
    assert episodic.mean() <= scheduled.mean()


def test_hydrocortisone_acts_through_its_factor_alone():
    plain, steroid = seroconverted("steroid-premedication", ("scheduled", "scheduled with hydrocortisone"))
    assert plain.mean() - steroid.mean() > 0.03
    plain, steroid = seroconverted(
        "steroid-premedication", ("scheduled", "scheduled with hydrocortisone"), steroid_factor=1.0
    )
    assert np.array_equal(plain, steroid)
    plain, steroid = seroconverted(
        "steroid-premedication", ("scheduled", "scheduled with hydrocortisone"), steroid_factor=0.0
    )
    assert not steroid.any()


def test_immunomodulator_acts_through_its_factors_alone():
    arms = ("monotherapy", "thiopurine")
    mono, combo = seroconverted("combination-therapy", arms)
    assert mono.mean() - combo.mean() > 0.05
    off = {"imm_onset": 1.0, "imm_production": 1.0, "imm_clearance": 0.0}
    mono, combo = seroconverted("combination-therapy", arms, **off)
    assert np.array_equal(mono, combo)


def test_episodic_re_treatment_follows_relapse_not_the_calendar():
    result = sc.run(sc.Scenario.load("scheduled-vs-episodic"), patients=N, seed=SEED, keep="trajectories")
    episodic = result.concentration.sel(arm="episodic")
    jumps = (episodic.diff("time") > 5.0).sel(time=slice(110.0, None))
    weeks = np.unique(jumps.time.values[jumps.any("patient").values])
    assert weeks.size > 20  # infusions at many different weeks ...
    assert int(jumps.sum(("patient",)).max()) < N // 4  # ... and no week at which most patients get one


def test_same_patients_same_variates_in_every_arm():
    scenario = sc.Scenario.load("scheduled-vs-episodic")
    result = sc.run(scenario, patients=50, seed=SEED)
    # induction is the same, so everything up to week 14 is
    early = result.sel(visit=slice(0, 14))
    for name in ("trough", "trough_measured", "ada_drug_tolerant", "antibody_total"):
        a, b = early[name].sel(arm="scheduled"), early[name].sel(arm="episodic")
        assert np.array_equal(a, b, equal_nan=True), name


@pytest.mark.parametrize("name", sc.Scenario.names())
def test_every_scenario_runs_and_scores(name):
    scenario = sc.Scenario.load(name)
    result = sc.run(scenario, patients=60, seed=1)
    frame = sc.score(result).frame
    assert set(frame.arm) == {arm.name for arm in scenario.arms}
    shares = frame[frame.unit == "percent"].estimate.dropna()
    assert ((shares >= 0.0) & (shares <= 100.0)).all()
    assert pk.load(scenario.model).drug == scenario.drug
