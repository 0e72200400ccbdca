"""Integrated disposition (three compartments, saturable elimination) against its twins, and its laws.

Measured on 60 patients drawn over wide ranges (10-fold to 400-fold in each parameter), relative to the larger of the
level and 0.01 mg/L: 1.6e-8 with saturable elimination against DOP853, 1.8e-9 for linear three-compartment models
against the matrix exponential. The tolerance here is an order of magnitude more.
"""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_saturable import rates_out, simulate_saturable, three_compartments

import pkmodel as pk
from pkmodel.kernels import layout as at
from pkmodel.structure import ALL_PARAMETERS

TOLERANCE = 2e-7
FLOOR = 0.01  # mg/L
KINDS = {
    "bolus": at.BOLUS, "rate": at.RATE_CHANGE, "depot": at.DEPOT, "clearance": at.OCCASION_SET,
    "parameters": at.PARAMETERS_SET, "nothing": at.NOTHING,
}  # fmt: skip
UNTIL = 150.0
TIMES = np.unique(np.concatenate([np.linspace(0.01, 1.0, 12), np.arange(1.0, UNTIL + 0.5, 3.5), [UNTIL]]))


@st.composite
def thetas(draw, saturable=None, compartments=None, depot=None):
    """A theta of the integrated kind."""
    theta = draw(strategies.thetas(compartments=2 if compartments != 1 else 1, absorption=depot))
    theta |= {"F": 1.0, "LAG": 0.0, "Q3": 0.0, "V3": 1.0, "VMAX": 0.0, "KM": 1.0, "D1": 0.0}
    if compartments == 3 or (compartments is None and draw(st.booleans())):
        theta |= {"Q3": draw(strategies.between(0.02, 8.0)), "V3": draw(strategies.between(0.5, 12.0))}
    if saturable or theta["Q3"] == 0.0 or (saturable is None and draw(st.booleans())):
        theta |= {"VMAX": draw(strategies.between(0.05, 20.0)), "KM": draw(strategies.between(0.05, 20.0))}
        theta["CL"] *= draw(st.sampled_from([0.0, 1.0, 1.0]))
    return theta


def model_of(theta):
    routes = ("iv", "sc") if theta["KA"] > 0 or theta["D1"] > 0 else ("iv",)
    return pk.PopulationModel.simple(**theta, routes=routes)


def events_of(theta, events, copies=1):
    current, tables, rows = dict(theta), [], []
    for time, kind, value in sorted(events, key=lambda event: event[0]):
        if kind == "parameters":
            current |= value
            tables.append([current[name] for name in ALL_PARAMETERS])
            value = float(len(tables) - 1)
        rows.append((time, KINDS[kind], value))
    times, kinds, values = zip(*rows, strict=True)
    return pk.Events(
        row=np.repeat(np.arange(copies), len(rows)),
        time=np.tile(np.array(times, float), copies),
        kind=np.tile(np.array(kinds), copies),
        value=np.tile(np.array(values, float), copies),
        tables=np.array(tables).reshape(-1, at.N_THETA_WIDE),
    )


def response_of(numbers):
    return pk.Response(
        name="any", drug="any", status="test", assessment_day=98.0, t_e=numbers["t_e"], hill=numbers["g"],
        EC50=numbers["EC50"], EC50_sd=0.0, p_max=1.0, p_placebo=0.0, lambda_mech=numbers["lambda_mech"],
        lambda_pk=numbers["lambda_pk"], C_relapse=numbers["C_relapse"], relapse_lag=1.0,
    )  # fmt: skip


def ours(theta, events, until=UNTIL, times=TIMES, response=None, loss_target=math.inf):
    state = pk.start(
        model_of(theta),
        pk.Patients.typical(1),
        pk.Draws(1),
        response=None if response is None else response_of(response),
    )
    assert state.integrated
    state.values[0, at.LOSS_TARGET] = loss_target
    into = np.zeros((1, len(times), 4))
    state = pk.advance(state, events_of(theta, events), until=until, times=np.asarray(times, float), into=into)
    return into[0], state


def error(kernel, twin):
    return float(np.max(np.abs(kernel - twin) / np.maximum(np.abs(twin), FLOOR)))


def amounts(state):
    return state.values[0, [at.A_DEPOT, at.A_CENTRAL, at.A_PERIPHERAL, at.A_PERIPHERAL_2]]


# --- against the twins


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_concentrations_effect_and_hazard_equal_the_twin(data):
    theta = data.draw(thetas())
    events = data.draw(strategies.dose_events(UNTIL, absorption=theta["KA"] > 0, most=5))
    events += [event for event in data.draw(strategies.changes(UNTIL)) if event[1] == "clearance"]
    response = data.draw(strategies.responses())
    target = data.draw(st.sampled_from([math.inf, 0.05, 0.3]))
    out, state = ours(theta, events, response=response, loss_target=target)
    twin = simulate_saturable(
        theta=theta, response=response, events=events, until=UNTIL, times=TIMES, loss_target=target
    )
    assert error(out[:, 0], twin["C"]) < TOLERANCE
    assert error(amounts(state), twin["amounts"]) < TOLERANCE
    row = state.values[0]
    assert row[at.EFFECT] == pytest.approx(twin["E"][-1], rel=TOLERANCE, abs=FLOOR * TOLERANCE)
    assert row[at.LOSS_HAZARD] == pytest.approx(twin["LAM"], rel=TOLERANCE, abs=1e-8)
    # a time of crossing is as good as the level over its slope, which may be small: a thousandth of a day
    assert row[at.LOSS_TIME] == pytest.approx(twin["loss_time"], abs=1e-3)
    assert row[at.BELOW_SINCE] == pytest.approx(twin["below_since"], abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_three_linear_compartments_equal_the_matrix_exponential(data):
    theta = data.draw(thetas(saturable=False, compartments=3).filter(lambda found: found["VMAX"] == 0.0))
    events = data.draw(strategies.dose_events(UNTIL, absorption=theta["KA"] > 0, most=3))
    out, _ = ours(theta, events)
    twin = three_compartments(theta, events, TIMES)
    assert error(out[:, 0], twin) < TOLERANCE / 10


def test_parameters_that_change_on_the_way():
    theta = {name: 0.0 for name in ALL_PARAMETERS} | {
        "CL": 0.2, "V1": 3.0, "Q": 0.3, "V2": 2.0, "Q3": 0.05, "V3": 4.0, "VMAX": 1.0, "KM": 0.8, "F": 1.0,
    }  # fmt: skip
    events = [
        (0.0, "bolus", 300.0),
        (20.0, "parameters", {"VMAX": 6.0, "V3": 5.0}),
        (60.0, "parameters", {"KM": 3.0}),
    ]
    out, _ = ours(theta, events)
    twin = simulate_saturable(theta=theta, response=None, events=events, until=UNTIL, times=TIMES)
    assert error(out[:, 0], twin["C"]) < TOLERANCE


# --- laws


GAUSS_X, GAUSS_W = np.polynomial.legendre.leggauss(8)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_what_was_given_is_there_or_was_eliminated(data):
    """Eliminated: clearance times level of the outputs, by a rule of its own on short panels."""
    theta = data.draw(thetas())
    events = data.draw(strategies.dose_events(100.0, absorption=theta["KA"] > 0, most=3))
    stops = np.unique([0.0, *(event[0] for event in events), 100.0])
    near = (stops[:-1, None] + np.diff(stops)[:, None] * np.geomspace(1e-5, 1.0, 40)).ravel()
    edges = np.unique(np.concatenate([stops, near, np.arange(0.0, 100.5, 0.5)]))
    low, width = edges[:-1, None], np.diff(edges)[:, None]
    nodes = low + width * (GAUSS_X + 1) / 2
    out, state = ours(theta, events, until=100.0, times=nodes.ravel())
    eliminated = math.fsum((out[:, 0] * out[:, 3]) * (width * GAUSS_W / 2).ravel())
    given_mg = sum(value for _, kind, value in events if kind in ("bolus", "depot"))
    rates = [(time, value) for time, kind, value in events if kind == "rate"]
    given_mg += sum(-value * time for time, value in rates if time < 100.0)
    given_mg += sum(value for time, value in rates if time < 100.0) * 100.0
    assert eliminated + float(np.sum(amounts(state))) == pytest.approx(given_mg, rel=1e-7)


@settings(max_examples=10, deadline=None)
@given(theta=thetas(saturable=True, compartments=2), dose=strategies.between(20.0, 900.0))
def test_a_huge_km_is_linear_elimination(theta, dose):
    """Vmax C/(Km + C) is within C/Km of (Vmax/Km) C; against the closed form of the linear engine."""
    KM = 1e11  # at 1e9 a level of 300 mg/L differs by 3e-7 by itself, more than the tolerance
    clearance = theta["CL"] + 0.4
    events = [(0.0, "depot" if theta["KA"] > 0 else "bolus", dose)]
    out, _ = ours({**theta, "VMAX": 0.4 * KM, "KM": KM}, events)
    linear = {name: theta[name] for name in ("V1", "Q", "V2", "KA")} | {"CL": clearance}
    model = pk.PopulationModel.simple(**linear, routes=("iv", "sc") if theta["KA"] > 0 else ("iv",))
    into = np.zeros((1, TIMES.size, 4))
    state = pk.start(model, pk.Patients.typical(1), pk.Draws(1))
    assert not state.integrated
    pk.advance(state, events_of(theta, events), until=UNTIL, times=TIMES, into=into)
    assert error(out[:, 0], into[0, :, 0]) < TOLERANCE


@settings(max_examples=8, deadline=None)
@given(theta=thetas(saturable=False, compartments=3, depot=False).filter(lambda found: found["VMAX"] == 0.0))
def test_area_is_dose_over_clearance_without_saturation(theta):
    """By the amount eliminated until nothing is left: 30 of the slowest time constants that occur."""
    until = 60.0 * (theta["V1"] + theta["V2"] + theta["V3"]) * (1 / theta["CL"] + 1 / theta["Q"] + 1 / theta["Q3"])
    edges = np.concatenate([[0.0], np.geomspace(1e-4, until, 160)])
    nodes = (edges[:-1, None] + np.diff(edges)[:, None] * (GAUSS_X + 1) / 2).ravel()
    out, _ = ours(theta, [(0.0, "bolus", 100.0)], until=until, times=nodes)
    area = math.fsum(out[:, 0] * (np.diff(edges)[:, None] * GAUSS_W / 2).ravel())
    assert area == pytest.approx(100.0 / theta["CL"], rel=1e-6)


@settings(max_examples=10, deadline=None)
@given(theta=thetas(saturable=False, compartments=3).filter(lambda found: found["VMAX"] == 0.0))
def test_superposition_without_saturation(theta):
    kind = "depot" if theta["KA"] > 0 else "bolus"
    one, _ = ours(theta, [(0.0, kind, 300.0)])
    two, _ = ours(theta, [(30.0, kind, 120.0)])
    both, _ = ours(theta, [(0.0, kind, 300.0), (30.0, kind, 120.0)])
    assert error(both[:, 0], one[:, 0] + two[:, 0]) < TOLERANCE / 10


@settings(max_examples=10, deadline=None)
@given(theta=thetas(saturable=True))
def test_saturation_makes_a_double_dose_more_than_double(theta):
    kind = "depot" if theta["KA"] > 0 else "bolus"
    one, _ = ours(theta, [(0.0, kind, 150.0)])
    two, _ = ours(theta, [(0.0, kind, 300.0)])
    assert (two[:, 0] >= 2.0 * one[:, 0] - FLOOR * TOLERANCE - TOLERANCE * two[:, 0]).all()


@settings(max_examples=10, deadline=None)
@given(theta=thetas(), dose=strategies.between(20.0, 900.0))
def test_time_shift(theta, dose):
    kind = "depot" if theta["KA"] > 0 else "bolus"
    here, _ = ours(theta, [(0.0, kind, dose)], until=64.0, times=np.arange(1.0, 64.5))
    there, _ = ours(theta, [(64.0, kind, dose)], until=128.0, times=np.arange(65.0, 128.5))
    assert error(there[:, 0], here[:, 0]) < TOLERANCE / 10


def test_clearance_that_is_reported():
    theta = {name: 0.0 for name in ALL_PARAMETERS} | {"V1": 3.0, "V2": 1.0, "V3": 1.0, "VMAX": 2.0, "KM": 0.5, "F": 1.0}
    out, _ = ours(theta, [(0.0, "bolus", 30.0)])
    assert out[:, 3] * out[:, 0] == pytest.approx([rates_out(theta, c) for c in out[:, 0]], rel=1e-12)


# --- bit for bit


N = 80
SEED = 11


@pytest.fixture(scope="module")
def world():
    model = pk.PopulationModel.simple(
        CL=0.165, V1=3.16, Q=0.161, V2=1.84, Q3=0.4, V3=2.0, VMAX=0.24, KM=0.85, D1=4.0, LAG=0.1, F=0.75,
        omega={"CL": 0.3, "V1": 0.2, "VMAX": 0.5, "D1": 0.4, "LAG": 0.3}, routes=("sc", "iv"),
    )  # fmt: skip
    patients = pk.Patients.from_arrays({"weight": np.linspace(50, 100, N)})
    regimen = pk.Regimen.induction("300 mg", route="iv").then(
        pk.Regimen.every("2 weeks", dose="108 mg", until="30 weeks", route="sc")
    )
    return model, patients, regimen


def run(world, patients=None, times="weekly", **how):
    model, everybody, regimen = world
    return pk.simulate(model, patients or everybody, regimen, times, seed=SEED, **how).concentration


def test_threads(world):
    assert np.array_equal(run(world, threads=1), run(world))


def test_chunks_and_order(world):
    whole = run(world)
    assert float(whole.isel(time=-1).std()) > 0.1
    for size in (1, 7):
        for first in range(0, N, size):
            rows = slice(first, min(first + size, N))
            assert np.array_equal(whole[rows], run(world, world[1].take(rows)))
    order = np.random.default_rng(1).permutation(N)
    assert np.array_equal(whole[order], run(world, world[1].take(order)))


def test_output_grid(world):
    weekly = run(world, times=np.arange(0.0, 211.0, 7.0))
    odd = np.unique(np.concatenate([np.arange(0.0, 211.0, 7.0), np.linspace(0.3, 210.0, 77)]))
    assert np.array_equal(weekly, run(world, times=odd).sel(time=weekly.time))


def test_stop_and_go_is_one_go_also_after_saving(world):
    model, patients, regimen = world
    from pkmodel.doses import regimen_events

    draws = pk.Draws(SEED)
    state = pk.start(model, patients, draws, response=pk.Response.load("infliximab"))
    events = regimen_events(regimen, model, patients, draws, state.theta, None)
    days = [0.03, 14.02, 57.5, 98.0, 100.0]  # within infusions and absorption, too
    rows = np.repeat(np.arange(N), len(days))
    stops = pk.Events(
        row=rows, time=np.tile(days, N), kind=np.full(rows.size, at.NOTHING), value=np.zeros(rows.size),
        tables=np.empty((0, at.N_THETA)),
    )  # fmt: skip
    whole = pk.advance(state, pk.Events.merge([events, stops]), until=150.0)
    before = state.values.copy()
    part, waiting = state, events
    for day in days:
        part = pickle.loads(pickle.dumps(pk.advance(part, waiting, until=day)))
        waiting = None
    part = pk.advance(part, until=150.0)
    assert np.array_equal(whole.values, part.values)
    assert np.array_equal(whole.theta, part.theta)
    assert np.array_equal(state.values, before)


# --- zero-order absorption, and what is refused


def test_zero_order_absorption_is_an_infusion_after_the_lag():
    """A linear model, so closed form on both sides; equal to rounding."""
    model = pk.PopulationModel.simple(CL=0.3, V1=5.0, Q=0.2, V2=2.0, D1=6.0, LAG=0.5, F=0.8, routes=("sc",))
    days = np.linspace(0.1, 60.0, 50)
    got = pk.simulate(model, pk.Patients.typical(2), pk.Regimen.induction("200 mg", weeks=(0, 1)), days)
    plain = pk.PopulationModel.simple(CL=0.3, V1=5.0, Q=0.2, V2=2.0)
    state = pk.start(plain, pk.Patients.typical(1), pk.Draws(1))
    rate = 200.0 * 0.8 / 6.0
    events = [(0.5, "rate", rate), (6.5, "rate", -rate), (7.5, "rate", rate), (13.5, "rate", -rate)]
    into = np.zeros((1, days.size, 4))
    theta = {name: 0.0 for name in ALL_PARAMETERS}
    pk.advance(state, events_of(theta, events), until=60.0, times=days, into=into)
    np.testing.assert_allclose(got.concentration.values[1], into[0, :, 0], rtol=1e-13)


def test_duration_of_absorption_follows_covariates_on_the_day_of_the_dose():
    from pkmodel.covariates import CovariateEffect

    effect = CovariateEffect(parameter="D1", covariate="weight", form="power", coefficient=1.0, reference=70.0)
    model = pk.PopulationModel(
        name="any", drug="any", structure=pk.Structure(compartments=1, routes=("sc",), absorption="zero-order"),
        typical={"CL": 0.3, "V1": 5.0, "F": 1.0, "D1": 4.0}, effects=(effect,),
    )  # fmt: skip
    course = pk.TimeCourse(times=np.array([0.0, 10.0]), values=np.array([[70.0, 140.0]]))
    patients = pk.Patients(ids=np.array([0]), over_time={"weight": course})
    regimen = pk.Regimen.induction("100 mg", weeks=(0, 2))
    days = np.array([4.0, 4.5, 14.0, 18.0, 22.0, 22.5])
    c = pk.simulate(model, patients, regimen, days).concentration.values[0]
    assert c[1] < c[0]  # four days for the first dose,
    assert c[2] < c[3] < c[4] > c[5]  # eight for the second


def test_an_antibody_layer_is_refused():
    with pytest.raises(pk.InputError, match="antibody layer knows no 1-compartment iv both elimination"):
        pk.simulate(
            pk.PopulationModel.simple(CL=0.2, V1=3.0, VMAX=1.0, KM=1.0), pk.Patients.typical(1),
            pk.Regimen.induction("300 mg"), immunogenicity=pk.Immunogenicity.load("infliximab"),
        )  # fmt: skip


def test_faults_of_a_structure_are_named():
    with pytest.raises(pk.InputError, match="VMAX: is missing; give a positive value in mg/day"):
        pk.Structure(compartments=1, routes=("iv",), elimination="both").complete({"CL": 1.0, "V1": 1.0, "KM": 1.0})
    with pytest.raises(pk.InputError, match="CL: has no use in a 1-compartment iv michaelis-menten elimination model"):
        pk.Structure(compartments=1, routes=("iv",), elimination="michaelis-menten").complete(
            {"CL": 1.0, "V1": 1.0, "KM": 1.0, "VMAX": 1.0}
        )
    with pytest.raises(pk.InputError, match="did you mean 'michaelis-menten'"):
        pk.Structure(compartments=1, routes=("iv",), elimination="michaelis menten")
    with pytest.raises(pk.InputError, match="nothing is absorbed"):
        pk.Structure(compartments=1, routes=("iv",), absorption="zero-order")
