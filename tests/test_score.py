"""Scores against naive twins, invariances, the files and the page they make."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from synthetic import LLOQ, WEEKS, synthetic

from pkmodel import windows
from pkmodel.errors import InputError, PkWarning
from scenarios.comparing import compare
from scenarios.intervals import Share
from scenarios.metrics import METRICS, Reading
from scenarios.readout import ArmReadout, choose_window
from scenarios.scoring import score

Z = 1.959964
LOW, HIGH = 4.0, 7.0  # taxit, as the project defines it
VISITS = [f"{week:g}" for week in WEEKS if week > 0]


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return synthetic(150, ("scheduled", "episodic"))


def naive_levels(result: xr.Dataset, arm: str, visit: str) -> list[float]:
    """Measured troughs of one arm and visit, -inf where below the limit of quantification."""
    one = result.sel(arm=arm, visit=float(visit))
    pairs = zip(one["trough_measured"].values.tolist(), one["trough_blq"].values.tolist(), strict=True)
    return [-math.inf if blq else level for level, blq in pairs]


def naive_zone(level: float) -> str:
    return "below_window" if level < LOW else "above_window" if level > HIGH else "in_window"


def naive_median(levels: list[float]) -> float:
    """Median by sorting; the limit of quantification where a middle value is below it."""
    ordered = sorted(levels)
    middle = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return LLOQ if middle[0] == -math.inf else (middle[0] + middle[1]) / 2


def naive_wilson(successes: int, n: int) -> tuple[float, float]:
    """Both roots p of (successes/n - p)^2 = z^2 p (1 - p) / n, Wilson's defining equation, in percent."""
    observed = successes / n
    a, b, c = 1 + Z**2 / n, -(2 * observed + Z**2 / n), observed**2
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return 100 * (-b - root) / (2 * a), 100 * (-b + root) / (2 * a)


def naive_percent(result: xr.Dataset, arm: str, metric: str, visit: str) -> tuple[int, int]:
    """Count and denominator of a share, one patient at a time."""
    one = result.sel(arm=arm)
    happened = among = 0
    for patient in range(result.sizes["patient"]):
        person = one.isel(patient=patient)
        if metric == "loss_of_response":
            if not bool(person["responder"]):
                continue
            happened += not math.isnan(float(person["loss_time"]))
        elif metric == "ada_inconclusive":
            happened += int(person["ada_drug_sensitive"].sel(visit=float(visit))) == 2
        else:
            until = float(visit) if visit else math.inf
            codes = zip(person["visit"].values.tolist(), person[metric].values.tolist(), strict=True)
            happened += any(code == 1 for week, code in codes if 0 < week <= until)
        among += 1
    return happened, among


def row(frame: pd.DataFrame, arm: str, metric: str, visit: str) -> pd.Series:
    """The one row of a frame for an arm, metric and visit."""
    chosen = frame[(frame["arm"] == arm) & (frame["metric"] == metric) & (frame["visit"] == visit)]
    assert len(chosen) == 1, (arm, metric, visit)
    return chosen.iloc[0]


@pytest.mark.parametrize("arm", ["scheduled", "episodic"])
def test_shares_in_the_window_equal_the_naive_twin(result: xr.Dataset, arm: str) -> None:
    frame = score(result).frame
    for visit in VISITS:
        zones = [naive_zone(level) for level in naive_levels(result, arm, visit)]
        for metric in ("below_window", "in_window", "above_window"):
            got, count = row(frame, arm, metric, visit), zones.count(metric)
            assert got.estimate == pytest.approx(100 * count / 150, abs=1e-12)
            # 1e-4: the twin's z has seven digits, and z^2 enters once
            assert (got.low, got.high) == pytest.approx(naive_wilson(count, 150), abs=1e-4)
            assert (got.n, got.unit) == (150, "percent")


def test_trough_medians_equal_the_naive_twin(result: xr.Dataset) -> None:
    frame = score(result).frame
    at_limit = 0
    for arm in ("scheduled", "episodic"):
        for visit in VISITS:
            levels = naive_levels(result, arm, visit)
            got = row(frame, arm, "trough_median", visit)
            assert got.estimate == pytest.approx(naive_median(levels), rel=1e-14)
            below = sorted(levels)[(150 - 1) // 2] == -math.inf
            at_limit += below
            assert got.unit == ("ug/mL (at or below LLOQ)" if below else "ug/mL")
            # ranks 63 and 88 of 150: P(Bin(150, 1/2) <= 62) <= 2.5 % < P(Bin(150, 1/2) <= 63)
            low, high = sorted(levels)[62], sorted(levels)[87]
            assert got.low == (0.0 if low == -math.inf else low)
            assert got.high == (LLOQ if high == -math.inf else high)
    assert 0 < at_limit < 16  # both kinds were met


@pytest.mark.parametrize("metric", ["ada_drug_sensitive", "ada_drug_tolerant", "ada_inconclusive", "loss_of_response"])
def test_antibodies_and_loss_equal_the_naive_twin(result: xr.Dataset, metric: str) -> None:
    frame = score(result, metric=metric).frame
    per_visit = [] if metric == "loss_of_response" else ["2", "30", "54"]
    whole = [] if metric == "ada_inconclusive" else [""]
    for arm in ("scheduled", "episodic"):
        for visit in per_visit + whole:
            count, among = naive_percent(result, arm, metric, visit)
            got = row(frame, arm, metric, visit)
            assert (got.estimate, got.n) == (pytest.approx(100 * count / among), among)
            assert (got.low, got.high) == pytest.approx(naive_wilson(count, among), abs=1e-4)


def naive_means(result: xr.Dataset, arm: str) -> dict[str, list[float]]:
    """Per patient: what the metrics that are means average."""
    one = result.sel(arm=arm)
    late = [visit for visit in VISITS if float(visit) >= 14]
    levels = {visit: naive_levels(result, arm, visit) for visit in late}
    codes = one["ada_drug_sensitive"].transpose("patient", "visit").values[:, 1:].tolist()
    years = 378.0 / 365.25
    return {
        "time_in_window": [
            100 * sum(naive_zone(levels[visit][p]) == "in_window" for visit in late) / len(late) for p in range(150)
        ],
        "ada_inconclusive": [100 * sum(code == 2 for code in patient) / len(patient) for patient in codes],
        "drug_per_year": [mg / years for mg in one["dose_total"].values.tolist()],
        "doses_per_year": [count / years for count in one["doses"].values.tolist()],
    }


def test_means_equal_the_naive_twin(result: xr.Dataset) -> None:
    frame = score(result).frame
    for arm in ("scheduled", "episodic"):
        for metric, values in naive_means(result, arm).items():
            mean = sum(values) / 150
            half = Z * math.sqrt(sum((x - mean) ** 2 for x in values) / 149 / 150)
            got = row(frame, arm, metric, "")
            assert got.estimate == pytest.approx(mean, rel=1e-12)
            expected = max(mean - half, 0.0), mean + half  # a share of visits is never negative
            assert (got.low, got.high) == pytest.approx(expected, rel=1e-6)


def test_units_and_order_of_metrics(result: xr.Dataset) -> None:
    frame = score(result).frame
    assert list(frame.columns) == ["arm", "metric", "visit", "unit", "estimate", "low", "high", "n"]
    # nobody here can regain response or change the drug
    assert list(dict.fromkeys(frame["metric"])) == [one for one in METRICS if one not in ("in_response", "switched")]
    assert set(frame["visit"]) == {"", *VISITS}
    units = dict(zip(frame["metric"], frame["unit"], strict=True))
    assert (units["drug_per_year"], units["doses_per_year"]) == ("mg/patient-year", "doses/patient-year")


# --- invariances, exact


def test_permuting_patients_leaves_every_number_identical(result: xr.Dataset) -> None:
    order = np.random.default_rng(3).permutation(150)
    assert score(result).frame.equals(score(result.isel(patient=order)).frame)


def test_an_arm_alone_gets_the_same_numbers(result: xr.Dataset) -> None:
    both = score(result).frame
    for arm in ("scheduled", "episodic"):
        expected = both[both["arm"] == arm].reset_index(drop=True)
        assert score(result.sel(arm=[arm])).frame.equals(expected)
        assert score(result.sel(arm=arm)).frame.equals(expected)


def test_result_read_back_from_its_file_scores_the_same(result: xr.Dataset, tmp_path: Path) -> None:
    result.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as read:
        assert score(read).frame.equals(score(result).frame)


def test_order_of_dimensions_does_not_matter(result: xr.Dataset) -> None:
    assert score(result.transpose("visit", "patient", "arm")).frame.equals(score(result).frame)


# --- edges


def test_without_visits_from_week_14_time_in_window_has_no_number(result: xr.Dataset) -> None:
    got = row(score(result.sel(visit=[0.0, 2.0, 6.0])).frame, "scheduled", "time_in_window", "")
    assert got.n == 0
    assert math.isnan(got.estimate)


def test_nobody_responding_gives_no_loss_rather_than_zero(result: xr.Dataset) -> None:
    none = result.assign(responder=xr.zeros_like(result["responder"]))
    got = row(score(none).frame, "scheduled", "loss_of_response", "")
    assert got.n == 0
    assert math.isnan(got.estimate)


def test_level_missing_without_being_below_the_limit_is_refused(result: xr.Dataset) -> None:
    broken = result.copy(deep=True)
    broken["trough_measured"].loc[{"arm": "episodic", "patient": 3, "visit": 14.0}] = np.nan
    broken["trough_blq"].loc[{"arm": "episodic", "patient": 3, "visit": 14.0}] = 0
    with pytest.raises(InputError, match="arm 'episodic': 1 measured trough"):
        score(broken)


def test_lacking_variables_are_all_named(result: xr.Dataset) -> None:
    with pytest.raises(InputError, match="lacks ada_drug_tolerant, doses"):
        score(result.drop_vars(["doses", "ada_drug_tolerant"]))


def test_wrong_names_and_wrong_drug_are_refused(result: xr.Dataset) -> None:
    with pytest.raises(InputError, match="in_window"):
        score(result, metric="in_windw")
    with pytest.raises(InputError):
        score(result, window="taxitt")
    with pytest.raises(InputError, match="adalimumab"):
        score(synthetic(10, drug="adalimumab"), window="taxit")
    with pytest.raises(InputError, match="adalimumab"):
        score(synthetic(10, drug="adalimumab"), window=windows.load("taxit"))


def test_another_window_moves_only_what_depends_on_it(result: xr.Dataset) -> None:
    usual, wider = score(result).frame, score(result, "taxit-published").frame
    moved = usual["metric"].isin(["in_window", "below_window", "above_window", "time_in_window"])
    assert usual[~moved].equals(wider[~moved])
    inside = usual["metric"] == "in_window"
    assert (wider[inside]["estimate"] >= usual[inside]["estimate"]).all()
    assert wider[inside]["estimate"].sum() > usual[inside]["estimate"].sum()


def test_window_below_the_limit_of_quantification_warns(result: xr.Dataset) -> None:
    blunt = result.assign_attrs(drug_lloq=4.5)
    with pytest.warns(PkWarning, match=r"limit of quantification \(4.5 ug/mL\)"):
        choose_window(blunt)


def test_a_window_may_be_given_as_an_object(result: xr.Dataset) -> None:
    assert score(result, choose_window(result, "taxit")).frame.equals(score(result, "taxit").frame)


def test_a_metric_is_a_function(result: xr.Dataset) -> None:
    def undetectable(arm: ArmReadout) -> Iterator[Reading]:
        for column, visit in enumerate(arm.visits):
            yield Reading("undetectable", visit, "percent", Share(event=arm.blq[:, column]))

    table = score(result, metrics={**METRICS, "undetectable": undetectable})
    levels = naive_levels(result, "episodic", "54")
    expected = 100 * sum(level == -math.inf for level in levels) / 150
    assert row(table.frame, "episodic", "undetectable", "54").estimate == pytest.approx(expected)
    assert "undetectable by week" in str(table)


# --- the file and the page


def test_csv_is_the_frame_and_the_same_bytes_each_time(result: xr.Dataset, tmp_path: Path) -> None:
    table = score(result)
    for name in ("one.csv", "two.csv"):
        score(result).to_csv(tmp_path / name)
    data = (tmp_path / "one.csv").read_bytes()
    assert data == (tmp_path / "two.csv").read_bytes()
    assert b"\r" not in data
    assert data.startswith(b"arm,metric,visit,unit,estimate,low,high,n\nscheduled,time_in_window,,percent,")
    read = pd.read_csv(tmp_path / "one.csv", dtype={"visit": str}, keep_default_na=False)
    assert read["visit"].tolist() == table.frame["visit"].tolist()
    # six significant digits are written
    np.testing.assert_allclose(read["estimate"].astype(float), table.frame["estimate"], rtol=5e-6)


def test_page_names_what_a_reader_needs(result: xr.Dataset) -> None:
    page = str(score(result))
    assert max(len(line) for line in page.splitlines()) <= 100
    for words in (
        "taxit, 4–7 µg/mL", "150 patients", "seed 1", "LLOQ 0.3 µg/mL", "sponsor-bridging", "idkmonitor",
        "95 %", "Time in window, weeks 14–54 (%)", "Median trough at week 54 (µg/mL)", "Loss of response",
        "Drug (mg per patient-year)",
    ):  # fmt: skip
        assert words in page
    places = [page.index(text) for text in ("Time in window", "In window at week 54", "Median trough by week")]
    assert places == sorted(places)


def test_page_shows_the_frame_rounded(result: xr.Dataset) -> None:
    table = score(result)
    got = row(table.frame, "scheduled", "in_window", "54")
    shown = next(line for line in str(table).splitlines() if "In window at week 54" in line)
    assert shown.split()[6:8] == [f"{got.estimate:.1f}", f"({got.low:.1f}–{got.high:.1f})"]


def test_page_of_many_arms_goes_into_blocks_that_fit() -> None:
    arms = tuple(f"40 mg every {week} weeks with thiopurine" for week in range(2, 8))
    page = score(synthetic(30, arms)).text(width=90)
    assert max(len(line) for line in page.splitlines()) <= 90
    assert page.count("Time in window") > 1
    key_only = score(synthetic(30, arms)).text(width=90, weekly=False)
    assert "by week" not in key_only


@pytest.mark.slow
def test_memory_grows_by_less_than_500_bytes_a_patient() -> None:
    # The promise: 500 MB beside the result for a million patients in four arms; a fifth is tried here.
    import tracemalloc

    small = synthetic(1000, ("scheduled", "episodic", "escalated", "combination"))
    large = small.isel(patient=np.tile(np.arange(1000), 200))
    tracemalloc.start()
    try:
        score(large)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100e6


def with_switches(result: xr.Dataset) -> xr.Dataset:
    """The same, of whom every third patient of the second arm is on another drug from week 30 on."""
    number = np.zeros(result["trough"].shape, np.int8)
    number[1, ::3, 5:] = 1
    dims = ("arm", "patient", "visit")
    return result.assign(drug_number=(dims, number), responding=(dims, np.ones_like(number)))


def test_who_is_on_another_drug_is_in_no_zone_of_the_old_one() -> None:
    result = synthetic(90)
    switched = with_switches(result)
    table, frame = score(switched), score(switched).frame
    kept = result.isel(patient=np.arange(90) % 3 != 0)
    expected = score(kept).frame
    for metric in ("in_window", "below_window", "above_window", "trough_median"):
        here, there = (one[(one["metric"] == metric) & (one["visit"] == "54")] for one in (frame, expected))
        assert here["n"].tolist() == [90, 60]
        assert here["estimate"].tolist()[1] == there["estimate"].tolist()[1]
    assert "In window at week 54, on infliximab (%)" in str(table)
    assert "First loss of response" in str(table)
    assert "Drug of infliximab" in str(table)


def test_differences_count_each_arm_s_own_patients_on_the_drug() -> None:
    result = with_switches(synthetic(90))
    single, differences = score(result).cells(), compare(result).cells()
    for metric, visit in (("time_in_window", ""), ("trough_median", "54"), ("below_window", "54")):
        ours, theirs = (single[arm, metric, visit].value for arm in ("episodic", "scheduled"))
        found = differences["episodic", metric, visit]
        assert found.value == pytest.approx(ours - theirs)
        assert found.low < found.value < found.high


def test_with_nobody_switched_the_numbers_are_the_same() -> None:
    result = synthetic(90)
    nobody = with_switches(result)
    nobody["drug_number"] = 0 * nobody["drug_number"]
    for table in (score, compare):
        there, here = table(result).frame, table(nobody).frame
        here = here[~here["metric"].isin(["in_response", "switched"])].reset_index(drop=True)
        for column in there.select_dtypes("number"):
            np.testing.assert_allclose(here[column], there[column], rtol=1e-12, atol=1e-12)
