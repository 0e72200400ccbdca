"""Conditional weighted residuals against a linearisation written from the paper, and against what they should be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

import pkmodel as pk
from pkmodel import estimation as est
from pkmodel.diagnostics import cwres
from pkmodel.record import DoseRecord, Level, PatientRecord
from pkmodel.variability import ResidualError
from validation import measured_patients

P, A = 0.15, 0.2
MODEL = pk.PopulationModel.simple(
    CL=0.4, V1=4.0, omega={"CL": 0.4, "V1": 0.2}, residual=ResidualError(proportional=P, additive=A)
)
LEVELS = (Level(day=3.0, value=70.0), Level(day=20.0, value=9.0), Level(day=35.0, value=None, lloq=0.5),
          Level(day=36.0, value=4.0))  # fmt: skip


def record(*levels):
    return PatientRecord(id="1", doses=(DoseRecord(day=0.0, milligrams=400.0, duration=0.0),), levels=levels)


def test_the_formula_of_hooker():
    """One compartment after a bolus: f, its derivatives by hand, E = f - F eta, C = F omega F' + sigma."""
    one = est.fit(MODEL, record(*LEVELS))
    cl, v = 0.4 * math.exp(one.eta[0]), 4.0 * math.exp(one.eta[1])
    times, values = np.array([3.0, 20.0, 36.0]), np.array([70.0, 9.0, 4.0])
    f = 400.0 / v * np.exp(-cl / v * times)
    slopes = np.column_stack([-f * cl / v * times, f * (cl / v * times - 1.0)])
    c = slopes @ np.diag([0.16, 0.04]) @ slopes.T + np.diag((P * f) ** 2 + A**2)
    expected = np.linalg.solve(np.real(sqrtm(c)), values - (f - slopes @ one.eta))
    ours = cwres(MODEL, one)
    assert np.isnan(ours[2])
    np.testing.assert_allclose(ours[[0, 1, 3]], expected, rtol=1e-6)
    np.testing.assert_array_equal(cwres(MODEL, record(*LEVELS)), ours)


def test_without_levels_there_are_none():
    assert cwres(MODEL, record()).size == 0
    assert np.isnan(cwres(MODEL, record(LEVELS[2]))).all()


def test_of_the_right_model_they_are_standard_normal():
    """200 patients with two troughs, between-occasion effects in: mean and variance within four standard errors. A
    linearisation is not exact; at this size its error is below that."""
    model = pk.load(measured_patients.MODEL)
    study = measured_patients.Study(weeks=(6, 14), lloq=1e-6)
    found = [cwres(model, one.record) for one in measured_patients.patients(study, 200, model=model)]
    found = np.concatenate(found)
    found = found[np.isfinite(found)]
    assert abs(found.mean()) < 4 / math.sqrt(found.size)
    assert found.var() == pytest.approx(1.0, abs=4 * math.sqrt(2 / found.size))
