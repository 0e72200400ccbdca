"""Conditional weighted residuals: levels against the model linearised at each patient's own estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.estimation import Estimate, fit
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.mapfit import predicted
from pkmodel.record import PatientRecord

Floats = NDArray[np.float64]

_STEP = 1e-3  # prior standard deviations; central differences: truncation 1e-7 of f


def cwres(model: PopulationModel, known: PatientRecord | Estimate) -> Floats:
    """Conditional weighted residuals of one patient, standard normal and independent if the model is right.

    Parameters
    ----------
    model
        The population model.
    known
        The patient; an estimate saves the fit.

    Returns
    -------
    (level,)
        NaN for a level below its limit, which has no residual; the others are then those without it.

    Raises
    ------
    InputError
        As :func:`pkmodel.estimation.fit`.

    Notes
    -----
    Hooker AC, Staatz CE, Karlsson MO. Pharm Res 2007;24:2187-97, doi:10.1007/s11095-007-9361-x: with the
    slopes J of the predictions f at the most probable random effects z, ``C^(-1/2) (y - f + J z)`` where
    ``C = J J' + diag(g^2)``; z are standard normal here, so that omega is in J. g is the residual error at f
    (NONMEM's INTERACTION), the root is the symmetric one.
    """
    estimate = known if isinstance(known, Estimate) else fit(model, known)
    b = compile_plans(model, [Plan.of(estimate.record)])
    moved = _STEP * np.eye(estimate.z.size)
    slopes = (predicted(b, estimate.z + moved) - predicted(b, estimate.z - moved)).T / (2.0 * _STEP)
    levels = np.array([np.nan if level.value is None else level.value for level in estimate.record.levels])
    out = np.full(levels.size, np.nan)
    there = np.isfinite(levels)
    if not there.any():
        return out
    f, slopes = estimate.predictions[there], slopes[there]
    covariance = slopes @ slopes.T + np.diag(model.residual.sd(f) ** 2)
    values, vectors = np.linalg.eigh(covariance)
    out[there] = vectors @ ((vectors.T @ (levels[there] - f + slopes @ estimate.z)) / np.sqrt(values))
    return out
