"""Who is helped by an escalation: by what is changed, by antibody, and by titre.

The 9 ug/mL above which a dose increase fails (Yanai 2015) is no parameter: it has to emerge. Two rules are shown:
response regained as :mod:`validation.rescue` says, and a trough of 3 ug/mL or more twelve weeks after the change.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from validation.case import studies
from validation.rescue import group, rescue
from validation.trial import Parameters, run_arms

EDGES = (0.0, 0.1, 1.0, 3.0, 9.0, float("inf"))
ARMS = ("unchanged", "dose doubled", "interval halved")
GROUPS = ("low drug", "antibody")
_STUDY, _FAMILY = "afif", "older-elisa"
_TARGET = 3.0  # mg/L


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Patients whose antibody at loss of response lay in [low, high) mg/L of drug-binding capacity."""

    low: float
    high: float
    patients: int
    regained: float
    trough_back: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of the patients of a group in an arm, percent."""

    arm: str
    group: str
    patients: int
    lack_of_drug: float
    regained: float
    trough_back: float


def curve(parameters: Parameters, n: int, arm: str = "interval halved", threads: int | None = None) -> list[Bin]:
    """Percent regaining response, and a trough of 3 ug/mL, by titre at loss of response."""
    record = run_arms([(_STUDY, arm)], studies(), parameters, n, threads=threads)[_STUDY, arm]
    found = rescue(record)
    bins = []
    for low, high in pairwise(EDGES):
        inside = found.judged & (found.titre >= low) & (found.titre < high)
        bins.append(
            Bin(
                low=low,
                high=high,
                patients=int(inside.sum()),
                regained=_percent(found.regained, inside),
                trough_back=_percent(found.level_then >= _TARGET, inside),
            )
        )
    return bins


def outcomes(parameters: Parameters, n: int, threads: int | None = None) -> list[Outcome]:
    """Every arm and group: the unchanged regimen is the control that a rule of rescue has to face.

    A patient's group is that of the trough at which the unchanged regimen has found the loss, in every arm.
    """
    records = run_arms([(_STUDY, arm) for arm in ARMS], studies(), parameters, n, threads=threads)
    unchanged = records[_STUDY, "unchanged"]
    groups = {name: group(unchanged, rescue(unchanged), name, _FAMILY) for name in GROUPS}
    told = []
    for arm in ARMS:
        record = records[_STUDY, arm]
        found = rescue(record)
        for name in GROUPS:
            inside = groups[name] & found.judged
            told.append(
                Outcome(
                    arm=arm,
                    group=name,
                    patients=int(inside.sum()),
                    lack_of_drug=_percent(found.for_lack_of_drug, inside),
                    regained=_percent(found.regained, inside),
                    trough_back=_percent(found.level_then >= _TARGET, inside),
                )
            )
    return told


def _percent(flag: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return 100.0 * float(flag[among].mean()) if among.any() else float("nan")
