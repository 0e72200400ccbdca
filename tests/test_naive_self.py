"""The twins against truth that needs no twin: random numbers and linear disposition.

Closed forms, and points published by others. 'ROUNDING' is the tolerance for results that closed forms and
matrix exponentials give to rounding, with two digits to spare. Transcribed points carry their own, stated
where they stand. The patient as a whole is in test_naive_patient.py.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import naive
import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_cases import IV, SC

ROUNDING = 1e-11


# --- random numbers ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_known_answers(counter, key, expected):
    # Known-answer vectors of Random123 (tests/kat_vectors, philox4x32 10).
    words = naive.philox4x32([int(w, 16) for w in counter.split()], [int(w, 16) for w in key.split()])
    assert [f"{word:08x}" for word in words] == expected.split()


def test_uniform_is_the_midpoint_of_its_cell():
    # The first known answer: counter and key all zero. 52 upper bits of 0x6627e8d5e169c58d.
    exact = (Fraction(0x6627E8D5E169C58D >> 12) + Fraction(1, 2)) / 2**52
    assert naive.uniform(seed=0, stream=0, patient=0, index=0) == float(exact)


def test_address_words_are_where_they_should_be():
    counter, key = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    index, stream, patient, replicate = counter
    u = naive.uniform(key[1] << 32 | key[0], stream, patient, index, replicate)
    assert u == ((0xD16CFE0994FDCCEB >> 12) + 0.5) * 2.0**-52


def test_normal_and_exponential_invert_their_distributions():
    for index in range(200):
        u = naive.uniform(7, 1, 3, index)
        # NormalDist uses Wichura's AS 241 and ndtri Cephes: both claim about 1e-15 relative.
        assert naive.normal(7, 1, 3, index) == pytest.approx(NormalDist().inv_cdf(u), rel=1e-13, abs=1e-14)
        assert math.exp(-naive.exponential(7, 1, 3, index)) == pytest.approx(u, rel=1e-14)


# --- linear disposition ------------------------------------------------------------------------------------
@settings(max_examples=25, deadline=None)
@given(theta=strategies.thetas(compartments=1, absorption=True), dose=strategies.between(20, 1000))
def test_one_compartment_closed_forms(theta, dose):
    t = np.array([0.01, 0.5, 3.0, 14.0, 60.0])
    theta = theta | {"LAG": 0.0}
    disposition = {"CL": theta["CL"], "V1": theta["V1"]}
    truth = {
        "bolus": (naive.mono_exponential(**disposition, dose=dose, t=t), [(0.0, "bolus", dose)]),
        "infusion": (
            naive.one_compartment_infusion(**disposition, dose=dose, duration=0.25, t=t),
            naive.infusion(0.0, dose, 0.25),
        ),
        "depot": (
            naive.bateman(theta["KA"], **disposition, dose=theta["F"] * dose, t=t),
            [(0.0, "depot", dose)],
        ),
    }
    for expected, events in truth.values():
        C = naive.linear_profile(theta, events, t)["C"]
        assert pytest.approx(expected, rel=ROUNDING, abs=1e-13 * dose) == C


def test_bateman_where_absorption_is_as_fast_as_elimination():
    t, k, dose = np.array([0.1, 5.0, 30.0]), 0.2, 100.0
    limit = dose / 5.0 * k * t * np.exp(-k * t)
    assert naive.bateman(k, 1.0, 5.0, dose, t) == pytest.approx(limit, rel=1e-14)
    assert naive.bateman(k * (1 + 1e-10), 1.0, 5.0, dose, t) == pytest.approx(limit, rel=1e-8)
    profile = naive.linear_profile(IV | {"CL": 1.0, "V1": 5.0, "KA": k}, [(0.0, "depot", dose)], t)
    assert profile["C"] == pytest.approx(limit, rel=ROUNDING)


@settings(max_examples=25, deadline=None)
@given(theta=strategies.thetas(compartments=2, absorption=False), dose=strategies.between(20, 1000))
def test_two_compartment_bolus_and_infusion(theta, dose):
    t = np.array([0.05, 1.0, 7.0, 60.0])
    disposition = [np.array([theta[name]]) for name in ("CL", "V1", "Q", "V2")]
    slopes, weights = naive.biexponential(*disposition)
    bolus = dose * (weights[:, 0] * np.exp(-np.outer(t, slopes[:, 0]))).sum(axis=1)
    C = naive.linear_profile(theta, [(0.0, "bolus", dose)], t)["C"]
    assert pytest.approx(bolus, rel=1e-10, abs=1e-13 * dose) == C
    infused = naive.superpose_infusions(*disposition, [(0.0, dose, 0.1)], t)[0]
    C = naive.linear_profile(theta, naive.infusion(0.0, dose, 0.1), t)["C"]
    assert pytest.approx(infused, rel=1e-10, abs=1e-13 * dose) == C


def test_lag_delays_and_availability_scales():
    t = np.array([1.0, 3.0, 10.0])
    lagged = naive.linear_profile(SC | {"LAG": 0.5}, [(0.0, "depot", 40.0)], t + 0.5)["C"]
    assert lagged == pytest.approx(naive.bateman(0.28, 0.4, 3.3, 28.0, t), rel=ROUNDING)


def test_effect_site_follows_a_bolus():
    t = np.array([1.0, 7.0, 30.0, 90.0])
    k, k_e = IV["CL"] / IV["V1"], math.log(2) / 14
    expected = 350 / 3.3 * k_e / (k_e - k) * (np.exp(-k * t) - np.exp(-k_e * t))
    Ce = naive.linear_profile(IV, [(0.0, "bolus", 350.0)], t, t_e=14.0)["Ce"]
    assert Ce == pytest.approx(expected, rel=ROUNDING)


def test_parameters_change_at_their_time():
    C0, (k1, k2) = 350 / 3.3, (0.4 / 3.3, 1.0 / 3.3)
    for change in [(10.0, "parameters", {"CL": 1.0}), (10.0, "clearance", 2.5)]:
        C = naive.linear_profile(IV, [(0.0, "bolus", 350.0), change], [10.0, 25.0])["C"]
        assert pytest.approx([C0 * math.exp(-10 * k1), C0 * math.exp(-10 * k1 - 15 * k2)], rel=ROUNDING) == C


@settings(max_examples=25, deadline=None)
@given(theta=strategies.thetas(), data=st.data())
def test_area_is_dose_over_clearance(theta, data):
    events = data.draw(strategies.dose_events(100.0, absorption=theta["KA"] > 0))
    given_mg = sum(v for _, kind, v in events if kind == "bolus")
    given_mg += sum(theta["F"] * v for _, kind, v in events if kind == "depot")
    starts = [event for event in events if event[1] == "rate"]
    given_mg += sum(on[2] * (off[0] - on[0]) for on, off in zip(starts[::2], starts[1::2], strict=True))
    # The slowest possible rate of these ranges (CL 0.1, volumes 18 L, ka 0.05) is about 0.002/d.
    AUC = naive.linear_profile(theta, events, [20_000.0])["AUC"][0]
    assert pytest.approx(given_mg / theta["CL"], rel=1e-10) == AUC


def test_superposition_matches_the_matrix_exponential_on_the_workloads():
    rng = np.random.default_rng(20160101)
    theta, doses, times = naive.workload_w1(rng.standard_normal((3, 2)))
    C = naive.superpose_infusions(**theta, doses=doses, times=times)
    assert C.shape == (3, 55)
    depot, doses_w4, times_w4 = naive.workload_w4(rng.standard_normal((3, 3)))
    C_w4 = naive.superpose_depots(**depot, doses=doses_w4, times=times_w4)
    assert C_w4.shape == (3, 53)
    infusions = [event for dose in doses for event in naive.infusion(*dose)]
    depots = [(start, "depot", amount) for start, amount in doses_w4]
    for i in range(3):
        one = IV | {name: float(values[i]) for name, values in theta.items()}
        assert naive.linear_profile(one, infusions, times)["C"] == pytest.approx(C[i], rel=1e-10, abs=1e-12)
        one = IV | {name: float(values[i]) for name, values in depot.items()}
        twin = naive.linear_profile(one, depots, times_w4)["C"]
        assert twin == pytest.approx(C_w4[i], rel=1e-10, abs=1e-12)


def test_published_area_per_interval():
    # InsightRX/PKPDsim, tests/testthat/test_calc_auc_analytic.R (commit c8a0ef51): two-compartment, 1500 mg
    # over 1 h every 24 h. Hours there, but the equations do not mind. Printed to 0.001.
    theta = IV | {"CL": 3.02069794728, "V1": 47.25, "Q": 2.28, "V2": 51.24}
    published = [299.084, 381.493, 427.152, 454.601, 471.194, 481.227, 487.294, 490.962, 493.181, 494.522]
    events = [event for k in range(10) for event in naive.infusion(24.0 * k, 1500.0, 1.0)]
    AUC = naive.linear_profile(theta, events, 24.0 * np.arange(11))["AUC"]
    assert np.diff(AUC) == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize(
    ("Q", "kind", "expected"),
    [
        (0.0, "bolus", 0.242), (0.0, "infusion", 0.268), (0.0, "depot", 0.389),
        (5.0, "bolus", 0.212), (5.0, "infusion", 0.225), (5.0, "depot", 0.302),
    ],
)  # fmt: skip
def test_published_concentrations_after_two_doses(Q, kind, expected):
    # InsightRX/PKPDsim, tests/testthat/test_advan.R (commit c8a0ef51): 100 mg at 0 and 12 h, level at 23 h,
    # printed to three digits (0.0005).
    theta = IV | {"CL": 10.0, "V1": 50.0, "Q": Q, "V2": 100.0, "KA": 0.5}
    one = naive.infusion(0.0, 100.0, 1.0) if kind == "infusion" else [(0.0, kind, 100.0)]
    two = [(time + 12.0, kind, value) for time, kind, value in one]
    C = naive.linear_profile(theta, one + two, [23.0])["C"][0]
    assert pytest.approx(expected, abs=5e-4) == C
