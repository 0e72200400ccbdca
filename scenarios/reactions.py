"""Acute infusion reactions: counted at every infusion, by a model of three published ratios.

The probability at one infusion is ``1 - exp(-h)`` with

    h = base * (1 + (antibody_ratio - 1) A / (A + antibody_half)) * gap_ratio^[gap] * premedication_ratio^[premedicated]

A is the free antibody just before the infusion (mg/L of drug-binding capacity); ``[gap]`` is 1 if more than
``gap_after`` days have passed since the infusion before. Numbers, sources and what of it is assumed are in
``scenarios/data/reactions/``. A reaction is counted and changes nothing else: no infusion is stopped by it.

References
----------
.. [1] Baert F et al. N Engl J Med 2003;348:601-8. doi:10.1056/NEJMoa020888 (antibody)
.. [2] Steenholdt C et al. Aliment Pharmacol Ther 2011;34:51-8. doi:10.1111/j.1365-2036.2011.04682.x (re-exposure)
.. [3] Checkley LA et al. Dig Dis Sci 2019;64:855-62. doi:10.1007/s10620-018-5319-6 (base rate)
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream, moment
from pkmodel.errors import InputError

_DATA = Path(__file__).parent / "data" / "reactions"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactions:
    """One drug's infusion reactions.

    Attributes
    ----------
    base
        Hazard of one infusion without antibody, gap or premedication.
    antibody_ratio, antibody_half
        Ratio at saturating free antibody, and the free antibody of half that effect, mg/L.
    gap_after, gap_ratio
        Days since the infusion before from which on an infusion is a re-exposure, and its ratio.
    premedication_ratio
        Ratio of a premedicated infusion.
    """

    name: str
    drug: str
    status: str
    base: float
    antibody_ratio: float
    antibody_half: float
    gap_after: float
    gap_ratio: float
    premedication_ratio: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) and value < 0.0:
                raise InputError.one(f"{value!r} is negative", "use a number of 0 or more", key=field.name)
        if self.antibody_half == 0.0:
            raise InputError.one("must be greater than 0", key="antibody_half")

    @staticmethod
    @functools.cache
    def for_drug(drug: str) -> Reactions | None:
        """The shipped model of a drug; None for a drug without one (those given under the skin).

        Read once: every arm and chunk of patients asks for it.
        """
        from pkmodel.parameter_file import read_parameters

        path = _DATA / f"{drug}.toml"
        return Reactions(**read_parameters(path, Reactions)) if path.exists() else None

    def probability(self, antibody: Floats, gap: Floats, premedicated: bool) -> Floats:
        """Probability of a reaction.

        Parameters
        ----------
        antibody
            (infusion,) free antibody just before, mg/L.
        gap
            (infusion,) days since the infusion before; infinite for the first one, which is no re-exposure.
        premedicated
            Hydrocortisone was given before.
        """
        hazard = self.base * (1.0 + (self.antibody_ratio - 1.0) * antibody / (antibody + self.antibody_half))
        hazard = hazard * np.where((gap > self.gap_after) & np.isfinite(gap), self.gap_ratio, 1.0)
        return np.asarray(-np.expm1(-hazard * (self.premedication_ratio if premedicated else 1.0)))


class InfusionLog:
    """Infusions of one drug in one arm and the reactions to them, counted as they happen; arrays (patient,)."""

    def __init__(self, model: Reactions | None, ids: NDArray[np.int64], draws: Draws) -> None:
        self.model, self.ids, self.draws = model, ids, draws
        self.infusions = np.zeros(len(ids), np.int64)
        self.reactions = np.zeros(len(ids), np.int64)
        self._last = np.full(len(ids), -np.inf)

    def note(self, rows: NDArray[np.intp], day: float, *, antibody: Floats, premedicated: bool) -> None:
        """Count the infusions that ``rows`` get on a day; ``antibody`` is those rows' own, just before."""
        gap = day - self._last[rows]
        self._last[rows] = day
        self.infusions[rows] += 1
        if self.model is not None:
            uniform = self.draws.uniform(Stream.REACTION, self.ids[rows], 1, first=moment(day))[:, 0]
            self.reactions[rows] += uniform < self.model.probability(antibody, gap, premedicated)
