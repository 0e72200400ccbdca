"""Visual predictive check: percentiles of measured levels against those of replicates.

References
----------
.. [1] Bergstrand M et al. AAPS J 2011;13:143-51. doi:10.1208/s12248-011-9255-z (prediction-corrected VPC)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.diagnostics.replicates import Replicates
from pkmodel.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

PERCENTILES = (0.05, 0.5, 0.95)
_BINS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VisualCheck:
    """Percentiles of measured levels by bin, and the 95 % bands of the same percentiles of the replicates.

    Attributes
    ----------
    by
        "visits" or "after-dose".
    corrected
        Whether levels are prediction-corrected [1]_.
    middle, count
        (bin,) median time, number of levels.
    observed
        (percentile, bin) of the measured levels, mg/L; NaN where that percentile is below the limit.
    low, median, high
        (percentile, bin) 2.5 %, 50 % and 97.5 % of the replicates' percentiles; NaN where below the limit.
    blq, blq_low, blq_high
        (bin,) share below the limit: measured, and 95 % of the replicates.
    time, level
        (level,) what was measured (corrected), for the points of a picture; NaN below the limit.
    name, who
        For captions.
    """

    by: str
    corrected: bool
    middle: Floats
    count: NDArray[np.int64]
    observed: Floats
    low: Floats
    median: Floats
    high: Floats
    blq: Floats
    blq_low: Floats
    blq_high: Floats
    time: Floats
    level: Floats
    name: str
    who: str

    def inside(self) -> float:
        """Share of the measured percentiles inside their bands; what is below the limit ranks below everything."""
        observed, low, high = (np.nan_to_num(x, nan=-np.inf) for x in (self.observed, self.low, self.high))
        return float(np.mean((observed >= low) & (observed <= high)))

    def frame(self) -> pd.DataFrame:
        """One row for each bin and percentile."""
        import pandas as pd

        rows = [
            (self.middle[b], int(self.count[b]), p, self.observed[k, b], self.low[k, b], self.median[k, b],
             self.high[k, b], self.blq[b], self.blq_low[b], self.blq_high[b])
            for b in range(self.middle.size)
            for k, p in enumerate(PERCENTILES)
        ]  # fmt: skip
        columns = ["time_d", "n", "percentile", "observed", "low", "median", "high", "blq", "blq_low", "blq_high"]
        return pd.DataFrame(rows, columns=columns)

    def to_csv(self, path: str | Path) -> None:
        """Write the frame, six significant digits."""
        self.frame().to_csv(path, index=False, float_format="%.6g", lineterminator="\n", encoding="utf-8")


def visual_check(found: Replicates, *, by: str = "visits", corrected: bool = False, bins: int = _BINS) -> VisualCheck:
    """Visual predictive check.

    Parameters
    ----------
    by
        "visits" bins by day of the table, "after-dose" by days since the last dose.
    corrected
        Scale each level by the bin's median typical prediction over its own [1]_, with a lower bound of 0.
    bins
        Most bins; few distinct times get a bin each, many are cut at quantiles.

    Notes
    -----
    A level below its limit ranks below every other; a percentile that falls there has no value, and the share below
    the limit is compared instead.  A simulated level is below where the measured one of that sample would have been:
    under the sample's own limit. Corrected levels keep their status.
    """
    if by not in ("visits", "after-dose"):
        raise InputError.one(f"bins by '{by}'", "use 'visits' or 'after-dose'", key="bins")
    time = found.time if by == "visits" else found.after_dose
    edges = _edges(time, bins)
    place = np.searchsorted(edges, time, side="right") - 1
    limit = np.where(np.isnan(found.lloq), -np.inf, found.lloq)
    hidden = found.simulated < limit
    factor = np.ones(time.size)
    numbers = np.unique(place)
    if corrected:
        if np.any(found.typical <= 0.0):
            raise InputError.one(
                "a typical prediction of 0", "levels before the first dose cannot be corrected", key="corrected"
            )
        for b in numbers:
            factor[place == b] = np.median(found.typical[place == b]) / found.typical[place == b]
    levels = np.where(found.below, -np.inf, found.observed * factor)
    copies = np.where(hidden, -np.inf, found.simulated * factor)
    shape = (len(PERCENTILES), numbers.size)
    observed, low, median, high = (np.full(shape, math.nan) for _ in range(4))
    blq = np.zeros((3, numbers.size))
    for column, b in enumerate(numbers):
        mine = place == b
        observed[:, column] = _visible(_percentiles(levels[mine]))
        band = _percentiles(copies[:, mine])
        for to, q in ((low, 0.025), (median, 0.5), (high, 0.975)):
            to[:, column] = _visible(np.quantile(band, q, axis=0, method="inverted_cdf"))
        shares = hidden[:, mine].mean(axis=1)
        blq[:, column] = found.below[mine].mean(), *np.quantile(shares, [0.025, 0.975])
    return VisualCheck(
        by=by, corrected=corrected, middle=np.array([np.median(time[place == b]) for b in numbers]),
        count=np.array([np.count_nonzero(place == b) for b in numbers]), observed=observed, low=low, median=median,
        high=high, blq=blq[0], blq_low=blq[1], blq_high=blq[2], time=time, level=_visible(levels),
        name=found.model.name,
        who=f"{found.rows.size:,} levels of {np.unique(found.patient).size:,} patients, "
        f"{found.simulated.shape[0]:,} replicates",
    )  # fmt: skip


def _percentiles(levels: Floats) -> Floats:
    """Smallest levels that have the shares of ``PERCENTILES`` at or below them, along the last axis."""
    return np.moveaxis(np.quantile(levels, PERCENTILES, axis=-1, method="inverted_cdf"), 0, -1)


def _visible(levels: Floats) -> Floats:
    return np.where(np.isneginf(levels), math.nan, levels)


def _edges(time: Floats, bins: int) -> Floats:
    """Left ends of the bins."""
    distinct = np.unique(time)
    if distinct.size <= bins:
        return distinct
    return np.unique(np.quantile(time, np.linspace(0.0, 1.0, bins + 1)[:-1]))
