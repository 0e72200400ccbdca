"""Medians of some of the patients, where arms do not have the same ones: their paired difference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenarios.intervals import BoolArray, FloatArray, Interval, Median, normal_mean


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MedianAmong(Median):
    """Median of the levels of some patients.

    Parameters
    ----------
    values, below
        As of `Median`, of those patients only.
    among
        (patient,) True for those patients.
    """

    among: BoolArray

    def minus(self, other: Median) -> Interval:
        """Paired difference of the two medians, self minus other, as `Median.minus` where both have everybody.

        A patient's term is the influence on either median of those who belong to it, times the patients over those,
        as of a mean over part of a sample (Cochran WG, Sampling Techniques, 3rd ed. Wiley 1977, section 2.11). n
        counts the patients who belong to either.
        """
        if not isinstance(other, MedianAmong):
            raise TypeError("a median among some patients has a paired difference from another such only")
        n = int(np.count_nonzero(self.among | other.among))
        if min(self.values.size, other.values.size) < 2:
            return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=n)
        ours, at_limit, terms = self._terms()
        theirs, their_limit, their_terms = other._terms()
        both = terms - their_terms
        size = both.size
        spread = normal_mean(0.0, math.fsum(np.square(both - math.fsum(both) / size)), size)
        difference = ours - theirs
        return Interval(
            estimate=difference, low=difference + spread.low, high=difference + spread.high, n=n,
            at_limit=at_limit or their_limit,
        )  # fmt: skip

    def _terms(self) -> tuple[float, bool, FloatArray]:
        """Median, whether at the limit, and each patient's part in its error (0 for those outside)."""
        median, at_limit, half_sparsity, side = self._linearised()
        terms = np.zeros(self.among.size)
        terms[self.among] = half_sparsity * side * (self.among.size / side.size)
        return median, at_limit, terms
