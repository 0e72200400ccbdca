"""The twin of the whole patient against closed forms, algebra at steady state, and its own books.

Tolerances: 'ROUNDING' where matrix exponentials and quadrature are exact to rounding, with two digits to
spare; 'ODE' for the solver at rtol 1e-11 over hundreds of days: errors add up over some hundred steps, so
1e-9 relative. Looser ones say why where they stand.
"""

from __future__ import annotations

import math
import random
from decimal import Decimal, localcontext

import naive
import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_cases import AT_ONCE, IMMUNE, IV, NEVER, RESPONSE, SC, SCHEDULED, SUBJECT, TWO, simulate
from scipy.optimize import brentq

ROUNDING = 1e-11
ODE = 1e-9


# --- before onset ------------------------------------------------------------------------------------------
def test_without_onset_the_patient_is_the_linear_profile():
    times = np.arange(0.0, 267.0, 7.0)
    patient = simulate(subject=NEVER)
    linear = naive.linear_profile(TWO, SCHEDULED, times)
    assert patient["C"] == pytest.approx(linear["C"], rel=ROUNDING)
    assert patient["AUC"] == pytest.approx(linear["AUC"], rel=ROUNDING)
    assert np.array_equal(patient["C"], patient["D"])
    assert not patient["antibody_total"].any()
    assert math.isnan(patient["onset_time"])
    assert patient["clearance"] == pytest.approx(np.full(39, 0.4), rel=1e-15)


@settings(max_examples=25, deadline=None)
@given(case=strategies.patients(until=120.0), theta=strategies.thetas(absorption=True), data=st.data())
def test_events_mean_the_same_to_the_patient_and_the_linear_profile(case, theta, data):
    events = data.draw(strategies.dose_events(120.0, absorption=True))
    events += [(31.0, "clearance", 1.4), (50.0, "parameters", {"V1": 5.0, "F": 0.5, "LAG": 1.0})]
    case |= {"theta": theta, "events": events, "subject": NEVER}
    patient = naive.simulate_patient(**case)
    linear = naive.linear_profile(theta, events, case["times"], case["response"]["t_e"])
    for name in ("C", "AUC"):
        # Stops differ, so absolute rounding is that of peaks up to some 1000 mg/L and areas up to 1e5.
        assert patient[name] == pytest.approx(linear[name], rel=ROUNDING, abs=1e-10)


def test_hazard_and_onset_in_closed_form():
    # Bolus, one compartment, no tolerance: integral of C/(C + C_ag) is ln((C0 + C_ag)/(C + C_ag))/k.
    immune = IMMUNE | {"C_tol": math.inf}
    k, C0, C_ag, h0 = 0.4 / 3.3, 350 / 3.3, immune["C_ag"], immune["h0"]
    t = np.array([1.0, 20.0, 70.0, 140.0])
    truth = h0 / k * np.log((C0 + C_ag) / (C0 * np.exp(-k * t) + C_ag))
    case = {"theta": IV, "immune": immune, "events": [(0.0, "bolus", 350.0)], "times": t}
    assert simulate(**case, subject=NEVER)["H"] == pytest.approx(truth, rel=ROUNDING)
    threshold = 2.5
    onset = -math.log(((C0 + C_ag) * math.exp(-threshold * k / h0) - C_ag) / C0) / k
    patient = simulate(**case, subject=SUBJECT | {"onset_threshold": threshold})
    assert patient["onset_time"] == pytest.approx(onset, rel=ROUNDING)
    assert patient["H"][t > onset] == pytest.approx(threshold, rel=1e-15)


def test_high_zone_tolerance_in_closed_form():
    # gamma = 1 and dt = -dC/(k C): H = h0/k int_C^C0 b dC/((C + a)(C + b)), by partial fractions
    # h0 b/(k (b - a)) times the rise of ln((C + a)/(C + b)) from C to C0.
    a, b, k, C0, h0 = IMMUNE["C_ag"], IMMUNE["C_tol"], 0.4 / 3.3, 350 / 3.3, IMMUNE["h0"]
    t = np.array([3.0, 30.0, 60.0, 120.0])
    C = C0 * np.exp(-k * t)
    truth = h0 * b / (k * (b - a)) * (np.log((C0 + a) / (C0 + b)) - np.log((C + a) / (C + b)))
    case = {"theta": IV, "immune": IMMUNE | {"gamma": 1.0}, "events": [(0.0, "bolus", 350.0)], "times": t}
    assert simulate(**case, subject=NEVER)["H"] == pytest.approx(truth, rel=ROUNDING)


def effect_after_a_bolus(t, C0, k, e):
    """E with the drug as quick as the effect and g = 1: z (C0/e) ln((e/z + C0)/(e + C0)), z = exp(-k t)."""
    z = np.exp(-k * t)
    return z * C0 / e * np.log((e / z + C0) / (e + C0))


def test_effect_and_hazard_of_loss_in_closed_form():
    # The integral of the target C/(e + C) is ln((e + C0)/(e + C))/k; that of E is less by E/k.
    k, V1, dose, e = math.log(2) / 14, 3.3, 350.0, 2.0
    C0 = dose / V1
    t = np.array([2.0, 30.0, 200.0])
    E = effect_after_a_bolus(t, C0, k, e)
    area = (np.log((e + C0) / (e + C0 * np.exp(-k * t))) - E) / k
    truth = 0.3 * t + 0.7 * (t - area)
    response = RESPONSE | {"g": 1.0, "EC50": e, "lambda_mech": 0.3, "lambda_pk": 0.7}
    case = {"theta": IV | {"CL": k * V1}, "events": [(0.0, "bolus", dose)], "times": t, "response": response}
    # After onset (with hardly any antibody) the ODE must count the same: R_max lowers C by < 1e-9.
    for subject in (NEVER, AT_ONCE | {"R_max": 1e-14}):
        patient = simulate(**case, subject=subject)
        assert patient["LAM"] == pytest.approx(truth, rel=ODE)
        assert patient["E"] == pytest.approx(E, rel=ODE)


def test_multipliers_of_the_onset_hazard():
    times = [0.0, 100.0, 200.0]
    plain = np.diff(simulate(subject=NEVER, times=times)["H"])
    immune = IMMUNE | {"imm_clearance": 1.0}  # so that co-therapy leaves the concentrations alone
    for event, factor in [
        ((100.0, "cotherapy", 1.0), 0.5),
        ((100.0, "cotherapy", 0.3), 0.5**0.3),
        ((100.0, "steroid", 0.48), 0.48),
    ]:
        H = simulate(subject=NEVER, times=times, immune=immune, events=[*SCHEDULED, event])["H"]
        assert np.diff(H) == pytest.approx(plain * [1.0, factor], rel=ROUNDING)
    H = simulate(subject=NEVER | {"m_hla": 1.6}, times=times)["H"]
    assert np.diff(H) == pytest.approx(plain * 1.6, rel=ROUNDING)


def test_cotherapy_and_occasion_scale_clearance():
    events = [(0.0, "bolus", 350.0), (0.0, "cotherapy", 0.5), (0.0, "clearance", 1.2)]
    CL = 0.4 * 1.2 * 0.863**0.5
    patient = simulate(theta=IV, subject=NEVER, events=events, times=[30.0])
    assert patient["C"] == pytest.approx([350 / 3.3 * math.exp(-CL / 3.3 * 30)], rel=ROUNDING)
    assert patient["clearance"] == pytest.approx([CL], rel=1e-14)


def test_relapse_clock_in_closed_form():
    k, C0, e, level = math.log(2) / 14, 350 / 3.3, 2.0, 5.0
    fall = brentq(lambda t: effect_after_a_bolus(t, C0, k, e) - level / (e + level), 60.0, 200.0, xtol=1e-12)
    response = RESPONSE | {"C_relapse": level, "EC50": e, "g": 1.0}
    case = {"theta": IV | {"CL": k * 3.3}, "response": response, "until": 300.0}
    patient = simulate(**case, events=[(0.0, "bolus", 350.0)], times=[1.0, 60.0, 300.0], subject=NEVER)
    assert patient["fell"] == pytest.approx([fall], abs=1e-8)
    assert np.isnan(patient["below_since"]).tolist() == [True, True, False]
    # A second dose stops the clock, and it starts again.
    again = simulate(
        **case, events=[(0.0, "bolus", 350.0), (200.0, "bolus", 350.0)], times=[199.0, 250.0], subject=NEVER
    )
    assert again["below_since"][0] == pytest.approx(fall, abs=1e-8)
    assert math.isnan(again["below_since"][1])


# --- after onset -------------------------------------------------------------------------------------------
def test_stable_root_against_fifty_digits():
    # Both branches of the root and X from either side; double precision should lose at most a few digits.
    random.seed(1)
    for _ in range(300):
        D, S, Kss = (10 ** random.uniform(-9, 3), 10 ** random.uniform(-9, 3), 10 ** random.uniform(-3, 0))
        with localcontext() as context:
            context.prec = 50
            d, s, kss = Decimal(D), Decimal(S), Decimal(Kss)
            b = d - s - kss
            C = (b + (b * b + 4 * kss * d).sqrt()) / 2
            unbound = s - (d - C)
            binding = C * unbound / kss - (d - C)
        assert abs(binding) < Decimal("1e-30")
        assert D * naive.free_share(D, S, Kss) == pytest.approx(float(C), rel=1e-12)
        assert naive.free_antibody(float(C), S, Kss) == pytest.approx(float(unbound), rel=1e-12)


@pytest.mark.parametrize("theta", [TWO, SC])
def test_the_ode_without_antibody_is_the_linear_profile(theta):
    events = SCHEDULED if theta is TWO else [(14.0 * k, "depot", 80.0) for k in range(15)]
    times = np.arange(0.0, 267.0, 7.0)
    patient = simulate(theta=theta, subject=AT_ONCE | {"R_max": 0.0}, events=events)
    assert patient["onset_time"] == 0.0
    linear = naive.linear_profile(theta, events, times)
    for name in ("C", "AUC"):
        assert patient[name] == pytest.approx(linear[name], rel=ODE, abs=1e-10)
    silent = simulate(theta=theta, subject=NEVER, events=events)
    for name in ("E", "LAM"):
        assert patient[name] == pytest.approx(silent[name], rel=ODE, abs=1e-10)


@pytest.mark.parametrize("other", ["LSODA", "Radau"])
def test_two_solvers_agree(other):
    # rtol 1e-10 of unrelated methods: the bound is theirs (they are less accurate than DOP853), on a curve
    # that passes from excess drug to excess antibody.
    times = np.arange(0.0, 85.0, 7.0)
    ours = simulate(times=times, until=84.0)
    theirs = simulate(times=times, until=84.0, method=other, rtol=1e-10, atol=1e-12)
    assert np.nanmax(ours["antibody_free"]) > 0.1
    for name in ("C", "D", "antibody_free", "antibody_total", "R", "LAM"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-6, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(case=strategies.patients(until=120.0, most=4))
def test_books_balance_for_any_patient(case):
    patient = naive.simulate_patient(**case)
    given_mg, eliminated, remaining = patient["balance"]["drug"]
    assert given_mg == pytest.approx(eliminated + remaining, rel=1e-11)
    made, removed, bound = patient["balance"]["antibody"]
    assert made == pytest.approx(removed + bound, rel=1e-11, abs=1e-12)
    assert all(np.all(np.isfinite(patient[name])) for name in ("C", "D", "clearance", "E", "H", "LAM", "R"))
    assert np.all(patient["C"] <= patient["D"] * (1 + 1e-12))
    assert np.all(np.diff(patient["LAM"]) >= 0)
    threshold = case["subject"]["onset_threshold"]
    assert np.all(patient["H"] <= threshold)
    assert (patient["final"]["H"] == threshold) == (not math.isnan(patient["onset_time"]))


def test_books_balance_over_a_year_of_scheduled_dosing():
    events = [event for w in (0, 2, 6, *range(14, 54, 8)) for event in naive.infusion(7.0 * w, 350.0, 2 / 24)]
    patient = simulate(events=events, until=378.0, times=[378.0])
    given_mg, eliminated, remaining = patient["balance"]["drug"]
    # Start and end of an infusion are two floats near 350 d: 2 h between them is good to 1e-12 only.
    assert given_mg == pytest.approx(2800.0, rel=1e-12)
    # Linear invariants survive a Runge-Kutta step exactly: only rounding is left. Science notes: 8e-12 mg of
    # 2800, 3e-13 of 70.
    assert abs(given_mg - eliminated - remaining) < 2800 * 1e-12
    made, removed, bound = patient["balance"]["antibody"]
    assert made > 10.0
    assert abs(made - removed - bound) < made * 1e-12


@pytest.mark.parametrize(("strength", "occasion"), [(0.0, 1.0), (0.6, 1.3)])
def test_steady_state_under_constant_infusion(strength, occasion):
    # Everything at rest: the equations become algebra, which the state at the end must satisfy.
    events = [(0.0, "rate", 2.0), (0.0, "cotherapy", strength), (0.0, "clearance", occasion)]
    patient = simulate(subject=AT_ONCE, events=events, until=1500.0, times=[1500.0, 1400.0])
    C, D, S, unbound = (patient[n][0] for n in ("C", "D", "antibody_total", "antibody_free"))
    assert C < 0.9 * D  # free and total drug differ, so that taking one for the other would show
    V1, CL = TWO["V1"], TWO["CL"] * occasion * 0.863**strength
    k_cx = CL / V1 + IMMUNE["k_extra"]  # complexes are cleared with whatever changes CL
    R = SUBJECT["R_max"] * 0.8**strength * D / (D + IMMUNE["C_ag"])
    assert C * unbound == pytest.approx(IMMUNE["Kss"] * (D - C), rel=1e-9)
    assert CL * C + k_cx * (D - C) * V1 == pytest.approx(2.0, rel=1e-8)
    assert patient["R"][0] == pytest.approx(R, rel=1e-8)
    assert IMMUNE["k_ada"] * unbound + k_cx * (S - unbound) == pytest.approx(R, rel=1e-8)
    assert patient["clearance"][0] * D == pytest.approx(2.0, rel=1e-8)
    assert patient["final"]["A_p"] / TWO["V2"] == pytest.approx(C, rel=1e-8)
    assert patient["E"][0] == pytest.approx(naive.target_effect(C, RESPONSE["EC50"], RESPONSE["g"]), rel=1e-8)
    assert patient["AUC"][0] - patient["AUC"][1] == pytest.approx(100.0 * C, rel=1e-8)


def test_antibody_outlives_the_drug_in_closed_form():
    # Once antibody has cleared all drug, R decays with tau_R and S is fed by it: a Bateman function again.
    times = np.array([150.0, 180.0, 240.0])
    subject = AT_ONCE | {"R_max": 3.0}
    patient = simulate(theta=IV, subject=subject, events=[(0.0, "bolus", 100.0)], times=times)
    assert patient["D"][0] < 1e-12
    t, tau, k = times - times[0], IMMUNE["tau_R"], IMMUNE["k_ada"]
    R0, S0 = patient["R"][0], patient["antibody_total"][0]
    assert patient["R"] == pytest.approx(R0 * np.exp(-t / tau), rel=ODE)
    S = S0 * np.exp(-k * t) + R0 / (1 / tau - k) * (np.exp(-k * t) - np.exp(-t / tau))
    assert patient["antibody_total"] == pytest.approx(S, rel=ODE)


def test_production_rises_wanes_and_remembers_in_closed_form():
    # With C_ag next to nothing, any drug stimulates fully: dR/dt = (R_max u - R)/tau_R has closed forms.
    immune = IMMUNE | {"C_ag": 1e-12}
    subject = AT_ONCE | {"R_max": 1e-3}  # little enough for the drug to stay in excess
    t = np.array([5.0, 20.0, 60.0])
    steady = {"immune": immune, "events": [(0.0, "rate", 5.0)], "times": t}
    risen = simulate(**steady, subject=subject)["R"]
    assert risen == pytest.approx(1e-3 * -np.expm1(-t / 15.0), rel=1e-8)
    k_u = math.log(2) / 60
    waned = simulate(**steady, subject=subject | {"k_u": k_u})
    expected = 1e-3 / (1 - 15.0 * k_u) * (np.exp(-k_u * t) - np.exp(-t / 15.0))
    assert waned["R"] == pytest.approx(expected, rel=1e-8)
    assert waned["U"] == pytest.approx(np.exp(-k_u * t), rel=ODE)
    lowered = simulate(**steady | {"events": [*steady["events"], (0.0, "cotherapy", 1.0)]}, subject=subject)
    assert lowered["R"] == pytest.approx(0.8 * risen, rel=1e-8)


@pytest.mark.parametrize("re_exposure", [(300.0, "bolus", 350.0), (300.0, "rate", 50.0), (300.0, "depot", 350.0)])
def test_memory_shortens_the_rise_after_washout_only(re_exposure):
    # with memory the rise is as quick as the fall, and R an exponential
    immune = IMMUNE | {"C_ag": 1e-12, "tau_R": 7.5}
    theta = IV | {"CL": 2.0, "KA": 2.0}  # out within weeks: 1e-70 of the first dose is left at day 300
    case = {"theta": theta, "immune": immune, "subject": AT_ONCE | {"R_max": 1e-3}, "until": 320.0}
    times = [300.0, 301.0, 310.0]
    events = [(0.0, "bolus", 350.0), (1.0, "bolus", 350.0), re_exposure]
    patient = simulate(**case, events=events, times=times)
    # The dose of day 1 met plenty of drug and does not count; the one of day 300 does, from then on.
    assert patient["memory"].tolist() == [0.0, 1.0, 1.0]
    _, R1, R2 = patient["R"]
    assert pytest.approx(1e-3 + (R1 - 1e-3) * math.exp(-9.0 / 7.5), rel=1e-7) == R2


def test_memory_asks_for_free_drug_and_for_a_dose():
    subject, dose = AT_ONCE | {"R_max": 3.0}, (100.0, "bolus", 10.0)
    case = {"subject": subject, "until": 110.0, "times": [100.0, 105.0]}
    # Complexes abound, free drug is gone: that is re-exposure.
    masked = simulate(**case, immune=IMMUNE | {"C_ag": 0.1}, events=[(0.0, "rate", 5.0), dose])
    assert masked["C"][0] < 0.1 < masked["D"][0]
    assert masked["memory"].tolist() == [0.0, 1.0]
    # The end of an infusion brings no drug, however little there is.
    ended = simulate(**case, immune=IMMUNE | {"C_ag": 1e3}, events=[(0.0, "rate", 5.0), (100.0, "rate", -5.0)])
    assert ended["memory"].tolist() == [0.0, 0.0]


def test_events_of_one_instant_and_readings_around_them():
    events = [(0.0, "bolus", 350.0), (14.0, "bolus", 350.0)]
    k, C0 = 0.4 / 3.3, 350 / 3.3
    before = simulate(theta=IV, subject=NEVER, events=events, times=[0.0, 14.0])["C"]
    after = simulate(theta=IV, subject=NEVER, events=events, times=[0.0, 14.0], after_events=True)["C"]
    assert before == pytest.approx([0.0, C0 * math.exp(-14 * k)], rel=ROUNDING)
    assert after == pytest.approx(before + C0, rel=ROUNDING)


def test_the_output_grid_hardly_matters():
    # More stops restart the solver: agreement shows the size of its error, well below the kernels' 1e-6.
    coarse = simulate(times=[70.0, 266.0])
    fine = simulate(times=np.arange(0.0, 266.5, 0.5))
    for name in ("C", "antibody_total", "R", "LAM"):
        assert coarse[name] == pytest.approx(fine[name][[140, 532]], rel=ODE, abs=1e-11)
    assert coarse["onset_time"] == pytest.approx(fine["onset_time"], abs=1e-10)


def test_what_cannot_be_simulated_is_refused():
    with pytest.raises(ValueError, match="unknown event"):
        simulate(events=[(0.0, "enema", 100.0)])
    with pytest.raises(ValueError, match="times end at"):
        simulate(times=[267.0])


def test_production_falls_as_slowly_as_it_is_told():
    # From nothing, production rises with tau_rise; with drug washed out, it goes with tau_R.
    immune = IMMUNE | {"tau_rise": 8.0, "tau_R": 80.0}
    steady = {"immune": immune | {"C_ag": 1e-12}, "subject": AT_ONCE | {"R_max": 1e-3}, "events": [(0.0, "rate", 5.0)]}
    t = np.array([1e-3, 260.0])
    first, last = simulate(**steady, times=t)["R"] / 1e-3
    assert first == pytest.approx(t[0] / 8.0, rel=1e-3)
    assert last == pytest.approx(1.0, rel=1e-7)
    # half of both rates where production is close to its balance
    early, late = 1.0 - simulate(**steady, times=[60.0, 70.0])["R"] / 1e-3
    assert late / early == pytest.approx(math.exp(-10.0 * (0.5 / 8.0 + 0.5 / 80.0)), rel=0.02)
    gone = simulate(theta=IV, immune=immune, subject=AT_ONCE | {"R_max": 3.0}, events=[(0.0, "bolus", 100.0)],
                    times=np.array([150.0, 200.0]))  # fmt: skip
    assert gone["D"][0] < 1e-12
    assert gone["R"][1] == pytest.approx(gone["R"][0] * math.exp(-50.0 / 80.0), rel=ODE)
