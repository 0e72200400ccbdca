"""What was published, and when a prediction agrees with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from validation.case import FigureFile, denominator

MET, MISSED, VAGUE, BESIDE = "met", "missed", "too vague", "no bar"


def wilson(percent: float, n: int) -> tuple[float, float]:
    """95 % interval (percent) of a proportion, after Wilson (1927, doi:10.1080/01621459.1927.10502953)."""
    z, p = 1.959964, percent / 100.0
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return 100.0 * (centre - half), 100.0 * (centre + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A predicted figure: median and 95 % interval over parameter sets and sampling at the study's own n.

    ``inner`` is the 95 % interval over parameter sets alone.
    """

    study: str
    figure: FigureFile
    median: float
    low: float
    high: float
    inner: tuple[float, float]

    @property
    def verdict(self) -> str:
        """Met, missed, too vague, or without a bar.

        Met: the median lies within the accept range and the interval is no wider than twice the study's own.
        """
        figure = self.figure
        if figure.accept_low is None or figure.accept_high is None:
            return BESIDE
        if not figure.accept_low <= self.median <= figure.accept_high:
            return MISSED
        if figure.low is None or figure.high is None:
            return MET
        return MET if self.high - self.low <= 2.0 * (figure.high - figure.low) else VAGUE

    @property
    def counts(self) -> bool:
        """Whether it belongs to the denominator."""
        listed = {entry.id for entry in denominator().figure if entry.expressible}
        return self.figure.role == "validation" and self.figure.status == "READ" and self.figure.id in listed
