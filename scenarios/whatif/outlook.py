"""What a regimen would do: troughs of every virtual patient, and whether antibodies appear.

Without antibodies disposition is linear, and a level is a straight line in the maintenance dose.  Two simulations per
interval (of one and of two vials) then give every dose of that interval; the tests compare that with simulating
each cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """Troughs as a straight line in the dose.

    Attributes
    ----------
    base
        (patient, trough) level without any maintenance dose, mg/L.
    slope
        (patient, trough) level per mg of every maintenance dose.
    """

    base: Floats
    slope: Floats

    @classmethod
    def through(cls, one: Floats, other: Floats, dose: float, step: float) -> Line:
        """From the troughs at ``dose`` and at ``dose + step`` mg."""
        slope = (other - one) / step
        return cls(base=one - dose * slope, slope=slope)

    def at(self, milligrams: Floats) -> Floats:
        """(patient, trough) at each patient's own dose, mg."""
        return np.asarray(self.base + self.slope * milligrams[:, None])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """One cell, evaluated.

    Attributes
    ----------
    troughs
        (patient, trough) free drug just before each maintenance dose but the first, mg/L; the last is that at the
        horizon, near steady state.
    antibody_risk
        Share of patients, or probability, of antibodies by the horizon; NaN without the antibody layer.
    """

    troughs: Floats
    antibody_risk: float = math.nan


def trough_days(first: float, interval: float, horizon: float) -> Floats:
    """Days of the troughs: just before the second and every later dose, up to the horizon (at least one)."""
    count = max(int((horizon - first) / interval + 1e-9), 1)
    return np.asarray(first + interval * np.arange(1, count + 1))
