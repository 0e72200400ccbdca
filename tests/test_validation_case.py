"""Evidence files: what is fitted, what is kept for testing, what counts."""

from __future__ import annotations

import pytest

from validation import dose_ranging
from validation.case import arms_of, denominator, figures, studies
from validation.published import Prediction, wilson
from validation.targets import calibration_figures, needed, targets

# The split was made before anything was simulated; nothing may move from one side to the other.
CALIBRATION = {
    "ACCENT1-EPI-ATI-W72",
    "ACCENT1-5-ATI-W72",
    "ACCENT1-IMM-ATI",
    "ACCENT1-NOIMM-ATI",
    "FARRELL-HC",
    "FARRELL-PBO",
    "GISBERT-LOR-PY",
    "BILLIOUD-LOR-PY",
    "KARMIRIS-ADA",
    "PANTS-IFX-ADA54",
    "PANTS-PNR",
}
READ_VALIDATION = {
    "ACT-ATI",
    "BAERT-ATI",
    "BAERT-ATI-8",
    "BAERT-ATI-IS",
    "BAERT-ATI-NOIS",
    "FARRELL-COHORT-ATI",
    "TAXIT-SCREEN-IN",
    "TAXIT-SCREEN-HIGH",
    "TAXIT-SCREEN-LOW",
    "TAXIT-SCREEN-UNDET",
    "YARUR-RHO",
    "AFIF-HACA-SWITCH",
    "AFIF-HACA-ESC",
    "AFIF-LOW-ESC",
    "QIU-LOR-IFX",
    "QIU-LOR-ADL",
    "NORDRUMA-TDM",
    "COMMIT-FAIL",
}


def test_calibration_reads_calibration_figures_only() -> None:
    assert set(calibration_figures()) == CALIBRATION
    assert {name for name, (_, one) in figures().items() if one.role == "calibration"} == CALIBRATION
    fitted = {target.name for target in targets()}
    assert fitted >= CALIBRATION
    # what is left are the two constraints, which are no figures of the evidence
    assert not (fitted - CALIBRATION) & set(figures())


def test_the_fit_simulates_no_study_that_only_holds_validation_figures() -> None:
    for study in {study for study, _ in needed()}:
        lending = [s for s, one in calibration_figures().values() if study in {home for home, _ in arms_of(s, one)}]
        assert lending or study == dose_ranging.STUDY, study


def test_denominator_lists_every_read_validation_figure_once() -> None:
    listed = [entry.id for entry in denominator().figure]
    assert len(listed) == len(set(listed))
    assert set(listed) == READ_VALIDATION
    for entry in denominator().figure:
        assert entry.how if entry.expressible else entry.reason, entry.id


def test_every_counted_figure_is_a_simulated_study() -> None:
    known = figures()
    for entry in denominator().figure:
        if entry.expressible:
            study, one = known[entry.id]
            assert one.role == "validation"
            assert one.status == "READ"
            assert one.accept_low is not None, study
            assert one.low is not None, entry.id


def test_studies_name_existing_arms_and_assays() -> None:
    from validation.trial import Parameters

    shipped = Parameters.shipped()
    for study in studies().values():
        assert study.figures or study.name in ("taxit-colitis", dose_ranging.STUDY)
        for one in study.figures:
            family = one.options.get("assay")
            assert family is None or shipped.assay(family).cutoff > 0


def test_published_intervals_are_those_of_value_and_n() -> None:
    """Where an evidence file says an interval was derived by Wilson's formula, it was (to its last digit)."""
    checked = 0
    for _, one in figures().values():
        if one.interval.startswith("wilson95") and one.n and one.low is not None and "MEMORY" not in one.interval:
            low, high = wilson(one.value, one.n)
            assert one.low == pytest.approx(low, abs=0.8), one.id  # printed percentages are rounded to 0.5 or 1
            assert one.high == pytest.approx(high, abs=0.8), one.id
            checked += 1
    assert checked >= 8


def test_verdict_wants_the_median_inside_and_the_interval_not_too_wide() -> None:
    study, one = figures()["BAERT-ATI"]  # 61 (52.2 to 69.1), accept 47.2 to 74.1
    inner = (60.0, 62.0)

    def verdict(median: float, low: float, high: float) -> str:
        return Prediction(study=study, figure=one, median=median, low=low, high=high, inner=inner).verdict

    assert verdict(60.0, 50.0, 70.0) == "met"
    assert verdict(75.0, 70.0, 80.0) == "missed"
    assert verdict(60.0, 40.0, 75.0) == "too vague"  # 35 points, more than twice 16.9
