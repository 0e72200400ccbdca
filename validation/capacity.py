"""What the structure could hold if it were allowed to look: ``python -m validation.capacity``.

A held-out figure can be missed for two reasons: the calibration figures leave the parameters where they predict it
badly, or no parameters at all predict it together with the others. This search tells the two apart. It looks for
parameters that meet every calibration figure and as many of the denominator as possible; what it finds is counted in
``validation/capacity.toml`` and shipped nowhere. It is a search, so the count is what was found, not a proof that no
more can be met; and it leaves out what ties parameters to other published numbers (hazard ratios, clearance), so that
it is generous.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from validation import space
from validation.case import arms_of, denominator, figures, studies
from validation.emulator import PRIOR_BOUND, Emulator
from validation.search import starting_design
from validation.targets import Target, predict
from validation.trial import SEED, Parameters, run_arms

Floats = NDArray[np.float64]
FILE = Path(__file__).parent / "capacity.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to simulate.

    Attributes
    ----------
    patients, design, rounds, batch
        Patients per point, points of the design, rounds and their points.
    fine, again, fine_rounds, fine_batch
        Patients of the second part: with few, points are found that owe figures to chance. The best ``again`` points
        once more, then rounds.
    accurate, finalists
        Patients and points of the final count.
    """

    patients: int = 400
    design: int = 512
    rounds: int = 5
    batch: int = 96
    fine: int = 1500
    again: int = 32
    fine_rounds: int = 4
    fine_batch: int = 64
    accurate: int = 4000
    finalists: int = 12


def names() -> list[str]:
    """Calibration figures and the denominator, but for correlations (not a share, so not emulated)."""
    listed = {entry.id for entry in denominator().figure if entry.expressible}
    return sorted(
        name
        for name, (_, figure) in figures().items()
        if figure.role == "calibration" or (name in listed and figure.statistic != "rank_correlation")
    )


def goals() -> list[Target]:
    """Accept ranges as targets, in the order of :func:`names`."""
    found = []
    for name in names():
        figure = figures()[name][1]
        assert figure.accept_low is not None
        assert figure.accept_high is not None
        low, high = figure.accept_low, figure.accept_high
        found.append(Target(name, 0.5 * (low + high), (high - low) / 3.92, "share", (low, high)))
    return found


def simulate(point: tuple[float, ...], n: int) -> list[float]:
    """All goals at a point, from ``n`` patients; NaN for a point at which a study has nobody to count."""
    return predicted(space.named(np.array(point)), n)


def predicted(values: Mapping[str, float], n: int) -> list[float]:
    """All goals at parameter values, in the order of :func:`names`."""
    known = figures()
    needed = set().union(*(arms_of(*known[name]) for name in names()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parameters = space.parameters(values, Parameters.shipped())
        records = run_arms(needed, studies(), parameters, n, threads=1, seed=SEED)
        return [predict(known[name][1], known[name][0], records).value for name in names()]


def met(values: Floats, found: Sequence[Target]) -> NDArray[np.bool_]:
    """Which goals (point, goal) lie within their accept range."""
    low, high = (np.array([target.accept[k] for target in found]) for k in (0, 1))
    return np.asarray((values >= low) & (values <= high))


def score(values: Floats, found: Sequence[Target]) -> NDArray[np.int64]:
    """Figures of the denominator met, less ten for each calibration figure that is not; shape (point,)."""
    inside = met(values, found)
    fitted = np.array([figures()[target.name][1].role == "calibration" for target in found])
    return np.asarray(inside[:, ~fitted].sum(axis=1) - 10 * (~inside[:, fitted]).sum(axis=1))


def search(effort: Effort, seed: int, say: Callable[[str], None], workers: int | None = None) -> tuple[Floats, Floats]:
    """Points and their goals at ``effort.accurate`` patients, best first."""
    found = goals()
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:

        def run(points: Floats, n: int) -> Floats:
            return np.array(list(pool.map(partial(simulate, n=n), [tuple(map(float, p)) for p in points], chunksize=2)))

        points = starting_design(effort.design, seed)
        values = run(points, effort.patients)
        for turn in range(effort.rounds):
            say(f"round {turn}: best score {score(values, found).max()}")
            emulator = _surrogate(points, values, found)
            batch = _propose(emulator, points, values, found, effort.batch, seed + 1 + turn)
            points, values = np.concatenate([points, batch]), np.concatenate([values, run(batch, effort.patients)])
        emulator = _surrogate(points, values, found)
        points = points[np.argsort(-score(values, found), kind="stable")[: effort.again]]
        values = run(points, effort.fine)
        for turn in range(effort.fine_rounds):
            say(f"fine round {turn}: best score {score(values, found).max()}")
            refined = emulator.refined(points, values)
            batch = _propose(refined, points, values, found, effort.fine_batch, seed + 50 + turn)
            points, values = np.concatenate([points, batch]), np.concatenate([values, run(batch, effort.fine)])
        say(f"in the end: best score {score(values, found).max()}")
        order = np.argsort(-score(values, found), kind="stable")[: effort.finalists]
        accurate = run(points[order], effort.accurate)
    best = np.argsort(-score(accurate, found), kind="stable")
    return points[order[best]], accurate[best]


def _surrogate(points: Floats, values: Floats, found: Sequence[Target]) -> Emulator:
    """A surrogate that counts points more the more they meet."""
    usable = np.all(np.isfinite(values), axis=1)
    reached = score(values[usable], found)
    near = 1.0 / (1.0 + ((reached.max() - reached) / 6.0) ** 2)
    return Emulator.fit(points[usable], values[usable], found, near)


def _propose(
    emulator: Emulator, points: Floats, values: Floats, found: Sequence[Target], count: int, seed: int
) -> Floats:
    """Where a surrogate says that most is met, each time with other weights on the figures."""
    rng = np.random.default_rng(seed)
    best = points[np.argsort(-score(values, found), kind="stable")[: max(count // 4, 8)]]
    fitted = np.array([figures()[target.name][1].role == "calibration" for target in found])
    out = []
    for number in range(count):
        weights = rng.exponential(size=len(found)) * np.where(fitted, 4.0, 1.0)
        out.append(_descend(emulator, found, weights, best[number % len(best)], rng))
    return np.array(out)


def _descend(
    emulator: Emulator, found: Sequence[Target], weights: Floats, start: Floats, rng: np.random.Generator
) -> Floats:
    """Random steps from a point, kept where the surrogate's weighted distance outside the accept ranges falls."""
    low, high = (np.array([target.accept[k] for target in found]) for k in (0, 1))
    error = np.array([target.error for target in found])

    def distance(trial: Floats) -> Floats:
        predicted = emulator.predict(trial)
        inner = 0.15 * (high - low)  # aim inside: the surrogate is not exact
        outside = np.maximum(np.maximum(low + inner - predicted, predicted - high + inner), 0.0) / error
        away = np.maximum(np.abs(trial) - 2.5, 0.0)
        return np.asarray(outside**2 @ weights + (away**2).sum(axis=1))

    now, width = start.copy(), 0.5
    best = float(distance(now[None, :])[0])
    for _ in range(120):
        trial = np.clip(
            now + width * rng.standard_normal((64, now.size)) / math.sqrt(now.size), -PRIOR_BOUND, PRIOR_BOUND
        )
        energy = distance(trial)
        k = int(energy.argmin())
        if energy[k] < best:
            now, best, width = trial[k], float(energy[k]), min(1.2 * width, 1.5)
        else:
            width = max(0.8 * width, 0.02)
    return now


def text(parameters: Mapping[str, float], values: Sequence[float], effort: Effort, seed: int) -> str:
    """The record that is committed: what is met and missed at the best point."""
    found = goals()
    inside = met(np.array([values]), found)[0]
    held = [figures()[target.name][1].role != "calibration" for target in found]
    listed = sum(entry.expressible for entry in denominator().figure)
    lines = [
        "# What the structure could hold if it looked at every figure, written by: python -m validation.capacity",
        "# Nothing of this is shipped or used: see validation/capacity.py.",
        f"seed = {seed}",
        f"evaluated = {effort.design + effort.rounds * effort.batch}  # points simulated, {effort.patients} patients",
        f"fine = {effort.again + effort.fine_rounds * effort.fine_batch}  # points simulated, {effort.fine} patients",
        f"finalists = {effort.finalists}  # the best of them, {effort.accurate} patients; the best one follows",
        f"denominator = {listed}",
        f"searched = {sum(held)}  # figures of the denominator in the search; correlations are left out",
        f"met = {int(inside[held].sum())}  # of these",
        f"calibration = {len(found) - sum(held)}",
        f"calibration_met = {int(inside.sum() - inside[held].sum())}",
    ]
    for target, value, good in zip(found, values, inside, strict=True):
        lines += [
            "",
            "[[figure]]",
            f'id = "{target.name}"',
            f'role = "{figures()[target.name][1].role}"',
            f"accept = [{target.accept[0]:g}, {target.accept[1]:g}]",
            f"best_point = {value:.4g}",
            f"met = {'true' if good else 'false'}",
        ]
    lines += ["", "[parameters]  # at the best point"]
    lines += [f'"{name}" = {value!r}' for name, value in parameters.items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m validation.capacity", description=__doc__)
    parser.add_argument("--workers", type=int, help="processes [default: all cores]")
    parser.add_argument("--quick", action="store_true", help="a toy search that shows the machinery; writes nothing")
    options = parser.parse_args(arguments)
    began = time.perf_counter()

    def say(message: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {message}", file=sys.stderr, flush=True)

    quick = Effort(
        patients=60,
        design=64,
        rounds=1,
        batch=8,
        fine=80,
        again=4,
        fine_rounds=1,
        fine_batch=4,
        accurate=80,
        finalists=4,
    )
    effort = quick if options.quick else Effort()
    points, values = search(effort, SEED, say, options.workers)
    told = text(space.named(points[0]), values[0].tolist(), effort, SEED)
    if options.quick:
        print(told)
    else:
        FILE.write_text(told, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
