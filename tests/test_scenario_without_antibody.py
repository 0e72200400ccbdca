"""Trials without an antibody layer, as models with saturable elimination need them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import pkmodel as pk
import scenarios as sc
from pkmodel.doses import regimen_events

TRIAL = """
title = "Vedolizumab every 8 or every 4 weeks"
question = "What does a shorter interval do for troughs?"
drug = "vedolizumab"
model = "vedolizumab-okamoto-2021"
immunogenicity = "none"
cohort = "adult-crohn"
window = "target-ved-maint-clinical"
duration = "46 weeks"
visits_weeks = [6, 14, 46]
review_every = "4 weeks"

[assays]
drug = "vedolizumab-elisa"
drug_sensitive = "vedolizumab-elisa-ada"
drug_tolerant = "vedolizumab-tolerant-ada"

[[arm]]
name = "every 8 weeks"
dosing = [
  { dose = "300 mg", weeks = [0, 2, 6], infusion = "30 min" },
  { dose = "300 mg", every = "8 weeks", until = "46 weeks", infusion = "30 min" },
]

[[arm]]
name = "every 4 weeks"
dosing = [
  { dose = "300 mg", weeks = [0, 2, 6], infusion = "30 min" },
  { dose = "300 mg", every = "4 weeks", until = "46 weeks", infusion = "30 min" },
]
"""


@pytest.fixture
def scenario(tmp_path: Path):
    path = tmp_path / "vedolizumab.toml"
    path.write_text(TRIAL, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pk.PkWarning)
        yield


def test_a_trial_of_vedolizumab(scenario):
    result = sc.run(sc.Scenario.load(str(scenario)), patients=300, seed=3)
    median = result.trough.median("patient")
    # the typical patient has 9.6 at 40 g/L of albumin; the cohort's median is 41. The logarithm of a trough has an SD
    # of about 0.6, so a median of 300 has a standard error of 4 %; the tolerance is more than three of them.
    assert float(median.sel(arm="every 8 weeks", visit=46)) == pytest.approx(10.2, rel=0.15)
    assert float(median.sel(arm="every 4 weeks", visit=46)) > 2.0 * float(median.sel(arm="every 8 weeks", visit=46))
    assert np.array_equal(result.trough.sel(visit=6)[0], result.trough.sel(visit=6)[1])
    assert result.attrs["immunogenicity"] == "none"
    assert not np.isfinite(result.onset_time).any()
    assert (result.antibody_total == 0).all()
    assert np.isfinite(result.loss_time).any()  # the effect site and its hazard are integrated, too


def test_the_trial_is_the_open_loop(scenario):
    """The same doses through ``start`` and ``advance``, stopped on the same days, give the same bits."""
    loaded = sc.Scenario.load(str(scenario))
    from scenarios.running import decision_days

    response = pk.Response.load("vedolizumab")
    result = sc.run(loaded, patients=40, seed=3)
    patients = sc.Cohort.load("adult-crohn").sample(40, seed=3)
    model, draws = pk.load("vedolizumab-okamoto-2021"), pk.Draws(3)
    state = pk.start(model, patients, draws, response=response)
    waiting = regimen_events(loaded.arms[0].regimen, model, patients, draws, state.theta, None)
    for day in decision_days(loaded, response.assessment_day)[1:]:
        state = pk.advance(state, waiting, until=day)
        waiting = None
    assert np.array_equal(state.free_drug(), result.trough.sel(arm="every 8 weeks", visit=46))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"none"', '"infliximab"', "the antibody layer knows no 2-compartment iv both elimination model"),
        (
            'name = "every 4 weeks"',
            'name = "every 4 weeks"\npremedication = "hydrocortisone"',
            "arm.1.premedication: premedication acts through the antibody layer, which is 'none'",
        ),
    ],
)
def test_what_needs_a_layer_is_refused(scenario, old, new, message):
    scenario.write_text(TRIAL.replace(old, new), encoding="utf-8")
    with pytest.raises(pk.InputError, match=message):
        sc.Scenario.load(str(scenario))
