"""Normalised prediction distribution errors (NPDE).

References
----------
.. [1] Brendel K et al. Pharm Res 2006;23:2036-49. doi:10.1007/s11095-006-9067-5
.. [2] Comets E et al. Comput Methods Programs Biomed 2008;90:154-66. doi:10.1016/j.cmpb.2007.12.002 (decorrelation)
.. [3] Nguyen THT et al. J Pharmacokinet Pharmacodyn 2012;39:499-518. doi:10.1007/s10928-012-9264-2 (levels below LLOQ)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pkmodel.diagnostics.replicates import Replicates, residuals
from pkmodel.draws import Draws, moment
from pkmodel.errors import InputError, PkWarning

Floats = NDArray[np.float64]

_IMPUTED = 2**31  # replicates of the stream from here on: draws below a limit, not residuals


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Npde:
    """Normalised prediction distribution errors: standard normal and independent if the model is right [1]_.

    Attributes
    ----------
    value
        (level,) NPDE.
    patient, time, typical
        (level,) for plots.
    imputed
        (level,) True where a level below its limit was replaced by a draw below it [3]_.
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
            f"NPDE of {self.name}: n {self.value.size:,}, mean {self.value.mean():+.3f}, "
            f"variance {self.value.var(ddof=1):.3f} (0 and 1 if the model is right)\n"
            f"p values: mean {p['mean']:.2g}, variance {p['variance']:.2g}, distribution {p['normal']:.2g}"
        )

    def to_csv(self, path: str | Path) -> None:
        """Write ID, TIME, PRED, NPDE and whether the level was below its limit."""
        import pandas as pd

        columns = {
            "ID": self.patient,
            "TIME": self.time,
            "PRED": self.typical,
            "NPDE": self.value,
            "BLQ": self.imputed.astype(int),
        }
        pd.DataFrame(columns).to_csv(path, index=False, float_format="%.6g", lineterminator="\n", encoding="utf-8")


def npde(found: Replicates, *, seed: int = 1) -> Npde:
    """Normalised prediction distribution errors.

    Each patient's levels are decorrelated by the Cholesky factor of the replicates' covariance [2]_, then ranked
    among the decorrelated replicates; ranks 0 and K count as half a replicate.

    Levels below their limit, measured and simulated alike, are first replaced by a draw from what the model predicts
    below that limit [3]_.  Treating both alike keeps the errors standard normal if the model is right: a draw for the
    measured ones alone would lack the correlation with the patient's other levels that the replicates have.

    Parameters
    ----------
    found
        From :func:`~pkmodel.diagnostics.simulate_replicates`.
    seed
        Of the draws below the limit.

    Raises
    ------
    InputError
        If a patient has as many levels as there are replicates to estimate their covariance from.
    """
    from scipy.special import ndtri

    count = found.simulated.shape[0]
    observed, simulated = _uncensored(found, seed)
    value = np.empty(found.rows.size)
    for who in np.unique(found.patient):
        mine = np.flatnonzero(found.patient == who)
        if mine.size >= count:
            problem = f"patient {who} has {mine.size} levels, but there are {count} replicates"
            raise InputError.one(problem, "use more", key="replicates")
        copies = simulated[:, mine]
        centre = copies.mean(axis=0)
        root = _root(np.cov(copies, rowvar=False, ddof=1).reshape(mine.size, mine.size), who)
        errors = np.linalg.solve(root, (copies - centre).T)
        share = np.mean(errors < np.linalg.solve(root, observed[mine] - centre)[:, None], axis=1)
        value[mine] = ndtri(np.clip(share, 0.5 / count, 1.0 - 0.5 / count))
    return Npde(
        value=value, patient=found.patient, time=found.time, typical=found.typical, imputed=found.below,
        name=found.model.name,
    )  # fmt: skip


def _uncensored(found: Replicates, seed: int) -> tuple[Floats, Floats]:
    """Measured (level,) and simulated (replicate, level) levels with a draw in the place of what is below a limit."""
    known = ~np.isnan(found.lloq)
    if not known.any():
        return found.observed, found.simulated
    limit = np.where(known, found.lloq, -np.inf)
    ordered = np.sort(found.simulated, axis=0)
    under = np.count_nonzero(ordered < limit, axis=0)  # replicates below the limit, for each level
    columns = np.arange(limit.size)

    def drawn(replicate: int) -> Floats:
        chance = _uniforms(Draws(seed, replicate=replicate), found)
        place = (chance * np.maximum(under, 1)).astype(np.int64)
        return np.asarray(ordered[place, columns])

    observed = np.where(found.below, drawn(_IMPUTED), found.observed)
    simulated = found.simulated.copy()
    for k in range(simulated.shape[0]):
        hidden = simulated[k] < limit
        if hidden.any():
            simulated[k, hidden] = drawn(_IMPUTED + 1 + k)[hidden]
    return observed, simulated


def _uniforms(draws: Draws, found: Replicates) -> Floats:
    """(level,) uniforms, addressed as residuals are."""
    from scipy.special import ndtr

    minutes = np.array([moment(day) for day in found.time.tolist()], np.int64)
    return np.asarray(ndtr(residuals(draws, found.patient, minutes)))


def _root(covariance: Floats, who: int) -> Floats:
    """Cholesky factor; of nearly collinear levels with a hair added, said aloud."""
    try:
        return np.asarray(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        warnings.warn(f"levels of patient {who} are nearly collinear in the model", PkWarning, stacklevel=3)
        size = covariance.shape[0]
        return np.asarray(np.linalg.cholesky(covariance + 1e-9 * np.trace(covariance) / size * np.eye(size)))
