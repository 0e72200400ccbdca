"""Forecasts: against the simulator, against each other, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import pkmodel as pk
from pkmodel import estimation as est
from pkmodel.errors import InputError
from pkmodel.record import DoseRecord, Level, PatientRecord
from pkmodel.variability import ResidualError
from validation import forecasting, measured_patients, ranks

DOSES = tuple(DoseRecord(day=7.0 * week, milligrams=350.0) for week in (0, 2, 6, 14))
FUTURE = tuple(DoseRecord(day=7.0 * week, milligrams=350.0) for week in (22, 30, 38))
MODEL = pk.load("infliximab-fasanmade-2011")
KNOWN = PatientRecord(
    id="P1", doses=DOSES, covariates={"weight": 70.0, "albumin": 41.0},
    levels=(Level(day=42.0, value=6.0, trough=True), Level(day=98.0, value=1.1, trough=True)),
)  # fmt: skip
ALL = [
    measured_patients.ONE, measured_patients.TWO, measured_patients.FOUR, measured_patients.ONE_BLQ,
    measured_patients.TWO_BLQ, measured_patients.FOUR_BLQ,
]  # fmt: skip
WINDOW = pk.TargetWindow(name="test", drug="infliximab", low=1.0, high=5.0)


@pytest.fixture(scope="module")
def estimate():
    return est.fit(MODEL, KNOWN)


def test_prior_forecast_is_the_population_of_the_simulator():
    """Without levels: quantiles against pk.simulate of other patients (7,000 and 4,000 draws, 5 SE of a quantile)."""
    regimen = pk.Regimen.induction("5 mg/kg", weeks=(0, 2, 6, 14, 22))
    patients = pk.Patients(
        ids=np.arange(7000), covariates={"weight": np.full(7000, 70.0), "albumin": np.full(7000, 41.0)}
    )  # fmt: skip
    simulated = pk.simulate(MODEL, patients, regimen, times=[154.0, 210.0]).concentration.values
    ours = est.forecast(est.fit(MODEL, replace(KNOWN, levels=())), FUTURE[:1], [154.0, 210.0], draws=4000).true
    for q in (0.25, 0.5, 0.75):
        share = (simulated < np.quantile(ours, q, axis=0)).mean(axis=0)
        np.testing.assert_allclose(share, q, atol=5 * math.sqrt(q * (1 - q) * (1 / 7000 + 1 / 4000)))


def test_bands_contain_each_other(estimate):
    coming = est.forecast(estimate, FUTURE, est.troughs(FUTURE))
    assert coming.true.shape == (1000, 3)
    narrow, wide = coming.true_band(0.5), coming.true_band(0.9)
    assert (wide[0] < narrow[0]).all()
    assert (narrow[1] < wide[1]).all()
    assert (coming.measured_band()[1] > wide[1]).all()
    share = coming.in_window(WINDOW)
    assert share == pytest.approx(((coming.true >= 1.0) & (coming.true <= 5.0)).mean(axis=0))
    assert coming.to_dataset().concentration.attrs["units"] == "ug/mL"


def test_regimens_share_their_draws(estimate):
    """Doubling all doses to come doubles what they add, draw by draw: the model is linear."""
    known = est.believe(estimate, draws=200)
    nothing, once, twice = (
        est.forecast(known, tuple(replace(dose, milligrams=k * 350.0) for dose in FUTURE), [280.0]).true
        for k in (0, 1, 2)
    )
    np.testing.assert_allclose(twice - nothing, 2 * (once - nothing), rtol=1e-9)


def test_more_days_change_nothing(estimate):
    few = est.forecast(estimate, FUTURE, [200.0])
    many = est.forecast(estimate, FUTURE, [150.0, 200.0, 250.0])
    assert np.array_equal(few.true[:, 0], many.true[:, 1])
    assert np.array_equal(few.measured[:, 0], many.measured[:, 1])


def test_a_week_late(estimate):
    late = est.delayed(FUTURE, 7.0)
    on_time = est.forecast(estimate, FUTURE, est.troughs(FUTURE))
    delayed = est.forecast(estimate, late, est.troughs(late))
    assert (delayed.true[:, 0] < on_time.true[:, 0]).all()


def test_days_until_below():
    """One compartment, a bolus, no doubt: ln(C0/c)/k."""
    model = pk.PopulationModel.simple(CL=0.3, V1=3.0, omega={"CL": 1e-8}, residual=ResidualError(proportional=0.1))
    one = est.fit(model, PatientRecord(id="1", doses=(DoseRecord(day=5.0, milligrams=300.0, duration=0.0),)))
    found = est.days_until_below(one, 10.0, draws=5)
    np.testing.assert_allclose(found, math.log(100.0 / 10.0) / 0.1, rtol=1e-6)
    assert est.days_until_below(one, 200.0, draws=5).tolist() == [0.0] * 5
    assert np.isinf(est.days_until_below(one, 1e-3, draws=5, horizon=20.0)).all()


def test_area_is_dose_over_clearance():
    model = pk.PopulationModel.simple(
        CL=0.3, V1=3.0, Q=0.5, V2=2.0, omega={"CL": 0.3}, residual=ResidualError(proportional=0.1)
    )
    one = est.fit(model, PatientRecord(id="1", doses=(DoseRecord(day=0.0, milligrams=300.0),)))
    known = est.believe(one, draws=20)
    clearance = 0.3 * np.exp(0.3 * known.parts[0][1][:, 0])
    np.testing.assert_allclose(est.auc(known, 0.0, 2000.0), 300.0 / clearance, rtol=1e-6)


def test_an_average_mixes_its_models():
    both = est.average([MODEL, pk.load("infliximab-wojciechowski-2017")], KNOWN)
    coming = est.forecast(both, FUTURE, [154.0], draws=1000)
    sizes = [len(z) for _, z in coming.beliefs.parts]
    assert sum(sizes) == 1000
    np.testing.assert_allclose(np.array(sizes) / 1000, both.weights, atol=1e-3)


@pytest.mark.parametrize(
    ("doses", "days", "said"),
    [
        (DOSES[-1:], [150.0], "not after the one before"),
        (FUTURE[::-1], [150.0], "not after the one before"),
        (FUTURE, [], "increasing"),
        (FUTURE, [150.0, 150.0], "increasing"),
        (FUTURE, [-1.0], "before the first dose"),
        ((replace(FUTURE[0], milligrams=math.nan),), [150.0], "not a number"),
    ],
)
def test_what_is_refused(estimate, doses, days, said):
    with pytest.raises(InputError, match=said):
        est.forecast(estimate, doses, days)


def test_other_refusals(estimate):
    with pytest.raises(InputError, match="positive"):
        est.days_until_below(estimate, 0.0)
    with pytest.raises(InputError, match="two days in order"):
        est.auc(estimate, 5.0, 5.0)
    with pytest.raises(InputError, match="share between 0 and 1"):
        est.forecast(estimate, FUTURE, [150.0]).true_band(90.0)


@pytest.mark.slow
@pytest.mark.parametrize("study", ALL, ids=str)
def test_ranks_are_uniform(study):
    """Simulation-based calibration of "MAP + Laplace" and of the posterior, 2,000 patients: 96 p values in all, the
    smallest of which is below 5e-4 in 5 % of the worlds in which all is well."""
    found = ranks.calibration(study, 2000, seed=31)
    keys = [key for key in found.counts if key[0] in ranks.SHIPPED]
    assert min(found.p_bins(*key) for key in keys) > 0.05 / 96
    assert min(found.p_ecdf(*key) for key in keys) > 0.05 / 96


@pytest.mark.slow
def test_the_gaussian_at_the_mode_is_not_uniform():
    """Why it is not drawn from: without this the test above could be blind."""
    found = ranks.calibration(measured_patients.ONE_BLQ, 1000)
    assert found.p_bins(ranks.GAUSSIAN, "eta of CL") < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("study", [measured_patients.ONE, measured_patients.FOUR, measured_patients.ONE_BLQ], ids=str)
def test_forecast_intervals_cover(study):
    assert 0.87 <= forecasting.accuracy(study, 2000).coverage <= 0.93
