"""Figures beyond the three of every run: they draw the numbers they are about, and refuse what they cannot draw."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.text import Text
from synthetic import synthetic, synthetic_evidence, synthetic_ledger, synthetic_ranking, synthetic_story
from test_figures import check_words

from pkmodel import windows
from pkmodel.errors import InputError
from scenarios import figures
from scenarios.comparing import compare
from scenarios.metrics import METRICS
from scenarios.readout import choose_window, readout
from scenarios.scoring import score

ARMS = ("scheduled", "episodic")


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return synthetic(80, ARMS)


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(Text) if text.get_visible()).replace("\n", " ")


def test_zones_stack_to_all_patients(result: xr.Dataset) -> None:
    frame = score(result).frame
    for arm, panel in zip(ARMS, figures.zones(result).axes, strict=True):
        below, inside, above = panel.containers
        for bars, metric in ((below, "below_window"), (inside, "in_window"), (above, "above_window")):
            drawn = [bar.get_height() for bar in bars]
            assert drawn == frame[(frame["arm"] == arm) & (frame["metric"] == metric)]["estimate"].tolist()
        tops = [bar.get_y() + bar.get_height() for bar in above]
        np.testing.assert_allclose(tops, 100.0, atol=1e-9)  # a sum of three percentages


def test_zones_in_given_axes_shows_the_arm_asked_for(result: xr.Dataset) -> None:
    axes = Figure().subplots()
    figures.zones(result, ax=axes, arm="episodic")
    expected = score(result, metric="in_window").frame
    drawn = [bar.get_height() for bar in axes.containers[1]]
    assert drawn == expected[expected["arm"] == "episodic"]["estimate"].tolist()
    with pytest.raises(InputError, match="episodic"):
        figures.zones(result, ax=axes, arm="episodical")


def test_survival_of_an_assay_is_what_the_score_leaves_over(result: xr.Dataset) -> None:
    tolerant, sensitive, _ = figures.antibody_free(result).axes
    window = choose_window(result)
    for panel, metric in ((tolerant, "ada_drug_tolerant"), (sensitive, "ada_drug_sensitive")):
        for arm, line in zip(ARMS, panel.lines, strict=True):
            positive = [r.sample.interval().estimate for r in METRICS[metric](readout(result, arm, window)) if r.visit]
            at = np.searchsorted(np.asarray(line.get_xdata()), readout(result, arm, window).weeks, side="right") - 1
            np.testing.assert_allclose(np.asarray(line.get_ydata())[at], [100.0 - share for share in positive])


def test_survival_of_the_truth_ends_at_those_without_onset(result: xr.Dataset) -> None:
    truth = figures.antibody_free(result).axes[2]
    for number, line in enumerate(truth.lines):
        drawn = np.asarray(line.get_ydata())
        assert drawn[0] == 100.0
        assert (np.diff(drawn) <= 0).all()
        spared = 100.0 * np.isnan(result["onset_time"].values[number]).mean()
        assert drawn[-1] == pytest.approx(spared)


def test_differences_are_the_rows_of_the_comparison(result: xr.Dataset) -> None:
    frame = compare(result).frame
    figure = figures.differences(result)
    drawn = [float(x) for panel in figure.axes for bars in panel.containers for x in bars.lines[0].get_xdata()]
    for metric in ("time_in_window", "loss_of_response", "drug_per_year"):
        assert float(frame[(frame["metric"] == metric)]["difference"].iloc[0]) in drawn
    with pytest.raises(InputError, match="one arm only"):
        figures.differences(result.isel(arm=[0]))


def test_exposure_groups_hold_every_responder_once(result: xr.Dataset) -> None:
    arm = readout(result, "scheduled", choose_window(result))
    (axes,) = figures.exposure_response(result).axes
    kept = 100.0 * np.isnan(arm.loss_time[arm.responder]).mean()
    below = arm.blq[:, 2] & arm.responder
    groups = np.array_split(np.arange(int((arm.responder & ~below).sum())), 4)
    sizes = [int(below.sum())] * bool(below.sum()) + [len(group) for group in groups]
    shares = np.asarray(axes.containers[0].lines[0].get_ydata())
    assert np.average(shares, weights=sizes) == pytest.approx(kept)
    with pytest.raises(InputError, match="visits: 2, 6"):
        figures.exposure_response(result, week=15.0)


def test_story_marks_what_the_clinic_saw_of_each_drug() -> None:
    told = synthetic_story()
    levels, _, doses = figures.story(told).axes
    seen = {row["sampled_day"] / 7.0: row["level_ug_per_mL"] for row in told.rows}
    reported = next(line for line in levels.lines if line.get_label() == "level seen by the clinic")
    assert np.asarray(reported.get_xdata()).tolist() == [week for week, level in seen.items() if level is not None]
    below = next(line for line in levels.lines if line.get_label() == "seen: below the LLOQ")
    assert np.asarray(below.get_xdata()).tolist() == [week for week, level in seen.items() if level is None]
    given = [len(bars.get_segments()) for bars in doses.collections]
    assert given == [sum(row["drug"] == drug for row in told.rows) for drug in told.drugs]
    figure = figures.story(told)
    figure.draw_without_rendering()  # the arm's name has dollar signs
    assert "switch-within-class" in words(figure)
    assert "Patient 2" in words(figure)


def test_flow_counts_every_changed_patient_once(result: xr.Dataset) -> None:
    ledger = synthetic_ledger(result)
    figure = figures.decision_flow(ledger, windows.load("taxit"), "episodic", high_titre=1.5)
    mine = ledger[(ledger["arm"] == "episodic") & (ledger["decision"] != "continue")]
    first = mine.sort_values(["patient", "day"]).drop_duplicates("patient")
    said = words(figure)
    assert f"n = {len(first)} virtual patients" in said
    assert f"below LLOQ {int(first['blq'].sum())} (" in said
    for decision, count in first["decision"].value_counts().items():
        assert f"{str(decision).replace('-', ' ')} {count} (" in said
    with pytest.raises(InputError, match="no change of treatment"):
        figures.decision_flow(ledger.assign(decision="dose-late"), windows.load("taxit"))


def test_heat_map_shows_each_probability_and_hatches_what_is_not_allowed() -> None:
    ranking = synthetic_ranking()
    figure = figures.heat_map(ranking)
    axes = figure.axes[0]
    image = axes.images[0].get_array()
    assert image is not None
    shown = sorted(np.asarray(image).ravel())
    np.testing.assert_allclose(shown, sorted(100.0 * cell.probability.estimate for cell in ranking.cells))
    hatched = [patch for patch in axes.patches if patch.get_hatch()]
    assert len(hatched) == sum(bool(cell.refused) for cell in ranking.cells) == 4
    stars, circles = ([line for line in axes.lines if line.get_marker() == mark] for mark in "*o")
    assert (len(stars), len(circles)) == (1, 1)
    assert "200 virtual patients" in words(figure)


def test_forest_has_a_row_for_each_figure_and_a_panel_for_each_unit() -> None:
    frame = synthetic_evidence()
    figure = figures.forest(frame)
    assert [len(panel.get_yticklabels()) for panel in figure.axes] == [5, 1]
    hollow = [line for panel in figure.axes for line in panel.lines if str(line.get_markerfacecolor()) == "white"]
    assert len(hollow) == int((~frame["met"]).sum())
    with pytest.raises(InputError, match="role 'guess'"):
        figures.forest(frame.assign(role="guess"))
    with pytest.raises(InputError, match="2 units"):
        figures.forest(frame, Figure().subplots())


def test_no_words_overlap(result: xr.Dataset) -> None:
    ledger = synthetic_ledger(result)
    check_words(figures.decision_flow(ledger, windows.load("taxit"), "episodic", high_titre=1.5))
    check_words(figures.heat_map(synthetic_ranking()))
    check_words(figures.forest(synthetic_evidence()))


def test_given_axes_are_drawn_into(result: xr.Dataset) -> None:
    ledger = synthetic_ledger(result)
    draws = {
        "antibody_free": lambda ax: figures.antibody_free(result, ax=ax),
        "differences": lambda ax: figures.differences(result, ax=ax),
        "exposure_response": lambda ax: figures.exposure_response(result, ax=ax),
        "decision_flow": lambda ax: figures.decision_flow(ledger, windows.load("taxit"), ax=ax),
        "heat_map": lambda ax: figures.heat_map(synthetic_ranking(), ax),
        "forest": lambda ax: figures.forest(synthetic_evidence().head(5), ax),
    }
    for name, draw in draws.items():
        mine = Figure()
        axes = mine.subplots()
        assert draw(axes) is mine, name
        assert mine.axes == [axes], name
        assert axes.has_data() or axes.texts, name


def left_and_randomised(result: xr.Dataset) -> xr.Dataset:
    """The same as a randomised trial with dropout, in which half of the patients leave in week 10."""
    ids = result["patient"].values
    leaves = np.where(ids % 4 < 2, 70.0, np.nan)
    trial = result.assign(allocation=("patient", ids % 2), leaves=("patient", leaves)).assign_attrs(design="randomised")
    gone = 7.0 * result["visit"].values >= np.where(np.isnan(leaves), np.inf, leaves)[:, None]
    late = trial["onset_time"].values >= leaves
    trial["onset_time"] = trial["onset_time"].where(~late)
    for name, variable in trial.data_vars.items():
        if "arm" in variable.dims:
            mine = np.arange(2)[:, None] == ids % 2
            inside = mine if variable.ndim == 2 else mine[:, :, None] & ~gone
            trial[name] = (variable.dims, np.where(inside, variable.values.astype(float), np.nan))
    return trial


def test_truth_of_a_randomised_trial_is_of_its_arm_s_patients_while_they_are_there(result: xr.Dataset) -> None:
    trial = left_and_randomised(result)
    truth = figures.antibody_free(trial).axes[2]
    for number, line in enumerate(truth.lines):
        free = 1.0
        mine = trial["patient"].values % 2 == number
        onset = trial["onset_time"].values[number][mine]
        leaves = np.nan_to_num(trial["leaves"].values[mine], nan=np.inf)
        for day in np.sort(onset[onset <= 378.0]):
            free *= 1.0 - 1.0 / np.count_nonzero(np.minimum(np.nan_to_num(onset, nan=np.inf), leaves) >= day)
        assert np.asarray(line.get_ydata())[-1] == pytest.approx(100.0 * free)


def test_exposure_of_a_trial_is_of_those_who_stay(result: xr.Dataset) -> None:
    trial = left_and_randomised(result)
    arm = readout(trial, "scheduled", choose_window(trial))
    counted = arm.responder & np.isinf(arm.stays)
    (axes,) = figures.exposure_response(trial).axes
    below = arm.blq[:, 2] & counted
    groups = np.array_split(np.arange(int((counted & ~below).sum())), 4)
    sizes = [int(below.sum())] * bool(below.sum()) + [len(group) for group in groups]
    shares = np.asarray(axes.containers[0].lines[0].get_ydata())
    assert np.average(shares, weights=sizes) == pytest.approx(100.0 * np.isnan(arm.loss_time[counted]).mean())


def test_dollar_signs_in_names_are_text(result: xr.Dataset) -> None:
    odd = result.assign_coords(arm=["a $_$ b", "c $"])
    for name in ("troughs", "zones", "share_in_window", "antibody_incidence", "antibody_free", "differences"):
        getattr(figures, name)(odd).draw_without_rendering()
        figure = Figure()
        getattr(figures, name)(odd, ax=figure.subplots())
        figure.draw_without_rendering()
    figures.exposure_response(odd).draw_without_rendering()
