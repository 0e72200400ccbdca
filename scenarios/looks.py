"""Looks between the decision days, for pictures: they see the truth and change nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scenarios.visit import Floats


class Looks:
    """The course of free drug and antibody on a grid of days.

    Parameters
    ----------
    every
        Days between two looks.

    Attributes
    ----------
    days
        (look,) days.
    samples
        For each look and drug (patient, 3): free drug, free and total antibody, mg/L.
    """

    def __init__(self, every: float) -> None:
        self.every = every
        self.days: list[float] = []
        self.samples: list[list[Floats]] = []

    def between(self, before: float, day: float) -> list[float]:
        """Days of the grid after ``before`` and before ``day``."""
        first, last = math.floor(before / self.every) + 1, math.ceil(day / self.every)
        return [number * self.every for number in range(first, last)]

    def take(self, days: Sequence[float], samples: Sequence[dict[float, Floats]]) -> None:
        """Keep what was seen; ``samples`` are by drug."""
        for day in days:
            self.days.append(day)
            self.samples.append([one[day] for one in samples])

    def course(self, patient: int, column: int) -> Floats:
        """(drug, look) of one patient (row) and one column: 0 free drug, 1 free antibody, 2 total antibody."""
        return np.array([[sample[patient, column] for sample in by_drug] for by_drug in self.samples]).T
