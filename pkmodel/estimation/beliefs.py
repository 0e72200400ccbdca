"""What is believed of a patient after the levels, as draws of the random effects.

Draws come from the Laplace approximation, are weighed by how probable they really are, and resampled. Where too few
of them count (a level below its limit, a curved or two-peaked posterior), a Markov chain is run instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.estimate import Estimate
from pkmodel.kernels import record as at

Floats = NDArray[np.float64]

LEAST_EFFICIENCY = 0.2
"""Share of the proposals that must count; below it the chain is run."""

_PROPOSALS = 4  # for each draw that is wanted
_IMPORTANCE, _CHAIN, _RESAMPLING = 0, 16, 48  # replicates of the stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beliefs:
    """Draws of the random effects of one patient.

    Attributes
    ----------
    z
        (draw, z), equally weighted, columns as ``Estimate.z``.
    method
        "importance" (resampled from the Laplace approximation), "metropolis", or "prior".
    effective
        Effective number of proposals behind the draws (Kish: 1 over the sum of squared weights) and their number;
        for "metropolis" that of the failed attempt, for the record.
    """

    z: Floats
    method: str
    effective: float
    proposals: int


def believe(estimate: Estimate, draws: int, seed: int) -> Beliefs:
    """``draws`` draws from the posterior of an estimate's random effects."""
    b = compile_plans(estimate.model, [Plan.of(estimate.record)])
    d, count = estimate.z.size, _PROPOSALS * draws
    if not estimate.record.levels:
        z = Draws(seed).normal(Stream.POSTERIOR, np.arange(draws), d)
        return Beliefs(z=z, method="prior", effective=float(draws), proposals=draws)
    z, weights = importance(b, estimate.z, estimate.covariance, count, seed)
    effective = float(1.0 / (weights**2).sum())
    if effective < LEAST_EFFICIENCY * count:
        chains, _, _ = metropolis(b, estimate, chains=4, warmup=2000, draws=2000, seed=seed)
        kept = np.linspace(0, 4 * 2000 - 1, draws).round().astype(np.intp)
        flat = chains.reshape(-1, d)[kept]
        return Beliefs(z=flat, method="metropolis", effective=effective, proposals=count)
    start = Draws(seed, replicate=_RESAMPLING).uniform(Stream.POSTERIOR, np.zeros(1, np.int64))[0, 0]
    rungs = (np.arange(draws) + start) / draws
    # in the order of the proposals, which is random: neighbours are not alike
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), rungs), count - 1)
    return Beliefs(z=z[chosen], method="importance", effective=effective, proposals=count)


def importance(b: at.Records, z: Floats, covariance: Floats, count: int, seed: int) -> tuple[Floats, Floats]:
    """Proposals (count, z) from a t distribution around a minimum, and their weights (they sum to 1)."""
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

