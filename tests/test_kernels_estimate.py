"""Record walk, likelihood and search against their slow twins."""

from __future__ import annotations

import math
from dataclasses import replace

import naive_estimate
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import between, thetas

import pkmodel as pk
from pkmodel.covariates import CovariateEffect
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.mapfit import fit_compiled
from pkmodel.kernels import estimate as kernel
from pkmodel.kernels import likelihood, prediction
from pkmodel.record import CovariateCourse, DoseRecord, Level, PatientRecord
from pkmodel.variability import ResidualError

HORIZON = 120.0


@st.composite
def cases(draw):
    """A model and a record as plain data: two stretches of weight, occasions at every dose, some levels BLQ."""
    sc = draw(st.booleans())
    theta = draw(thetas(absorption=sc))
    names = ["CL", "V1"] + (["KA"] if sc else ["V2"] if theta["Q"] > 0 else [])
    root = np.array([[draw(between(-0.3, 0.3)) for _ in names] for _ in names])
    starts = [0.0, *sorted(draw(st.sets(st.integers(3, 100), min_size=1, max_size=3)))]
    doses = []
    for day in starts:
        duration = 0.0 if sc else draw(st.sampled_from([0.0, 0.0833, 1.0]))
        doses.append((float(day), draw(between(50.0, 800.0)), duration, "sc" if sc else "iv"))
    days = sorted(day + 0.37 for day in draw(st.sets(st.integers(1, 115), min_size=1, max_size=4)))
    change = draw(st.integers(2, 110)) + 0.81
    weights = (draw(between(40.0, 110.0)), draw(between(40.0, 110.0)))
    typical = [{**theta, "CL": theta["CL"] * (weight / 70.0) ** 0.75} for weight in weights]
    levels = [draw(st.sampled_from([math.nan, 0.5, 5.0, 30.0])) for _ in days]
    occasions = [float(day) for day in starts]
    return {
        "theta": theta, "etas": names, "omega": root @ root.T + 0.02 * np.eye(len(names)),
        "iov": draw(st.sampled_from([{}, {"CL": 0.03}, {"CL": 0.05, "V1": 0.02}])),
        "doses": doses, "days": days, "levels": levels, "lloqs": [0.4 if math.isnan(y) else math.nan for y in levels],
        "stretches": [0.0, change], "weights": weights, "typical": typical, "occasions": occasions,
        "residual": (draw(between(0.05, 0.4)), draw(between(0.05, 0.5)), draw(st.sampled_from([0.0, 0.4, 1.0]))),
    }  # fmt: skip


def compiled(case):
    theta = case["theta"]
    p, a, rho = case["residual"]
    model = pk.PopulationModel.simple(
        **theta, routes=("sc" if case["doses"][0][3] == "sc" else "iv",),
        residual=ResidualError(proportional=p, additive=a, correlation=rho),
    )  # fmt: skip
    effect = CovariateEffect(parameter="CL", covariate="weight", form="power", coefficient=0.75, reference=70.0)
    model = replace(
        model, eta_parameters=tuple(case["etas"]), omega=case["omega"], iov=case["iov"], effects=(effect,)
    )  # fmt: skip
    record = PatientRecord(
        id="case",
        doses=tuple(DoseRecord(day=d, milligrams=mg, duration=t, route=r) for d, mg, t, r in case["doses"]),
        levels=tuple(
            Level(day=d, value=None if math.isnan(y) else y, lloq=0.4 if math.isnan(y) else None)
            for d, y in zip(case["days"], case["levels"], strict=True)
        ),
        over_time={"weight": CovariateCourse(days=tuple(case["stretches"]), values=case["weights"], rule="locf")},
    )
    return model, compile_plans(model, [Plan.of(record)])


def objective(b, z):
    work = np.empty(b.level.size), np.empty(b.eta_columns.size), np.empty(7)
    return kernel.objective(b, 0, np.array(z), *work)


@settings(max_examples=20)
@given(cases(), st.integers(0, 1000))
def test_objective_is_that_of_the_twin(case, seed):
    """Matrix exponentials are good to 1e-12 of the largest amount."""
    _, b = compiled(case)
    z = np.random.default_rng(seed).standard_normal(int(b.z_offsets[-1]))
    assert objective(b, z) == pytest.approx(naive_estimate.objective(case, z), rel=1e-7, abs=1e-7)


@settings(max_examples=15)
@given(cases())
def test_search_ends_where_nothing_is_better(case):
    """Gradient and Hessian at the end by differences of the objective itself."""
    model, b = compiled(case)
    found = fit_compiled(model, b, threads=1)
    z, best = found.z[0], found.objective[0]
    h = 1e-4
    unit = np.eye(z.size)
    ups = np.array([objective(b, z + h * e) for e in unit])
    downs = np.array([objective(b, z - h * e) for e in unit])
    # second differences of an objective of about 100, good to 1e-13, at h = 1e-4: 1e-3; the gradient: 1e-9
    np.testing.assert_allclose((ups - downs) / (2 * h), 0.0, atol=1e-4)
    curvature = np.diag(2.0 * np.linalg.inv(found.covariance[0]))
    np.testing.assert_allclose((ups - 2 * best + downs) / h**2, curvature, rtol=0.02, atol=0.01)


@given(between(-60.0, 9.0))
def test_log_normal_cdf(u):
    from scipy.special import log_ndtr

    assert likelihood.log_normal_cdf(u) == pytest.approx(log_ndtr(u), rel=2e-13)


@given(st.sampled_from([math.nan, 0.3, 4.0]), between(0.05, 30.0), between(0.1, 0.5), between(0.05, 1.0), between(0, 1))
def test_derivatives_of_a_level(y, f, p, a, rho):
    """First and second derivative against central differences (error h^2 of the next ones)."""
    residual = np.array([p, a, rho])
    h = 1e-4 * f
    low, middle, high = (likelihood.of_level(y, 0.5, f + d, residual) for d in (-h, 0.0, h))
    scale = 1.0 + abs(middle[2])
    assert middle[1] == pytest.approx((high[0] - low[0]) / (2 * h), rel=1e-5, abs=1e-5 * scale)
    assert middle[2] == pytest.approx((high[1] - low[1]) / (2 * h), rel=1e-4, abs=1e-4 * scale)
    assert middle[3] >= 0.0


def test_expected_curvature_is_the_mean_of_the_curvature():
    """Fisher information: the second derivative averaged over levels drawn from the prediction."""
    residual, f = np.array([0.3, 0.4, 0.5]), 3.0
    v = likelihood.variance(f, residual)[0]
    x, w = np.polynomial.hermite_e.hermegauss(20)
    curves = [likelihood.of_level(f + math.sqrt(v) * one, 0.5, f, residual)[2] for one in x]
    expected = likelihood.of_level(f, 0.5, f, residual)[3]
    assert np.dot(curves, w / w.sum()) == pytest.approx(expected, rel=1e-12)


def test_a_reset_forgets_what_was_before():
    model = pk.PopulationModel.simple(
        CL=0.3, V1=3.0, Q=0.2, V2=1.5, omega={"CL": 0.3}, residual=ResidualError(proportional=0.2)
    )
    later = (DoseRecord(day=28.0, milligrams=300.0),)
    level = (Level(day=40.0, value=20.0),)
    early = (DoseRecord(day=0.0, milligrams=500.0), DoseRecord(day=27.95, milligrams=500.0))
    with_past = PatientRecord(id="1", doses=(*early, *later), levels=level, resets=(28.0,))
    without = PatientRecord(id="1", doses=later, levels=level)
    z = np.array([0.4])
    one, other = (objective(compile_plans(model, [Plan.of(record)]), z) for record in (with_past, without))
    assert one == pytest.approx(other, rel=1e-12)


def test_a_reset_cancels_a_dose_that_waits_in_the_depot():
    model = pk.PopulationModel.simple(
        CL=0.3, V1=3.0, KA=0.3, LAG=1.0, routes=("sc",), omega={"CL": 0.3}, residual=ResidualError(proportional=0.2)
    )
    later = (DoseRecord(day=28.0, milligrams=300.0), DoseRecord(day=35.0, milligrams=200.0))
    level = (Level(day=40.0, value=20.0),)
    early = (DoseRecord(day=0.0, milligrams=500.0), DoseRecord(day=27.5, milligrams=500.0))
    z = np.array([0.4])
    with_past = PatientRecord(id="1", doses=(*early, *later), levels=level, resets=(28.0,))
    without = PatientRecord(id="1", doses=later, levels=level)
    one, other = (objective(compile_plans(model, [Plan.of(record)]), z) for record in (with_past, without))
    assert one == pytest.approx(other, rel=1e-12)


@pytest.mark.parametrize("iov", [{}, {"CL": 0.1, "LAG": 0.2}])
def test_a_dose_waits_for_the_lag_of_its_own_moment(iov):
    """Weight changes while a dose waits, which the twin times by the parameters of the dose."""
    theta = {"CL": 0.3, "V1": 3.0, "Q": 0.0, "V2": 1.0, "KA": 0.4, "F": 0.7, "LAG": 2.0}
    effects = [
        CovariateEffect(parameter=name, covariate="weight", form="power", coefficient=power, reference=70.0)
        for name, power in (("LAG", 1.0), ("CL", 0.75))
    ]
    model = replace(
        pk.PopulationModel.simple(**theta, routes=("sc",), residual=ResidualError(proportional=0.2)),
        eta_parameters=("CL", "LAG"), omega=np.diag([0.09, 0.04]), iov=iov, effects=tuple(effects),
    )  # fmt: skip
    starts, days = [0.0, 14.0, 28.0], [1.5, 5.0, 15.5, 18.0, 30.0, 33.0, 50.0]
    record = PatientRecord(
        id="1", doses=tuple(DoseRecord(day=day, milligrams=200.0) for day in starts),
        levels=tuple(Level(day=day, value=5.0) for day in days),
        over_time={"weight": CovariateCourse(days=(0.0, 1.0, 29.0), values=(70.0, 35.0, 140.0), rule="locf")},
    )  # fmt: skip
    case = {
        "etas": ["CL", "LAG"], "omega": model.omega, "iov": iov, "occasions": starts, "days": days,
        "stretches": [0.0, 1.0, 29.0], "doses": [(day, 200.0, 0.0, "sc") for day in starts],
        "typical": [{**theta, "LAG": 2.0 * x, "CL": 0.3 * x**0.75} for x in (1.0, 0.5, 2.0)],
    }  # fmt: skip
    z = np.linspace(-0.8, 1.1, 2 + 3 * len(iov))
    out = np.empty((1, len(days)))
    prediction.predict(compile_plans(model, [Plan.of(record)]), 0, z[None, :], out)
    np.testing.assert_allclose(out[0], naive_estimate.predictions(case, z), rtol=1e-10, atol=1e-12)


def test_many_patients_are_bit_for_bit_one_patient():
    model = pk.load("infliximab-fasanmade-2011")
    records = [
        PatientRecord(
            id=str(k),
            doses=tuple(DoseRecord(day=float(day), milligrams=300.0 + 5 * k) for day in (0, 14, 42)[: 1 + k % 3]),
            levels=(Level(day=50.0 + k, value=2.0 + 0.1 * k),),
            covariates={"weight": 50.0 + k, "albumin": 40.0},
        )
        for k in range(40)
    ]
    plans = [Plan.of(record) for record in records]
    together = fit_compiled(model, compile_plans(model, plans))
    for k in (0, 17, 39):
        alone = fit_compiled(model, compile_plans(model, [plans[k]]), threads=1)
        assert np.array_equal(together.z[k], alone.z[0])
        assert np.array_equal(together.covariance[k], alone.covariance[0])
    assert np.array_equal(together.objective, fit_compiled(model, compile_plans(model, plans), threads=1).objective)
