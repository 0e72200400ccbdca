"""Infusion reactions: published figures beside what the model of :mod:`scenarios.reactions` gives."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.files import FileModel, parse_toml, read_text
from validation.case import FigureFile, arms_of, studies
from validation.statistics import highest_titre
from validation.trial import Parameters, Record, run_arms

_FILE = Path(__file__).parent / "reactions.toml"
Parts = Sequence[tuple[Record, float]]


class _Figures(FileModel):
    figure: list[FigureFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A published figure and the simulated one, of the best parameter set."""

    figure: FigureFile
    simulated: float


@functools.cache
def reaction_figures() -> tuple[FigureFile, ...]:
    """Published figures about infusion reactions."""
    return tuple(parse_toml(read_text(_FILE), _Figures, file=_FILE.name).figure)


def checks(parameters: Parameters, n: int, threads: int | None = None) -> list[Check]:
    """All figures, on ``n`` virtual patients of each study."""
    wanted = set().union(*(arms_of("", figure) for figure in reaction_figures()))
    records = run_arms(wanted, studies(), parameters, n, threads=threads)
    return [
        Check(
            figure=figure,
            simulated=STATISTICS[figure.statistic](
                [(records[part.study, part.arm], part.weight) for part in figure.parts], figure.options
            ),
        )
        for figure in reaction_figures()
    ]


def _mean(parts: Parts, values: Callable[[Record], NDArray[Any]]) -> float:
    """Mean over patients, parts weighted."""
    return sum(weight * float(np.mean(values(record))) for record, weight in parts) / sum(w for _, w in parts)


def _by_antibody(parts: Parts, options: Mapping[str, Any]) -> tuple[float, float]:
    """Share of patients with a reaction among those who ever showed antibody, and among the others."""

    def positive(record: Record) -> NDArray[np.bool_]:
        cutoff = options.get("times_cutoff", 1.0) * record.parameters.assay(options["assay"]).cutoff
        return np.asarray(highest_titre(record, options["assay"], options["weeks"], 0.0) >= cutoff)

    def share(among: Callable[[Record], NDArray[np.bool_]]) -> float:
        people = _mean(parts, among)
        return _mean(parts, lambda record: among(record) & (record.reactions > 0)) / people if people else math.nan

    return share(positive), share(lambda record: ~positive(record))


def _difference(parts: Parts, options: Mapping[str, Any]) -> float:
    ours, theirs = _by_antibody(parts, options)
    return 100.0 * (ours - theirs)


def _ratio(parts: Parts, options: Mapping[str, Any]) -> float:
    ours, theirs = _by_antibody(parts, options)
    return ours / theirs if theirs else math.nan


def _per_infusion(parts: Parts, options: Mapping[str, Any]) -> float:
    return 100.0 * _mean(parts, lambda one: one.reactions) / _mean(parts, lambda one: one.infusions)


def _patients(parts: Parts, options: Mapping[str, Any]) -> float:
    return 100.0 * _mean(parts, lambda one: one.reactions > 0)


STATISTICS: Mapping[str, Callable[[Parts, Mapping[str, Any]], float]] = {
    "reaction_difference": _difference,
    "reaction_ratio": _ratio,
    "reactions_per_infusion": _per_infusion,
    "patients_with_reaction": _patients,
}
