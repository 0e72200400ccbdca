"""The contrast between treatment on demand and on schedule, taken apart into biology and unmasking.

A drug-sensitive assay finds antibody only where drug is gone. On demand it is gone when the sample is taken, on
schedule it is not: some of the contrast is the assay's. Reading the same patients' total antibody at the same
cut-off, whatever drug is there, leaves the part that is biology: more patients with more antibody. Biology has a part
of its own that is high-zone tolerance: what disappears when C_tol is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from validation.case import studies
from validation.statistics import highest_titre
from validation.trial import Parameters, Record, run_arms

FAMILIES = ("sponsor-bridging", "older-elisa")
_STUDY = "accent1"
ARMS = ("episodic", "5 mg per kg")
WEEKS = (14, 22, 54, 62, 72)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """On demand minus on schedule, percentage points: as the assay saw it, and its parts.

    ``seen = biology + unmasking``; ``without_tolerance`` is biology with C_tol infinite.
    """

    family: str
    week: int
    seen: float
    biology: float
    unmasking: float
    without_tolerance: float
    shares: Mapping[str, tuple[float, float]]


def contrasts(
    parameters: Parameters,
    n: int,
    weeks: Sequence[int] = (54, 72),
    families: Sequence[str] = FAMILIES,
    threads: int | None = None,
) -> list[Contrast]:
    """Contrasts by assay family up to each of ``weeks``, in patients without immunomodulator."""
    drug = "infliximab"
    tolerant = parameters.immunogenicity[drug].with_values(C_tol=math.inf)
    without = replace(parameters, immunogenicity={**parameters.immunogenicity, drug: tolerant})
    arms = [(_STUDY, arm) for arm in ARMS]
    here = run_arms(arms, studies(), parameters, n, threads=threads)
    there = run_arms(arms, studies(), without, n, threads=threads)
    found = []
    for family, week in product(families, weeks):
        seen = [seen_share(here[key], family, week, demand=key[1] == ARMS[0]) for key in arms]
        true = [true_share(here[key], family, week) for key in arms]
        flat = [true_share(there[key], family, week) for key in arms]
        found.append(
            Contrast(
                family=family,
                week=week,
                seen=seen[0] - seen[1],
                biology=true[0] - true[1],
                unmasking=(seen[0] - seen[1]) - (true[0] - true[1]),
                without_tolerance=flat[0] - flat[1],
                shares={"on demand": (seen[0], true[0]), "on schedule": (seen[1], true[1])},
            )
        )
    return found


def washout(parameters: Parameters, n: int, threads: int | None = None) -> tuple[float, float]:
    """Percent ever positive by week 72 on schedule: as treated on, and had all stopped after week 46."""
    arms = [(_STUDY, ARMS[1]), (_STUDY, "5 mg per kg stopped")]
    records = run_arms(arms, studies(), parameters, n, threads=threads)
    kept, stopped = (seen_share(records[arm], FAMILIES[0], 72, demand=False) for arm in arms)
    return kept, stopped


def seen_share(record: Record, family: str, week: int, demand: bool = True) -> float:
    """Percent ever positive by the drug-sensitive assay up to a week, at the trial's samples.

    With ``demand`` also before each infusion from week 14 on, as those on demand were sampled.
    """
    weeks = [one for one in WEEKS if one <= week]
    from_dose = 14.0 if demand else None
    shown = highest_titre(_until(record, week), family, weeks, from_dose)
    return 100.0 * float(np.mean(shown >= record.parameters.assay(family).cutoff))


def true_share(record: Record, family: str, week: int) -> float:
    """Percent whose total antibody ever reached the same cut-off at any decision day up to a week, drug or no drug."""
    upto = record.days <= 7.0 * week
    return 100.0 * float(np.mean(record.antibody_total[:, upto].max(axis=1) >= record.parameters.assay(family).cutoff))


def _until(record: Record, week: int) -> Record:
    upto = record.days <= 7.0 * week
    return replace(
        record,
        days=record.days[upto],
        free=record.free[:, upto],
        antibody_free=record.antibody_free[:, upto],
        antibody_total=record.antibody_total[:, upto],
        effect=record.effect[:, upto],
        given=record.given[:, upto],
    )
