"""The shared-timetable kernel against the naive superposition and the general engine."""

from __future__ import annotations

import naive
import numpy as np
import pytest

import pkmodel as pk
from pkmodel import simulation
from pkmodel.kernels import layout as at

W1 = pk.PopulationModel.simple(
    name="w1", CL=0.407, V1=3.29, Q=7.14, V2=4.13, omega={"CL": 0.38, "V1": 0.22}, routes=("iv",)
)
W4 = pk.PopulationModel.simple(
    name="w4", CL=0.32, V1=7.6, KA=0.28, omega={"CL": 0.38, "V1": 0.22, "KA": 0.30}, routes=("sc",)
)
IV = pk.Regimen.induction("350 mg").then(pk.Regimen.every("8 weeks", dose="350 mg", until="54 weeks"))
SC = pk.Regimen.induction(("160 mg", "80 mg"), weeks=(0, 2), route="sc").then(
    pk.Regimen.every("2 weeks", dose="40 mg", until="52 weeks", route="sc")
)
N = 300
PATIENTS = pk.Patients.typical(N, weight=70.0)


def error(a, b):
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(b), 0.01)))


def general(model, regimen, times, change=None, patients=PATIENTS):
    """Free drug by the event-by-event engine."""
    days = np.asarray(times, float)
    return simulation._event_by_event(model, patients, regimen, days, pk.Draws(1), None, (), change, 1)[:, :, 0]


def test_w1_and_w4_equal_naive_superposition():
    draws = pk.Draws(1)
    z = draws.normal(pk.Stream.ETA, PATIENTS.ids, 2)
    theta, doses, times = naive.workload_w1(z)
    ours = pk.simulate(W1, PATIENTS, IV, times, seed=1).concentration.values
    assert (
        error(ours, naive.superpose_infusions(theta["CL"], theta["V1"], theta["Q"], theta["V2"], doses, times)) < 1e-10
    )
    # eta columns of a model stand in the order of the parameters: CL, V1, KA; the workload lists ka first
    z = draws.normal(pk.Stream.ETA, PATIENTS.ids, 3)
    theta, doses, times = naive.workload_w4(z)
    ka, cl, v = 0.28 * np.exp(0.30 * z[:, 2]), 0.32 * np.exp(0.38 * z[:, 0]), 7.6 * np.exp(0.22 * z[:, 1])
    ours = pk.simulate(W4, PATIENTS, SC, times, seed=1).concentration.values
    assert error(ours, naive.superpose_depots(ka, cl, v, doses, times)) < 1e-10


@pytest.mark.parametrize(("model", "regimen"), [(W1, IV), (W4, SC)])
@pytest.mark.parametrize("changes", [False, True])
def test_equals_the_general_engine(model, regimen, changes):
    times = np.unique(np.concatenate([np.arange(0.0, 370.0, 7.0), [0.01, 0.05, 1 / 12, 0.1, 14.04, 97.99, 98.01]]))
    rng = np.random.default_rng(3)
    change = None
    if changes:
        moments = rng.uniform(0.0, 400.0, N)
        moments[:6] = [0.0, 0.04, 14.0, 98.0, 98.05, np.inf]  # at the start, in an infusion, at a dose, never
        change = pk.ClearanceChange(time=moments, factor=rng.uniform(0.4, 3.0, N))
    ours = pk.simulate(model, PATIENTS, regimen, times, seed=1, clearance_change=change).concentration.values
    assert error(ours, general(model, regimen, times, change)) < 1e-10


FAST = pk.PopulationModel.simple(
    name="fast", CL=0.4, V1=3.0, Q=20.0, V2=4.0, KA=0.28, omega={"Q": 0.6, "CL": 0.3}, routes=("iv", "sc")
)


@pytest.mark.parametrize("route", ["iv", "sc"])
def test_changes_when_the_fast_mode_is_long_gone(route):
    """By the day of the change it has decayed by exp(-2) to exp(-1000): on both sides of what can be run back over."""
    regimen = pk.Regimen.every("8 weeks", dose="350 mg", until="30 weeks", route=route)
    n = 150
    patients = pk.Patients.typical(n)
    rng = np.random.default_rng(5)
    moments = rng.uniform(0.5, 200.0, n)
    moments[:4] = [55.999, 56.0, 56.05, 130.0]
    factor = rng.uniform(0.2, 30.0, n)
    # compartments find a new balance within hours of a change: there an error would show
    near = np.concatenate([moments[4:44] + after for after in (0.001, 0.01, 0.1)])
    weekly = np.arange(0.0, 204.0, 7.0)
    times = np.unique(np.concatenate([weekly, near[near < weekly[-1]]]))

    def run(days, rows=slice(None)):
        change = pk.ClearanceChange(time=moments[rows], factor=factor[rows])
        return pk.simulate(
            FAST, patients.take(rows), regimen, days, seed=1, clearance_change=change
        ).concentration.values

    theta = pk.start(FAST, patients, pk.Draws(1)).theta
    gone = (theta[:, at.Q] / theta[:, at.V1] + theta[:, at.Q] / theta[:, at.V2]) * (moments % 56.0)
    assert np.sum(gone > 600.0) > 10
    assert np.sum((gone > 300.0) & (gone < 500.0)) > 10
    whole = run(times)
    change = pk.ClearanceChange(time=moments, factor=factor)
    assert error(whole, general(FAST, regimen, times, change, patients)) < 1e-10
    parts = [run(times, slice(first, first + 7)) for first in range(0, n, 7)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert np.array_equal(whole[:, np.isin(times, weekly)], run(weekly))


def test_an_infusion_that_is_going_on_at_the_last_output_does_not_reach_the_next_block():
    (absorbed,) = pk.Regimen.induction("160 mg", weeks=(0,), route="sc").doses
    (infused,) = pk.Regimen.induction("350 mg", weeks=(4,), route="iv").doses
    regimen = pk.Regimen(doses=(absorbed, infused))
    change = pk.ClearanceChange(time=np.full(N, 10.0), factor=np.full(N, 2.5))
    times = np.array([7.0, 14.0, 28.04])
    ours = pk.simulate(FAST, PATIENTS, regimen, times, seed=1, clearance_change=change, threads=1)
    assert error(ours.concentration.values, general(FAST, regimen, times, change)) < 1e-10


def test_absorption_as_fast_as_elimination():
    model = pk.PopulationModel.simple(name="equal", CL=0.8, V1=4.0, KA=0.2, routes=("sc",))
    times = np.arange(0.0, 200.0, 7.0)
    ours = pk.simulate(model, PATIENTS, SC, times).concentration.values
    assert error(ours, general(model, SC, times)) < 1e-10


def test_weights_scale_doses():
    regimen = pk.Regimen.induction("5 mg/kg").then(pk.Regimen.every("8 weeks", dose="350 mg", until="30 weeks"))
    patients = pk.Patients.from_arrays({"weight": np.linspace(40.0, 120.0, N)})
    times = np.arange(0.0, 210.0, 7.0)
    ours = pk.simulate(W1, patients, regimen, times, seed=1).concentration.values
    assert error(ours, general(W1, regimen, times, patients=patients)) < 1e-10


def test_invariance_bit_for_bit():
    weekly = np.arange(0.0, 370.0, 7.0)
    change = pk.ClearanceChange(time=np.linspace(5.0, 350.0, N), factor=np.full(N, 2.5))

    def run(rows=slice(None), times=weekly, **how):
        part = pk.ClearanceChange(time=change.time[rows], factor=change.factor[rows])
        return pk.simulate(
            W1, PATIENTS.take(rows), IV, times, seed=1, clearance_change=part, **how
        ).concentration.values

    whole = run()
    assert np.array_equal(whole, run(threads=1))
    for size in (7, 64, 100):
        parts = [run(slice(first, first + size)) for first in range(0, N, size)]
        assert np.array_equal(whole, np.concatenate(parts))
    fine = np.unique(np.concatenate([weekly, np.linspace(0.3, 363.0, 101)]))
    assert np.array_equal(whole, run(times=fine)[:, np.isin(fine, weekly)])


def test_overlapping_infusions_take_the_general_engine():
    long = pk.Regimen.induction("300 mg", weeks=(0, 0.1), infusion="24 hours")
    times = np.array([0.5, 1.0, 5.0])
    ours = pk.simulate(W1, PATIENTS, long, times).concentration.values
    np.testing.assert_array_equal(ours, general(W1, long, times))
