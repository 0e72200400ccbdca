"""Antibodies by dose: how the hazard of onset falls with the drug level.

Low doses make more antibodies than high ones, and that is why episodic treatment does. Trials on schedule gave 5 or 10
mg/kg; the widest range of doses is that of Maini 1998 (doi:10.1002/1529-0131(199809)41:9<1552::AID-ART5>3.0.CO;2-W) in
rheumatoid arthritis: 1, 3 and 10 mg/kg, each without and with methotrexate, by the sponsor's assay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from validation.statistics import estimate
from validation.trial import Record

STUDY, _FAMILY = "maini", "sponsor-bridging"
_WEEKS = (2, 6, 10, 14, 18, 22, 26)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of the trial: its arm, and how many of ``n`` patients were ever positive."""

    arm: str
    positive: int
    n: int

    @property
    def name(self) -> str:
        """What the report calls it."""
        return f"Maini 1998, {self.arm.replace(' per ', '/')}: ever positive"

    @property
    def percent(self) -> float:
        """Share of positive patients, percent."""
        return 100.0 * self.positive / self.n

    @property
    def error(self) -> float:
        """Standard error of :attr:`percent`, points: with two positive and two negative patients more (Agresti and
        Coull 1998, doi:10.1080/00031305.1998.10480550), so that nobody of 15 does not mean certainty."""
        share = (self.positive + 2) / (self.n + 4)
        return 100.0 * math.sqrt(share * (1.0 - share) / (self.n + 4))


# 53, 21 and 7 % without and 15, 7 and 0 % with methotrexate (MEMORY) of groups of 14 or 15
GROUPS = (
    Group(arm="1 mg per kg", positive=8, n=15),
    Group(arm="1 mg per kg with methotrexate", positive=2, n=14),
    Group(arm="3 mg per kg", positive=3, n=14),
    Group(arm="3 mg per kg with methotrexate", positive=1, n=15),
    Group(arm="10 mg per kg", positive=1, n=15),
    Group(arm="10 mg per kg with methotrexate", positive=0, n=14),
)


def arms() -> list[tuple[str, str]]:
    """The trial's arms as (study, arm)."""
    return [(STUDY, group.arm) for group in GROUPS]


def shares(records: Mapping[tuple[str, str], Record]) -> list[float]:
    """Percent ever positive in each of ``GROUPS``."""
    samples = {"assay": _FAMILY, "weeks": _WEEKS}
    return [estimate("ever_positive", [(records[arm], 1.0)], [], samples).value for arm in arms()]
