"""Closed-form disposition against the matrix-exponential twin, and its laws."""

from __future__ import annotations

import math

import kernel_bridge as bridge
import naive
import naive_cases as cases
import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

# the naive twin is itself good to about 1e-12 (matrix exponential in double precision)
CLOSED_FORM = 1e-10


def case(theta, events, until=203.0, times=None):
    return {
        "theta": theta,
        "immune": cases.IMMUNE,
        "subject": cases.NEVER,
        "response": cases.RESPONSE,
        "events": events,
        "until": until,
        "times": np.arange(0.0, until + 0.5, 7.0) if times is None else times,
    }


def ours(theta, events, until=203.0, times=None):
    return bridge.simulate_patient(**case(theta, events, until, times))


def both(theta, events, until=203.0, times=None):
    """The kernel, and the twin's linear part alone (its hazards take long and are tested elsewhere)."""
    given = case(theta, events, until, times)
    return bridge.simulate_patient(**given), naive.linear_profile(
        theta, events, given["times"], t_e=cases.RESPONSE["t_e"]
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_concentration_equals_the_twin(data):
    theta = data.draw(strategies.thetas())
    events = data.draw(strategies.dose_events(203.0, absorption=theta["KA"] > 0))
    kernel, twin = both(theta, events)
    # relative to the largest level: the twin loses digits where the drug has decayed by ten decades
    scale = max(float(np.max(twin["C"])), 1e-3)
    assert np.max(np.abs(kernel["C"] - twin["C"])) <= CLOSED_FORM * scale


@pytest.mark.parametrize(
    "theta",
    [
        # absorption exactly as fast as elimination, effect site too; and nearly so
        {"CL": 0.8, "V1": 4.0, "Q": 0.0, "V2": 1.0, "KA": 0.2, "F": 0.7, "LAG": 0.0},
        {"CL": 0.8, "V1": 4.0, "Q": 0.0, "V2": 1.0, "KA": 0.2 * (1 + 1e-9), "F": 0.7, "LAG": 0.0},
        {"CL": 0.8, "V1": 4.0, "Q": 0.0, "V2": 1.0, "KA": 0.2 * (1 + 1e-4), "F": 0.7, "LAG": 0.0},
        {
            "CL": 4.0 * math.log(2) / 14,
            "V1": 4.0,
            "Q": 0.0,
            "V2": 1.0,
            "KA": math.log(2) / 14,
            "F": 1.0,
            "LAG": 0.0,
        },
        {"CL": 0.35, "V1": 3.4, "Q": 8.0, "V2": 0.5, "KA": 0.3, "F": 1.0, "LAG": 0.25},
    ],
)
def test_equal_rates_need_no_special_case(theta):
    kernel, twin = both(theta, [(0.0, "depot", 160.0), (14.0, "depot", 80.0), (28.0, "bolus", 40.0)])
    scale = float(np.max(twin["C"]))
    assert np.max(np.abs(kernel["C"] - twin["C"])) <= CLOSED_FORM * scale


@settings(max_examples=25, deadline=None)
@given(
    theta=strategies.thetas(absorption=False),
    events=strategies.dose_events(150.0),
    factor=st.floats(0.1, 10.0),
)
def test_dose_linearity(theta, events, factor):
    one = ours(theta, events, until=150.0)
    scaled = [(time, kind, value * factor) for time, kind, value in events]
    many = ours(theta, scaled, until=150.0)
    np.testing.assert_allclose(many["C"], factor * one["C"], rtol=1e-12, atol=1e-13)


@settings(max_examples=25, deadline=None)
@given(theta=strategies.thetas(), first=st.floats(20.0, 900.0), second=st.floats(20.0, 900.0))
def test_superposition(theta, first, second):
    kind = "depot" if theta["KA"] > 0 else "bolus"
    alone = ours(theta, [(0.0, kind, first)], until=150.0)["C"] + ours(theta, [(30.0, kind, second)], until=150.0)["C"]
    together = ours(theta, [(0.0, kind, first), (30.0, kind, second)], until=150.0)["C"]
    np.testing.assert_allclose(together, alone, rtol=1e-11, atol=1e-13)


@settings(max_examples=25, deadline=None)
@given(theta=strategies.thetas(absorption=False), events=strategies.dose_events(150.0, most=4))
def test_time_shift(theta, events):
    # shifting by a power of two keeps every difference of times exact, so levels agree to rounding
    shift = 64.0
    times = np.arange(0.0, 150.0, 7.0)
    here = ours(theta, events, until=150.0, times=times)
    there = ours(theta, [(time + shift, kind, value) for time, kind, value in events], 150.0 + shift, times + shift)
    np.testing.assert_allclose(there["C"], here["C"], rtol=1e-9, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(theta=strategies.thetas(), dose=st.floats(20.0, 900.0))
def test_auc_is_dose_over_clearance(theta, dose):
    kind, share = ("depot", theta["F"]) if theta["KA"] > 0 else ("bolus", 1.0)
    slowest = np.min(np.abs(np.linalg.eigvals(_rates(theta))))
    end = 40.0 / slowest
    # Gauss-Legendre over panels that double: levels are sums of exponentials
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.concatenate([[0.0], np.geomspace(1e-3, end, 60)])
    times = (edges[:-1, None] + (nodes + 1) / 2 * np.diff(edges)[:, None]).ravel()
    kernel = bridge.simulate_patient(
        theta=theta, immune=cases.IMMUNE, subject=cases.NEVER, response=cases.RESPONSE,
        events=[(0.0, kind, dose)], until=end, times=times,
    )  # fmt: skip
    auc = float(np.sum(kernel["C"] * (weights / 2 * np.diff(edges)[:, None]).ravel()))
    lag_free = theta["LAG"] == 0.0
    # a jump at the lag costs the quadrature its order
    assert auc == pytest.approx(share * dose / theta["CL"], rel=1e-8 if lag_free else 1e-2)


def _rates(theta):
    k10, k12, k21 = theta["CL"] / theta["V1"], theta["Q"] / theta["V1"], theta["Q"] / theta["V2"]
    rates = np.array([[k10 + k12, -k21], [-k12, k21]]) if theta["Q"] else np.diag([k10])
    if theta["KA"] > 0.0:
        grown = np.zeros((rates.shape[0] + 1,) * 2)
        grown[1:, 1:] = rates
        grown[0, 0] = theta["KA"]
        return grown
    return rates


def test_infusions_overlap():
    events = naive.infusion(0.0, 300.0, 1.0) + naive.infusion(0.5, 200.0, 1.0)
    kernel, twin = both(cases.TWO, events, until=30.0, times=np.array([0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 30.0]))
    np.testing.assert_allclose(kernel["C"], twin["C"], rtol=1e-10)


def test_parameters_change_in_steps():
    events = [
        *cases.SCHEDULED,
        (50.0, "parameters", {"CL": 0.9}),
        (120.3, "parameters", {"CL": 0.3, "V1": 2.5}),
    ]
    kernel, twin = both(cases.TWO, events)
    np.testing.assert_allclose(kernel["C"], twin["C"], rtol=1e-9, atol=1e-12)
