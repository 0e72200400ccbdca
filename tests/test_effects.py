"""Endpoints and what a trial says of them: definitions, signs, and numbers a reader can check by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from pkmodel.errors import InputError, UnknownNameError
from scenarios.effects import NumberNeeded, effects
from scenarios.endpoints import EXAMPLES, endpoint
from scenarios.intervals import Interval, Mean, Share, apart
from scenarios.ratios import Ratio
from scenarios.readout import choose_window, readout
from tests.synthetic import synthetic


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return synthetic(patients=300)


def with_leaving(result: xr.Dataset, day: float, who: slice) -> xr.Dataset:
    """The same result after some have left on a day."""
    leaves = np.full(result.sizes["patient"], np.nan)
    leaves[who] = day
    left = result.copy(deep=True)
    gone = np.broadcast_to(
        ~((7.0 * result.visit.values)[None, :] < np.where(np.isnan(leaves), np.inf, leaves)[:, None]),
        result.trough.shape,
    )
    for name in ("trough_measured", "trough_blq", "ada_drug_tolerant", "ada_drug_sensitive"):
        left[name] = (result[name].dims, np.where(gone, np.nan, result[name].values))
    lost = result.loss_time.values
    left["loss_time"] = (
        result.loss_time.dims,
        np.where(lost < np.where(np.isnan(leaves), np.inf, leaves), lost, np.nan),
    )
    left["leaves"] = ("patient", leaves)
    return left


def percent(result: xr.Dataset, name: str, arm: str = "scheduled") -> float:
    return endpoint(name).share(readout(result, arm, choose_window(result))).interval().estimate


def test_endpoints_are_what_they_say(result: xr.Dataset) -> None:
    one = result.sel(arm="scheduled")
    level, responder, lost = one.trough_measured.sel(visit=54.0).values, one.responder.values, one.loss_time.values
    inside = (level >= 4) & (level <= 7)
    kept = responder & ~(lost <= 7 * 54)
    assert percent(result, "in window at week 54") == pytest.approx(100 * inside.mean())
    assert percent(result, "response at week 54") == pytest.approx(100 * kept.mean())
    assert percent(result, "response and in window at week 54") == pytest.approx(100 * (kept & inside).mean())
    assert percent(result, "loss of response by week 30") == pytest.approx(100 * (lost[responder] <= 210).mean())
    free = ~(one.ada_drug_tolerant.values[:, 1:6] == 1).any(axis=1)
    assert percent(result, "antibody-free survival to week 30") == pytest.approx(100 * free.mean())
    sensitive = ~(one.ada_drug_sensitive.values[:, 1:6] == 1).any(axis=1)
    found = percent(result, "antibody-free survival to week 30, drug-sensitive")
    assert found == pytest.approx(100 * sensitive.mean())
    assert 0 < found < 100
    assert not np.array_equal(sensitive, free)


def test_who_leaves_has_failed_but_is_censored(result: xr.Dataset) -> None:
    left = with_leaving(result, 200.0, slice(0, 60))
    for name in EXAMPLES:
        asked = endpoint(name)
        for arm in ("scheduled", "episodic"):
            before = asked.share(readout(result, arm, choose_window(result)))
            after = asked.share(readout(left, arm, choose_window(result)))
            gone = np.arange(300) < 60
            among = np.ones(300, bool) if after.among is None else after.among
            assert (after.event[gone & among] == (not asked.good)).all(), name
            assert np.array_equal(after.event[~gone & among], before.event[~gone & among])
    times = endpoint("time to loss of response by week 54").times
    assert times is not None
    watched = times(readout(left, "episodic", choose_window(result)))
    early = np.isin(watched.ids, np.arange(60))
    assert watched.weeks[early].max() <= 200 / 7
    assert not watched.event[early & (watched.weeks == 200 / 7)].any()


@pytest.mark.parametrize(
    "name", ["in the window", "in window", "remission at week 54", "in window at week 54, drug-sensitive"]
)
def test_unknown_endpoints_name_the_forms(name: str) -> None:
    with pytest.raises(InputError, match="antibody-free survival to week 54"):
        endpoint(name)


def test_a_week_that_is_no_visit(result: xr.Dataset) -> None:
    with pytest.raises(InputError, match="no visit at week 53; choose one of week 2, 6"):
        effects(result, ["in window at week 53"])
    with pytest.raises(UnknownNameError, match="episodic"):
        effects(result, ["in window at week 54"], "episodik")


def test_arms_with_equal_data_differ_by_exactly_nothing() -> None:
    result = synthetic(patients=120)
    for name in result.data_vars:
        if "arm" in result[name].dims:
            result[name][1] = result[name][0]
    rows = effects(result, EXAMPLES).frame
    other = rows[rows.arm == "episodic"]
    assert (other.difference == 0.0).all()
    assert (other.difference_low == 0.0).all()
    assert (other.nnt == math.inf).all()
    assert other.hazard_ratio.dropna().tolist() == pytest.approx([1.0] * 3, abs=1e-12)


def test_paired_and_randomised_rows(result: xr.Dataset) -> None:
    name = "time to loss of response by week 54"
    paired = effects(result, [name]).frame.set_index("arm").loc["episodic"]
    assert math.isnan(paired.log_rank_p)  # the same patients twice: no test of two groups
    assert paired.hazard_ratio > 1.5
    apart_ = result.assign_attrs(design="randomised")
    apart_["allocation"] = ("patient", np.arange(300) % 2)
    table = effects(apart_, [name, "in window at week 54"])
    row = table.frame.set_index(["endpoint", "arm"]).loc[(name, "episodic")]
    assert row.log_rank_p < 0.05
    assert row.n == int(result.responder.values[1, 1::2].sum())
    assert row.difference_high - row.difference_low > paired.difference_high - paired.difference_low
    assert "log-rank p" in str(table)
    assert set(table.curves.arm) == {"scheduled", "episodic"}
    assert set(table.curves.endpoint) == {name}


def test_newcombe_s_own_example() -> None:
    """56/70 against 48/80: method 10 gives 0.0524 to 0.3339 (Newcombe 1998, table II, example a)."""
    one = Share(event=np.arange(70) < 56).interval()
    other = Share(event=np.arange(80) < 48).interval()
    got = apart(one, other)
    assert (got.estimate, got.low, got.high) == pytest.approx((20.0, 5.24, 33.39), abs=0.01)


def test_difference_of_means_apart_is_the_usual_one() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(3, 1, 50), rng.normal(1, 2, 70)
    got = apart(Mean(values=a).interval(), Mean(values=b).interval())
    half = 1.959964 * math.sqrt(a.var(ddof=1) / 50 + b.var(ddof=1) / 70)
    assert (got.low, got.high) == pytest.approx((a.mean() - b.mean() - half, a.mean() - b.mean() + half), abs=1e-6)


@given(
    low=st.floats(-60, 60).map(lambda x: round(x, 3)),
    width=st.floats(0.1, 30),
    good=st.booleans(),
)
def test_number_needed_has_the_sign_of_the_gain(low: float, width: float, good: bool) -> None:
    middle = low + width / 2
    needed = NumberNeeded.of(Interval(estimate=middle, low=low, high=low + width, n=10), good=good)
    gain = middle if good else -middle
    if gain != 0.0:
        assert math.copysign(1.0, needed.estimate) == math.copysign(1.0, gain)
        assert needed.estimate == pytest.approx(100.0 / gain)
    opposite = NumberNeeded.of(Interval(estimate=-middle, low=-low - width, high=-low, n=10), good=good)
    assert opposite.estimate == -needed.estimate or math.isinf(needed.estimate)
    crosses = low < 0.0 < low + width
    assert ("infinity" in str(needed)) == crosses or 0.0 in (low, low + width)


def test_altman_s_example() -> None:
    """A gain of 8 points (-2 to 18): benefit 5.56 to infinity to harm 50."""
    needed = NumberNeeded.of(Interval(estimate=8.0, low=-2.0, high=18.0, n=10), good=True)
    assert str(needed) == "12.5 (benefit 5.56 to infinity to harm 50)"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.0, 20.0, "10 (5 to infinity)"),
        (-20.0, 0.0, "-10 (infinity to -5)"),
        (0.0, 0.0, "infinity (infinity to infinity)"),
    ],
)
def test_ends_at_no_difference_are_called_infinity(low: float, high: float, said: str) -> None:
    assert str(NumberNeeded.of(Interval(estimate=(low + high) / 2, low=low, high=high, n=10), good=True)) == said


def test_ratio_is_the_mean_when_denominators_are_equal() -> None:
    rng = np.random.default_rng(2)
    values, years = rng.gamma(2.0, 3.0, 80), np.full(80, 1.25)
    one, mean = Ratio(numerator=values, denominator=years).interval(), Mean(values=values / 1.25).interval()
    assert (one.estimate, one.low, one.high) == pytest.approx((mean.estimate, mean.low, mean.high), rel=1e-12)
    nothing = Ratio(numerator=values, denominator=values).minus(Ratio(numerator=values, denominator=values))
    assert (nothing.estimate, nothing.low, nothing.high) == (0.0, 0.0, 0.0)
    assert math.isnan(Ratio(numerator=values, denominator=np.zeros(80)).interval().estimate)


def test_ratio_s_interval_covers() -> None:
    """95 % of the intervals of simulated samples hold the true ratio; of 400, four standard errors are 4.4 points."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        in_window = rng.random(200) < 0.3
        cost = rng.normal(100, 20, 200) + 30 * in_window
        got = Ratio(numerator=cost, denominator=in_window.astype(float)).interval()
        held += got.low <= 109 / 0.3 <= got.high
    assert abs(held / 400 - 0.95) < 0.044
