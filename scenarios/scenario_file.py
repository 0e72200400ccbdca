"""The file door of scenarios: what a scenario TOML may say.

Each key is checked on its own here; what keys must mean together (a window of the right drug, a policy's
parameters, dosing that fits the model) is checked in :mod:`scenarios.scenario_checks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pkmodel import units
from pkmodel.errors import InputError
from pkmodel.files import FileModel

Week = Annotated[float, Field(ge=0, le=5200)]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]


def _positive_time(text: str) -> float:
    days = units.time_d(text)
    if days == 0:
        raise InputError.one(f"'{text}' is no time at all", "write a time longer than 0, such as '8 weeks'")
    return days


def _infusion_time(text: str) -> float:
    return 0.0 if text == "bolus" else units.time_d(text)


def _from_time(text: str) -> float:
    """A time that may lie before the start: '-12 weeks' for a therapy that is already established."""
    plain = text.strip() if isinstance(text, str) else text
    if isinstance(plain, str) and plain[:1] in ("-", "\u2212") and plain[1:].strip()[:1].isdigit():
        return -units.time_d(plain[1:].strip())
    return units.time_d(text)


def _checked(parse: Callable[[str], object]) -> BeforeValidator:
    """Check a text and keep it as it is: the regimen reads it again, and messages can quote it."""

    def check(text: str) -> str:
        parse(text)
        return text

    return BeforeValidator(check)


def _named(policy: object) -> object:
    """Accept ``policy = "fixed"`` as short for ``[arm.policy] name = "fixed"``."""
    return {"name": policy} if isinstance(policy, str) else policy


SignedTime = Annotated[float, BeforeValidator(_from_time)]  # days
PositiveTime = Annotated[float, BeforeValidator(_positive_time)]  # days
TimeText = Annotated[str, _checked(units.time_d)]
PositiveTimeText = Annotated[str, _checked(_positive_time)]


class DosingFile(FileModel):
    """One part of an arm's timetable: doses at stated weeks, or repeated until (not including) a time."""

    dose: Annotated[str, _checked(units.dose)]
    weeks: Annotated[list[Week], Field(min_length=1)] | None = None
    every: PositiveTimeText | None = None
    until: PositiveTimeText | None = None
    start: TimeText | None = None
    route: Literal["iv", "sc"] | None = None
    infusion: Annotated[str, _checked(_infusion_time)] | None = None


class CotherapyFile(FileModel):
    """An immunomodulator from a time on, for a share of the arm's patients."""

    drug: Literal["thiopurine", "methotrexate"]
    start: Annotated[SignedTime, Field(alias="from")] = 0.0
    until: PositiveTime | None = None
    share: Share = 1.0


class AdherenceFile(FileModel):
    """Probabilities that a planned dose is missed, or given late and by how much."""

    missed: Share = 0.0
    late: Share = 0.0
    late_by: PositiveTime | None = None


class ArmFile(FileModel):
    """One arm: who gets what, when, and who decides."""

    name: Text
    policy: Annotated[dict[str, Any], BeforeValidator(_named)] = Field(default_factory=lambda: {"name": "fixed"})
    premedication: Literal["hydrocortisone"] | None = None
    dosing: Annotated[list[DosingFile], Field(min_length=1)]
    cotherapy: list[CotherapyFile] = Field(default_factory=list)
    adherence: AdherenceFile | None = None


class AssaysFile(FileModel):
    """Which assays read the samples."""

    drug: Text
    drug_sensitive: Text = "sponsor-bridging"
    drug_tolerant: Text = "idkmonitor"


class TrialFile(FileModel):
    """Who is in which arm, and who leaves."""

    design: Literal["paired", "randomised"] = "paired"
    ratio: list[Annotated[int, Field(ge=1, le=100)]] | None = None
    block: Annotated[int, Field(ge=1, le=1000)] | None = None
    dropout_per_year: Annotated[float, Field(ge=0, le=10)] = 0.0


class RunFile(FileModel):
    """How a scenario was, or is to be, run; the command line's options win."""

    patients: Annotated[int, Field(ge=1, le=2**32)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)] | None = None
    keep: Literal["summary", "trajectories"] | None = None


class ScenarioFile(FileModel):
    """A whole scenario file."""

    name: Text | None = None
    title: Text
    question: Text
    drug: Text
    model: Text
    immunogenicity: Text
    cohort: Text
    window: Text
    duration: PositiveTime
    visits_weeks: Annotated[list[Week], Field(min_length=1)]
    review_every: PositiveTime
    assays: AssaysFile
    arm: Annotated[list[ArmFile], Field(min_length=1)]
    trial: TrialFile = Field(default_factory=TrialFile)
    run: RunFile | None = None
    versions: dict[str, str] | None = None
