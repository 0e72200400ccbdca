"""Many patients of a trial at once, from arrays: the road of policies that estimate at every visit.

:func:`pkmodel.estimation.fit` and its relatives take records, check them, polish the answer and judge it. Here nothing
is checked that a simulation cannot get wrong, and patients are rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError, KernelError
from pkmodel.estimation.design import model_arrays
from pkmodel.kernels import records as at
from pkmodel.regimen import resolve_route

Floats = NDArray[np.float64]

_SERIAL_BELOW = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """Doses of many patients.

    Attributes
    ----------
    days, milligrams
        (patient, dose), in order of time, the first for every patient on day 0; NaN where a patient has fewer.
    duration
        Length of every infusion in days; 0 is a bolus.
    route
        "iv" or "sc"; None takes the model's own.
    """

    days: Floats
    milligrams: Floats
    duration: float
    route: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelEstimate:
    """MAP of many patients.

    Attributes
    ----------
    z
        (patient, z) random effects as independent standard normals.
    covariance
        (patient, z, z) inverse of the Fisher information.
    objective
        (patient,) S at the minimum: -2 ln of levels and random effects, without constants.
    """

    z: Floats
    covariance: Floats
    objective: Floats

    @property
    def log_marginal(self) -> Floats:
        """(patient,) Laplace approximation of the logarithm of the levels' likelihood, up to a constant of the levels.

        That is what weighs several models of one patient (:func:`pkmodel.estimation.average`).
        """
        return np.asarray(-0.5 * self.objective + 0.5 * np.linalg.slogdet(self.covariance)[1])


def follow(
    model: PopulationModel,
    typical: Floats,
    given: Given,
    days: Floats,
    levels: Floats,
    lloq: float,
    *,
    warm: Floats | None = None,
    threads: int | None = None,
) -> PanelEstimate:
    """MAP of every patient from all levels so far.

    Parameters
    ----------
    typical
        (patient, parameter) of :meth:`PopulationModel.typical_parameters`; constant in time.
    given
        Doses so far; a dose on the day of a level is given after it.
    days, levels
        (patient, level), in order of time; a level that is NaN is below ``lloq`` (mg/L), a day that is NaN is none.
    warm
        (patient, fewer z) of the visit before; new occasions begin at 0.

    Raises
    ------
    InputError
        If a patient's doses do not begin on day 0.
    KernelError
        If a patient cannot be estimated.

    Notes
    -----
    Every patient carries random effects for the most occasions that any patient's levels inform.
    """
    from pkmodel.kernels import estimate as codes
    from pkmodel.kernels import follow as kernel

    blocks = _informed(given, days)
    b = compile_panel(model, typical, given, days, levels, lloq, occasions=blocks)
    n = typical.shape[0]
    d = b.eta_columns.size + blocks * b.iov_columns.size
    z, covariance, objective, status = np.zeros((n, d)), np.empty((n, d, d)), np.empty(n), np.empty(n, np.int64)
    if warm is not None:
        z[:, : warm.shape[1]] = warm[:, :d]
    run = kernel.follow_serial if threads == 1 or n < _SERIAL_BELOW else kernel.follow_parallel
    run(b, z, covariance, objective, status)
    if (status != codes.CONVERGED).any():
        raise KernelError(f"{int((status != codes.CONVERGED).sum())} of {n} patients could not be estimated")
    return PanelEstimate(z=z, covariance=covariance, objective=objective)


def foresee(
    model: PopulationModel, typical: Floats, given: Given, days: Floats, z: Floats, *, threads: int | None = None
) -> Floats:
    """Levels (patient, draw, time) that random effects (patient, draw, z) predict on ``days`` (patient, time).

    Parameters
    ----------
    given
        Past and planned doses. Occasions beyond those in ``z`` are at their typical value.
    """
    from pkmodel.kernels import follow as kernel

    missing = np.full_like(days, np.nan)
    b = compile_panel(model, typical, given, days, missing, np.nan, occasions=0)
    out = np.empty((*z.shape[:2], days.shape[1]))
    run = kernel.predict_serial if threads == 1 or z.shape[0] < _SERIAL_BELOW else kernel.predict_parallel
    run(b, np.ascontiguousarray(z), out)
    return out


def compile_panel(
    model: PopulationModel, typical: Floats, given: Given, days: Floats, levels: Floats, lloq: float, *, occasions: int
) -> at.Records:
    """The panel as flat arrays; ``occasions`` blocks of random effects for each patient."""
    n = typical.shape[0]
    if given.days.shape != given.milligrams.shape or given.days.shape[0] != n or (given.days[:, 0] != 0.0).any():
        problem = f"doses {given.days.shape} and {given.milligrams.shape} for {n} patients"
        raise InputError.one(problem, "give every patient a row that begins on day 0", key="doses")
    parts = [_entries(np.zeros((n, 1)), at.EPOCH, np.arange(n, dtype=np.float64)[:, None])]
    parts.append(_entries(days, at.SAMPLE, np.zeros_like(days)))
    depots = [_entries(np.full((n, 1), np.nan), at.BOLUS, np.zeros((n, 1)))]
    arrays = model_arrays(model)
    if arrays["iov_sd"].size:
        parts.append(_entries(given.days[:, 1:], at.OCCASION, np.zeros_like(given.days[:, 1:])))
    if resolve_route(given.route, model.structure, model=model.name) == "sc":
        depots = [_entries(given.days, at.BOLUS, given.milligrams)]
    elif given.duration > 0.0:
        rate = given.milligrams / given.duration
        parts += [_entries(given.days, at.INFUSION, rate)]
        parts += [_entries(given.days + given.duration, at.INFUSION_END, rate)]
    else:
        parts.append(_entries(given.days, at.BOLUS, given.milligrams))
    entries, depot = _sorted(parts), _sorted(depots)
    known = np.isfinite(days)
    values = levels[known]
    d = arrays["eta_columns"].size + occasions * arrays["iov_columns"].size
    return at.Records(
        entry_offsets=np.searchsorted(entries[0], np.arange(n + 1)),
        time=entries[1], kind=entries[2].astype(np.int64), value=entries[3],
        depot_offsets=np.searchsorted(depot[0], np.arange(n + 1)), depot_time=depot[1], depot_amount=depot[3],
        typical=np.ascontiguousarray(typical),
        level_offsets=np.concatenate([[0], np.cumsum(known.sum(axis=1))]),
        level=np.ascontiguousarray(values), lloq=np.where(np.isnan(values), lloq, np.nan),
        z_offsets=d * np.arange(n + 1), **arrays,
    )  # fmt: skip


def _informed(given: Given, days: Floats) -> int:
    """Most occasions that begin before a patient's last level."""
    last = np.max(np.where(np.isfinite(days), days, -np.inf), axis=1, initial=-np.inf)
    return int((given.days < last[:, None]).sum(axis=1).max(initial=0))


def _entries(days: Floats, kind: int, values: Floats) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """(patient, day, kind, value) of all finite days."""
    known = np.isfinite(days)
    patient = np.nonzero(known)[0]
    return patient, days[known], np.full(patient.size, float(kind)), values[known]


def _sorted(
    parts: list[tuple[NDArray[np.int64], Floats, Floats, Floats]],
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    patient, day, kind, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((kind, day, patient))
    return patient[order], day[order], kind[order], value[order]
