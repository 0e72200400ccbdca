"""Results do not depend on how the work is cut: bit for bit, not within a tolerance."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import pkmodel as pk
from pkmodel.doses import regimen_events
from pkmodel.kernels import layout as at
from pkmodel.simulation import advance, start
from pkmodel.state import Events

SEED = 11
N = 96


@pytest.fixture(scope="module")
def world():
    model = pk.load("infliximab-fasanmade-2011")
    rng = np.random.default_rng(5)
    patients = pk.Patients.from_arrays({"weight": rng.uniform(50, 100, N), "albumin": rng.uniform(32, 46, N)})
    regimen = pk.Regimen.induction("5 mg/kg").then(pk.Regimen.every("8 weeks", dose="5 mg/kg", until="40 weeks"))
    immunogenicity = pk.Immunogenicity.load("infliximab").with_values(h0=0.2)
    return model, patients, regimen, immunogenicity


def run(world, patients=None, times="weekly", **how):
    model, everybody, regimen, immunogenicity = world
    return pk.simulate(model, patients or everybody, regimen, times, seed=SEED, immunogenicity=immunogenicity, **how)


def same(a, b):
    return all(np.array_equal(a[name], b[name], equal_nan=True) for name in a.data_vars)


def test_threads(world):
    assert same(run(world, threads=1), run(world))


def test_chunks_of_patients(world):
    whole = run(world)
    assert 0.2 < float((whole.antibody_total.isel(time=-1) > 0).mean()) < 1.0  # both engines are at work
    for size in (1, 7, 50):
        for first in range(0, N, size):
            rows = slice(first, min(first + size, N))
            assert same(whole.isel(patient=rows), run(world, world[1].take(rows)))


def test_order_of_patients(world):
    order = np.random.default_rng(1).permutation(N)
    assert same(run(world).isel(patient=order), run(world, world[1].take(order)))


def test_output_grid(world):
    end = 280.0
    weekly = run(world, times=np.arange(0.0, end + 1, 7.0))
    odd = np.unique(np.concatenate([np.arange(0.0, end + 1, 7.0), np.linspace(0.3, end, 77)]))
    assert same(weekly, run(world, times=odd).sel(time=weekly.time))
    sparse = np.array([21.0, 140.0, end])
    assert same(weekly.sel(time=sparse), run(world, times=sparse))


def begin(world):
    model, patients, regimen, immunogenicity = world
    draws = pk.Draws(SEED)
    state = start(model, patients, draws, immunogenicity=immunogenicity, response=pk.Response.load("infliximab"))
    return state, regimen_events(regimen, model, patients, draws, state.theta, immunogenicity)


def stops_as_events(days):
    rows = np.repeat(np.arange(N), len(days))
    return Events(
        row=rows,
        time=np.tile(np.asarray(days, float), N),
        kind=np.full(rows.size, at.NOTHING),
        value=np.zeros(rows.size),
        tables=np.empty((0, at.N_THETA)),
    )


def equal_states(a, b):
    return (
        a.time == b.time
        and np.array_equal(a.theta, b.theta)
        and np.array_equal(a.values, b.values, equal_nan=True)
        and np.array_equal(a.pending.time, b.pending.time)
    )


def test_stop_and_go_is_one_go(world):
    days = [14.02, 42.0, 98.0, 150.0]  # the first falls into a running infusion: its end is pending
    state, events = begin(world)
    at_once = advance(state, Events.merge([events, stops_as_events(days)]), until=200.0)
    for day in days:
        state = advance(state, events, until=day)
        events = None
    assert equal_states(at_once, advance(state, until=200.0))
    assert np.isfinite(at_once.values[:, at.ONSET_TIME]).any()


def test_saved_loaded_continued(world):
    state, events = begin(world)
    half = advance(state, events, until=98.0)
    loaded = pickle.loads(pickle.dumps(half))
    assert equal_states(advance(half, until=180.0), advance(loaded, until=180.0))


def test_advance_leaves_its_input_alone(world):
    state, events = begin(world)
    before = state.values.copy()
    advance(state, events, until=50.0)
    assert np.array_equal(state.values, before)


def test_susceptibility_is_the_patient_s_own(world):
    """Same patient, other dose: the same threshold and frailty, another onset because exposure differs."""
    _, patients, _, immunogenicity = world
    one = immunogenicity.subjects(patients, pk.Draws(SEED))
    two = immunogenicity.subjects(patients, pk.Draws(SEED))
    assert np.array_equal(one, two)
    assert math.isfinite(one.sum())
