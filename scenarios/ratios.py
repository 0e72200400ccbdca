"""Ratio of two totals over the same patients: drug per year of follow-up, cost per patient in the window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenarios.intervals import FloatArray, Interval, exact_sum, normal_mean


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratio:
    """Total of one quantity over the total of another.

    Parameters
    ----------
    numerator, denominator
        (patient,) finite values; the denominator's total must be positive for there to be an estimate.
    least
        The least the ratio can be; the interval is cut to it.

    Notes
    -----
    The interval is normal, from the linearised ratio (Cochran WG, Sampling Techniques, 3rd ed. Wiley 1977, section
    2.11): a patient's term is ``(numerator - R denominator) / mean(denominator)``. With equal denominators it is the
    interval of the mean.
    """

    numerator: FloatArray
    denominator: FloatArray
    least: float = -math.inf

    def _linearised(self) -> tuple[float, FloatArray]:
        """The ratio, and each patient's term in its error."""
        n, total = self.numerator.size, exact_sum(self.denominator)
        if n == 0 or total <= 0.0:
            return math.nan, np.full(n, math.nan)
        ratio = exact_sum(self.numerator) / total
        terms = ratio * self.denominator
        np.subtract(self.numerator, terms, out=terms)  # in place: with a million patients temporaries would count
        terms *= n / total
        return ratio, terms

    def interval(self) -> Interval:
        """The ratio with its interval."""
        ratio, terms = self._linearised()
        got = _around(ratio, terms)
        low = self.least if got.low < self.least else got.low
        return Interval(estimate=ratio, low=low, high=got.high, n=got.n)

    def minus(self, other: Ratio) -> Interval:
        """Paired difference of the two ratios, self minus other: the same patients in the same order."""
        (ratio, terms), (theirs, other_terms) = self._linearised(), other._linearised()
        return _around(ratio - theirs, terms - other_terms)


def _around(estimate: float, terms: FloatArray) -> Interval:
    """Interval of an estimate whose error is the mean of the terms, which it uses up."""
    n = terms.size
    if n == 0 or math.isnan(estimate):
        return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=n)
    terms -= exact_sum(terms) / n
    terms *= terms
    spread = normal_mean(0.0, exact_sum(terms), n)
    return Interval(estimate=estimate, low=estimate + spread.low, high=estimate + spread.high, n=n)
