"""Maximum a posteriori estimation: the most probable parameters given levels and population."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError, KernelError
from pkmodel.estimation import judgement
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.estimate import Estimate, Estimates, Mode
from pkmodel.kernels import records as at
from pkmodel.record import PatientRecord
from pkmodel.structure import COLUMN

Floats = NDArray[np.float64]

_STARTS = 7
_NEAR, _FAR = 2.0, 4.0  # prior standard deviations
_SERIAL_BELOW = 16  # patients; below it starting threads costs more than it saves
_SAME_MODE = 1e-3  # prior standard deviations


def fit(
    model: PopulationModel, record: PatientRecord, *, starts: int | None = None, warm: Floats | None = None
) -> Estimate:
    """The most probable parameters of one patient (MAP), with a Laplace covariance and words of caution.

    Parameters
    ----------
    model
        The population; its omega and residual error must be there.
    record
        Doses, levels and covariates. Without levels the answer is the population itself, and says so.
    starts
        Starting points: the prior mode, then up to four for each parameter that varies. None is seven of them, or
        all; one is enough with ``warm``.
    warm
        ``z`` of the same patient's last estimate, in place of the prior mode.

    Raises
    ------
    InputError
        If the model has no variability or no residual error, or the record does not fit it.

    Notes
    -----
    The objective is in :class:`Estimate`; method and sources in :mod:`pkmodel.kernels.estimate`.
    """
    plan = Plan.of(record)
    b = compile_plans(model, [plan])
    found = _run(model, b, starts, None if warm is None else [warm], threads=1)
    best = found.z[0]
    covariance = found.covariance[0]
    d = len(model.eta_parameters)
    predictions = predicted(b, best[None, :])[0]
    values, lloqs = np.array(plan.values), np.array(plan.lloqs)
    residuals = (values - predictions) / model.residual.sd(predictions)
    eta_covariance = b.chol @ covariance[:d, :d] @ b.chol.T
    modes = _modes(found.starts, found.start_objectives[:, 0], found.objective[0], best, b.chol)
    check = judgement.check(model, b, best, covariance, values, lloqs)
    shrinkage = {name: float(eta_covariance[i, i] / model.omega[i, i]) for i, name in enumerate(model.eta_parameters)}
    return Estimate(
        model=model,
        record=record,
        z=best,
        eta=b.chol @ best[:d],
        occasion_days=plan.informed_occasions if b.iov_sd.size else (),
        kappa=best[d:].reshape(-1, b.iov_sd.size) * b.iov_sd if b.iov_sd.size else np.zeros((0, 0)),
        parameters=_parameters(model, b, best),
        covariance=covariance,
        eta_covariance=eta_covariance,
        objective=float(found.objective[0]),
        log_marginal=_log_marginal(float(found.objective[0]), covariance, values),
        predictions=predictions,
        weighted_residuals=residuals,
        shrinkage=shrinkage,
        check=check,
        modes=modes,
        warnings=judgement.warnings(model, record, modes, shrinkage, check, residuals),
    )


def fit_many(
    model: PopulationModel,
    records: Sequence[PatientRecord],
    *,
    starts: int | None = None,
    warm: Sequence[Floats] | None = None,
    threads: int | None = None,
) -> Estimates:
    """MAP estimates of many patients, bit for bit those of :func:`fit`.

    Parameters
    ----------
    starts, warm
        As in :func:`fit`; ``warm`` has one array per patient.
    threads
        1 for the calling thread alone.

    Raises
    ------
    InputError
        As :func:`fit`.
    """
    return fit_compiled(model, compile_plans(model, [Plan.of(r) for r in records]), starts=starts, warm=warm,
                        threads=threads)  # fmt: skip


def fit_compiled(
    model: PopulationModel,
    b: at.Records,
    *,
    starts: int | None = None,
    warm: Sequence[Floats] | None = None,
    threads: int | None = None,
) -> Estimates:
    """As :func:`fit_many` for records that are already arrays (policies in a trial build them directly)."""
    return _run(model, b, starts, warm, threads)


def predicted(b: at.Records, draws: Floats, patient: int = 0) -> Floats:
    """(draw, sample) predictions in mg/L for random effects (draw, z) of one patient."""
    from pkmodel.kernels.prediction import predict

    out = np.empty((draws.shape[0], int(b.level_offsets[patient + 1] - b.level_offsets[patient])))
    predict(b, patient, np.ascontiguousarray(draws), out)
    return out


def starting_points(omega: Floats, starts: int) -> tuple[Floats, NDArray[np.int64]]:
    """Points (start, eta) to search from, and the random effect that each holds fixed at first.

    The first is the prior mode. The second and third put the parameter that varies most two prior standard deviations
    low and high, let the rest settle, and only then let go of it: two minima mostly differ in what the population
    knows least about (a small peripheral volume that exchanges quickly, or a large one that does so slowly), and a
    search that starts from such a point without holding it falls back to the nearer one. The fourth and fifth do the
    same with the parameter that varies least, four standard deviations away: where a level contradicts the rest, a
    third minimum pays for it with a central volume that the population hardly allows. The sixth and seventh are the
    parameter that varies second most, two away; then the others, and all but the least four away. Measured by
    ``pytest -m slow tests/test_estimation.py -k ten_thousand``.
    """
    between = omega.shape[0]
    points, held = np.zeros((starts, between)), np.full(starts, -1)
    widest = np.argsort(-np.diag(omega), kind="stable")
    order = [(widest[0], _NEAR), (widest[-1], _FAR)]
    order += [(one, _NEAR) for one in widest[1:]] + [(one, _FAR) for one in widest[:-1]]
    for number in range(1, starts):
        held[number], away = order[(number - 1) // 2]
        points[number, held[number]] = -away if number % 2 else away
    return points, held


def _run(
    model: PopulationModel, b: at.Records, starts: int | None, warm: Sequence[Floats] | None, threads: int | None
) -> Estimates:
    from pkmodel.kernels import estimate as kernel

    _refuse(model, starts)
    starts = min(_STARTS, _most_starts(model)) if starts is None else starts
    n = b.z_offsets.size - 1
    sizes = np.diff(b.z_offsets)
    z = np.zeros((starts, int(b.z_offsets[-1])))
    between = len(model.eta_parameters)
    points, held = starting_points(model.omega, starts)
    z[:, b.z_offsets[:-1, None] + np.arange(between)] = points[:, None, :]
    if warm is not None:
        for patient in range(n):
            known = warm[patient][: sizes[patient]]
            z[0, b.z_offsets[patient] : b.z_offsets[patient] + known.size] = known
    objectives, status = np.empty((starts, n)), np.empty(n, np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes**2)])
    curvature = np.empty(int(offsets[-1]))
    run = kernel.fit_serial if threads == 1 or n < _SERIAL_BELOW else kernel.fit_parallel
    run(b, z, held, objectives, status, curvature, offsets)
    if (status != kernel.CONVERGED).any():
        bad = int(np.flatnonzero(status != kernel.CONVERGED)[0])
        why = {
            kernel.TOO_MANY_STEPS: "the search did not end",
            kernel.NO_PREDICTION: "a level has no probability under the model",
        }
        raise KernelError(
            f"{int((status != kernel.CONVERGED).sum())} of {n} patients could not be estimated with {model.name}: "
            f"{why[int(status[bad])]} (first: patient {bad}); check doses, days and units of the levels"
        )
    hessians = [
        curvature[offsets[i] : offsets[i + 1]].reshape(sizes[i], sizes[i]) for i in range(n)
    ]  # fmt: skip
    best = [z[0, b.z_offsets[i] : b.z_offsets[i + 1]] for i in range(n)]
    return Estimates(
        eta=np.array([b.chol @ one[:between] for one in best]).reshape(n, between),
        objective=objectives[0],
        z=best,
        covariance=[np.asarray(2.0 * np.linalg.inv(one), dtype=np.float64) for one in hessians],
        starts=z,
        start_objectives=objectives,
    )


def _most_starts(model: PopulationModel) -> int:
    return 1 + 4 * len(model.eta_parameters)  # near and far, low and high


def _refuse(model: PopulationModel, starts: int | None) -> None:
    if not model.eta_parameters:
        raise InputError.one(
            f"{model.name} has no variability between patients", "there is nothing to estimate", key="omega"
        )
    if starts is not None and not 1 <= starts <= _most_starts(model):
        raise InputError.one(f"{starts} starts", f"give 1 to {_most_starts(model)}", key="starts")
    if model.residual.proportional == 0.0 and model.residual.additive == 0.0:
        raise InputError.one(
            f"{model.name} has no residual error", "levels cannot be weighed; give it one", key="residual"
        )


def _parameters(model: PopulationModel, b: at.Records, z: Floats) -> dict[str, float]:
    """Individual parameters at the end of the only patient's record."""
    d = b.eta_columns.size
    theta = b.typical[-1].copy()
    theta[b.eta_columns] *= np.exp(b.chol @ z[:d])
    if z.size > d:
        theta[b.iov_columns] *= np.exp(b.iov_sd * z[-b.iov_sd.size :])
    return {name: float(theta[COLUMN[name]]) for name in model.structure.parameters}


def _modes(starts: Floats, objectives: Floats, best_objective: float, best: Floats, chol: Floats) -> tuple[Mode, ...]:
    """Distinct minima, best first; the search of the others stops within 1e-3 of theirs."""
    kept = [(best_objective, best)]
    for number in range(1, starts.shape[0]):
        if all(np.abs(starts[number] - z).max(initial=0.0) > 100 * _SAME_MODE for _, z in kept):
            kept.append((float(objectives[number]), starts[number]))
    kept.sort(key=lambda pair: pair[0])
    d = chol.shape[0]
    return tuple(Mode(objective=float(value), z=z, eta=chol @ z[:d]) for value, z in kept)


def _log_marginal(objective: float, covariance: Floats, values: Floats) -> float:
    """Laplace approximation of ln p(levels): the integral of exp(-S/2) over a standard normal prior.

    -S/2 - (quantified levels) ln(2 pi)/2 is ln p(y, z) without the prior's constant; the Gaussian integral
    contributes (2 pi)^(d/2) |covariance|^(1/2), whose (2 pi)^(d/2) cancels that constant.
    """
    quantified = int(np.isfinite(values).sum())
    _, log_det = np.linalg.slogdet(covariance)
    return -0.5 * objective - 0.5 * quantified * math.log(2.0 * math.pi) + 0.5 * float(log_det)
