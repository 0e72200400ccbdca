"""What a browser may ask for, checked like a file: known keys, known words, numbers within limits."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from pkmodel.errors import Fault, InputError
from pkmodel.files import FileModel

if TYPE_CHECKING:
    import xarray as xr

    from scenarios.scenario import Scenario

BASE = "scheduled-vs-episodic"
PATIENTS, WEEKS = 2000, 102
"""The most that one request can ask for."""
ARM = "as set"
KEPT = 32  # results that are kept for sessions that ask for the same


class Setting(FileModel):
    """All controls of the app.

    Attributes
    ----------
    dose, interval
        mg/kg; weeks between doses after the first three.
    timing, immunomodulator, start, premedication
        As in a lesson; `start` is the week in which the immunomodulator begins.
    cohort
        Name of a shipped cohort of the disease that the drug model was built on.
    patients, weeks, seed
        How many, for how long, which random numbers.
    """

    dose: float = pydantic.Field(ge=1.0, le=20.0)
    interval: int = pydantic.Field(ge=2, le=16)
    timing: Literal["scheduled", "episodic"]
    immunomodulator: Literal["none", "thiopurine", "methotrexate"]
    start: int = pydantic.Field(ge=0, le=WEEKS)
    premedication: Literal["none", "hydrocortisone"]
    cohort: Literal["adult-crohn", "paediatric-crohn"]
    patients: int = pydantic.Field(ge=50, le=PATIENTS)
    weeks: int = pydantic.Field(ge=22, le=WEEKS)
    seed: int = pydantic.Field(ge=0, le=2**31)

    @classmethod
    def read(cls, given: object) -> Setting:
        """Check what a browser sent.

        Raises
        ------
        InputError
            With every fault.
        """
        try:
            return cls.model_validate(_whole_numbers(given))
        except pydantic.ValidationError as error:
            faults = [
                Fault(key=".".join(map(str, one["loc"])), problem=f"{one['input']!r}", remedy=one["msg"])
                for one in error.errors()
            ]
            raise InputError(faults) from None


def _whole_numbers(given: object) -> object:
    """JSON of a browser has one kind of number: 8 may come as 8.0 where a whole number is asked for, or as 8."""
    if not isinstance(given, Mapping):
        return given
    whole = {"interval", "start", "patients", "weeks", "seed"}
    out: dict[str, Any] = {}
    for key, value in given.items():
        if key == "dose" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        elif key in whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        out[str(key)] = value
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A setting, the scenario it stands for, and its result."""

    setting: Setting
    trial: Scenario
    result: xr.Dataset


def scenario(setting: Setting) -> Scenario:
    """The setting as a scenario of one arm; its text is what the download holds."""
    from scenarios.lesson.grid import arm_of
    from scenarios.scenario import Scenario
    from scenarios.toml_text import toml_text

    base = Scenario.load(BASE)
    chosen = {
        "dose": f"{setting.dose:g} mg/kg",
        "interval": f"{setting.interval} weeks",
        "timing": setting.timing,
        "immunomodulator": setting.immunomodulator,
        "premedication": setting.premedication,
    }
    if setting.immunomodulator != "none":
        chosen["immunomodulator"] += f" from {setting.start} weeks"
    document = {key: value for key, value in base.document.items() if key not in ("arm", "run", "versions")}
    document |= {
        "name": "my-regimen",
        "title": "A regimen built in the app",
        "question": "What does this regimen do?",
        "cohort": setting.cohort,
        "duration": f"{setting.weeks} weeks",
        "visits_weeks": [*(week for week in (0, 2, 6) if week < setting.weeks), *_later_visits(setting.weeks)],
        "review_every": "1 week",
        "arm": [arm_of(chosen, name=ARM, induction=(0, 2, 6), weeks=setting.weeks)],
        "run": {"patients": setting.patients, "seed": setting.seed, "keep": "trajectories"},
    }
    return Scenario.parse(toml_text(document), file="the app")


def _later_visits(weeks: int) -> list[int]:
    """Every 8 weeks from week 14, and the end."""
    return sorted({*range(14, weeks, 8), weeks})


@functools.lru_cache(maxsize=KEPT)
def simulate(setting: Setting) -> Simulated:
    """Run a setting with serial kernels."""
    from scenarios.running import run

    trial = scenario(setting)
    result = run(trial, patients=setting.patients, seed=setting.seed, keep="trajectories", threads=1)
    return Simulated(setting=setting, trial=trial, result=result)
