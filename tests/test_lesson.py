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
