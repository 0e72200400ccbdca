"""The parts of a scenario: arms, what is taken beside the biologic, and how well; assays; how to run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pkmodel.regimen import Regimen


@dataclass(frozen=True, slots=True, kw_only=True)
class Cotherapy:
    """An immunomodulator beside the biologic.

    Attributes
    ----------
    drug
        "thiopurine" or "methotrexate".
    start, until
        From and until which day it is taken; ``until`` is infinite where the file gives none.
    share
        Share of the arm's patients who take it, 0 to 1.
    """

    drug: str
    start: float = 0.0
    until: float = math.inf
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Adherence:
    """How well patients keep to the timetable.

    Attributes
    ----------
    missed, late
        Probabilities that a planned dose is missed, or given late.
    late_by
        Delay of a late dose, days.
    """

    missed: float = 0.0
    late: float = 0.0
    late_by: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm: timetable, who may change it, and what else the patients take.

    Attributes
    ----------
    name
        Unique in its scenario.
    regimen
        Planned doses, with premedication.
    policy
        A decision rule from :mod:`scenarios.policies`.
    cotherapy
        Immunomodulators.
    adherence
        None for patients who miss nothing.
    """

    name: str
    regimen: Regimen
    policy: Any
    cotherapy: tuple[Cotherapy, ...] = ()
    adherence: Adherence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayPanel:
    """Names of the assays that read the samples: of the drug, and two antibody families."""

    drug: str
    drug_sensitive: str
    drug_tolerant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a file says it is to be run; None where it does not say."""

    patients: int | None = None
    seed: int | None = None
    keep: str | None = None
