"""Simulation-based calibration: ranks of true parameters and troughs among draws from what an estimate believes.

A truth drawn from the prior has, given data drawn with it, a uniform rank among independent draws from the true
posterior (Talts S et al. arXiv:1804.06788). That holds among the patients whose data meet a condition, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import pkmodel as pk
from pkmodel import estimation
from pkmodel.draws import Draws, Stream
from pkmodel.estimation.beliefs import metropolis
from pkmodel.estimation.design import Plan, compile_plans
from validation.measured_patients import FORECAST_WEEK, MODEL, Study, patients

Floats = NDArray[np.float64]

DRAWS = 99
"""Draws that a truth is ranked among: 100 equally likely ranks."""
BINS = 20
GAUSSIAN, LAPLACE, POSTERIOR = "Gaussian at the mode", "MAP + Laplace", "posterior"
SHIPPED = (LAPLACE, POSTERIOR)
"""Samplers that the package draws from; the Gaussian stands beside them to show why it does not."""
_GAUSS = 1003  # replicate of the stream, apart from those of the estimation
_APART = 10  # neighbours among resampled proposals can be the same draw: of so many one is taken
_NULL = 4000  # uniform samples that an ECDF is compared with


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Ranks in patients with the same measurements.

    Attributes
    ----------
    study
        What was measured.
    counts
        (sampler, quantity) to the number of patients at each of the ranks.
    effective
        Median share of effective proposals of "MAP + Laplace".
    heaviest
        Largest Pareto k of its weights where it kept them.
    chains
        Share of patients in whom it ran the chain instead.
    """

    study: Study
    counts: Mapping[tuple[str, str], NDArray[np.int64]]
    effective: float
    heaviest: float
    chains: float

    def bins(self, sampler: str, quantity: str) -> NDArray[np.int64]:
        """(bin,) patients in each of 20 bins of five ranks."""
        return np.asarray(self.counts[sampler, quantity].reshape(BINS, -1).sum(axis=1))

    def p_bins(self, sampler: str, quantity: str) -> float:
        """P value of the chi-square test of uniformity over the bins."""
        from scipy.special import gammaincc

        found = self.bins(sampler, quantity)
        expected = found.sum() / BINS
        return float(gammaincc(0.5 * (BINS - 1), 0.5 * ((found - expected) ** 2 / expected).sum()))

    def p_ecdf(self, sampler: str, quantity: str) -> float:
        """P value of the largest departure of the ECDF: below 0.05 it leaves its simultaneous 95 % band."""
        counts = self.counts[sampler, quantity]
        patients = int(counts.sum())
        farthest, null = _departure(np.cumsum(counts)[:-1], patients), _null(patients)
        return float((1 + np.searchsorted(null, farthest, side="right")) / (1 + null.size))


def calibration(study: Study, count: int, *, seed: int = 1) -> Calibration:
    """Ranks of the etas and of the next trough of ``count`` patients, by three samplers."""
    model = pk.load(MODEL)
    quantities = [*(f"eta of {name}" for name in model.eta_parameters), "next trough"]
    counts = {
        (sampler, name): np.zeros(DRAWS + 1, np.int64)
        for sampler in (GAUSSIAN, LAPLACE, POSTERIOR)
        for name in quantities
    }
    drawn = []
    for number, one in enumerate(patients(study, count, model=model, seed=seed)):
        estimate = estimation.fit(model, one.record)
        beliefs = estimation.believe(estimate, draws=_APART * DRAWS, seed=seed + number)
        drawn.append((beliefs.effective[0], beliefs.shapes[0], beliefs.methods[0] == "metropolis"))
        z_by = {
            GAUSSIAN: _gaussian(estimate, seed + number),
            LAPLACE: beliefs.parts[0][1][::_APART],
            POSTERIOR: _chains(estimate, seed + number),
        }
        for sampler, z in z_by.items():
            ranks = _ranks(estimate, z, [*one.eta, one.trough], seed + number)
            for name, rank in zip(quantities, ranks, strict=True):
                counts[sampler, name][rank] += 1
    effective, shapes, chains = np.array(drawn, dtype=np.float64).T
    return Calibration(
        study=study, counts=counts, effective=float(np.median(effective)),
        heaviest=float(np.max(shapes[chains == 0.0], initial=-np.inf)), chains=float(chains.mean()),
    )  # fmt: skip


def band(patients: int, cover: float = 0.95) -> tuple[Floats, Floats]:
    """(rank,) lower and upper bound of the ECDF of ``patients`` uniform ranks, simultaneous over all ranks.

    Säilynoja T, Bürkner PC, Vehtari A. Stat Comput 2022;32:32, doi:10.1007/s11222-022-10090-6 (algorithm 1: bounds
    of equal pointwise coverage, whose level is found by simulation).
    """
    from scipy.stats import binom

    level = float(np.quantile(_null(patients), 1.0 - cover))
    at = np.arange(1, DRAWS + 1) / (DRAWS + 1)
    return binom.ppf(0.5 * level, patients, at) / patients, binom.ppf(1.0 - 0.5 * level, patients, at) / patients


def _departure(cumulative: NDArray[np.int64], patients: int) -> Floats:
    """Twice the smallest pointwise tail probability of the ECDF over all ranks; (..., rank) to (...)."""
    lower, upper = _tails(patients)
    at = np.arange(DRAWS)
    return np.asarray(2.0 * np.minimum(lower[at, cumulative], upper[at, cumulative]).min(axis=-1))


@lru_cache(maxsize=8)
def _tails(patients: int) -> tuple[Floats, Floats]:
    """(rank, number) probability that so many ranks or fewer, and so many or more, lie at or below a rank."""
    from scipy.stats import binom

    at, number = np.arange(1, DRAWS + 1)[:, None] / (DRAWS + 1), np.arange(patients + 1)
    return binom.cdf(number, patients, at), binom.sf(number - 1, patients, at)


@lru_cache(maxsize=8)
def _null(patients: int) -> Floats:
    """Departures of uniform samples, in order."""
    counts = np.random.default_rng(patients).multinomial(patients, np.full(DRAWS + 1, 1.0 / (DRAWS + 1)), _NULL)
    return np.sort(_departure(np.cumsum(counts, axis=1)[:, :-1], patients))


def _ranks(estimate: estimation.Estimate, z: Floats, truth: list[float], seed: int) -> NDArray[np.int64]:
    """Number of draws below each true value."""
    model = estimate.model
    eta = z[:, : len(model.eta_parameters)] @ np.linalg.cholesky(model.omega).T
    known = estimation.Beliefs(parts=((estimate, z),), methods=("",), effective=(1.0,), shapes=(0.0,))
    coming = estimation.forecast(known, (), [7.0 * FORECAST_WEEK], seed=seed).true
    return np.asarray((np.column_stack([eta, coming]) < truth).sum(axis=0))


def _gaussian(estimate: estimation.Estimate, seed: int) -> Floats:
    normal = Draws(seed, replicate=_GAUSS).normal(Stream.POSTERIOR, np.arange(DRAWS), estimate.z.size)
    return np.asarray(estimate.z + normal @ np.linalg.cholesky(estimate.covariance).T)


def _chains(estimate: estimation.Estimate, seed: int) -> Floats:
    """Draws of four chains, a hundred steps apart."""
    b = compile_plans(estimate.model, [Plan.of(estimate.record)])
    z, _, _ = metropolis(b, estimate, chains=4, warmup=1000, draws=25 * (DRAWS + 1), seed=seed)
    return z.reshape(-1, estimate.z.size)[50::100][:DRAWS]
