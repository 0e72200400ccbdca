"""Add an immunomodulator when antibody is found, stop it when antibody has gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pkmodel import units
from pkmodel.cotherapy import Cotherapy
from pkmodel.errors import InputError, unknown_name
from scenarios.visit import Orders, Visit

_ASSAYS = ("drug-tolerant", "drug-sensitive")
_POSITIVE, _NEGATIVE = 1, 0
_REASONS = ("", "antibody found", "no antibody any more")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImmunomodulatorOnAntibody:
    """An immunomodulator from the first positive antibody result on.

    Parameters
    ----------
    immunomodulator
        "thiopurine" or "methotrexate".
    assay
        Whose result counts, "drug-tolerant" or "drug-sensitive".
    from_titre
        With the drug-tolerant assay: only from this titre on.
    stop_when_negative
        Stop at the next negative result (of who takes one from the start, too).
    earliest
        No decision before.
    """

    needs_levels: ClassVar[bool] = True
    immunomodulator: str = "thiopurine"
    assay: str = "drug-tolerant"
    from_titre: str = "0 ug/mL"
    stop_when_negative: bool = False
    earliest: str = "0 weeks"
    _titre: float = field(init=False, repr=False)
    _earliest_d: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        Cotherapy(drug=self.immunomodulator)
        if self.assay not in _ASSAYS:
            raise unknown_name("antibody assay", self.assay, _ASSAYS, key="assay")
        titre = units.concentration(self.from_titre)
        if titre > 0.0 and self.assay == "drug-sensitive":
            raise InputError.one(
                "a titre of the drug-sensitive assay is not reported", "leave it out", key="from_titre"
            )
        object.__setattr__(self, "_titre", titre)
        object.__setattr__(self, "_earliest_d", units.time_d(self.earliest))

    def __call__(self, visit: Visit) -> Orders:
        """Doses as planned; the immunomodulator by a new result."""
        tolerant = self.assay == "drug-tolerant"
        result = visit.antibody_tolerant if tolerant else visit.antibody_sensitive
        judged = visit.new_result & (visit.day >= self._earliest_d)
        high = ~(visit.titre < self._titre) if tolerant else np.ones(visit.due.shape, np.bool_)
        add = judged & (result == _POSITIVE) & high & ~visit.immunomodulator
        stop = judged & (result == _NEGATIVE) & visit.immunomodulator & self.stop_when_negative
        planned = visit.as_planned()
        return Orders(
            give=planned.give,
            amount=planned.amount,
            dose=planned.dose,
            interval=planned.interval,
            immunomodulator=np.where(add, 1, np.where(stop, -1, 0)).astype(np.int8),
            reason=np.where(add, 1, np.where(stop, 2, 0)),
            reasons=_REASONS,
        )
