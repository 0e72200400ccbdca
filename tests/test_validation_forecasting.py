"""The study of forecasts on simulated patients: small here, full size in the report and the slow tests."""

from __future__ import annotations

import numpy as np
import pytest

import pkmodel as pk
from validation import forecasting, measured_patients, other_programs, ranks
from validation.page import Picture, markdown


def calibration_of(counts):
    return ranks.Calibration(
        study=measured_patients.ONE, counts={("x", "y"): np.asarray(counts)}, effective=1.0, heaviest=0.0, chains=0.0
    )


def test_patients_meet_their_study():
    model = pk.load(measured_patients.MODEL)
    for one in measured_patients.patients(measured_patients.TWO_BLQ, 5, model=model):
        assert [level.value is None for level in one.record.levels].count(True) == 1
        assert [level.day for level in one.record.levels] == [98.0, 154.0]
        assert one.trough > 0.0


def test_patients_are_the_same_whatever_is_measured():
    model = pk.load(measured_patients.MODEL)
    few = list(measured_patients.patients(measured_patients.ONE, 5, model=model))
    many = list(measured_patients.patients(measured_patients.FOUR, 5, model=model))
    assert all(np.array_equal(one.eta, other.eta) for one, other in zip(few, many, strict=True))


def test_ranks_that_are_not_uniform_are_noticed():
    even, tilted = calibration_of([10] * 100), calibration_of(np.linspace(5, 15, 100).round().astype(int))
    assert even.p_bins("x", "y") == 1.0
    assert even.p_ecdf("x", "y") > 0.99
    assert tilted.p_bins("x", "y") < 1e-3
    assert tilted.p_ecdf("x", "y") < 1e-3
    narrow = np.random.default_rng(1).binomial(99, 0.5, 1000)  # draws that are far too wide
    assert calibration_of(np.bincount(narrow, minlength=100)).p_ecdf("x", "y") < 1e-3


def test_the_band_holds_uniform_ranks_as_often_as_it_says():
    """2,000 uniform samples of 300 patients, drawn apart from those the band was made of: 95 % within four errors."""
    counts = np.random.default_rng(7).multinomial(300, np.full(100, 0.01), 2000)
    shares = np.cumsum(counts, axis=1)[:, :-1] / 300
    low, high = ranks.band(300)
    inside = ((shares >= low - 1e-12) & (shares <= high + 1e-12)).all(axis=1)
    p = np.array([calibration_of(one).p_ecdf("x", "y") for one in counts])
    assert inside.mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 2000))
    assert np.mean(inside == (p > 0.05)) > 0.98  # band and p value say the same, but for ties at the bound


def test_section_has_both_tables(tmp_path):
    found = forecasting.study_forecasts(ranked=6, forecast=12, workers=1)
    blocks = forecasting.section(found, tmp_path)
    text = markdown(blocks)
    assert "MAP + Laplace" in text
    assert "4 troughs, 1 of them below 0.3 mg/L" in text
    assert forecasting.WRONG_MODEL in text
    assert all((tmp_path / one.file).stat().st_size > 5000 for one in blocks if isinstance(one, Picture))


def test_coverage_outside_its_bounds_is_said():
    one = forecasting.Accuracy(
        study=measured_patients.ONE, fitted=measured_patients.MODEL, patients=2000, coverage=0.868, judged=1, bias=0.0,
        rmse=0.0,
    )  # fmt: skip
    assert "| no |" in markdown(forecasting._accuracy([one]))


def test_other_programs_printed_the_same():
    found = other_programs.compare()
    assert len(found) == 20
    assert [one.what for one in found if not one.met] == []
    text = markdown(other_programs.section(found))
    assert "20 of 20 printed numbers" in text
    off = other_programs.Compared(what="x", program="y", printed=1.72, tolerance=0.005, ours=1.7251)
    assert "0 of 1" in markdown(other_programs.section([off]))
