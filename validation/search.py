"""The search: simulate a design, fit the surrogate, simulate where it says the posterior lies, and so on.

Every point is simulated with the same patients and random numbers; worker processes only share out the points, so the
number of cores changes the time and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from validation import space, targets
from validation.emulator import PRIOR_BOUND, Emulator, misfit
from validation.population_model import Plain, plain
from validation.trial import Parameters

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to simulate.

    Attributes
    ----------
    patients, design, rounds, batch
        Patients per point; points of the first design; further rounds of ``batch`` points each. The median misfit of a
        round stays where it is from the ninth on.
    fine, fine_rounds, fine_batch
        The same for the rounds with many patients, from which the surrogate is put right.
    mean_of
        Points of the posterior whose mean, settled, is the set that ships.
    samples
        Points drawn from the surrogate's posterior at the end and simulated with ``fine`` patients; those that miss an
        accept range are dropped.
    kept
        How many of those that are left are written at most.
    """

    patients: int = 400
    design: int = 512
    rounds: int = 12
    batch: int = 112
    fine: int = 2000
    fine_rounds: int = 3
    fine_batch: int = 96
    mean_of: int = 4000
    samples: int = 200
    kept: int = 80


QUICK = Effort(
    patients=60, design=48, rounds=1, batch=24, fine=120, fine_rounds=1, fine_batch=6, mean_of=200, samples=8
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The outcome: the set that ships (``best``), its targets, and the accepted points with theirs."""

    best: Floats
    best_values: Floats
    points: Floats
    values: Floats
    evaluated: int
    drawn: int


_CHAINS = 64
_PLAIN: dict[int, Plain] = {}


def _one(task: tuple[tuple[float, ...], int]) -> list[float]:
    import warnings

    point, n = task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if n not in _PLAIN:
            _PLAIN[n] = plain(n, threads=1)
        records = targets.simulate(space.named(np.array(point)), Parameters.shipped(), n, threads=1)
        return [float(value) for value in targets.predictions(records, _PLAIN[n])]


def starting_design(count: int, seed: int) -> Floats:
    """Points (count, parameter) spread evenly over the prior (scrambled Sobol), none beyond 2.5 prior SDs."""
    from scipy.stats import norm, qmc

    sequence = qmc.Sobol(len(space.FREE), scramble=True, rng=np.random.default_rng(seed))
    uniform = sequence.random_base2((count - 1).bit_length())[:count]
    return np.asarray(np.clip(norm.ppf(uniform), -2.5, 2.5))


def search(effort: Effort, seed: int, say: Callable[[str], None] = print, workers: int | None = None) -> Found:
    """Sample the posterior, and take its mean.

    The mode of a flat posterior is found somewhere else after any change of the last digits, the mean of many points of
    it is not. But a mean of many curved directions may fit worse than all it is made of; it is settled on the nearest
    point that fits (:func:`settled`).
    """
    found = targets.targets()
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:

        def simulate(points: Floats, n: int) -> Floats:
            tasks = [(tuple(map(float, point)), n) for point in points]
            return np.array(list(pool.map(_one, tasks, chunksize=4 if n <= effort.patients else 1)))

        points = starting_design(effort.design, seed)
        values = simulate(points, effort.patients)
        say(f"design: {len(points)} points, best misfit {np.nanmin(misfit(values, found)):.1f}")
        for turn in range(effort.rounds):
            emulator = _fit(points, values, found, turn)
            batch = emulator.sample(_nearest(points, values, found), effort.batch, seed + 10 + turn)
            new = simulate(batch, effort.patients)
            points, values = np.concatenate([points, batch]), np.concatenate([values, new])
            say(f"round {turn + 1}: median misfit of the batch {np.nanmedian(misfit(new, found)):.2f}")
        rough = emulator = _fit(points, values, found, effort.rounds)
        start = _nearest(points, values, found)
        fine = np.empty((0, points.shape[1]))
        precise = np.empty((0, len(found)))
        for turn in range(effort.fine_rounds):
            batch = emulator.sample(start, effort.fine_batch, seed + 40 + turn)
            new = simulate(batch, effort.fine)
            fine, precise = np.concatenate([fine, batch]), np.concatenate([precise, new])
            emulator = rough.refined(fine, precise)
            say(f"fine round {turn + 1}: median misfit of the batch {np.nanmedian(misfit(new, found)):.2f}")
        best = settled(emulator, emulator.sample(start, effort.mean_of, seed + 50))
        drawn = emulator.sample(start, effort.samples, seed + 90)
        simulated = simulate(np.concatenate([best[None, :], drawn]), effort.fine)
    best_values, simulated = simulated[0], simulated[1:]
    say(f"mean of the posterior: misfit {misfit(best_values[None, :], found)[0]:.2f}")
    inside = np.all([_within(simulated[:, j], target) for j, target in enumerate(found)], axis=0)
    say(f"{int(inside.sum())} of {len(drawn)} points inside every accept range")
    chosen = np.flatnonzero(inside)[: effort.kept]
    return Found(
        best=best,
        best_values=best_values,
        points=drawn[chosen],
        values=simulated[chosen],
        evaluated=len(points) + len(fine) + len(drawn) + 1,
        drawn=len(drawn),
    )


def settled(emulator: Emulator, sample: Floats) -> Floats:
    """The mean of a sample of the posterior (point, parameter), moved to where the figures are met.

    The least sum of the misfit and of half the squared distance from the mean, in terms of the sample's covariance.
    """
    from scipy.optimize import minimize

    mean = sample.mean(axis=0)
    precision = np.linalg.inv(np.cov(sample.T))

    def cost(point: Floats) -> float:
        away = point - mean
        return float(misfit(emulator.predict(point[None, :]), emulator.found)[0] + 0.5 * away @ precision @ away)

    return np.asarray(minimize(cost, mean, method="L-BFGS-B", bounds=[(-PRIOR_BOUND, PRIOR_BOUND)] * mean.size).x)


def _nearest(points: Floats, values: Floats, found: Sequence[targets.Target]) -> Floats:
    """The simulated points that fit best: where chains start."""
    energy = misfit(values, found) + 0.5 * np.sum(points**2, axis=1)
    order = np.argsort(np.where(np.isfinite(energy), energy, np.inf), kind="stable")
    return points[order[:_CHAINS]]


def _fit(points: Floats, values: Floats, found: Sequence[targets.Target], turn: int) -> Emulator:
    """Points far from the figures count less and less."""
    away = misfit(values, found) + 0.5 * np.sum(points**2, axis=1)
    width = (400.0, 100.0, 40.0, 25.0)[min(turn, 3)]
    usable = np.all(np.isfinite(values), axis=1)
    weights = 1.0 / (1.0 + ((away - away[usable].min()) / width) ** 2)
    return Emulator.fit(points[usable], values[usable], found, weights[usable])


def _within(values: Floats, target: targets.Target) -> NDArray[np.bool_]:
    return np.asarray((values >= target.accept[0]) & (values <= target.accept[1]))
