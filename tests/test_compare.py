"""Paired differences against naive twins, and what must be exactly zero."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from synthetic import LLOQ, synthetic

from pkmodel.errors import InputError
from scenarios.comparing import compare
from scenarios.scoring import score

Z = 1.959964
ARMS = ("scheduled", "episodic", "escalated")
MIRRORED = ["difference", "low", "high"]


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return synthetic(120, ARMS)


def row(frame: pd.DataFrame, arm: str, metric: str, visit: str) -> pd.Series:
    """The one row of a frame for an arm, metric and visit."""
    chosen = frame[(frame["arm"] == arm) & (frame["metric"] == metric) & (frame["visit"] == visit)]
    assert len(chosen) == 1, (arm, metric, visit)
    return chosen.iloc[0]


def naive_difference(one: list[float], other: list[float]) -> tuple[float, float, float]:
    """Mean of the per-patient differences and its normal interval."""
    differences = [a - b for a, b in zip(one, other, strict=True)]
    n = len(differences)
    mean = sum(differences) / n
    half = Z * math.sqrt(sum((d - mean) ** 2 for d in differences) / (n - 1) / n)
    return mean, mean - half, mean + half


def naive_values(result: xr.Dataset, arm: str, metric: str) -> list[float]:
    """Per patient: what the difference of a metric is made of (in window 4-7 ug/mL)."""
    one = result.sel(arm=arm)
    values = []
    for patient in range(result.sizes["patient"]):
        person = one.isel(patient=patient)
        if metric == "in_window":
            level = float(person["trough_measured"].sel(visit=22.0))
            values.append(100.0 if not math.isnan(level) and 4.0 <= level <= 7.0 else 0.0)
        elif metric == "ada_drug_tolerant":
            values.append(100.0 if 1 in person["ada_drug_tolerant"].values[1:].tolist() else 0.0)
        else:
            values.append(float(person["dose_total"]) / (378.0 / 365.25))
    return values


@pytest.mark.parametrize(
    ("metric", "visit", "unit"),
    [
        ("in_window", "22", "percentage points"),
        ("ada_drug_tolerant", "", "percentage points"),
        ("drug_per_year", "", "mg/patient-year"),
    ],
)
def test_differences_equal_the_naive_twin(result: xr.Dataset, metric: str, visit: str, unit: str) -> None:
    frame = compare(result, metric).frame
    base = naive_values(result, "scheduled", metric)
    for arm in ("episodic", "escalated"):
        got = row(frame, arm, metric, visit)
        expected = naive_difference(naive_values(result, arm, metric), base)
        # 1e-5 percentage points: the twin's z has seven digits
        assert (got.difference, got.low, got.high) == pytest.approx(expected, rel=1e-6, abs=1e-5)
        assert (got.against, got.unit, got.n) == ("scheduled", unit, 120)


def test_loss_among_differing_responders_equals_the_naive_twin(result: xr.Dataset) -> None:
    got = row(compare(result, "loss_of_response").frame, "episodic", "loss_of_response", "")
    terms: dict[str, list[float]] = {}
    share: dict[str, float] = {}
    everybody = range(120)
    for arm in ("scheduled", "episodic"):
        among = [bool(x) for x in result["responder"].sel(arm=arm).values]
        lost = [not math.isnan(x) for x in result["loss_time"].sel(arm=arm).values.tolist()]
        share[arm] = sum(lost[p] for p in everybody if among[p]) / sum(among)
        terms[arm] = [among[p] * (lost[p] - share[arm]) / (sum(among) / 120) for p in everybody]
    _, low, high = naive_difference(terms["episodic"], terms["scheduled"])
    difference = share["episodic"] - share["scheduled"]
    assert got.difference == pytest.approx(100 * difference, rel=1e-12)
    expected = 100 * (difference + low), 100 * (difference + high)
    assert (got.low, got.high) == pytest.approx(expected, abs=1e-4)
    either = result["responder"].sel(arm=["scheduled", "episodic"]).any("arm")
    assert got.n == int(either.sum())


def naive_median_difference(one: list[float], other: list[float]) -> tuple[float, float, float]:
    """Influence-function interval written out patient by patient; -inf stands for below the limit."""
    n = len(one)
    width = (Z**2 * 1.5 / (2 * math.pi) / n) ** (1 / 3)  # Hall and Sheather 1988 at the median
    first, last = int((0.5 - width) * (n - 1)), math.ceil((0.5 + width) * (n - 1))
    medians, influence = [], []
    for sample in (one, other):
        levels = [max(level, LLOQ) for level in sample]
        ordered = sorted(levels)
        median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
        slope = (ordered[last] - ordered[first]) / ((last - first) / n)
        medians.append(median)
        influence.append([slope * ((x > median) - (x < median)) / 2 for x in levels])
    mean, low, high = naive_difference(influence[0], influence[1])
    difference = medians[0] - medians[1]
    return difference, difference + low - mean, difference + high - mean


@pytest.mark.parametrize("visit", ["6", "22", "54"])
def test_median_differences_equal_the_naive_twin(result: xr.Dataset, visit: str) -> None:
    frame = compare(result, "trough_median").frame
    measured = result["trough_measured"].sel(visit=float(visit)).fillna(-math.inf)
    for arm in ("episodic", "escalated"):
        got = row(frame, arm, "trough_median", visit)
        expected = naive_median_difference(
            measured.sel(arm=arm).values.tolist(), measured.sel(arm="scheduled").values.tolist()
        )
        assert (got.difference, got.low, got.high) == pytest.approx(expected, rel=1e-6)


def test_difference_of_medians_is_the_difference_of_the_scores(result: xr.Dataset) -> None:
    scores, differences = score(result).frame, compare(result).frame
    for visit in ("2", "14", "54"):
        ours = row(scores, "episodic", "trough_median", visit).estimate
        theirs = row(scores, "scheduled", "trough_median", visit).estimate
        assert row(differences, "episodic", "trough_median", visit).difference == ours - theirs


# --- invariances, exact


def test_arms_with_equal_data_differ_by_exactly_zero(result: xr.Dataset) -> None:
    twice = result.isel(arm=[0, 0]).assign_coords(arm=["one", "other"])
    frame = compare(twice).frame
    assert len(frame) == len(score(result.isel(arm=[0])).frame)
    assert (frame[MIRRORED] == 0.0).all(axis=None)


def test_swapping_the_arms_mirrors_the_difference(result: xr.Dataset) -> None:
    there = compare(result.sel(arm=["scheduled", "episodic"])).frame
    back = compare(result.sel(arm=["scheduled", "episodic"]), against="episodic").frame
    assert (there["difference"] == -back["difference"]).all()
    assert (there["low"] == -back["high"]).all()


def test_permuting_patients_leaves_every_number_identical(result: xr.Dataset) -> None:
    order = np.random.default_rng(3).permutation(120)
    assert compare(result).frame.equals(compare(result.isel(patient=order)).frame)


def test_a_third_arm_changes_nothing(result: xr.Dataset) -> None:
    three = compare(result).frame
    two = compare(result.sel(arm=["scheduled", "episodic"])).frame
    assert three[three["arm"] == "episodic"].reset_index(drop=True).equals(two)


# --- names, units, page


def test_medians_below_the_limit_are_marked(result: xr.Dataset) -> None:
    low = result.copy(deep=True)
    low["trough_measured"].loc[{"arm": "episodic", "visit": 54.0}] = np.nan
    low["trough_blq"].loc[{"arm": "episodic", "visit": 54.0}] = 1
    table = compare(low)
    got = row(table.frame, "episodic", "trough_median", "54")
    assert got.unit == "ug/mL (below LLOQ taken as LLOQ)"
    assert "* a median below the limit" in str(table)
    assert row(table.frame, "escalated", "trough_median", "54").unit == "ug/mL"


def test_against_names_the_reference(result: xr.Dataset) -> None:
    frame = compare(result, "in_window", against="escalated").frame
    assert set(frame["arm"]) == {"scheduled", "episodic"}
    assert set(frame["against"]) == {"escalated"}
    assert set(frame["metric"]) == {"in_window"}
    with pytest.raises(InputError, match="scheduled"):
        compare(result, against="schedule")
    with pytest.raises(InputError, match="drug_per_year"):
        compare(result, "drug_pr_year")


def test_one_arm_has_nothing_to_compare(result: xr.Dataset, tmp_path: Path) -> None:
    table = compare(result.isel(arm=[0]))
    assert len(table.frame) == 0
    assert "nothing to compare" in str(table)
    table.to_csv(tmp_path / "compare.csv")
    header = "arm,against,metric,visit,unit,difference,low,high,n\n"
    assert (tmp_path / "compare.csv").read_text(encoding="utf-8") == header


def test_page_signs_differences(result: xr.Dataset) -> None:
    page = str(compare(result, against="episodic"))
    assert "Difference from episodic" in page
    got = row(compare(result, against="episodic").frame, "scheduled", "trough_median", "14")
    shown = next(line for line in page.splitlines() if "week 14" in line)
    assert f"+{got.difference:.2f} (+{got.low:.2f} to +{got.high:.2f})" in shown
