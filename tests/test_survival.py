"""Kaplan-Meier, log-rank and Cox against hand calculations and known answers."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkmodel.errors import PkError
from scenarios.survival import Times, hazard_ratio, kaplan_meier, log_rank


def times(weeks: list[float], event: list[int], first: int = 0) -> Times:
    return Times(ids=np.arange(first, first + len(weeks)), weeks=np.array(weeks, float), event=np.array(event, bool))


def test_kaplan_meier_of_six_patients_by_hand() -> None:
    curve = kaplan_meier(times([2, 3, 3, 5, 8, 9], [1, 1, 0, 1, 0, 1]))
    assert curve["week"].tolist() == [2.0, 3.0, 5.0, 9.0]
    assert curve["at_risk"].tolist() == [6, 5, 3, 1]
    by_hand = [5 / 6, 5 / 6 * 4 / 5, 5 / 6 * 4 / 5 * 2 / 3, 0.0]
    assert curve["survival"].tolist() == pytest.approx(by_hand, abs=1e-15)
    # Greenwood after week 3: S^2 (1/(6 5) + 1/(5 4)); interval S^exp(+-z se(log(-log S)))
    s = 2 / 3
    error = math.sqrt(1 / 30 + 1 / 20) / abs(math.log(s))
    assert curve["low"][1] == pytest.approx(s ** math.exp(1.959964 * error), abs=1e-6)
    assert curve["high"][1] == pytest.approx(s ** math.exp(-1.959964 * error), abs=1e-6)


def test_curve_without_events_is_empty() -> None:
    assert kaplan_meier(times([1, 2], [0, 0])).empty
    assert log_rank(times([1, 2], [0, 0]), times([1, 2], [0, 0])) == 1.0


# Gehan's 6-MP trial, weeks of remission (Freireich 1963), as in Cox DR. J R Stat Soc B 1972;34:187-220, table 1.
DRUG = times(
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
    [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
)
PLACEBO = times([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [1] * 21, first=100)


def test_known_trial() -> None:
    """Log-rank chi-squared 16.79 and Efron's coefficient 1.572: textbook values of these data."""
    from scipy.special import chdtrc

    assert log_rank(DRUG, PLACEBO) == pytest.approx(float(chdtrc(1, 16.79)), rel=0.01)
    assert math.log(hazard_ratio(PLACEBO, DRUG).estimate) == pytest.approx(1.572, abs=0.001)


def test_hazard_ratio_of_two_exponentials() -> None:
    rng = np.random.default_rng(4)
    n = 4000
    one = times(list(rng.exponential(10.0, n)), [1] * n)
    other = times(list(rng.exponential(30.0, n)), [1] * n, first=n)
    got = hazard_ratio(one, other)
    assert got.low < 3.0 < got.high
    assert got.estimate == pytest.approx(3.0, rel=0.1)  # 4.5 standard errors of the logarithm
    back = hazard_ratio(other, one)
    assert back.estimate == pytest.approx(1 / got.estimate, rel=1e-6)


def test_the_same_patients_twice_have_ratio_one_and_a_narrow_interval() -> None:
    """Clustering by patient: paired arms that hardly differ know their ratio better than two groups would."""
    rng = np.random.default_rng(4)
    weeks = rng.exponential(20.0, 500)
    one, other = times(list(weeks), [1] * 500), times(list(weeks * 1.01), [1] * 500)
    apart = Times(ids=other.ids + 1000, weeks=other.weeks, event=other.event)
    paired, separate = hazard_ratio(one, other), hazard_ratio(one, apart)
    assert paired.estimate == pytest.approx(separate.estimate)
    assert paired.high - paired.low < 0.2 * (separate.high - separate.low)


def test_patients_who_leave_before_the_first_event_change_nothing() -> None:
    more = times([0.0, 0.5], [0, 0], first=500)
    joined = Times(**{k: np.concatenate([getattr(DRUG, k), getattr(more, k)]) for k in ("ids", "weeks", "event")})
    assert hazard_ratio(joined, PLACEBO).estimate == pytest.approx(hazard_ratio(DRUG, PLACEBO).estimate)
    assert math.isfinite(hazard_ratio(joined, PLACEBO).high)


def test_without_statsmodels_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.duration.hazard_regression", None)
    with pytest.raises(PkError, match=r"pip install \"pkmodel\[trials\]\""):
        hazard_ratio(DRUG, PLACEBO)


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_kaplan_meier_is_the_product_over_event_times(patients: list[tuple[int, bool]]) -> None:
    weeks, event = (list(column) for column in zip(*patients, strict=True))
    curve = kaplan_meier(times(weeks, event))
    left = 1.0
    for row in curve.itertuples():
        dying = sum(w == row.week and e for w, e in patients)
        at_risk = sum(w >= row.week for w, _ in patients)
        left *= 1 - dying / at_risk
        assert row.survival == pytest.approx(left, abs=1e-12)
        assert row.at_risk == at_risk
