"""Target windows: what is inside, and for whom."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pkmodel.errors import InputError, UnknownNameError
from pkmodel.windows import TargetWindow, load, windows


def test_the_two_taxit_windows_differ_in_their_low_end() -> None:
    assert (load("taxit").low, load("taxit").high) == (4.0, 7.0)
    assert (load("taxit-published").low, load("taxit-published").high) == (3.0, 7.0)


def test_both_bounds_are_inside_and_blq_is_below() -> None:
    values = np.array([[3.9, 4.0, 5.0], [7.0, 7.1, np.nan]])
    blq = np.array([[False, False, False], [False, False, True]])
    code = load("taxit").classify(values, blq)
    assert code.dtype == np.int8
    np.testing.assert_array_equal(code, [[-1, 0, 0], [0, 1, -1]])


def test_blq_counts_as_below_whatever_value_stands_there() -> None:
    assert load("taxit").classify(np.array([5.0]), np.array([True]))[0] == -1


def test_nothing_is_above_a_lower_bound() -> None:
    np.testing.assert_array_equal(load("target-inf-maint-clinical").classify(np.array([2.9, 3.0, 1e6])), [-1, 0, 0])


def test_a_clinical_and_a_mucosal_threshold_are_two_lower_bounds() -> None:
    clinical, mucosal = load("target-ada-maint-clinical"), load("target-ada-maint-mucosal")
    assert (clinical.low, clinical.high, mucosal.low, mucosal.high) == (3.0, math.inf, 8.0, math.inf)
    with pytest.raises(UnknownNameError, match="target-ada-maint-"):
        load("target-ada-maint")


def test_a_missing_value_is_not_classified() -> None:
    with pytest.raises(InputError, match="1 of 2 concentrations are missing"):
        load("taxit").classify(np.array([np.nan, 5.0]), np.array([False, True]))
    with pytest.raises(InputError, match="missing"):
        load("taxit").classify(np.array([np.nan]))


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match="shape"):
        load("taxit").classify(np.zeros(3), np.zeros(2, dtype=bool))


def test_a_window_of_another_drug_is_refused() -> None:
    with pytest.raises(InputError, match="is for infliximab, not adalimumab; windows for adalimumab: target-ada"):
        load("taxit", drug="adalimumab")
    assert "taxit" in windows("infliximab")
    assert "taxit" not in windows("adalimumab")


@pytest.mark.parametrize(("low", "high"), [(7.0, 4.0), (4.0, 4.0), (-1.0, 4.0), (math.nan, 4.0), (4.0, math.nan)])
def test_impossible_bounds_are_refused(low: float, high: float) -> None:
    with pytest.raises(InputError, match="expected 0 <= low < high"):
        TargetWindow(name="x", drug="any", low=low, high=high)
