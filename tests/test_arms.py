"""Invariants of whole trials: chunks, threads, company, replay, pairing. Bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import scenarios as sc
from pkmodel.kernels import layout as at
from pkmodel.simulation import advance, start
from pkmodel.state import Events
from scenarios import running
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.setting import Setting

N = 240
SEED = 3

TRIAL = """
title = "Invariants"
question = "Do results depend on how the work is cut?"
drug = "infliximab"
model = "infliximab-fasanmade-2011"
immunogenicity = "infliximab"
cohort = "adult-crohn"
window = "taxit"
duration = "54 weeks"
visits_weeks = [0, 2, 6, 14, 22, 30, 38, 46, 54]
review_every = "1 week"

[assays]
drug = "infliximab-elisa"
drug_sensitive = "sponsor-bridging"
drug_tolerant = "idkmonitor"
"""
DOSING = """
[[arm.dosing]]
dose = "5 mg/kg"
weeks = [0, 2, 6]
[[arm.dosing]]
dose = "5 mg/kg"
every = "8 weeks"
until = "54 weeks"
"""
ON_DEMAND = """
[[arm]]
name = "on demand"
policy = "episodic"
[[arm.dosing]]
dose = "5 mg/kg"
weeks = [0, 2, 6]
"""


def arm(name, policy="fixed", extra=""):
    head = f'[[arm]]\nname = "{name}"\n'
    head += f'policy = "{policy}"\n' if "=" not in policy else f"policy = {{ {policy} }}\n"
    return head + extra + DOSING


FIXED = arm("fixed")
TWIN = arm("twin")
DOUBLED = arm("doubled", 'name = "escalate-on-loss", action = "double-dose"')
WINDOW = arm("window", 'name = "target-window", target = "4-7 ug/mL"')
PREMEDICATED = arm("premedicated", extra='premedication = "hydrocortisone"\n')


def trial(*arms):
    return sc.Scenario.parse(TRIAL + "\n".join(arms))


def same(a, b):
    assert set(a.data_vars) == set(b.data_vars)
    return all(np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f") for name in a.data_vars)


@pytest.fixture(scope="module")
def whole():
    return sc.run(trial(FIXED, TWIN, DOUBLED, WINDOW, ON_DEMAND), patients=N, seed=SEED, keep="trajectories")


def test_it_is_a_real_trial(whole):
    """Both engines, losses of response, changed plans and relapses all occur; otherwise these tests prove little."""
    assert 0.3 < float(np.isfinite(whole.onset_time).mean()) < 1.0
    assert int(np.isfinite(whole.loss_time.sel(arm="fixed")).sum()) > 3
    assert (whole.dose_total.sel(arm="doubled") != whole.dose_total.sel(arm="fixed")).any()
    assert (whole.doses.sel(arm="window") != whole.doses.sel(arm="fixed")).any()
    assert len(np.unique(whole.doses.sel(arm="on demand"))) > 2


def test_chunks(whole, monkeypatch):
    monkeypatch.setattr(running, "CHUNK", 37)
    again = sc.run(trial(FIXED, TWIN, DOUBLED, WINDOW, ON_DEMAND), patients=N, seed=SEED, keep="trajectories")
    assert same(whole, again)


def test_threads(whole):
    again = sc.run(
        trial(FIXED, TWIN, DOUBLED, WINDOW, ON_DEMAND), patients=N, seed=SEED, keep="trajectories", threads=1
    )
    assert same(whole, again)


@pytest.mark.parametrize(
    ("name", "text"), [("fixed", FIXED), ("doubled", DOUBLED), ("window", WINDOW), ("on demand", ON_DEMAND)]
)
def test_an_arm_alone_or_in_company(whole, name, text):
    # the on-demand arm plans no maintenance doses, so the days of the timetable are given by a fixed arm
    alone = sc.run(trial(text, *([FIXED] if name == "on demand" else [])), patients=N, seed=SEED, keep="trajectories")
    assert same(whole.sel(arm=[name]), alone.sel(arm=[name]))


def test_arms_with_equal_policies_differ_by_nothing(whole):
    assert same(whole.sel(arm="fixed", drop=True), whole.sel(arm="twin", drop=True))
    table = sc.compare(whole, against="fixed").frame
    twin = table[table.arm == "twin"]
    assert (twin.difference.dropna() == 0.0).all()


def test_arms_agree_until_they_part(whole):
    """Escalation acts after loss of response: before it, the arm is the fixed one to the last bit."""
    fixed, doubled = whole.sel(arm="fixed"), whole.sel(arm="doubled")
    lost = np.where(np.isfinite(fixed.loss_time), fixed.loss_time, np.inf)
    before = whole.time.values[None, :] <= lost[:, None]
    assert np.array_equal(fixed.concentration.values[before], doubled.concentration.values[before])
    assert not np.array_equal(fixed.concentration.values, doubled.concentration.values)
    assert np.array_equal(fixed.loss_time, doubled.loss_time, equal_nan=True)


@pytest.mark.parametrize("text", [FIXED, DOUBLED, WINDOW, ON_DEMAND, PREMEDICATED])
def test_replaying_the_orders_open_loop_gives_the_same_state(text):
    scenario = trial(text)
    setting = Setting.of(scenario, SEED, 1)
    patients = Cohort.load("adult-crohn").sample(N, seed=SEED)
    run = ArmRun(setting, scenario.arms[0], patients).carry_through()
    state = start(
        setting.model, patients, setting.draws, immunogenicity=setting.immunogenicity, response=setting.response
    )
    orders = Events.merge(run.ordered)
    for day in setting.days[1:]:
        state = advance(state, orders, until=day, threads=1)
        orders = Events.none()
        if day == setting.response.assessment_day:
            # the target of the loss hazard is set by the assessment, not by an order
            state.values[:, at.LOSS_TARGET] = run.state.values[:, at.LOSS_TARGET]
    assert np.array_equal(state.values, run.state.values, equal_nan=True)


def test_permuted_cohort(whole):
    order = np.random.default_rng(2).permutation(N)
    patients = Cohort.load("adult-crohn").sample(N, seed=SEED).take(order)
    again = sc.run(trial(FIXED, DOUBLED), patients=patients, seed=SEED, keep="trajectories")
    assert same(whole.sel(arm=["fixed", "doubled"]).isel(patient=order), again)


def test_adherence_is_paired_and_addressed():
    poor = FIXED.replace('"fixed"', '"poor"', 1) + '[arm.adherence]\nmissed = 0.15\nlate = 0.2\nlate_by = "1 week"\n'
    result = sc.run(trial(FIXED, poor), patients=400, seed=SEED)
    full, missed = result.doses.sel(arm="fixed").values, result.doses.sel(arm="poor").values
    assert (missed <= full).all()
    # 8 appointments; a share of 0.15 missed, a few more run past the end: binomial error 4 standard errors
    share = 1.0 - missed.mean() / full.mean()
    assert abs(share - 0.15) < 4 * np.sqrt(0.15 * 0.85 / (400 * 8)) + 0.02
    first = result.trough.sel(visit=2.0)
    kept = np.flatnonzero(missed == full)
    assert kept.size > 20
    assert first.sizes["patient"] == 400
