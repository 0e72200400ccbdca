"""What is believed of a patient after the levels, as draws of the random effects.

This is the sampler of "MAP + Laplace". The Gaussian at the mode is not drawn from as it is: it is lopsided against a
level below its limit, whose likelihood has one side only, and ranks of true parameters among its draws are not
uniform (``validation/ranks.py`` measures it). Proposals come from a t distribution with mode and covariance of the
Laplace approximation, mixed with the prior; they are weighed by how probable they really are, and resampled. Where
too few of them count or their weights have too heavy a tail, a Markov chain is run instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from pkmodel.errors import InputError
from pkmodel.estimation.averaging import Average
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.estimate import Estimate
from pkmodel.estimation.pareto import pareto_shape, trusted_shape
from pkmodel.kernels import records as at

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]

LEAST_EFFICIENCY = 0.25
"""Share of the proposals that must count; below it (less than one for each draw) the chain is run."""

_PROPOSALS = 4  # for each draw that is wanted
_IMPORTANCE, _CHAIN, _RESAMPLING = 0, 16, 48  # replicates of the stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beliefs:
    """Draws of the random effects of one patient, equally weighted.

    Attributes
    ----------
    parts
        Estimates and the draws (draw, z) that belong to them: one, or one for each model of an average.
    methods
        How each part was drawn: "importance" (resampled from the Laplace approximation), "metropolis", or "prior".
    effective
        For each part the effective number of proposals over their number (Kish: 1 over the sum of squared weights);
        for "metropolis" that of the failed attempt, 1 for "prior".
    shapes
        For each part the Pareto k of the weights (:func:`pkmodel.estimation.pareto.pareto_shape`); for "metropolis"
        that of the failed attempt, NaN where nothing was weighed.
    """

    parts: tuple[tuple[Estimate, Floats], ...]
    methods: tuple[str, ...]
    effective: tuple[float, ...]
    shapes: tuple[float, ...]

    def __len__(self) -> int:
        return sum(z.shape[0] for _, z in self.parts)


def believe(known: Estimate | Average, *, draws: int = 1000, seed: int = 1) -> Beliefs:
    """Draws from the posterior of an estimate, or of an average of several (in proportion to their weights)."""
    if isinstance(known, Estimate):
        return _gathered([_of_one(known, draws, seed)])
    shares = np.diff(np.round(np.concatenate([[0.0], np.cumsum(known.weights)]) * draws)).astype(int)
    return _gathered(
        [_of_one(one, int(share), seed) for one, share in zip(known.estimates, shares, strict=True) if share > 0]
    )


def from_posterior(estimate: Estimate, posterior: xr.DataTree, *, draws: int = 1000) -> Beliefs:
    """Evenly spaced draws of :func:`pkmodel.estimation.sample` for the record of an estimate."""
    z = np.asarray(posterior["posterior"]["z"].values, dtype=np.float64)
    flat = z.reshape(-1, z.shape[2])
    if flat.shape[1] != estimate.z.size:
        problem = f"{flat.shape[1]} random effects for a record with {estimate.z.size}"
        raise InputError.one(problem, "sample the same model and record", key="posterior")
    kept = np.linspace(0, flat.shape[0] - 1, draws).round().astype(np.intp)
    return Beliefs(
        parts=((estimate, flat[kept]),), methods=("metropolis",), effective=(1.0,), shapes=(math.nan,)
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """Draws of one estimate, and how they came about."""

    estimate: Estimate
    z: Floats
    method: str
    effective: float
    shape: float


def _gathered(parts: Sequence[_Part]) -> Beliefs:
    return Beliefs(
        parts=tuple((one.estimate, one.z) for one in parts),
        methods=tuple(one.method for one in parts),
        effective=tuple(one.effective for one in parts),
        shapes=tuple(one.shape for one in parts),
    )


def _of_one(estimate: Estimate, draws: int, seed: int) -> _Part:
    b = compile_plans(estimate.model, [Plan.of(estimate.record)])
    d, count = estimate.z.size, _PROPOSALS * draws
    if not estimate.record.levels:
        z = Draws(seed).normal(Stream.POSTERIOR, np.arange(draws), d)
        return _Part(estimate=estimate, z=z, method="prior", effective=1.0, shape=math.nan)
    z, weights = importance(b, estimate.z, estimate.covariance, count, seed)
    effective, shape = float(1.0 / (weights**2).sum()) / count, pareto_shape(weights)
    if effective < LEAST_EFFICIENCY or shape > trusted_shape(count):
        chains, _, _ = metropolis(b, estimate, chains=4, warmup=2000, draws=2000, seed=seed)
        kept = np.linspace(0, 4 * 2000 - 1, draws).round().astype(np.intp)
        z = chains.reshape(-1, d)[kept]
        return _Part(estimate=estimate, z=z, method="metropolis", effective=effective, shape=shape)
    start = Draws(seed, replicate=_RESAMPLING).uniform(Stream.POSTERIOR, np.zeros(1, np.int64))[0, 0]
    rungs = (np.arange(draws) + start) / draws
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), rungs), count - 1)
    return _Part(estimate=estimate, z=z[chosen], method="importance", effective=effective, shape=shape)


def importance(b: at.Records, z: Floats, covariance: Floats, count: int, seed: int) -> tuple[Floats, Floats]:
    """Proposals (count, z) around a minimum, and their weights (they sum to 1)."""
    from pkmodel.kernels.metropolis import propose

    proposals, log_weights = np.empty((count, z.size)), np.empty(count)
    propose(b, 0, z, covariance, np.uint64(seed), int(Stream.POSTERIOR), _IMPORTANCE, proposals, log_weights)
    weights = np.exp(log_weights - log_weights.max())
    return proposals, weights / weights.sum()


def metropolis(
    b: at.Records, estimate: Estimate, *, chains: int, warmup: int, draws: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Chains (chain, draw, z), their objectives (chain, draw), and acceptance rates (chain, kind of step).

    They start from twice as wide a distribution as the Laplace approximation, so that R-hat means something, and
    from all minima that were found in turn.
    """
    from pkmodel.kernels.metropolis import chain

    d = estimate.z.size
    out, objectives = np.empty((chains, draws, d)), np.empty((chains, draws))
    accepted = np.empty((chains, 2))
    root = np.linalg.cholesky(estimate.covariance)
    for number in range(chains):
        source = Draws(seed, replicate=_CHAIN + 1)
        start = estimate.modes[number % len(estimate.modes)].z.copy()
        start += 2.0 * root @ source.normal(Stream.POSTERIOR, np.array([number]), d)[0]
        accepted[number] = chain(
            b, 0, start, estimate.z, estimate.covariance.copy(), warmup, np.uint64(seed), int(Stream.POSTERIOR),
            number, _CHAIN, out[number], objectives[number],
        )  # fmt: skip
    return out, objectives, accepted
