"""Lessons: what a page shows is what a run of the same arms gives, and nothing on it comes from outside."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pkmodel.errors import InputError, UnknownNameError
from scenarios import lesson
from scenarios.cli import cli
from scenarios.lesson.grid import Grid, _trial, simulate
from scenarios.lesson.lesson_file import CELLS, LessonFile
from scenarios.lesson.regained import FROM, LEVEL, TO, regained
from scenarios.running import run
from scenarios.scenario import Scenario
from scenarios.scoring import score

SMALL = """
title = "Small & <quick>"
question = "What does a longer interval do?"
intro = ["Guess first."]
scenario = "scheduled-vs-episodic"
patients = 60
tasks = ["Try."]

[[control]]
sets = "timing"
label = "When"
values = ["scheduled", "episodic"]
labels = ["on schedule", "on demand"]
up = "Waiting."
down = "Not waiting."

[[control]]
sets = "interval"
label = "Interval"
values = ["8 weeks", "12 weeks"]
up = "Longer."
down = "Shorter."

[[control]]
sets = "premedication"
label = "Steroid"
values = ["none", "hydrocortisone"]
up = "With."
down = "Without."
"""


STRATEGIES = """
title = "Strategies"
question = "Which?"
intro = ["Guess first."]
scenario = "proactive-tdm"
patients = 60
pictures = ["strategy", "level"]

[strategy.never]

[strategy.often]
interval = "6 weeks"

[strategy.steered]
policy = { name = "target-window", target = "4-7 ug/mL", interval_step = "4 weeks", max_interval = "8 weeks" }

[[control]]
sets = "strategy"
label = "How"
values = ["never", "often", "steered"]
why = ["Nobody looks.", "More drug.", "Levels are looked at."]
"""

TITRES = """
title = "Titres"
question = "For whom?"
intro = ["Guess first."]
scenario = "loss-of-response-rescue"
patients = 400
pictures = ["regained"]

[published_line]
titre = 1.0
label = "published"

[strategy.nothing]

[strategy.halved]
policy = { name = "escalate-on-loss", action = "halve-interval" }

[[control]]
sets = "strategy"
label = "At loss"
values = ["nothing", "halved"]
up = "More."
down = "Less."

[[control]]
sets = "titre"
label = "Antibody"
values = ["0-1 ug/mL", ">= 1 ug/mL"]
up = "More."
down = "Less."
"""


LINE = """[published_line]
titre = 9.0
label = "published"
"""


def read(tmp_path: Path, text: str) -> LessonFile:
    path = tmp_path / "read.toml"
    path.write_text(text, encoding="utf-8")
    return lesson.load(path)


def test_strategies_are_the_arms_of_a_run(tmp_path: Path) -> None:
    grid = simulate(read(tmp_path, STRATEGIES))
    trial = Scenario.load("proactive-tdm").with_settings(["review_every=1 week"])
    trial = trial.with_settings(["arm.clinically based.policy={name='fixed'}"])
    cells = score(run(trial, patients=60, seed=1)).cells()
    for arm, key in (("clinically based", "0"), ("to 4-7", "2")):
        for name, metric in (("below", "below_window"), ("window", "in_window"), ("response", "in_response")):
            cell = cells[arm, metric, "54"]
            expected = [float(f"{value:.3g}") for value in (cell.value, cell.low, cell.high)]
            assert grid.cells[key]["spread"][name] == expected
    assert grid.cells["0"]["spread"] != grid.cells["2"]["spread"]
    assert grid.cells["1"]["doses"] > 1.2 * grid.cells["0"]["doses"]


def test_titres_tell_apart_the_same_patients_under_every_strategy(tmp_path: Path) -> None:
    grid = simulate(read(tmp_path, TITRES))
    assert sorted(grid.cells) == ["0-0", "0-1", "1-0", "1-1"]
    assert grid.cells["0-0"]["n"] == grid.cells["1-1"]["n"]
    assert [grid.cells[key]["band"] for key in ("0-0", "0-1", "1-0", "1-1")] == [0, 1, 0, 1]
    assert grid.about["line"] == {"band": 1, "label": "published"}
    for band in (0, 1):
        carry_on, halved = (grid.cells[key] for key in ("0-0", "1-0"))
        assert 0.0 < carry_on["response"][band][0] < halved["response"][band][0]  # a quarter comes back by itself
        assert carry_on["level"][band][0] < halved["level"][band][0]


def test_regained_counts_patient_by_patient() -> None:
    """The same shares by a loop over patients and days."""
    trial = Scenario.load("loss-of-response-rescue").with_settings(["review_every=1 week"])
    result = run(trial, patients=300, seed=2, keep="trajectories")
    bands = ["0-0.5 ug/mL", ">= 0.5 ug/mL"]
    visits = 7.0 * result["visit"].values
    for arm in ("carry on", "interval halved"):
        one = result.sel(arm=arm)
        found: list[list[tuple[bool, bool]]] = [[], []]
        for patient in range(300):
            loss = float(one["loss_time"].values[patient])
            if not loss + TO <= 102 * 7:
                continue
            before = [k for k, day in enumerate(visits) if day <= loss]
            after = [k for k, day in enumerate(visits) if day >= loss + FROM]
            titre = one["antibody_total"].values[patient, before[-1]]
            levels = [
                level
                for day, level in zip(result["time"].values, one["concentration"].values[patient], strict=True)
                if loss + FROM <= day <= loss + TO
            ]
            found[int(titre >= 0.5)].append((min(levels) >= LEVEL, bool(one["responding"].values[patient, after[0]])))
        cell = regained(result, arm, bands)[1]
        assert cell["n"] == [len(band) for band in found]
        assert min(cell["n"]) > 5
        for name, which in (("level", 0), ("response", 1)):
            shares = [round(100 * sum(one[which] for one in band) / len(band), 1) for band in found]
            assert [one[0] for one in cell[name]] == shares


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (STRATEGIES, '"often", "steered"]', '"often"]', "2 values"),
        (STRATEGIES, "[strategy.often]", "[strategy.oft]", "never, oft, steered; give one for each value"),
        (STRATEGIES, 'pictures = ["strategy"', 'pictures = ["regained"', "needs a control that sets titre"),
        (
            STRATEGIES,
            'why = ["Nobody looks.", ',
            'up = "More."\nwhy = ["Nobody looks.", ',
            "say why the picture changes",
        ),
        (
            STRATEGIES,
            "[strategy.never]",
            '[published_line]\ntitre = 9.0\nlabel = "x"\n[strategy.never]',
            "no control sets",
        ),
        (TITRES, 'pictures = ["regained"]', 'pictures = ["regained", "level"]', "leave the others out"),
        (TITRES, "titre = 1.0", "titre = 2.0", "no band of titres begins at 2 ug/mL"),
        (TITRES, '"0-1 ug/mL"', '"0-1 stones"', "stones"),
        (TITRES, "halve-interval", "halve-intervals", "halve-interval"),
        (TITRES, '"loss-of-response-rescue"', '"dose-escalation"', "regain_after"),
    ],
)
def test_faults_of_strategies_and_titres_are_told(tmp_path: Path, text: str, old: str, new: str, said: str) -> None:
    assert old in text
    with pytest.raises(InputError, match=re.escape(said)):
        simulate(read(tmp_path, text.replace(old, new)).model_copy(update={"patients": 60}))


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lesson") / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small(small_file: Path) -> LessonFile:
    return lesson.load(small_file)


@pytest.fixture(scope="module")
def grid(small: LessonFile) -> Grid:
    return simulate(small)


def test_on_demand_is_simulated_once_for_all_intervals(grid: Grid) -> None:
    assert sorted(grid.cells) == ["0-0-0", "0-0-1", "0-1-0", "0-1-1", "1-0-0", "1-0-1"]


def test_a_setting_is_the_arm_of_a_run(grid: Grid) -> None:
    trial = Scenario.load("scheduled-vs-episodic")
    result = run(trial, patients=60, seed=1, keep="trajectories")
    cells = score(result).cells()
    for arm, key in (("scheduled", "0-0-0"), ("episodic", "1-0-0")):
        page = grid.cells[key]
        for name, metric in (("loss", "loss_of_response"), ("inconclusive", "ada_inconclusive")):
            assert page[name] == float(f"{cells[arm, metric, ''].value:.3g}")
        assert page["tolerant"][-1] == float(f"{cells[arm, 'ada_drug_tolerant', ''].value:.3g}")
        assert page["median"] == float(f"{cells[arm, 'trough_median', '54'].value:.3g}")
        assert page["low"] == cells[arm, "trough_median", "54"].at_limit
        levels = result["concentration"].sel(arm=arm, time=7.0 * np.arange(55)).values
        expected = np.quantile(levels, 0.5, axis=0)
        np.testing.assert_allclose(page["level"][2], expected, rtol=0.006)  # three significant digits
        onset = result["onset_time"].sel(arm=arm).values
        assert page["formed"][-1] == float(f"{100 * np.isfinite(onset).mean():.3g}")


def test_the_trial_design_of_the_scenario_is_left_out(small: LessonFile) -> None:
    base = Scenario.load(small.scenario).with_settings(["trial.design=randomised", "trial.dropout_per_year=1"])
    design = _trial(base, small, [(0,) * len(small.control)]).design
    assert not design.randomised
    assert design.dropout == 0.0


def test_every_patient_is_in_one_of_the_four_groups(grid: Grid) -> None:
    for page in grid.cells.values():
        assert sum(page["seen"]) == 60
        assert min(page["seen"]) >= 0


def test_steroid_and_interval_reach_the_simulation(grid: Grid) -> None:
    assert grid.cells["0-0-1"]["formed"][-1] < grid.cells["0-0-0"]["formed"][-1]
    assert grid.cells["0-1-0"]["drug"] < 0.9 * grid.cells["0-0-0"]["drug"]


def test_the_page_is_whole_and_the_same_every_time(small: LessonFile, grid: Grid) -> None:
    page = lesson.lesson_html(small)
    assert lesson.lesson_html(small) == page
    assert not re.search(r"""(src|href|action)=|@import|url\(|https?://""", page)
    assert "Small &amp; &lt;quick&gt;" in page
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert json.loads(data) == {"about": grid.about, "cells": grid.cells}


def test_shipped_lessons_are_read_and_fit() -> None:
    assert lesson.names()
    for name in lesson.names():
        told = lesson.load(name)
        assert np.prod([len(control.values) for control in told.control]) <= CELLS
        Scenario.load(told.scenario)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('sets = "interval"', 'sets = "intervall"', "control.1.sets"),
        ('sets = "interval"', 'sets = "timing"', "two controls set timing"),
        ('labels = ["on schedule", "on demand"]', 'labels = ["on schedule"]', "1 labels for 2 values"),
        ("patients = 60", "patients = 100000", "patients"),
        ('label = "When"', 'label = "When"\nstart = 2', "numbered from 0 to 1"),
    ],
)
def test_faults_of_a_lesson_are_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "faulty.toml"
    path.write_text(SMALL.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(said)):
        lesson.load(path)


def test_a_value_the_scenario_refuses_is_told(small_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "faulty.toml"
    path.write_text(SMALL.replace('"12 weeks"', '"12 fortnights"'), encoding="utf-8")
    with pytest.raises(InputError, match="fortnights"):
        simulate(lesson.load(path))


def test_the_command_writes_the_page(small_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = CliRunner().invoke(cli, ["page", str(small_file), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out}\n"
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_command_refuses_before_it_works(small_file: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["page", "dosign"])
    assert done.exit_code == 2
    assert "'dosing'" in done.stderr or "dosing" in done.stderr
    done = CliRunner().invoke(cli, ["page", str(small_file), "--out", str(tmp_path / "no" / "page.html")])
    assert done.exit_code == 2
    assert "there is no directory" in done.stderr
    with pytest.raises(UnknownNameError, match="dosing"):
        lesson.load("dosign")
