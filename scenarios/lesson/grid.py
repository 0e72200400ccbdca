"""Simulate every combination of a lesson's controls, and pack what the page draws.

All combinations have the same patients and random numbers, so a slider shows what a change does to the same people.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pkmodel import units
from pkmodel.errors import InputError
from scenarios.lesson.regained import regained
from scenarios.lesson.summary import Cell, spread, summary
from scenarios.readout import choose_window

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow
    from scenarios.lesson.lesson_file import LessonFile
    from scenarios.scenario import Scenario

_BATCH = 8  # combinations in memory at once
_USUAL = {"timing": "scheduled", "immunomodulator": "none", "premedication": "none"}


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
            for number, cell in enumerate(_cells(lesson, result, key, window)):
                cells[_text(_with_titre(lesson, key, number))] = cell
        if progress is not None:
            progress((first + len(batch)) / len(keys))
    assert window is not None
    return Grid(about=_about(lesson, base, window), cells=cells)


def _cells(lesson: LessonFile, result: xr.Dataset, key: tuple[int, ...], window: TargetWindow) -> list[Cell]:
    """What is drawn of an arm: once, or once for each band of titres."""
    titres = lesson.values_of("titre")
    if titres:
        return regained(result, _name(key), titres)
    demand = _chosen(lesson, key).get("timing") == "episodic"
    cell = summary(result, _name(key), window, demand=demand)
    if "strategy" in lesson.pictures:
        cell["spread"] = spread(result, _name(key), window)
    return [cell]


def _with_titre(lesson: LessonFile, key: tuple[int, ...], number: int) -> tuple[int, ...]:
    return tuple(number if control.sets == "titre" else k for control, k in zip(lesson.control, key, strict=True))


def _keys(lesson: LessonFile) -> Iterator[tuple[int, ...]]:
    """Numbers of the values that make an arm.

    On demand there is no interval, so that only its first value is simulated; a titre is no treatment, and all its
    bands are found in one arm.
    """
    sets = [control.sets for control in lesson.control]
    counts = [1 if control.sets == "titre" else len(control.values) for control in lesson.control]
    for key in itertools.product(*map(range, counts)):
        chosen = _chosen(lesson, key)
        if chosen.get("timing") == "episodic" and "interval" in sets and key[sets.index("interval")] > 0:
            continue
        yield key


def _chosen(lesson: LessonFile, key: Sequence[int]) -> dict[str, str]:
    return {control.sets: control.values[number] for control, number in zip(lesson.control, key, strict=True)}


def _text(key: Sequence[int]) -> str:
    return "-".join(map(str, key))


def _name(key: Sequence[int]) -> str:
    """Of the arm; a name is not digits alone, as the key of a lesson with one control is."""
    return f"setting {_text(key)}"


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
    strategy = lesson.strategy[chosen["strategy"]] if "strategy" in chosen else None
    if strategy is not None and strategy.interval:
        chosen["interval"] = strategy.interval
    arm = arm_of(chosen, name=_name(key), induction=lesson.induction_weeks, weeks=base.duration / 7.0)
    return arm if strategy is None else arm | {"policy": strategy.policy}


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
        "pictures": lesson.pictures,
        "responds": base.regain_after is not None,
        **_published(lesson),
        "starts": [control.start for control in lesson.control],
        "controls": [
            {
                "sets": control.sets,
                "label": control.label,
                "shown": control.shown,
                "up": control.up,
                "down": control.down,
                "why": control.why,
            }
            for control in lesson.control
        ],
    }


def _published(lesson: LessonFile) -> dict[str, Any]:
    """What is drawn over titres beside the simulation: the number of the band where a line begins, and points."""
    line = lesson.published_line
    lows = [units.window(band)[0] for band in lesson.values_of("titre")]
    if line is not None and line.titre not in lows:
        raise InputError.one(
            f"no band of titres begins at {line.titre:g} ug/mL", "let one begin there", key="published_line"
        )
    return {
        "line": None if line is None else {"band": lows.index(line.titre), "label": line.label},
        "points": [point.model_dump() for point in lesson.published_point],
    }
