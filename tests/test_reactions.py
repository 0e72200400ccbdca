"""Infusion reactions: the formula, what raises and lowers it, and that they change nothing else."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scenarios as sc
from pkmodel.draws import Draws
from pkmodel.errors import InputError
from scenarios.reactions import InfusionLog, Reactions

SHIPPED = Reactions.for_drug("infliximab")
assert SHIPPED is not None


def one(antibody: float, gap: float, premedicated: bool = False, model: Reactions = SHIPPED) -> float:
    return float(model.probability(np.array([antibody]), np.array([gap]), premedicated)[0])


def test_by_hand() -> None:
    model = replace(
        SHIPPED,
        base=0.03,
        antibody_ratio=3.0,
        antibody_half=0.5,
        gap_after=80.0,
        gap_ratio=4.0,
        premedication_ratio=0.5,
    )
    assert one(0.0, 56.0, model=model) == pytest.approx(1 - math.exp(-0.03))
    assert one(0.5, 56.0, model=model) == pytest.approx(1 - math.exp(-0.03 * 2))  # half of the way from 1 to 3
    assert one(0.5, 81.0, True, model=model) == pytest.approx(1 - math.exp(-0.03 * 2 * 4 * 0.5))


@given(a=st.floats(0, 100), b=st.floats(0, 100), gap=st.floats(0, 400), premedicated=st.booleans())
def test_risk_rises_with_antibody_and_after_a_gap_and_falls_with_premedication(
    a: float, b: float, gap: float, premedicated: bool
) -> None:
    low, high = sorted((a, b))
    assert 0.0 < one(low, gap, premedicated) <= one(high, gap, premedicated) < 1.0
    assert one(a, 85.0, premedicated) > one(a, 84.0, premedicated)
    assert one(a, gap, True) < one(a, gap, False)


def test_the_first_infusion_is_no_re_exposure() -> None:
    assert one(0.0, math.inf) == one(0.0, 14.0)


def test_log_is_addressed_by_patient_and_day() -> None:
    ids = np.arange(4000)
    nothing = np.zeros(4000)

    def logged(rows: np.ndarray, day: float) -> np.ndarray:
        log = InfusionLog(SHIPPED, ids, Draws(1))
        log.note(rows, day, antibody=nothing[rows], gap=nothing[rows], premedicated=False)
        return log.reactions

    whole, half = logged(ids, 56.0), logged(ids[::2], 56.0)
    assert np.array_equal(whole[::2], half[::2])
    assert not half[1::2].any()
    assert not np.array_equal(whole, logged(ids, 112.0))
    # four standard errors of a share of 0.0198 among 4,000
    assert whole.mean() == pytest.approx(1 - math.exp(-0.02), abs=4 * math.sqrt(0.02 / 4000))
    silent = InfusionLog(None, ids, Draws(1))
    silent.note(ids, 0.0, antibody=nothing, gap=nothing, premedicated=False)
    assert silent.infusions.all()
    assert not silent.reactions.any()


@pytest.fixture(scope="module")
def results():
    trial = sc.Scenario.load("scheduled-vs-episodic")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        premedicated = trial.with_settings(["arm.scheduled.premedication=hydrocortisone"])
        return sc.run(trial, patients=400, seed=2), sc.run(premedicated, patients=400, seed=2)


def test_a_trial_counts_them(results) -> None:
    plain, premedicated = results
    assert np.array_equal(plain.infusions, plain.doses)
    assert (plain.reactions <= plain.infusions).all()
    assert set(sc.score(plain, metric="infusion_reactions").frame.unit) == {"percent"}
    rates = sc.score(plain, metric="reactions_per_100_infusions").frame.set_index("arm")
    by_hand = 100 * plain.reactions.sel(arm="episodic").sum() / plain.infusions.sel(arm="episodic").sum()
    assert rates.loc["episodic", "estimate"] == pytest.approx(float(by_hand))
    # gaps and antibodies: more on demand than on schedule; premedication: fewer; both many standard errors wide here
    assert rates.loc["episodic", "low"] > rates.loc["scheduled", "high"]
    fewer = premedicated.reactions.sel(arm="scheduled") <= plain.reactions.sel(arm="scheduled")
    assert fewer.all()
    assert not (premedicated.reactions == plain.reactions).all()


def test_a_policy_s_tests_are_counted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = sc.run(sc.Scenario.load("taxit"), patients=60, seed=2)
    assert not result.tests.sel(arm="fixed").any()
    assert (result.tests.sel(arm="window") >= 7).all()


def test_injected_drugs_have_infusions_of_none_and_no_rows_about_reactions() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = sc.run(sc.Scenario.load("adalimumab-regimens"), patients=30, seed=2)
    assert not result.infusions.any()
    assert "reactions" not in result
    assert not sc.score(result).frame.metric.str.contains("reaction").any()
    assert Reactions.for_drug("adalimumab") is None


def test_numbers_are_sourced_and_checked() -> None:
    assert SHIPPED.status.startswith("uncalibrated")
    with pytest.raises(InputError, match="negative"):
        replace(SHIPPED, base=-0.1)
    with pytest.raises(InputError, match="antibody_half"):
        replace(SHIPPED, antibody_half=0.0)
