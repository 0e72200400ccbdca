"""Studies as data: a scenario, and the published figures it is compared with.

A file in ``validation/evidence`` is a scenario file (arms, dosing, policy, co-therapy, visits, assays) with
``[[figure]]`` entries. A figure names a statistic and the arms it is computed from, each with the weight it had in the
study (a share of patients on an immunomodulator, of luminal disease, of a second drug).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from pkmodel.errors import InputError, unknown_name
from pkmodel.files import FileModel, parse_toml, read_text
from scenarios.scenario import Scenario
from scenarios.toml_text import toml_text

_EVIDENCE = Path(__file__).parent / "evidence"
_DENOMINATOR = Path(__file__).parent / "denominator.toml"

Role = Literal["calibration", "validation", "same-cohort", "context"]


class PartFile(FileModel):
    """One arm that a figure is computed from; ``study`` is another file's name."""

    study: str = ""
    arm: str
    weight: Annotated[float, Field(gt=0)]


class FigureFile(FileModel):
    """A published figure."""

    id: str
    role: Role
    status: Literal["READ", "MEMORY"]
    endpoint: str
    unit: str
    value: float
    low: float | None = None
    high: float | None = None
    interval: str = "none published"
    accept_low: float | None = None
    accept_high: float | None = None
    accept_rule: str = ""
    n: int | None = None
    n_source: str = ""
    citation: str
    url: str = ""
    assay_family: str = ""
    assay_family_status: str = ""
    note: str = ""
    statistic: str
    options: dict[str, Any] = Field(default_factory=dict)
    parts: Annotated[list[PartFile], Field(min_length=1)]
    against: list[PartFile] = Field(default_factory=list)


class _Figures(FileModel):
    figure: list[FigureFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A scenario and the figures published about it."""

    name: str
    scenario: Scenario
    figures: tuple[FigureFile, ...]


class DenominatorEntry(FileModel):
    """Whether the simulator can express a figure; why not, or how."""

    id: str
    expressible: bool
    reason: str = ""
    how: str = ""


class _Rule(FileModel):
    counted: str
    bar: float


class DenominatorFile(FileModel):
    """The READ validation figures that count."""

    rule: _Rule
    figure: list[DenominatorEntry]


@functools.cache
def studies() -> Mapping[str, Study]:
    """All studies by name.

    Raises
    ------
    InputError
        For faults of a file, for a figure told twice, and for arms that do not exist.
    """
    found = {path.stem: _read(path) for path in sorted(_EVIDENCE.glob("*.toml"))}
    seen: set[str] = set()
    for study in found.values():
        for figure in study.figures:
            if figure.id in seen:
                raise InputError.one(f"figure '{figure.id}' is told twice", key=study.name)
            seen.add(figure.id)
            for part in (*figure.parts, *figure.against):
                home = found.get(part.study or study.name)
                if home is None:
                    raise unknown_name("study", part.study, found)
                arms = [arm.name for arm in home.scenario.arms]
                if part.arm not in arms:
                    raise unknown_name("arm", part.arm, arms)
    return found


def figures(role: Role | None = None) -> dict[str, tuple[str, FigureFile]]:
    """Figures by id, each with the name of its study; of one role, or all."""
    return {
        figure.id: (study.name, figure)
        for study in studies().values()
        for figure in study.figures
        if role is None or figure.role == role
    }


def arms_of(study: str, figure: FigureFile) -> set[tuple[str, str]]:
    """The (study, arm) pairs a figure needs."""
    return {(part.study or study, part.arm) for part in (*figure.parts, *figure.against)}


@functools.cache
def denominator() -> DenominatorFile:
    """The list, written before fitting, of validation figures that count."""
    return parse_toml(read_text(_DENOMINATOR), DenominatorFile, file=_DENOMINATOR.name)


def _read(path: Path) -> Study:
    document = tomllib.loads(read_text(path))
    told = parse_toml(toml_text({"figure": document.pop("figure", [])}), _Figures, file=path.name)
    scenario = Scenario.parse(toml_text(document), file=path.name, name=path.stem, folder=path.parent)
    return Study(name=path.stem, scenario=scenario, figures=tuple(told.figure))
