"""Whether an estimate can be believed: do the levels fit, what did they add, and was there more than one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.kernels import records as at
from pkmodel.record import PatientRecord

if TYPE_CHECKING:
    from pkmodel.estimation.estimate import Mode

Floats = NDArray[np.float64]

P_CONTRADICTION = 0.01
"""Below this p value the levels are said to contradict the model."""

ONLY_PRIOR = 0.9
"""Above this share of prior variance left, the answer is said to be the population's."""

CLOSE_MODES = 2.0
"""Two minima whose objectives differ by less are said to be close: the better one is then less than e times as
probable, at its peak, as the other."""

_OUTLIER = 3.0  # standard deviations of the residual error
_DRAWS = 400


def check(
    model: PopulationModel, b: at.Records, z: Floats, covariance: Floats, values: Floats, lloqs: Floats
) -> dict[str, float]:
    """P values of two predictive checks; NaN without levels.

    "prior"
        Whether the levels fit model and population. The statistic is the sum of squared weighted residuals at
        the MAP plus z'z. Were the prediction linear in z with constant error, this would be the squared
        Mahalanobis distance of the levels from their population mean, chi-square with one degree of freedom
        per level.
    "posterior"
        Whether they fit the patient's own curve: the probability that replicated levels lie farther from it
        than the measured ones, averaged over the posterior (Gelman A, Meng XL, Stern H. Statistica Sinica
        1996;6:733-807). The patient's curve was bent to the levels, so this p is rarely small, and means a lot
        when it is.

    A level below its limit counts as lying at the limit if the prediction is above it, and as a perfect fit if
    not.
    """
    from scipy.special import gammaincc

    from pkmodel.estimation.mapfit import predicted

    n = values.size
    if n == 0:
        return {"prior": float("nan"), "posterior": float("nan")}
    at_map = float((_residuals(model, predicted(b, z[None, :]), values, lloqs) ** 2).sum())
    draws = z + gaussian(covariance, _DRAWS)
    far = (_residuals(model, predicted(b, draws), values, lloqs) ** 2).sum(axis=1)
    return {
        "prior": float(gammaincc(0.5 * n, 0.5 * (at_map + float(z @ z)))),
        "posterior": float(np.mean(gammaincc(0.5 * n, 0.5 * far))),
    }


def gaussian(covariance: Floats, draws: int) -> Floats:
    """(draw, z) normal variates of this covariance, always the same ones: a check must not depend on luck."""
    from pkmodel.draws import Draws, Stream

    d = covariance.shape[0]
    normals = Draws(0).normal(Stream.POSTERIOR, np.arange(draws), d)
    return np.asarray(normals @ np.linalg.cholesky(covariance).T)


def _residuals(model: PopulationModel, predictions: Floats, values: Floats, lloqs: Floats) -> Floats:
    """Weighted residuals (draw, level)."""
    blq = np.isnan(values)
    target = np.where(blq, np.minimum(predictions, lloqs), values)
    return np.asarray((target - predictions) / model.residual.sd(predictions))


def warnings(
    model: PopulationModel,
    record: PatientRecord,
    modes: Sequence[Mode],
    shrinkage: Mapping[str, float],
    p: Mapping[str, float],
    residuals: Floats,
) -> tuple[str, ...]:
    """What a careful reader should know, in words."""
    if not record.levels:
        return (f"no levels: the estimate is the typical patient of {model.name} with these covariates",)
    said = []
    if p["prior"] < P_CONTRADICTION:
        said.append(
            f"the levels contradict {model.name}: levels this far from what it expects of its population have "
            f"p = {p['prior']:.2g}; check doses, days and units, or try another model"
        )
    if p["posterior"] < P_CONTRADICTION:
        said.append(
            f"no parameters of {model.name} come near all levels (posterior predictive p = {p['posterior']:.2g}): "
            "something changed between them, or one is wrong"
        )
    for level, residual in zip(record.levels, residuals, strict=True):
        if abs(residual) > _OUTLIER:
            said.append(f"the level of day {level.day:g} ({level.value:g} mg/L) lies {residual:+.1f} SD from the curve")
    left = [name for name, share in shrinkage.items() if share > ONLY_PRIOR]
    if len(left) == len(shrinkage):
        said.append(
            "the levels say almost nothing about this patient: more than "
            f"{ONLY_PRIOR:.0%} of the population's variance is left in every parameter; the answer is the prior"
        )
    elif left:
        said.append(f"{', '.join(left)}: the answer is the population's, the levels say almost nothing about it")
    if len(modes) > 1 and modes[1].objective - modes[0].objective < CLOSE_MODES:
        said.append(
            f"two answers explain the levels almost equally well (objectives {modes[0].objective:.2f} and "
            f"{modes[1].objective:.2f}): sample the posterior instead of trusting one of them"
        )
    outside = model.outside_domain({name: np.array([value]) for name, value in record.covariates.items()})
    if outside:
        said.append(f"outside what {model.name} was built on: {', '.join(sorted(outside))}")
    return tuple(said)
