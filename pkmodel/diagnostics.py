"""Does a model fit a table of levels?  Visual predictive checks, and normalised prediction distribution errors.

Both compare the measured levels with many simulated replicates of the same table: same doses, covariates and sampling
times, new patients.

References
----------
.. [1] Bergstrand M et al. AAPS J 2011;13:143-51. doi:10.1208/s12248-011-9255-z (prediction-corrected VPC)
.. [2] Brendel K et al. Pharm Res 2006;23:2036-49. doi:10.1007/s11095-006-9067-5 (NPDE)
.. [3] Comets E et al. Comput Methods Programs Biomed 2008;90:154-66. doi:10.1016/j.cmpb.2007.12.002 (decorrelation)
.. [4] Nguyen THT et al. J Pharmacokinet Pharmacodyn 2012;39:499-518. doi:10.1007/s10928-012-9264-2 (BLQ in NPDE)
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream, moment
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError, PkWarning
from pkmodel.nonmem.simulating import Plan
from pkmodel.nonmem.table import Table

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

PERCENTILES = (0.05, 0.5, 0.95)
_FEWEST = 100  # replicates: below, a 95 % band of a percentile rests on two of them
_BINS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replicates:
    """Measured levels and what the model would have measured.

    Attributes
    ----------
    table, model
        What was simulated by what.
    rows
        (level,) rows of the table with a level to compare.
    patient, time, after_dose
        (level,) ID, day, and days since the last dose (of that patient, additional doses included).
    observed, below, lloq
        (level,) measured level, mg/L (NaN where below its limit); whether it is below; the limit, NaN if unknown.
    typical
        (level,) prediction without random effects, mg/L.
    simulated
        (replicate, level) simulated measurements, mg/L; residual error included, not cut at zero or the limit.
    """

    table: Table
    model: PopulationModel
    rows: NDArray[np.int64]
    patient: NDArray[np.int64]
    time: Floats
    after_dose: Floats
    observed: Floats
    below: NDArray[np.bool_]
    lloq: Floats
    typical: Floats
    simulated: Floats


def simulate_replicates(
    model: PopulationModel,
    table: Table,
    *,
    replicates: int = 500,
    seed: int = 1,
    rules: Mapping[str, str] | None = None,
    progress: Callable[[float], None] | None = None,
    threads: int | None = None,
) -> Replicates:
    """Simulate a table many times over.

    Parameters
    ----------
    replicates
        At least 100; replicate k has the address (seed, k).
    rules
        Covariate to "nocb" (the default), "locf" or "linear".

    Raises
    ------
    InputError
        If the table holds no level, or the model no residual error.
    """
    if replicates < _FEWEST:
        raise InputError.one(f"{replicates} replicates", f"use at least {_FEWEST}", key="replicates")
    samples = table.samples
    chosen = np.flatnonzero(table.used[samples])
    rows = samples[chosen]
    if not rows.size:
        raise InputError.one("there is no level to compare with", "EVID 0 and MDV 0 mark levels", file=table.file)
    if model.residual.proportional == 0.0 and model.residual.additive == 0.0:
        raise InputError.one(f"{model.name} has no residual error", "a check of levels needs one", key="residual")
    plan = Plan.of(table, model, rules)
    index = np.array([moment(day) for day in table.time[rows].tolist()], np.int64)
    simulated = np.empty((replicates, rows.size))
    for k in range(replicates):
        draws = Draws(seed, replicate=k)
        true = plan.levels(draws, plan.etas(draws), threads=threads)[chosen]
        simulated[k] = true + model.residual.sd(true) * residuals(draws, table.patient[rows], index)
        if progress is not None:
            progress((k + 1) / replicates)
    return Replicates(
        table=table,
        model=model,
        rows=rows,
        patient=table.patient[rows],
        time=table.time[rows],
        after_dose=_after_dose(plan, rows),
        observed=table.level[rows],
        below=table.below[rows],
        lloq=table.lloq[rows],
        typical=plan.typical(threads)[chosen],
        simulated=simulated,
    )


def residuals(draws: Draws, patients: NDArray[np.int64], minutes: NDArray[np.int64]) -> Floats:
    """(level,) standard normal residual of each level, addressed by patient and minute.

    Samples of one patient in one minute get the numbers after it: they are different samples.
    """
    order = np.lexsort((minutes, patients))
    keys = np.stack([patients[order], minutes[order]], axis=1)
    again = np.concatenate([[False], np.all(keys[1:] == keys[:-1], axis=1)]) if order.size else np.zeros(0, bool)
    count = np.zeros(order.size, np.int64)
    for place in np.flatnonzero(again).tolist():
        count[place] = count[place - 1] + 1
    nth = np.empty(order.size, np.int64)
    nth[order] = count
    out = np.empty(patients.size)
    address = minutes * 8 + nth
    for one in np.unique(address):
        mine = address == one
        out[mine] = draws.normal(Stream.RESIDUAL, patients[mine], 1, first=int(one))[:, 0]
    return out


def _after_dose(plan: Plan, rows: NDArray[np.int64]) -> Floats:
    """Days since the last dose before each level; since the start where there was none."""
    found = plan.episodes
    owner = found.owner[found.dose_row]
    day = found.dose_time + found.origin[found.dose_row]
    number = plan.table.number[rows]
    since = plan.table.time[rows].copy()
    for who in np.unique(number):
        doses = np.sort(day[owner == who])
        mine = number == who
        place = np.searchsorted(doses, plan.table.time[rows[mine]], side="left") - 1
        has = place >= 0
        since[mine] -= np.where(has, doses[np.maximum(place, 0)] if doses.size else 0.0, 0.0)
    return since


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
        (percentile, bin) 2.5 %, 50 % and 97.5 % of the replicates' percentiles.
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
        """Share of the measured percentiles inside their bands."""
        known = ~np.isnan(self.observed) & ~np.isnan(self.low)
        return float(np.mean(((self.observed >= self.low) & (self.observed <= self.high))[known]))

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
            raise InputError.one("a typical prediction of 0", "levels before the first dose cannot be corrected", key="corrected")
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
        who=f"{found.rows.size:,} levels of {np.unique(found.patient).size:,} patients, {found.simulated.shape[0]:,} replicates",
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Npde:
    """Normalised prediction distribution errors: standard normal and independent if the model is right [2]_.

    Attributes
    ----------
    value
        (level,) NPDE.
    patient, time, typical
        (level,) for plots.
    imputed
        (level,) True where a level below its limit was replaced by a draw below it [4]_.
    name
        Of the model.
    """

    value: Floats
    patient: NDArray[np.int64]
    time: Floats
    typical: Floats
    imputed: NDArray[np.bool_]
    name: str

    def tests(self) -> dict[str, float]:
        """p values: mean 0 (Wilcoxon), variance 1 (chi-square), normal (Kolmogorov-Smirnov against N(0, 1))."""
        from scipy import stats

        n = self.value.size
        squares = float(np.sum((self.value - self.value.mean()) ** 2))
        lower = float(stats.chi2.cdf(squares, n - 1))
        return {
            "mean": float(stats.wilcoxon(self.value).pvalue),
            "variance": 2.0 * min(lower, 1.0 - lower),
            "normal": float(stats.kstest(self.value, "norm").pvalue),
        }

    def text(self) -> str:
        """Mean, variance and tests in two lines."""
        p = self.tests()
        return (
            f"NPDE of {self.name}: n {self.value.size:,}, mean {self.value.mean():+.3f}, variance {self.value.var(ddof=1):.3f}"
            f" (0 and 1 if the model is right)\n"
            f"p values: mean {p['mean']:.2g}, variance {p['variance']:.2g}, distribution {p['normal']:.2g}"
        )

    def to_csv(self, path: str | Path) -> None:
        """Write ID, TIME, PRED, NPDE and whether the level was below its limit."""
        import pandas as pd

        columns = {"ID": self.patient, "TIME": self.time, "PRED": self.typical, "NPDE": self.value, "BLQ": self.imputed.astype(int)}
        pd.DataFrame(columns).to_csv(path, index=False, float_format="%.6g", lineterminator="\n", encoding="utf-8")


def npde(found: Replicates, *, seed: int = 1) -> Npde:
    """Normalised prediction distribution errors.

    Each patient's levels are decorrelated by the Cholesky factor of the replicates' covariance [3]_, then ranked
    among the decorrelated replicates; ranks 0 and K count as half a replicate.  A level below its limit gets a
    uniform rank below the model's probability of that, and the replicate at this rank as its value [4]_.

    Raises
    ------
    InputError
        If a patient has more levels than there are replicates to estimate their covariance from.
    """
    from scipy.special import ndtri

    count = found.simulated.shape[0]
    value = np.empty(found.rows.size)
    draws = Draws(seed, replicate=2**32 - 1)
    chance = residual_uniforms(draws, found)
    for who in np.unique(found.patient):
        mine = np.flatnonzero(found.patient == who)
        if mine.size >= count:
            raise InputError.one(f"patient {who} has {mine.size} levels, but there are {count} replicates", "use more", key="replicates")
        copies = found.simulated[:, mine]
        levels = _imputed(found, mine, copies, chance[mine])
        centre, root = copies.mean(axis=0), _root(np.cov(copies, rowvar=False, ddof=1).reshape(mine.size, mine.size), who)
        errors = np.linalg.solve(root, (copies - centre).T)
        share = np.mean(errors < np.linalg.solve(root, levels - centre)[:, None], axis=1)
        value[mine] = ndtri(np.clip(share, 0.5 / count, 1.0 - 0.5 / count))
    return Npde(
        value=value, patient=found.patient, time=found.time, typical=found.typical, imputed=found.below,
        name=found.model.name,
    )  # fmt: skip


def residual_uniforms(draws: Draws, found: Replicates) -> Floats:
    """(level,) uniforms for levels below their limit, addressed as their residuals."""
    from scipy.special import ndtr

    minutes = np.array([moment(day) for day in found.time.tolist()], np.int64)
    return np.asarray(ndtr(residuals(draws, found.patient, minutes)))


def _imputed(found: Replicates, mine: NDArray[np.intp], copies: Floats, chance: Floats) -> Floats:
    levels = found.observed[mine].copy()
    for k, row in enumerate(mine.tolist()):
        if found.below[row]:
            share = float(np.mean(copies[:, k] < found.lloq[row]))
            ordered = np.sort(copies[:, k])
            levels[k] = ordered[min(int(chance[k] * max(share * ordered.size, 1.0)), ordered.size - 1)]
    return levels


def _root(covariance: Floats, who: int) -> Floats:
    """Cholesky factor; of nearly collinear levels with a hair added, said aloud."""
    try:
        return np.asarray(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        warnings.warn(f"levels of patient {who} are nearly collinear in the model", PkWarning, stacklevel=3)
        size = covariance.shape[0]
        return np.asarray(np.linalg.cholesky(covariance + 1e-9 * np.trace(covariance) / size * np.eye(size)))
