"""Figures beyond the three of every run: they draw the numbers they are about, and refuse what they cannot draw."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.text import Text
from synthetic import synthetic, synthetic_evidence, synthetic_grid, synthetic_ledger, with_trajectories
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
            np.testing.assert_allclose(line.get_ydata(), [100.0, *(100.0 - share for share in positive)])


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


def test_story_marks_what_the_ledger_says(result: xr.Dataset) -> None:
    ledger = synthetic_ledger(result)
    ill = ledger[(ledger["arm"] == "episodic") & (ledger["decision"] != "continue")]["patient"].iloc[0]
    figure = figures.story(with_trajectories(result), ledger, int(ill), "episodic")
    mine = ledger[(ledger["arm"] == "episodic") & (ledger["patient"] == ill)]
    top = figure.axes[0]
    reported = next(line for line in top.lines if line.get_marker() == "o")
    assert np.asarray(reported.get_ydata()).tolist() == mine.loc[mine["blq"] == 0, "level_ug_per_mL"].tolist()
    missing = next(line for line in top.lines if line.get_marker() == "v")
    assert len(missing.get_xdata()) == int((mine["blq"] == 1).sum())
    said = words(figure)
    for decision in mine.loc[mine["decision"] != "continue", "decision"].head(6):
        assert decision in said
    assert f"Patient {ill}" in said


def test_story_refuses_what_it_cannot_tell(result: xr.Dataset) -> None:
    ledger = synthetic_ledger(result.isel(patient=slice(3)))
    with pytest.raises(InputError, match="trajectories"):
        figures.story(result, ledger, 1)
    with pytest.raises(InputError, match="ids go from 0 to 79"):
        figures.story(with_trajectories(result), ledger, 80)
    with pytest.raises(InputError, match="lacks decision, dose_mg"):
        figures.story(with_trajectories(result), ledger.drop(columns=["decision", "dose_mg"]), 1)


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


def test_grid_shows_each_probability_and_frames_what_is_allowed() -> None:
    frame = synthetic_grid()
    figure = figures.dose_grid(frame, who="n = 400 virtual patients.")
    image = figure.axes[0].images[0].get_array()
    assert image is not None
    expected = 100.0 * frame.pivot(index="dose", columns="interval", values="probability").to_numpy()
    np.testing.assert_allclose(np.asarray(image), expected)
    allowed = frame.pivot(index="dose", columns="interval", values="feasible").to_numpy()
    framed = np.pad(allowed, 1).astype(int)
    edges = np.abs(np.diff(framed, axis=0)).sum() + np.abs(np.diff(framed, axis=1)).sum()
    assert len(figure.axes[0].lines) == edges
    assert "n = 400" in words(figure)
    with pytest.raises(InputError, match="5 every 8 weeks twice"):
        figures.dose_grid(frame.iloc[[*range(16), 6]])
    with pytest.raises(InputError, match="not a probability"):
        figures.dose_grid(frame.assign(probability=40.0))


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
    check_words(figures.story(with_trajectories(result), ledger, 2, "episodic"))
    check_words(figures.decision_flow(ledger, windows.load("taxit"), "episodic", high_titre=1.5))
    check_words(figures.dose_grid(synthetic_grid(), who="n = 400 virtual patients."))
    check_words(figures.forest(synthetic_evidence()))


def test_given_axes_are_drawn_into(result: xr.Dataset) -> None:
    long = with_trajectories(result)
    ledger = synthetic_ledger(result)
    draws = {
        "antibody_free": lambda ax: figures.antibody_free(result, ax=ax),
        "differences": lambda ax: figures.differences(result, ax=ax),
        "exposure_response": lambda ax: figures.exposure_response(result, ax=ax),
        "story": lambda ax: figures.story(long, ledger, 2, ax=ax),
        "decision_flow": lambda ax: figures.decision_flow(ledger, windows.load("taxit"), ax=ax),
        "dose_grid": lambda ax: figures.dose_grid(synthetic_grid(), ax),
        "forest": lambda ax: figures.forest(synthetic_evidence().head(5), ax),
    }
    for name, draw in draws.items():
        mine = Figure()
        axes = mine.subplots()
        assert draw(axes) is mine, name
        assert mine.axes == [axes], name
        assert axes.has_data() or axes.texts, name
