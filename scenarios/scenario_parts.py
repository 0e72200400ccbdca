"""Parts of a scenario: arms and their drugs, what clinics and patients do to plans, assays, how to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pkmodel.cotherapy import Cotherapy
from pkmodel.regimen import Regimen
from pkmodel.units import Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Adherence:
    """How well patients keep to the timetable.

    Attributes
    ----------
    missed, late
        Probabilities that a planned dose is missed, or given late; means over patients.
    late_by
        Delay of a late dose, days.
    clustering
        Correlation between two appointments of one patient: 0 if all patients are alike, near 1 if some never
        come and the others always.
    """

    missed: float = 0.0
    late: float = 0.0
    late_by: float = 0.0
    clustering: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """What a clinic does to a policy and its samples; the default does nothing.

    Attributes
    ----------
    turnaround
        Days from a sample to its result.
    early_by
        A sample for a dose is taken up to so many days before it (whole days, uniformly, anew each time).
    vial, rounding
        Infused doses come in vials of so many mg, rounded "up" or to the "nearest" number, at least one.
    max_dose
        Cap on infused doses.
    interval_step, min_interval, max_interval
        New intervals are multiples of the step and stay within limits, days.
    stop_after
        Treatment ends for good after symptoms of so many days without a break.
    reinduction
        A restart after a pause begins with induction again.
    """

    turnaround: float = 0.0
    early_by: int = 0
    vial: float | None = None
    rounding: str = "up"
    max_dose: Amount | None = None
    interval_step: float | None = None
    min_interval: float | None = None
    max_interval: float | None = None
    stop_after: float | None = None
    reinduction: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayPanel:
    """Names of the assays that read the samples: of the drug, and two antibody families."""

    drug: str
    drug_sensitive: str
    drug_tolerant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayChange:
    """From a day on, samples are read by other assays."""

    day: float
    panel: AssayPanel


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A drug that the policy of an arm may switch to.

    Attributes
    ----------
    drug, model, immunogenicity
        Names.
    assays
        Assays that read its samples.
    regimen
        Its timetable, counted from the day of the switch.
    """

    drug: str
    model: str
    immunogenicity: str
    assays: AssayPanel
    regimen: Regimen


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
    clinic
        What the clinic does to the policy.
    alternatives
        Drugs to switch to, numbered from 1; 0 is the scenario's.
    """

    name: str
    regimen: Regimen
    policy: Any
    cotherapy: tuple[Cotherapy, ...] = ()
    adherence: Adherence | None = None
    clinic: Clinic = field(default_factory=Clinic)
    alternatives: tuple[Alternative, ...] = ()


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
