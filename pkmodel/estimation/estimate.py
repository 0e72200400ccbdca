"""What estimation returns: the most probable parameters of a patient, how sure they are, and what is odd."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.record import PatientRecord

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mode:
    """A local minimum of the objective that some start ended in.

    Attributes
    ----------
    objective
        Its objective.
    z, eta
        (z,) and (eta,) where it lies.
    """

    objective: float
    z: Floats
    eta: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """The most probable parameters (MAP) of one patient, with their Laplace approximation.

    Attributes
    ----------
    model, record
        What was fitted to what.
    z
        (z,) all random effects as independent standard normals: between-subject first, then one block per
        occasion. Start the next fit of the same patient from it (``warm``).
    eta
        (eta,) between-subject random effects, columns ``model.eta_parameters``.
    occasion_days, kappa
        (occasion,) first days and (occasion, parameter) between-occasion effects, columns ``model.iov``.
    parameters
        Parameter to value (L/day, L, ...) with the covariates of the record's end and the effects of the last
        occasion that the levels inform.
    covariance
        (z, z) Laplace covariance of ``z``: inverse of half the Hessian of the objective. It tells how sure the
        estimate is; for draws take :func:`pkmodel.estimation.believe`, which corrects the Gaussian that this
        covariance belongs to (lopsided where a level is below its limit).
    eta_covariance
        (eta, eta) the same for ``eta``.
    objective
        Minus twice the log posterior up to a constant: sum over levels of (y - f)^2/g^2 + ln g^2 (for a
        level below its limit: -2 ln Phi((LLOQ - f)/g)), plus eta' omega^-1 eta. g is evaluated at the
        individual prediction f (NONMEM's INTERACTION); n ln 2 pi is left out, as NONMEM does.
    log_marginal
        Laplace approximation of the log probability (density) of the levels under the model, all constants in.
    predictions, weighted_residuals
        (level,) individual predictions in mg/L; (y - f)/g, NaN below the limit.
    shrinkage
        Parameter to the posterior variance of its eta over the prior variance: 0 the levels say all, 1
        they say nothing.
    check
        Names to p values: "prior" (do the levels fit this model and population?), "posterior" (do they fit the
        patient's own curve?).
    modes
        All distinct minima found, best first.
    warnings
        In words.
    """

    model: PopulationModel
    record: PatientRecord
    z: Floats
    eta: Floats
    occasion_days: tuple[float, ...]
    kappa: Floats
    parameters: dict[str, float]
    covariance: Floats
    eta_covariance: Floats
    objective: float
    log_marginal: float
    predictions: Floats
    weighted_residuals: Floats
    shrinkage: dict[str, float]
    check: dict[str, float]
    modes: tuple[Mode, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """MAP estimates of many patients.

    Attributes
    ----------
    eta
        (patient, eta).
    objective
        (patient,).
    z
        One (z,) array per patient (patients may differ in their number of occasions), to warm-start the next
        fit.
    covariance
        One (z, z) Laplace covariance per patient.
    starts, start_objectives
        (start, all z) and (start, patient): where every start ended.
    """

    eta: Floats
    objective: Floats
    z: list[Floats]
    covariance: list[Floats]
    starts: Floats
    start_objectives: Floats
