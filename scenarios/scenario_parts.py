"""The parts of a scenario: arms, how well patients keep to the timetable, assays, how to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pkmodel.cotherapy import Cotherapy
from pkmodel.regimen import Regimen


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialDesign:
    """Who is in which arm, and who leaves.

    Attributes
    ----------
    randomised
        False: every patient is in every arm (paired counterfactuals). True: each is in one.
    ratio
        Parts of the patients that go to each arm, in the order of the arms.
    block
        Size of the blocks within which the ratio is exact; None for simple randomisation.
    dropout
        Hazard of leaving the trial, 1/d; the same patient leaves every arm on the same day.
    """

    randomised: bool = False
    ratio: tuple[int, ...] = ()
    block: int | None = None
    dropout: float = 0.0
