"""Times to an event: Kaplan-Meier curves and the log-rank test (SciPy), hazard ratios (statsmodels, an extra)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import PkError
from scenarios.intervals import Z95, BoolArray, FloatArray, Interval

if TYPE_CHECKING:
    import pandas as pd

INSTALL = 'python -m pip install "pkmodel[trials]"'


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Times:
    """Time to an event or to the end of being watched.

    Parameters
    ----------
    ids
        (patient,) who; the same id in two arms is the same patient.
    weeks
        (patient,) weeks to the event, or to the last look without one.
    event
        (patient,) whether there was one.
    """

    ids: NDArray[np.int64]
    weeks: FloatArray
    event: BoolArray

    def take(self, rows: NDArray[np.int64]) -> Times:
        """Some of the patients."""
        return Times(ids=self.ids[rows], weeks=self.weeks[rows], event=self.event[rows])


def kaplan_meier(times: Times) -> pd.DataFrame:
    """Kaplan-Meier estimate with 95 % intervals: columns week, survival, low, high, at_risk; one row per event time.

    Notes
    -----
    `scipy.stats.ecdf` with right-censored data; Greenwood's variance, interval on the log(-log) scale, which stays
    within 0 and 1. Where that interval does not exist (nobody left, or no variance yet) both ends are NaN.
    """
    import pandas as pd
    from scipy.stats import ecdf

    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "undefined at some observations" is the NaN promised above
        curve = ecdf(_censored(times)).sf
        ends = curve.confidence_interval(method="log-log")
    at = np.isin(curve.quantiles, times.weeks[times.event])
    weeks = curve.quantiles[at]
    return pd.DataFrame(
        {
            "week": weeks,
            "survival": curve.probabilities[at],
            "low": ends.low.probabilities[at],
            "high": ends.high.probabilities[at],
            "at_risk": [int(np.count_nonzero(times.weeks >= week)) for week in weeks],
        }
    )


def log_rank(one: Times, other: Times) -> float:
    """Two-sided p of the log-rank test of two groups of different patients, by `scipy.stats.logrank`.

    1 where nobody had an event: there is nothing to tell the groups apart.
    """
    from scipy.stats import logrank

    if not (one.event.any() or other.event.any()):
        return 1.0
    return float(logrank(_censored(one), _censored(other)).pvalue)


def _censored(times: Times) -> Any:
    from scipy.stats import CensoredData

    return CensoredData(uncensored=times.weeks[times.event], right=times.weeks[~times.event])


def hazard_ratio(one: Times, other: Times) -> Interval:
    """Hazard ratio of ``one`` against ``other`` with its 95 % interval: Cox's model, ties after Efron.

    Times are counted in whole days, as a clinic would. The standard error is robust and clustered by patient: the two
    arms of a paired run hold the same patients, and with different patients it is the usual robust one.

    Raises
    ------
    PkError
        If statsmodels is not installed; with the command that installs it.
    """
    try:
        from statsmodels.duration.hazard_regression import PHReg
    except ImportError:
        raise PkError(f"hazard ratios need statsmodels: {INSTALL}") from None
    n = one.weeks.size + other.weeks.size
    if not (one.event.any() and other.event.any()):
        return Interval(estimate=math.nan, low=math.nan, high=math.nan, n=n)
    weeks, event, ids = (np.concatenate([getattr(one, k), getattr(other, k)]) for k in ("weeks", "event", "ids"))
    arm = np.repeat([1.0, 0.0], [one.weeks.size, other.weeks.size])
    # who left before the first event is in no risk set; with such patients statsmodels' robust error is NaN
    rows = weeks >= weeks[event].min()
    days = np.ceil(7.0 * weeks[rows])  # fewer distinct times: statsmodels' work grows with their number times patients
    model = PHReg(days, arm[rows, None], status=event[rows].astype(np.float64), ties="efron")
    fit = model.fit(groups=ids[rows])
    log_ratio, error = float(fit.params[0]), float(fit.bse[0])
    estimate, low, high = (math.exp(log_ratio + sign * Z95 * error) for sign in (0.0, -1.0, 1.0))
    return Interval(estimate=estimate, low=low, high=high, n=n)
