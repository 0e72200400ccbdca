"""Simulate every combination of a lesson's controls, and pack what the page draws.

All combinations have the same patients and random numbers, so a slider shows what a change does to the same people.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pkmodel.errors import InputError
from scenarios.metrics import METRICS, POSITIVE
from scenarios.readout import choose_window, readout

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow
    from scenarios.intervals import FloatArray, Interval
    from scenarios.lesson.lesson_file import LessonFile
    from scenarios.scenario import Scenario

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_BATCH = 8  # combinations in memory at once
_USUAL = {"timing": "scheduled", "immunomodulator": "none", "premedication": "none"}

Cell = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What the page is given.

    Attributes
    ----------
    about
        Drug, window, assays, numbers of patients, weeks.
    cells
        By key ("1-2-0"): one number of a value for each control.
    """

    about: dict[str, Any]
    cells: dict[str, Cell]


def simulate(lesson: LessonFile, progress: Callable[[float], None] | None = None) -> Grid:
    """Run every combination and summarise it.

    Raises
    ------
    InputError
        If a value of a control is not what the scenario's file would accept, or needs a control that is missing.
    """
    from scenarios.running import run
    from scenarios.scenario import Scenario

    base = Scenario.load(lesson.scenario)
    keys = list(_keys(lesson))
    window = None
    cells: dict[str, Cell] = {}
    for first in range(0, len(keys), _BATCH):
        batch = keys[first : first + _BATCH]
        trial = _trial(base, lesson, batch)
        # One thread: a week of some hundred patients is over before others have started.
        result = run(trial, patients=lesson.patients, seed=lesson.seed, keep="trajectories", threads=1)
        window = choose_window(result)
        for key in batch:
            demand = _chosen(lesson, key).get("timing") == "episodic"
            cells[_text(key)] = summary(result, _text(key), window, demand=demand)
        if progress is not None:
            progress((first + len(batch)) / len(keys))
    assert window is not None
    return Grid(about=_about(lesson, base, window), cells=cells)


def _keys(lesson: LessonFile) -> Iterator[tuple[int, ...]]:
    """Numbers of the values; on demand there is no interval, so that only its first value is simulated."""
    sets = [control.sets for control in lesson.control]
    for key in itertools.product(*(range(len(control.values)) for control in lesson.control)):
        chosen = _chosen(lesson, key)
        if chosen.get("timing") == "episodic" and "interval" in sets and key[sets.index("interval")] > 0:
            continue
        yield key


def _chosen(lesson: LessonFile, key: Sequence[int]) -> dict[str, str]:
    return {control.sets: control.values[number] for control, number in zip(lesson.control, key, strict=True)}


def _text(key: Sequence[int]) -> str:
    return "-".join(map(str, key))


def _trial(base: Scenario, lesson: LessonFile, batch: Sequence[tuple[int, ...]]) -> Scenario:
    """The scenario of the lesson with an arm for each combination, reviewed every week.

    Without its [trial]: the page compares combinations in the same patients, of whom nobody leaves.
    """
    from scenarios.scenario import Scenario
    from scenarios.toml_text import toml_text

    document = {key: value for key, value in base.document.items() if key not in ("arm", "run", "trial", "versions")}
    document |= {"name": lesson.scenario, "review_every": "1 week"}
    document["arm"] = [_arm(base, lesson, key) for key in batch]
    return Scenario.parse(toml_text(document), file=f"page of {lesson.scenario}")


def _arm(base: Scenario, lesson: LessonFile, key: tuple[int, ...]) -> dict[str, Any]:
    chosen = {"dose": _dose_of(base)} | _chosen(lesson, key)
    return arm_of(chosen, name=_text(key), induction=lesson.induction_weeks, weeks=base.duration / 7.0)


def arm_of(chosen: Mapping[str, str], *, name: str, induction: Sequence[float], weeks: float) -> dict[str, Any]:
    """An arm as a scenario file has it.

    Parameters
    ----------
    chosen
        What controls set: dose, and where it is not as usual interval, timing, immunomodulator, premedication.
    name
        Of the arm; not digits alone.
    induction
        Weeks of the first doses.
    weeks
        Length of the trial.

    Raises
    ------
    InputError
        For a timing that is not "scheduled" or "episodic".
    """
    chosen = _USUAL | dict(chosen)
    until = f"{weeks:g} weeks"
    dose = chosen["dose"]
    arm: dict[str, Any] = {"name": name, "dosing": [{"dose": dose, "weeks": list(induction)}]}
    if chosen["timing"] == "scheduled":
        arm["dosing"].append({"dose": dose, "every": chosen.get("interval", "8 weeks"), "until": until})
    elif chosen["timing"] == "episodic":
        arm["policy"] = "episodic"
    else:
        raise InputError.one(f"timing '{chosen['timing']}'", "use scheduled or episodic", key="control.values")
    drug, _, start = chosen["immunomodulator"].partition(" from ")
    if drug != "none":
        arm["cotherapy"] = [{"drug": drug, "from": start or "0 weeks"}]
    if chosen["premedication"] != "none":
        arm["premedication"] = chosen["premedication"]
    return arm


def _dose_of(base: Scenario) -> str:
    """First dose of the scenario's first arm."""
    dose: str = base.document["arm"][0]["dosing"][0]["dose"]
    return dose


def _about(lesson: LessonFile, base: Scenario, window: TargetWindow) -> dict[str, Any]:
    return {
        "drug": base.drug,
        "model": base.model,
        "patients": lesson.patients,
        "seed": lesson.seed,
        "weeks": round(base.duration / 7.0),
        "visits": [day / 7.0 for day in base.visits],
        "window": [window.low, None if math.isinf(window.high) else window.high],
        "sensitive": base.assays.drug_sensitive,
        "tolerant": base.assays.drug_tolerant,
        "starts": [control.start for control in lesson.control],
        "controls": [
            {
                "sets": control.sets,
                "label": control.label,
                "shown": control.shown,
                "up": control.up,
                "down": control.down,
            }
            for control in lesson.control
        ],
    }


def summary(result: xr.Dataset, arm: str, window: TargetWindow, *, demand: bool) -> Cell:
    """What `drawing.js` draws of an arm: curves by week, and what the tables of a run say.

    Parameters
    ----------
    result
        Dataset of a run that kept trajectories, with decisions at least weekly.
    arm
        Name of the arm.
    window
        Target window.
    demand
        Doses are given on demand: a level at a visit is then no trough.
    """
    one = result.sel(arm=arm)
    read = readout(result, arm, window)
    weekly = np.flatnonzero(result["time"].values % 7.0 == 0.0)
    levels = np.quantile(one["concentration"].values[:, weekly], QUANTILES, axis=0)
    onset = one["onset_time"].values
    formed = [float(np.mean(onset <= day)) * 100.0 for day in result["time"].values[weekly]]
    last = read.visits[-1]

    def by_visit(metric: str) -> list[float]:
        return [0.0, *(_short(r.sample.interval().estimate) for r in METRICS[metric](read) if r.visit)]

    def found(metric: str, visit: str = "") -> Interval:
        (one,) = (r.sample.interval() for r in METRICS[metric](read) if r.visit == visit)
        return one

    def value(metric: str, visit: str = "") -> float:
        return _short(found(metric, visit).estimate)

    return {
        "level": [[_short(float(level)) for level in row] for row in levels],
        "formed": [_short(share) for share in formed],
        "tolerant": by_visit("ada_drug_tolerant"),
        "sensitive": by_visit("ada_drug_sensitive"),
        "seen": _seen(read.ada_drug_sensitive, read.ada_drug_tolerant, onset, float(result.attrs["duration_d"])),
        "median": value("trough_median", last),
        "low": found("trough_median", last).at_limit,
        "window": value("in_window", last),
        "loss": value("loss_of_response"),
        "drug": round(value("drug_per_year")),
        "doses": value("doses_per_year"),
        "inconclusive": value("ada_inconclusive"),
        "demand": demand,
    }


def _seen(sensitive: Any, tolerant: Any, onset: FloatArray, end: float) -> list[int]:
    """Of all patients at the end: ever positive by both assays, by the tolerant one alone, antibody unseen, none.

    Whoever is positive by the sensitive assay alone counts with the first group: some assay of each kind of laboratory
    saw an antibody.
    """
    by_sensitive, by_tolerant = (sensitive == POSITIVE).any(axis=1), (tolerant == POSITIVE).any(axis=1)
    there = onset <= end
    groups = (by_sensitive, ~by_sensitive & by_tolerant, ~by_sensitive & ~by_tolerant & there)
    counts = [int(np.count_nonzero(group)) for group in groups]
    return [*counts, len(onset) - sum(counts)]


def _short(value: float) -> float:
    """Three significant digits: finer than a line is wide."""
    return float(f"{value:.3g}")
