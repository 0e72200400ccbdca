"""The study of forecasts on simulated patients: small here, full size in the report and the slow tests."""

from __future__ import annotations

import numpy as np

import pkmodel as pk
from validation import forecasting
from validation.page import markdown


def test_patients_meet_their_study():
    model = pk.load(forecasting.MODEL)
    for one in forecasting.patients(forecasting.TWO_BLQ, 5, model=model):
        assert [level.value is None for level in one.record.levels].count(True) == 1
        assert [level.day for level in one.record.levels] == [98.0, 154.0]
        assert one.trough > 0.0


def test_patients_are_the_same_whatever_is_measured():
    model = pk.load(forecasting.MODEL)
    few = list(forecasting.patients(forecasting.ONE, 5, model=model))
    many = list(forecasting.patients(forecasting.FOUR, 5, model=model))
    assert all(np.array_equal(one.eta, other.eta) for one, other in zip(few, many, strict=True))


def test_ranks_that_are_not_uniform_are_noticed():
    even = forecasting.Calibration(study=forecasting.ONE, method="x", quantity="y", counts=(20,) * 20)
    tilted = forecasting.Calibration(study=forecasting.ONE, method="x", quantity="y", counts=tuple(range(10, 30)))
    assert even.p == 1.0
    assert tilted.p < 0.1
    assert sum(tilted.counts) == 390


def test_section_has_both_tables():
    text = markdown(forecasting.section(patients_each=12))
    assert "MAP + Laplace" in text
    assert "4 troughs" in text
    assert forecasting.WRONG_MODEL in text
