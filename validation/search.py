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
from validation.emulator import Emulator, misfit
from validation.trial import Parameters

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to simulate.

    Attributes
    ----------
    patients, design, rounds, batch
        Patients per point; points of the first design; further rounds of ``batch`` points each.
    accurate
        Patients of the few runs that tie the surrogate to large numbers.
    mean_of
        Points of the posterior whose mean is the set that ships.
    samples, checked
        Points drawn from the surrogate's posterior at the end, and patients of their runs; those that miss an accept
        range are dropped.
    kept
        How many of the others are written at most, chosen by how much more likely the run is than the surrogate said.
    """

    patients: int = 400
    design: int = 512
    rounds: int = 7
    batch: int = 112
    accurate: int = 3000
    mean_of: int = 4000
    samples: int = 320
    checked: int = 1200
    kept: int = 40


QUICK = Effort(patients=60, design=48, rounds=1, batch=24, accurate=120, mean_of=200, samples=8, checked=60)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The outcome: the set that ships (``best``), its targets, and the accepted points with theirs."""

    best: Floats
    best_values: Floats
    points: Floats
    values: Floats
    evaluated: int
    drawn: int
    residual: Floats


_TIES = 2  # times the surrogate is tied to an accurate run at the mean of its own posterior
_CHAINS = 64
_PLAIN: dict[int, object] = {}


def _one(task: tuple[tuple[float, ...], int]) -> list[float]:
    import warnings

    point, n = task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if n not in _PLAIN:
            _PLAIN[n] = targets.plain(n, threads=1)
        records = targets.simulate(space.named(np.array(point)), Parameters.shipped(), n, threads=1)
        return [float(value) for value in targets.predictions(records, _PLAIN[n])]  # type: ignore[arg-type]


def starting_design(count: int, seed: int) -> Floats:
    """Points (count, parameter) spread evenly over the prior (scrambled Sobol), none beyond 2.5 prior SDs."""
    from scipy.stats import norm, qmc

    sequence = qmc.Sobol(len(space.FREE), scramble=True, rng=np.random.default_rng(seed))
    uniform = sequence.random_base2((count - 1).bit_length())[:count]
    return np.asarray(np.clip(norm.ppf(uniform), -2.5, 2.5))


def search(effort: Effort, seed: int, say: Callable[[str], None] = print, workers: int | None = None) -> Found:
    """Sample the posterior, and take its mean.

    No optimiser: the mode of a flat posterior is found somewhere else after any change of the last digits, the mean
    of many points of it is not.
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
        emulator = _fit(points, values, found, effort.rounds)
        start = _nearest(points, values, found)
        best = emulator.sample(start, effort.mean_of, seed + 50).mean(axis=0)
        for turn in range(_TIES):
            emulator = emulator.shifted(best, simulate(best[None, :], effort.accurate)[0])
            best = emulator.sample(start, effort.mean_of, seed + 60 + turn).mean(axis=0)
        best_values = simulate(best[None, :], effort.accurate)[0]
        say(f"mean of the posterior: misfit {misfit(best_values[None, :], found)[0]:.2f}")
        # a run of few patients is put right by how far it is from the large one at the same point
        offset = simulate(best[None, :], effort.checked)[0] - best_values
        drawn = emulator.sample(start, effort.samples, seed + 90)
        simulated = simulate(drawn, effort.checked) - offset
    inside = np.all([_within(simulated[:, j], target) for j, target in enumerate(found)], axis=0)
    more_likely = misfit(emulator.predict(drawn), found) - misfit(simulated, found)
    weights = np.where(inside, np.exp(more_likely - more_likely[inside].max(initial=-np.inf)), 0.0)
    effective = float(weights.sum() ** 2 / np.maximum((weights**2).sum(), 1e-300))
    say(f"{int(inside.sum())} of {len(drawn)} points inside every accept range, worth {effective:.0f}")
    chosen = drawn_by_weight(weights, effort.kept, seed + 95)
    return Found(
        best=best,
        best_values=best_values,
        points=drawn[chosen],
        values=simulated[chosen],
        evaluated=len(points) + len(drawn) + _TIES + 2,
        drawn=len(drawn),
        residual=emulator.residual,
    )


def drawn_by_weight(weights: Floats, count: int, seed: int) -> NDArray[np.int64]:
    """Rows drawn without replacement with probabilities proportional to their weights, in ascending order.

    The largest of log weight + Gumbel noise (Yellott 1977, doi:10.1016/0022-2496(77)90026-8); rows of no weight never.
    """
    possible = np.flatnonzero(weights > 0.0)
    keys = np.log(weights[possible]) + np.random.default_rng(seed).gumbel(size=possible.size)
    return np.sort(possible[np.argsort(-keys, kind="stable")[:count]])


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
