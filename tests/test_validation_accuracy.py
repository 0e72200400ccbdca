"""Troughs and antibodies as tests of lost response: the sensitivity is what counting gives."""

from __future__ import annotations

import numpy as np
import pytest

from validation import accuracy
from validation.accuracy import sensitivity
from validation.case import studies
from validation.trial import Parameters, run_arms


def test_sensitivity_is_the_share_of_cases_above_a_quantile_of_the_controls() -> None:
    rng = np.random.default_rng(1)
    controls, cases = rng.normal(0.0, 1.0, 4000), rng.normal(1.0, 1.0, 3000)
    counted = 100.0 * np.mean(cases > np.quantile(controls, 0.8))
    assert sensitivity(cases, controls, 80.0) == pytest.approx(counted, abs=0.1)


def test_a_test_that_tells_nothing_is_as_often_positive_in_both() -> None:
    same = np.arange(1000.0)
    assert sensitivity(same, same, 70.0) == pytest.approx(30.0, abs=0.2)
    assert sensitivity(np.zeros(5), np.zeros(9), 70.0) == pytest.approx(30.0)  # nobody has a reportable value


def test_one_threshold_lies_on_the_line_between_its_two_sides() -> None:
    """A positive test in 60 % of cases and 10 % of controls: between (10, 60) and (100, 100) at 55 % false."""
    cases, controls = np.array([1.0] * 6 + [0.0] * 4), np.array([1.0] + [0.0] * 9)
    assert sensitivity(cases, controls, 90.0) == pytest.approx(60.0)
    assert sensitivity(cases, controls, 45.0) == pytest.approx(80.0)
    assert sensitivity(cases, controls, 95.0) == pytest.approx(30.0)


def test_where_response_does_not_depend_on_drug_a_trough_tells_nothing() -> None:
    """No loss for lack of drug: low troughs are as frequent in those who lose response; 4 standard errors."""
    shipped = Parameters.shipped()
    same = shipped.response["infliximab"].with_values(EC50=1e-6, lambda_mech=0.001)
    parameters = Parameters(
        immunogenicity=shipped.immunogenicity, response={**shipped.response, "infliximab": same}, cutoffs={}
    )
    records = run_arms([accuracy.ARM], studies(), parameters, 1200)
    lost = int(np.isfinite(records[accuracy.ARM].loss_time).sum())
    found, _ = accuracy.accuracy(records)
    assert found == pytest.approx(19.4, abs=4 * 100 * np.sqrt(0.194 * 0.806 / lost))
    told, _ = accuracy.accuracy(run_arms([accuracy.ARM], studies(), shipped, 1200))
    assert told > 40.0
