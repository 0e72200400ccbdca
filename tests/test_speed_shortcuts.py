"""Shortcuts taken for speed against the plain way: turning lanes, events side by side, labels kept, exact sums."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pkmodel as pk
from pkmodel.kernels.transpose import write_rows
from pkmodel.state import Events
from scenarios.intervals import exact_sum


@numba.njit(error_model="numpy")
def _turned(source, lanes, times, target, first, width, patients):
    write_rows(source, lanes, times, target, first, width, patients)


@pytest.mark.parametrize("times", [1, 7, 8, 9, 54])
@pytest.mark.parametrize("patients", [1, 8, 13, 64])
def test_lanes_become_rows(times, patients):
    source = np.arange(64.0 * times)
    target = np.full((patients + 2, times + 3), -1.0)
    expected = target.copy()
    expected[1:-1, 2:-1] = source.reshape(times, 64).T[:patients]
    _turned(source, 64, times, target.reshape(-1), times + 3 + 2, times + 3, patients)
    assert np.array_equal(target, expected)


def test_events_side_by_side_are_events_merged():
    rows, rng = np.array([0, 2, 3, 7]), np.random.default_rng(0)
    days = np.sort(rng.integers(0, 3, (4, 3)).astype(float), axis=1)  # with equal times: the order of parts decides
    parts = [(days[:, k], k, rng.normal(size=4)) for k in range(3)]
    quick = Events.side_by_side(rows, parts)
    plain = Events.merge([Events.side_by_side(rows, [part]) for part in parts])
    for name in ("row", "time", "kind", "value"):
        assert np.array_equal(getattr(quick, name), getattr(plain, name))


def test_labels_that_are_kept_belong_to_the_call():
    model, regimen = pk.PopulationModel.simple(CL=0.3, V1=3.0), pk.Regimen.induction("300 mg")
    first = pk.simulate(model, pk.Patients.typical(3), regimen, [1.0, 2.0])
    first["time"].attrs["units"] = "hour"
    first.attrs["drug"] = "another"
    again = pk.simulate(model, pk.Patients.typical(3), regimen, [1.0, 2.0])
    assert (again["time"].attrs["units"], again.attrs["drug"]) == ("day", "any")
    ids = np.array([5, 6, 9])
    other = pk.simulate(model, pk.Patients(ids=ids), regimen, [1.0, 2.5])
    assert other["patient"].values.tolist() == [5, 6, 9]
    assert other["time"].values.tolist() == [1.0, 2.5]
    ids[0] = 1  # the caller's array is the caller's
    assert pk.simulate(model, pk.Patients(ids=ids), regimen, [1.0, 2.5])["patient"].values.tolist() == [1, 6, 9]


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_exact_sum_is_fsum(drawn, seed):
    rng = np.random.default_rng(seed)
    many = rng.standard_normal(5000) * 10.0 ** rng.integers(-12, 12, 5000)
    for values in (np.array(drawn), many, np.abs(many), np.append(many, -many), rng.lognormal(1.0, 2.0, 40_000)):
        try:
            expected = math.fsum(values)
        except OverflowError:
            continue
        assert exact_sum(values) == expected
    assert exact_sum(np.array([])) == 0.0
    assert math.isnan(exact_sum(np.array([1.0, np.nan])))
