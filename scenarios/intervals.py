"""Monte-Carlo 95 % intervals: how exactly a simulation of n virtual patients knows its own answer.

Three kinds of sample cover every score: a share of patients, a mean over patients, a median that knows values
below the limit of quantification. Each gives its own interval and the interval of its paired difference from
another sample of the same patients.

All sums are sums of whole numbers or `math.fsum`, which rounds once; so no result depends on the order of
the patients, and nothing is resampled, so no result depends on a seed.

The intervals say nothing about how well the model describes people.

References
----------
.. [1] Wilson EB. J Am Stat Assoc 1927;22:209-12. doi:10.1080/01621459.1927.10502953 (score interval)
.. [2] David HA, Nagaraja HN. Order Statistics, 3rd ed. Wiley 2003, section 7.1. doi:10.1002/0471722162
.. [3] Hampel FR. J Am Stat Assoc 1974;69:383-93. doi:10.1080/01621459.1974.10482962 (influence function)
.. [4] Hall P, Sheather SJ. J R Stat Soc B 1988;50:381-91. doi:10.1111/j.2517-6161.1988.tb01735.x (bandwidth)
.. [5] Cochran WG. Sampling Techniques, 3rd ed. Wiley 1977, section 2.11 (linearised ratio)
.. [6] Zou GY, Donner A. Stat Med 2008;27:1693-702. doi:10.1002/sim.3095 (difference from two intervals)
.. [7] Newcombe RG. Stat Med 1998;17:873-90. PMID 9595617 (the same for two Wilson intervals, his method 10)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution: every interval here is a 95 % interval."""

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


_PARTS = 6  # values whose digits reach further apart than this many parts are left to math.fsum
_BLOCK = 1 << 14  # values cut at a time: they stay in a core's cache, and a million need no room


def exact_sum(values: FloatArray) -> float:
    """What ``math.fsum`` gives, rounded once, an order of magnitude faster.

    Values are cut into multiples of a power of 2 so large that their sum is exact, and a rest that is cut again (the
    splitting of Rump 2008, doi:10.1137/050645671).
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    sums: list[float] = []
    for first in range(0, flat.size, _BLOCK):
        exact = _exact_sums(flat[first : first + _BLOCK])
        if exact is None:
            return math.fsum(flat.tolist())
        sums += exact
    return math.fsum(sums)


def _exact_sums(values: FloatArray) -> list[float] | None:
    """Numbers with exactly the sum of a block; None where it cannot be cut into a few."""
    rest = values
    width = 52 - rest.size.bit_length()
    sums: list[float] = []
    for _ in range(_PARTS):
        largest = max(float(rest.max()), -float(rest.min()))
        if largest == 0.0:
            return sums
        exponent = math.frexp(largest)[1]
        if not (math.isfinite(largest) and -900 < exponent < 900):
            return None
        shift = math.ldexp(1.5, 52 + exponent - width)
        high = rest + shift
        high -= shift
        sums.append(float(high.sum()))
        rest = rest - high
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its Monte-Carlo 95 % interval.

    Parameters
    ----------
    estimate, low, high
        In the unit of the sample; NaN where n is too small to say.
    n
        Patients (or pairs of the same patient) behind the estimate.
    at_limit
        True where the estimate is only known to be at or below the limit of quantification.
    """

    estimate: float
    low: float
    high: float
    n: int
    at_limit: bool = False

    def times(self, factor: float) -> Interval:
        """Return the interval in another unit; `factor` must be positive."""
        return Interval(
            estimate=self.estimate * factor, low=self.low * factor, high=self.high * factor,
            n=self.n, at_limit=self.at_limit,
        )  # fmt: skip


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval of a proportion [1]_.

    Parameters
    ----------
    successes, n
        Count and number of patients, 0 <= successes <= n. With n = 0 everything is NaN.
    """
    if n == 0:
        return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=0)
    z2 = Z95 * Z95
    centre = (successes + z2 / 2) / (n + z2)
    half = Z95 / (n + z2) * math.sqrt(successes * (n - successes) / n + z2 / 4)
    # At the ends the algebra gives 0 and 1; rounding does not, and -1e-17 percent would look like a fault.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(estimate=successes / n, low=low, high=high, n=n)


def normal_mean(total: float, squares: float, n: int) -> Interval:
    """Normal interval of a mean: mean +- z SD / sqrt(n).

    Parameters
    ----------
    total
        Sum of the values.
    squares
        Sum of the squared deviations from the mean.
    n
        Number of values. Below two there is no interval (NaN).
    """
    if n == 0:
        return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=0)
    estimate = total / n
    half = Z95 * math.sqrt(squares / (n - 1) / n) if n > 1 else math.nan
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, n=n)


def apart(one: Interval, other: Interval) -> Interval:
    """Difference of two groups of different patients, one minus other, from their intervals [6]_.

    The distance from the estimate to each end is the root of the sum of squares of the two groups' own distances. For
    means that is the usual interval, for shares with Wilson's ends Newcombe's [7]_.
    """
    difference = one.estimate - other.estimate
    below = math.hypot(one.estimate - one.low, other.high - other.estimate)
    above = math.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(
        estimate=difference,
        low=difference - below,
        high=difference + above,
        n=one.n + other.n,
        at_limit=one.at_limit or other.at_limit,
    )


def median_ranks(n: int) -> tuple[int, int] | None:
    """Ranks (from 1) of the order statistics that enclose the median with at least 95 % probability [2]_.

    The count of values below the median is Binomial(n, 1/2) whatever the distribution, so the lower rank is
    the largest l with P(Binomial <= l - 1) <= 2.5 %; the upper one mirrors it. None below n = 6, where even
    the extremes enclose the median less often than that.
    """
    from scipy.special import bdtr

    lower = max(int((n - Z95 * math.sqrt(n)) / 2), 0)
    while bdtr(lower, n, 0.5) <= 0.025:
        lower += 1
    while lower > 0 and bdtr(lower - 1, n, 0.5) > 0.025:
        lower -= 1
    return (lower, n + 1 - lower) if lower > 0 else None


def _weighted_mean(pairs: Iterable[tuple[float, int]], n: int) -> tuple[float, float]:
    """Mean and sum of squared deviations of n values given as (value, how many)."""
    counted = [(value, count) for value, count in pairs if count]
    mean = math.fsum(value * count for value, count in counted) / n
    return mean, math.fsum(count * (value - mean) ** 2 for value, count in counted)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """Share of patients with an event, in percent, possibly among some of them only.

    Parameters
    ----------
    event
        (patient,) True where it happened.
    among
        (patient,) True for those it is a share of; None for everybody.
    """

    event: BoolArray
    among: BoolArray | None = None

    def _counts(self) -> tuple[int, int]:
        if self.among is None:
            return int(np.count_nonzero(self.event)), self.event.size
        return int(np.count_nonzero(self.event & self.among)), int(np.count_nonzero(self.among))

    def interval(self) -> Interval:
        """Percent with Wilson's interval [1]_."""
        return wilson(*self._counts()).times(100.0)

    def _state(self) -> NDArray[np.int8]:
        """Per patient: 0 outside the share, 1 inside without the event, 2 inside with it."""
        if self.among is None:
            return (1 + self.event).astype(np.int8)
        return np.where(self.among, 1 + self.event, 0).astype(np.int8)

    def minus(self, other: Share) -> Interval:
        """Paired difference in percentage points, self minus other, with a normal interval.

        Without `among` this is the mean of the per-patient differences (-1, 0, 1). Where each share has a
        denominator of its own, the per-patient term is that of the linearised ratio [5]_,
        ``r (y - p) / mean(r)`` with r = "is among" and y = "event"; for r = 1 both are the same thing.
        n counts the patients who belong to either denominator.
        """
        patients = self.event.size
        counts = np.bincount(3 * self._state() + other._state(), minlength=9).tolist()
        (k1, n1), (k2, n2) = self._counts(), other._counts()
        n = patients - counts[0]
        if n1 == 0 or n2 == 0:
            return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=n)
        p1, p2 = k1 / n1, k2 / n2
        term1 = (0.0, -p1 * patients / n1, (1.0 - p1) * patients / n1)
        term2 = (0.0, -p2 * patients / n2, (1.0 - p2) * patients / n2)
        terms = (term1[cell // 3] - term2[cell % 3] for cell in range(9))
        _, squares = _weighted_mean(zip(terms, counts, strict=True), patients)
        half = Z95 * math.sqrt(squares / (patients - 1) / patients) if patients > 1 else math.nan
        difference = p1 - p2
        return Interval(estimate=difference, low=difference - half, high=difference + half, n=n).times(100.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mean:
    """Mean over patients.

    Parameters
    ----------
    values
        (patient,) finite values.
    within
        The range the mean can lie in; the interval is cut to it (a share of visits is never negative).
    """

    values: FloatArray
    within: tuple[float, float] = (-math.inf, math.inf)

    def interval(self) -> Interval:
        """Mean with a normal interval; values that are all alike give one of no width."""
        n = self.values.size
        total = exact_sum(self.values)
        squares = 0.0
        if n:
            deviations = self.values - total / n
            deviations *= deviations
            squares = exact_sum(deviations)
        whole = normal_mean(total, squares, n)
        # Written so that NaN (no interval) stays NaN: max and min would replace it.
        low = self.within[0] if whole.low < self.within[0] else whole.low
        high = self.within[1] if whole.high > self.within[1] else whole.high
        return Interval(estimate=whole.estimate, low=low, high=high, n=n)

    def minus(self, other: Mean) -> Interval:
        """Mean of the per-patient differences, self minus other, with a normal interval."""
        return Mean(values=self.values - other.values).interval()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Median:
    """Median of measured levels, of which some are known only to be below a limit.

    Parameters
    ----------
    values
        (patient,) levels; ignored where `below`.
    below
        (patient,) True where the level is below the limit of quantification.
    limit
        That limit, in the unit of `values`.
    """

    values: FloatArray
    below: BoolArray
    limit: float

    def _ranked(self) -> FloatArray:
        return np.where(self.below, -np.inf, self.values)

    def interval(self) -> Interval:
        """Median between order statistics [2]_; a level below the limit ranks below every other.

        A median (of an even number: either middle value) below the limit is given as the limit with
        `at_limit`; an end of the interval below it as 0 (lower end) or the limit (upper end), the widest
        range it can mean.
        """
        n = self.values.size
        if n == 0:
            return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=0)
        ranks = median_ranks(n)
        middle = ((n - 1) // 2, n // 2)
        wanted = sorted({*middle, *((ranks[0] - 1, ranks[1] - 1) if ranks else ())})
        ordered = np.partition(self._ranked(), wanted)
        estimate, at_limit = self._middle(ordered[middle[0]], ordered[middle[1]])
        low, high = (float(ordered[r - 1]) for r in ranks) if ranks else (math.nan, math.nan)
        return Interval(
            estimate=estimate, low=0.0 if low == -math.inf else low,
            high=self.limit if high == -math.inf else high, n=n, at_limit=at_limit,
        )  # fmt: skip

    def _middle(self, lower: float, upper: float) -> tuple[float, bool]:
        if lower == -math.inf:
            return self.limit, True
        # lower + half the gap, not half the sum: two equal values then give exactly that value.
        return float(lower + (upper - lower) / 2), False

    def _linearised(self) -> tuple[float, bool, float, NDArray[np.int8]]:
        """Median, whether at the limit, half its sparsity, and each patient's side of it (-1, 0, 1).

        The influence function of a median is sign(x - median) / (2 f(median)) [3]_. The sparsity 1/f is the
        distance of two quantiles around the middle over their difference in probability, with the
        bandwidth of [4]_. Levels below the limit stand at the limit, so a median well inside them has
        sparsity 0: it is the limit whatever the sample.
        """
        n = self.values.size
        levels = np.where(self.below, self.limit, self.values)
        bandwidth = min((Z95**2 * 1.5 / (2 * math.pi) / n) ** (1 / 3), 0.45)
        ends = (int((0.5 - bandwidth) * (n - 1)), math.ceil((0.5 + bandwidth) * (n - 1)))
        middle = ((n - 1) // 2, n // 2)
        ordered = np.partition(levels, sorted({*ends, *middle}))
        below = int(np.count_nonzero(self.below)) > middle[0]
        median, at_limit = self._middle(-math.inf if below else ordered[middle[0]], ordered[middle[1]])
        gap = max((ends[1] - ends[0]) / n, 1 / n)
        half_sparsity = float(ordered[ends[1]] - ordered[ends[0]]) / gap / 2
        return median, at_limit, half_sparsity, np.sign(levels - median).astype(np.int8)

    def minus(self, other: Median) -> Interval:
        """Paired difference of the two medians, self minus other, from their influence functions [3]_.

        Not the median of the differences: it is what two median curves in a figure are apart. Levels below
        the limit stand at the limit; `at_limit` if either median is there.
        """
        n = self.values.size
        if n < 2:
            return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=n)
        median1, limit1, scale1, side1 = self._linearised()
        median2, limit2, scale2, side2 = other._linearised()
        counts = np.bincount(3 * (side1 + 1) + (side2 + 1), minlength=9).tolist()
        terms = (scale1 * (cell // 3 - 1) - scale2 * (cell % 3 - 1) for cell in range(9))
        _, squares = _weighted_mean(zip(terms, counts, strict=True), n)
        half = Z95 * math.sqrt(squares / (n - 1) / n)
        difference = median1 - median2
        return Interval(
            estimate=difference, low=difference - half, high=difference + half, n=n, at_limit=limit1 or limit2
        )
