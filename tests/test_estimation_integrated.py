"""Estimation where there is no closed form: three compartments, saturable elimination, zero-order absorption.

Predictions against DOP853 of SciPy at its tightest tolerances (naive_saturable), the MAP against SciPy's minimiser of
an objective written here from those predictions.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from naive_saturable import simulate_saturable
from scipy.optimize import minimize
from scipy.stats import norm

import pkmodel as pk
from pkmodel import estimation as est
from pkmodel.errors import InputError
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.mapfit import predicted
from pkmodel.record import DoseRecord, Level, PatientRecord
from pkmodel.variability import ResidualError

DAYS = (0.0, 14.0, 42.0, 70.0)
ERROR = ResidualError(proportional=0.15, additive=0.1)


def michaelis_menten():
    return pk.PopulationModel.simple(
        CL=0.2, V1=3.0, Q=0.3, V2=2.0, Q3=0.1, V3=4.0, VMAX=4.0, KM=2.0, residual=ERROR,
        omega={"CL": 0.3, "V1": 0.2, "VMAX": 0.4},
    )  # fmt: skip


def zero_order():
    return pk.PopulationModel.simple(
        routes=("sc",), CL=0.3, V1=4.0, F=0.7, LAG=0.3, D1=2.5, residual=ERROR,
        omega={"CL": 0.3, "D1": 0.4, "F": 0.2, "LAG": 0.3}
    )  # fmt: skip


def first_order():
    return pk.PopulationModel.simple(
        routes=("sc",), CL=0.3, V1=3.0, Q=0.3, V2=2.0, Q3=0.1, V3=4.0, KA=0.3, F=0.7, LAG=0.4, residual=ERROR,
        omega={"LAG": 0.3, "KA": 0.3, "F": 0.2},
    )  # fmt: skip


def record(route, *levels, resets=()):
    duration = 2 / 24 if route == "iv" else 0.0
    doses = tuple(DoseRecord(day=day, milligrams=300.0, duration=duration, route=route) for day in DAYS)
    return PatientRecord(id="1", doses=doses, levels=levels, resets=resets)


def given(theta, route, doses):
    """Events of the twin."""
    events = []
    for dose in doses:
        begin, mg, length = dose.day, dose.milligrams, dose.duration
        if route == "sc":
            begin, mg, length = begin + theta["LAG"], mg * theta["F"], theta["D1"]
        if theta["KA"] > 0.0:
            events.append((begin, "depot", mg))
            continue
        events += [(begin, "rate", mg / length), (begin + length, "rate", -mg / length)]
    return sorted(events)


def twin(model, one, z, days):
    """Levels of random effects z, by SciPy."""
    theta = dict(model.typical)
    eta = np.linalg.cholesky(model.omega) @ z
    for name, value in zip(model.eta_parameters, eta, strict=True):
        theta[name] *= math.exp(value)
    events = given(theta, one.doses[0].route, one.doses)
    return simulate_saturable(theta=theta, response=None, events=events, until=max(days) + 1, times=days)["C"]


CASES = [(michaelis_menten, "iv"), (zero_order, "sc")]


@pytest.mark.parametrize(("make", "route"), [*CASES, (first_order, "sc")])
def test_predictions_are_those_of_scipy(make, route):
    """To 1e-7 of the larger of the level and 0.01 mg/L: five times the error measured for the simulator (2e-8)."""
    model, days = make(), [0.2, 1.0, 2.9, 14.0, 14.05, 15.0, 41.9, 43.0, 70.0, 71.5, 90.0]
    one = record(route)
    z = np.random.default_rng(5).standard_normal((4, len(model.eta_parameters)))
    b = compile_plans(model, [Plan.of(one).with_future((), days)])
    for ours, draw in zip(predicted(b, z), z, strict=True):
        theirs = twin(model, one, draw, days)
        assert np.abs(ours - theirs).max() < 1e-7 * max(theirs.max(), 0.01)


@pytest.mark.parametrize(("make", "route"), [*CASES, (first_order, "sc")])
def test_a_reset_empties_the_body_and_cancels_what_still_runs_in(make, route):
    """A reset one day after a dose: afterwards the levels are those of the later doses alone."""
    model, days = make(), [40.0, 42.9, 60.0, 75.0]
    whole, late = record(route, resets=(43.0,)), record(route)
    late = PatientRecord(id="1", doses=(DoseRecord(day=43.0, milligrams=0.0, route=route), late.doses[-1]))
    z = np.full((1, len(model.eta_parameters)), 0.4)
    ours = predicted(compile_plans(model, [Plan.of(whole).with_future((), days)]), z)[0]
    alone = predicted(compile_plans(model, [Plan.of(late).with_future((), days[2:])]), z)[0]
    before = predicted(compile_plans(model, [Plan.of(record(route)).with_future((), days)]), z)[0]
    np.testing.assert_allclose(ours[2:], alone, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours[:2], before[:2], rtol=1e-7, atol=1e-9)


Z = np.array([[0.6, -0.4, 0.5, 0.3]])  # of the patient whose levels are estimated from


def objective(model, one, z):
    total = float(z @ z)
    levels = one.levels
    for f, level in zip(twin(model, one, z, [level.day for level in levels]), levels, strict=True):
        sd = math.sqrt((ERROR.proportional * f) ** 2 + ERROR.additive**2)
        if level.value is None:
            total += -2 * norm.logcdf((level.lloq - f) / sd)
        else:
            total += ((level.value - f) / sd) ** 2 + 2 * math.log(sd)
    return total


@pytest.mark.parametrize(("make", "route"), CASES)
def test_the_map_is_that_of_scipy(make, route):
    """Levels 10 to 20 % off those of a patient, the last one below its limit. Objective to 1e-6, as asked of closed
    forms; z to 1e-3 prior standard deviations (the minimum is flat)."""
    model, days = make(), [15.0, 22.0, 41.0, 70.0]
    true = predicted(compile_plans(model, [Plan.of(record(route)).with_future((), days)]), Z[:, : len(model.omega)])[0]
    levels = tuple(
        Level(day=day, value=None, lloq=1.2 * float(f), trough=True)
        if day == 70.0
        else Level(day=day, value=factor * float(f))
        for day, f, factor in zip(days, true, (1.1, 0.85, 1.2, 1.0), strict=True)
    )
    one = record(route, *levels)
    ours = est.fit(model, one)
    theirs = min(
        (minimize(lambda z: objective(model, one, z), start, method="BFGS", options={"gtol": 1e-7})
         for start in (ours.z, np.zeros(ours.z.size))),
        key=lambda found: found.fun,
    )  # fmt: skip
    assert ours.objective == pytest.approx(theirs.fun, abs=1e-6)
    assert objective(model, one, ours.z) == pytest.approx(ours.objective, abs=1e-6)
    np.testing.assert_allclose(ours.z, theirs.x, atol=1e-3)
    h = 1e-2 * np.eye(ours.z.size)
    hessian = np.array([[(objective(model, one, ours.z + a + c) - objective(model, one, ours.z + a - c)
                          - objective(model, one, ours.z - a + c) + objective(model, one, ours.z - a - c)) / 4e-4
                         for a in h] for c in h])  # fmt: skip
    np.testing.assert_allclose(ours.covariance, 2 * np.linalg.inv(hessian), atol=2e-3)


def test_known_etas_are_recovered():
    """Ten exact levels between two doses and an error of 0.1 %: the population cannot pull."""
    model = pk.PopulationModel.simple(
        CL=0.2, V1=3.0, VMAX=4.0, KM=2.0, residual=ResidualError(proportional=1e-3),
        omega={"CL": 0.3, "V1": 0.2, "VMAX": 0.4},
    )  # fmt: skip
    days = [15.0, 18.0, 22.0, 26.0, 30.0, 33.0, 36.0, 38.0, 40.0, 44.0]
    z = np.array([0.8, -0.5, -0.7])
    true = predicted(compile_plans(model, [Plan.of(record("iv")).with_future((), days)]), z[None, :])[0]
    levels = tuple(Level(day=day, value=float(y)) for day, y in zip(days, true, strict=True))
    np.testing.assert_allclose(est.fit(model, record("iv", *levels)).z, z, atol=0.01)


def test_everything_behind_the_map_works():
    """Draws, forecast, time below, area, average, panel: one bit pattern of the first fit for all threads."""
    model = michaelis_menten()
    one = record("iv", Level(day=16.0, value=40.0), Level(day=70.0, value=None, lloq=0.5, trough=True))
    estimate = est.fit(model, one)
    assert set(estimate.parameters) >= {"VMAX", "KM", "Q3", "V3"}
    known = est.believe(estimate, draws=100)
    assert known.methods[0] in ("importance", "metropolis")
    assert (est.forecast(known, (), [80.0, 90.0]).true >= 0.0).all()
    assert est.days_until_below(known, 1.0).shape == (100,)
    area = est.auc(known, 70.0, 90.0)
    assert (area > 0.0).all()
    many = est.fit_many(model, [one] * 20)
    assert all(np.array_equal(z, estimate.z) for z in many.z)


def test_forecast_days_in_between_change_nothing():
    known = est.believe(est.fit(michaelis_menten(), record("iv", Level(day=16.0, value=40.0))), draws=20)
    few, many = est.forecast(known, (), [71.0, 90.0]), est.forecast(known, (), [71.0, 75.0, 80.0, 90.0])
    assert np.array_equal(few.true[:, [0, 1]], many.true[:, [0, 3]])


def test_the_antibody_layer_still_refuses_them():
    model = pk.load("vedolizumab-okamoto-2021")
    covariates = {"weight": 70.0, "albumin": 40.0, "asian": 0.0, "crohns_disease": 1.0}
    one = PatientRecord(
        id="1", doses=(DoseRecord(day=0.0, milligrams=300.0, duration=0.02),), covariates=covariates,
        levels=(Level(day=14.0, value=30.0),),
    )  # fmt: skip
    with pytest.raises(InputError):
        est.antibody_risk(est.fit(model, one), pk.Immunogenicity.load("infliximab"), 100.0)


def test_equations_of_ones_own_are_refused_by_name():
    import numba

    @numba.njit
    def one_compartment(t, y, p, dy):
        dy[0] = -p[0] / p[1] * y[0]

    own = pk.OwnEquations(
        equations=one_compartment, states=("drug",), typical={"CL": 0.3, "V1": 3.0}, level=("drug", "V1"),
        into={"iv": "drug"}, omega={"CL": 0.3}, name="mine",
    )  # fmt: skip
    with pytest.raises(InputError, match="'mine' is given by a function"):
        est.fit(own, record("iv", Level(day=16.0, value=4.0)))
