"""Power by resampling: right size at the null, the textbook's power where there is one, addressed, and refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import ndtr

import scenarios as sc
from pkmodel.draws import Draws
from pkmodel.errors import InputError
from scenarios import power as module
from scenarios import running
from scenarios.power import PowerTable, chi_squared, power
from tests.synthetic import WEEKS, synthetic

SHARE = "in window at week 54"
TIMES = "time to loss of response by week 54"


def faked(monkeypatch: pytest.MonkeyPatch, change=lambda result: None) -> sc.Scenario:
    """A scenario whose runs give a made-up result of the wanted size."""

    def run(scenario: sc.Scenario, patients: int, **_: object) -> xr.Dataset:
        result = synthetic(patients=patients)
        change(result)
        return result

    monkeypatch.setattr(running, "run", run)
    return sc.Scenario.load("scheduled-vs-episodic")


def equal_arms(result: xr.Dataset) -> None:
    for name in result.data_vars:
        if "arm" in result[name].dims:
            result[name][1] = result[name][0]


@pytest.mark.parametrize("name", [SHARE, TIMES])
def test_equal_arms_are_found_different_as_often_as_the_level_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = faked(monkeypatch, equal_arms)
    trials = 2000 if name == SHARE else 600
    row = power(trial, name, [150], trials=trials, alpha=0.10).frame.iloc[0]
    # four standard errors of a share of 0.10; the discrete chi-squared test is within 0.01 of its level here
    assert row.power == pytest.approx(0.10, abs=4 * math.sqrt(0.09 / trials) + 0.01)
    assert row.difference == 0.0
    assert row.low <= row.power <= row.high


def test_power_is_the_textbook_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent patients, 40 against 60 %: the normal approximation without correction (Fleiss 1981, section 3.2)."""

    def shares(result: xr.Dataset) -> None:
        rng = np.random.default_rng(3)
        n = result.sizes["patient"]
        level = np.stack([np.where(rng.random(n) < p, 5.0, 1.0) for p in (0.4, 0.6)])
        result["trough_measured"][:, :, len(WEEKS) - 1] = level
        result["trough_blq"][:, :, len(WEEKS) - 1] = 0

    trial = faked(monkeypatch, shares)
    table = power(trial, SHARE, [50, 100], trials=2000, pool=20_000)
    for n, row in zip((50, 100), table.frame.itertuples(), strict=True):
        gap = row.difference / 100.0  # of this pool, near 0.2
        p1, p2 = row.percent_against / 100.0, row.percent / 100.0
        mean = (p1 + p2) / 2
        spread = math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
        expected = ndtr((gap * math.sqrt(n) - 1.959964 * math.sqrt(2 * mean * (1 - mean))) / spread)
        assert row.power == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 2000) + 0.01)
    assert table.size_for(0.7, "episodic") == pytest.approx(80, abs=15)
    assert math.isnan(table.size_for(0.999, "episodic"))


def test_arms_of_a_trial_hold_different_patients_of_one_group() -> None:
    lots = np.array_split(np.arange(100), 5)
    drawn = module._draw(lots, np.arange(100), {"a": 6, "b": 9}, 11, Draws(1))
    for trial, (one, other) in enumerate(zip(drawn["a"], drawn["b"], strict=True)):
        assert (one.size, other.size) == (6, 9)
        together = np.concatenate([one, other])
        assert np.unique(together).size == 15
        assert set(together) <= set(lots[trial % 5])
    longer = module._draw(lots, np.arange(100), {"a": 6, "b": 9}, 20, Draws(1))
    assert all(np.array_equal(x, y) for x, y in zip(drawn["a"], longer["a"], strict=False))
    other = module._draw(lots, np.arange(100), {"a": 6, "b": 9}, 11, Draws(2))
    assert any(not np.array_equal(x, y) for x, y in zip(drawn["a"], other["a"], strict=True))


def test_interval_holds_doubt_about_the_pool() -> None:
    found = np.zeros((50, 20), bool)
    found[:, :10] = True  # half of the groups always, half never: trials alone would say 0.47 to 0.53
    share, low, high = module._power_interval(found.ravel(), 20)
    assert share == 0.5
    assert low < 0.27
    assert high > 0.73
    always = module._power_interval(np.ones(1000, bool), 20)
    assert always[0] == 1.0
    assert 0.99 < always[1] < 1.0  # groups agree, Wilson's interval does not vanish


def test_chi_squared_is_scipy_s() -> None:
    from scipy.stats import chi2_contingency

    got = chi_squared((np.array([12.0]), np.array([40.0])), (np.array([25.0]), np.array([45.0])))[0]
    assert got == pytest.approx(chi2_contingency([[12, 28], [25, 20]], correction=False).pvalue, rel=1e-12)
    empty = np.zeros(1)
    assert chi_squared((empty, np.array([5.0])), (empty, np.array([5.0])))[0] == 1.0
    assert chi_squared((empty, empty), (empty, np.array([5.0])))[0] == 1.0


def test_sizes_follow_the_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = faked(monkeypatch)
    assert module._parts(trial, 50) == [50, 50]
    unequal = replace(trial, design=replace(trial.design, randomised=True, ratio=(2, 1)))
    assert module._parts(unequal, 50) == [100, 50]
    assert power(unequal, SHARE, [20], trials=40).pool == 4000


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sizes": [1]}, "at least 2"),
        ({"trials": 5}, "at least 20"),
        ({"alpha": 1.5}, "between 0 and 1"),
        ({"pool": 300}, "ask for --pool 500"),
        ({"against": "nobody"}, "scheduled"),
        ({"endpoint_name": "cure"}, "no endpoint"),
    ],
)
def test_what_is_refused(more: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"endpoint_name": SHARE, "sizes": [50], "trials": 100, **more}
    with pytest.raises(InputError, match=words):
        power(faked(monkeypatch), given.pop("endpoint_name"), given.pop("sizes"), **given)
    one = faked(monkeypatch)
    with pytest.raises(InputError, match="one arm"):
        power(replace(one, arms=one.arms[:1]), SHARE, [50])


def test_the_table_reads() -> None:
    rows = [(SHARE, "b", "a", n, p, p - 0.02, p + 0.02, 100, 20.0, 10.0, 10.0) for n, p in ((50, 0.5), (100, 0.85))]
    frame = pd.DataFrame(rows, columns=list(module.COLUMNS))
    table = PowerTable(frame=frame, alpha=0.05, title="t", pool=4000, groups=20, seed=1)
    text = str(table)
    assert "50 per arm: power  50.0 % (48.0–52.0)" in text
    assert "for 80 % (interpolated)" in text
    assert "for 90 %" not in text


@pytest.mark.slow
def test_a_real_scenario() -> None:
    """Against the textbook's power for the shares of the pool, among its responders; 4 standard errors."""
    scenario = sc.Scenario.load("scheduled-vs-episodic")
    table = power(scenario, "loss of response by week 54", [30, 60], trials=200)
    responders = float(sc.run(scenario, patients=2000, seed=1)["responder"].values.mean())
    for row in table.frame.itertuples():
        p, q = row.percent / 100.0, row.percent_against / 100.0
        n, middle = row.patients_per_arm * responders, (p + q) / 2.0
        spread = math.sqrt(p * (1.0 - p) + q * (1.0 - q))
        z = (abs(p - q) * math.sqrt(n) - 1.959964 * math.sqrt(2.0 * middle * (1.0 - middle))) / spread
        expected = float(ndtr(z))
        assert row.power == pytest.approx(expected, abs=4.0 * math.sqrt(expected * (1.0 - expected) / 200.0))
