"""A quadratic surrogate of the simulator: what the targets would be at a point that was not simulated.

Common random numbers make every target a smooth function of the parameters, and one quadratic in the prior z-scores,
on the log-odds (shares) or logarithm (ratios), follows it closely once the points it is fitted to lie near the
posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validation.targets import Target

Floats = NDArray[np.float64]
_RIDGE = 1e-3
_REFINING = 200.0  # of 30 to 1000 tried on points left out, 100 to 300 predicted best
PRIOR_BOUND = 3.5  # prior SDs; the search stays within


def to_scale(values: Floats, found: Sequence[Target]) -> Floats:
    """Targets (point, target) on the scale on which they are emulated."""
    out = np.empty_like(values)
    for j, target in enumerate(found):
        share = np.clip(values[:, j] / 100.0, 1e-3, 1.0 - 1e-3)
        out[:, j] = np.log(share / (1.0 - share)) if target.scale == "share" else np.log(np.maximum(values[:, j], 1e-3))
    return out


def from_scale(values: Floats, found: Sequence[Target]) -> Floats:
    """The inverse of :func:`to_scale`."""
    out = np.exp(values)
    for j, target in enumerate(found):
        if target.scale == "share":
            out[:, j] = 100.0 / (1.0 + np.exp(-values[:, j]))
    return out


def misfit(values: Floats, found: Sequence[Target]) -> Floats:
    """Half the sum of squares of standardised differences, shape (point,)."""
    total = np.zeros(values.shape[0])
    for j, target in enumerate(found):
        if target.scale == "share":
            difference = values[:, j] - target.value
        else:
            difference = np.log(np.maximum(values[:, j], 1e-3) / target.value)
        total += 0.5 * (difference / target.error) ** 2
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Emulator:
    """One quadratic for each target."""

    found: tuple[Target, ...]
    coefficients: Floats

    @classmethod
    def fit(cls, points: Floats, values: Floats, found: Sequence[Target], weights: Floats) -> Emulator:
        """Fit to simulated points (point, parameter), with a weight for each."""
        design = _features(points)
        root = np.sqrt(weights)[:, None]
        weighted = design * root
        penalty = _RIDGE * np.eye(design.shape[1])
        penalty[0, 0] = 0.0
        scaled = to_scale(values, found) * root
        coefficients = np.linalg.solve(weighted.T @ weighted + penalty, weighted.T @ scaled)
        return cls(found=tuple(found), coefficients=np.asarray(coefficients))

    def refined(self, points: Floats, values: Floats) -> Emulator:
        """The same surface, put right where a better simulation (point, target) says something else.

        The correction is a quadratic of its own, shrunk towards a constant: it is fitted to far fewer points, and what
        they say of it beyond a constant is mostly noise (:data:`_REFINING`).
        """
        usable = np.all(np.isfinite(values), axis=1)
        design = _features(points[usable])
        penalty = _REFINING * np.eye(design.shape[1])
        penalty[0, 0] = 0.0
        wrong = to_scale(values[usable], self.found) - design @ self.coefficients
        correction = np.linalg.solve(design.T @ design + penalty, design.T @ wrong)
        return Emulator(found=self.found, coefficients=self.coefficients + correction)

    def predict(self, points: Floats) -> Floats:
        """Targets (point, target)."""
        return from_scale(_features(points) @ self.coefficients, self.found)

    def energy(self, points: Floats) -> Floats:
        """Minus the logarithm of the posterior density, but for a constant; infinite outside the prior's bounds."""
        total = misfit(self.predict(points), self.found) + 0.5 * np.sum(points**2, axis=1)
        return np.where(np.all(np.abs(points) <= PRIOR_BOUND, axis=1), total, np.inf)

    def sample(self, start: Floats, count: int, seed: int, steps: int = 6000) -> Floats:
        """Points (count, parameter) of the posterior, by chains that move along differences of one another (ter Braak
        2006, doi:10.1007/s11222-006-8769-1).

        ``start`` (chain, parameter) are points inside the prior's bounds. The first half of the steps is dropped.
        """
        rng = np.random.default_rng(seed)
        now = np.clip(start, -PRIOR_BOUND, PRIOR_BOUND)
        chains, k = now.shape
        energy = self.energy(now)
        kept = []
        for step in range(steps):
            first = (np.arange(chains) + rng.integers(1, chains, chains)) % chains
            second = (np.arange(chains) + rng.integers(1, chains, chains)) % chains
            gamma = 1.0 if step % 10 == 9 else 2.38 / np.sqrt(2.0 * k)
            moved = now + gamma * (now[first] - now[second]) + 1e-3 * rng.standard_normal((chains, k))
            trial = self.energy(moved)
            taken = np.log(rng.random(chains)) < energy - trial
            now = np.where(taken[:, None], moved, now)
            energy = np.where(taken, trial, energy)
            if step >= steps // 2 and step % 25 == 0:
                kept.append(now.copy())
        pool = np.concatenate(kept)
        return np.asarray(pool[rng.choice(pool.shape[0], count, replace=False)])


def _features(points: Floats) -> Floats:
    """1, each coordinate, and all products of two: (point, feature)."""
    n, k = points.shape
    first, second = np.triu_indices(k)
    return np.concatenate([np.ones((n, 1)), points, points[:, first] * points[:, second]], axis=1)
