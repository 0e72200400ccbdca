"""Adaptive Metropolis: draws from a patient's posterior of the random effects z.

Two kinds of steps alternate. Even steps are a random walk whose covariance follows the chain (Haario H, Saksman E,
Tamminen J. Bernoulli 2001;7:223-42, doi:10.2307/3318737) and whose scale follows its acceptance rate (Andrieu C,
Thoms J. Stat Comput 2008;18:343-73, doi:10.1007/s11222-008-9110-y, algorithm 4) during the warm-up; then both are
frozen, so that the draws come from a proper Markov chain. Odd steps propose whatever the state (Tierney L. Ann Stat
1994;22:1701-28): where the Laplace approximation is good, and in the many directions that the levels say nothing about,
one such step forgets the past. Random numbers are looked up at (step and coordinate, stream, chain, replicate).

The independent proposal is a mixture: mostly a t distribution around the MAP, sometimes the prior. The prior bounds
the weights: the posterior over it is the likelihood, which has a maximum. Without it a second minimum, or a level
below its limit, made tails that a few thousand proposals do not see (effective share 0.31 of 2,000 proposals and
0.02 of 64,000, in a patient with two minima).
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel.kernels._jit import jit
from pkmodel.kernels.estimate import cholesky, objective
from pkmodel.kernels.philox import normal_quantile, uniform_at
from pkmodel.kernels.prediction import room

FREEDOM = 6  # of the t distribution: its chi-square is twice a sum of three exponentials
_PRIOR = 0.2  # share of the prior in the mixture
_NUMBERS = 2 + FREEDOM // 2  # uniforms of a step besides the d normals: acceptance, which part, the chi-square
_ACCEPT = 0.25  # about best for 3 to 10 dimensions (Roberts GO, Rosenthal JS. Statist Sci 2001;16:351-67)
_REFACTOR = 25  # steps between two factorisations of the random walk's covariance


@jit()
def _learn(mean, covariance, z, weight):
    """Move mean and covariance towards z."""
    for a in range(z.size):
        for c in range(a + 1):
            covariance[a, c] += weight * ((z[a] - mean[a]) * (z[c] - mean[c]) - covariance[a, c])
    for a in range(z.size):
        mean[a] += weight * (z[a] - mean[a])


@jit()
def log_peak(factor):
    """Logarithm of the t distribution's density at its centre, times (2 pi)^(d/2)."""
    d = factor.shape[0]
    total = math.lgamma(0.5 * (FREEDOM + d)) - math.lgamma(0.5 * FREEDOM) - 0.5 * d * math.log(0.5 * FREEDOM)
    for a in range(d):
        total -= math.log(factor[a, a])
    return total


@jit()
def log_weight(z, value, centre, factor, peak, work):
    """Log of the posterior over the mixture at z, up to a constant; ``value`` is S(z)."""
    distance = 0.0
    square = 0.0
    for a in range(z.size):
        total = z[a] - centre[a]
        for c in range(a):
            total -= factor[a, c] * work[c]
        work[a] = total / factor[a, a]
        distance += work[a] * work[a]
        square += z[a] * z[a]
    near = math.log(1.0 - _PRIOR) + peak - 0.5 * (FREEDOM + z.size) * math.log1p(distance / FREEDOM)
    far = math.log(_PRIOR) - 0.5 * square
    top = max(near, far)
    return -0.5 * value - top - math.log(math.exp(near - top) + math.exp(far - top))


@jit()
def _displace(factor, normal, scale, origin, trial):
    for a in range(normal.size):
        total = 0.0
        for c in range(a + 1):
            total += factor[a, c] * normal[c]
        trial[a] = origin[a] + scale * total


@jit()
def _stretch(seed, first, stream, number, replicate):
    """Square root of degrees of freedom over their chi-square."""
    product = 1.0
    for k in range(FREEDOM // 2):
        product *= uniform_at(seed, first + k, stream, number, replicate)
    return math.sqrt(FREEDOM / (-2.0 * math.log(product)))


@jit()
def _from_mixture(seed, first, stream, number, replicate, normal, centre, factor, trial):
    """A draw from the mixture; its own uniforms begin at ``first``."""
    if uniform_at(seed, first, stream, number, replicate) < _PRIOR:
        for a in range(normal.size):
            trial[a] = normal[a]
    else:
        _displace(factor, normal, _stretch(seed, first + 1, stream, number, replicate), centre, trial)


@jit(allocates=True)
def chain(b, patient, z, centre, covariance, warmup, seed, stream, number, replicate, draws, objectives):
    """One chain from ``z`` (changed in place): (step, z) into ``draws``, S into ``objectives``.

    ``centre`` and ``covariance`` are the MAP and its Laplace covariance; the latter is changed in place. Returns the
    share of accepted random-walk and independent proposals after the warm-up.
    """
    d = z.size
    levels = b.level_offsets[patient + 1] - b.level_offsets[patient]
    f, eta, space = np.empty(levels), np.empty(b.eta_columns.size), np.empty(room(b, patient))
    trial, normal, mean, work = np.empty(d), np.empty(d), z.copy(), np.empty(d)
    walking, fixed = np.empty((d, d)), np.empty((d, d))
    cholesky(covariance, fixed, 0.0)
    cholesky(covariance, walking, 0.0)
    peak = log_peak(fixed)
    log_scale = math.log(2.38 / math.sqrt(d))
    now = objective(b, patient, z, f, eta, space)
    accepted = np.zeros(2)
    for step in range(warmup + draws.shape[0]):
        first = step * (d + _NUMBERS)
        for a in range(d):
            normal[a] = normal_quantile(uniform_at(seed, first + a, stream, number, replicate))
        independent = step % 2
        if independent:
            _from_mixture(seed, first + d + 1, stream, number, replicate, normal, centre, fixed, trial)
        else:
            _displace(walking, normal, math.exp(log_scale), z, trial)
        value = objective(b, patient, trial, f, eta, space)
        if independent:
            gain = log_weight(trial, value, centre, fixed, peak, work) - log_weight(z, now, centre, fixed, peak, work)
        else:
            gain = 0.5 * (now - value)
        chance = math.exp(min(0.0, gain))
        if uniform_at(seed, first + d, stream, number, replicate) < chance:
            now = value
            for a in range(d):
                z[a] = trial[a]
            if step >= warmup:
                accepted[independent] += 1.0
        if step < warmup:
            weight = 1.0 / (step + 10.0) ** 0.7
            if not independent:
                log_scale += weight * (chance - _ACCEPT)
            _learn(mean, covariance, z, weight)
            if step % _REFACTOR == 0:
                cholesky(covariance, walking, 1e-9)
        else:
            for a in range(d):
                draws[step - warmup, a] = z[a]
            objectives[step - warmup] = now
    return 2.0 * accepted[0] / draws.shape[0], 2.0 * accepted[1] / draws.shape[0]


@jit(allocates=True)
def propose(b, patient, centre, covariance, seed, stream, replicate, draws, log_weights):
    """Independent draws from the mixture (draw, z), and their log weights up to a constant.

    The draw is the patient word of the address, so that the first n of more draws are the same.
    """
    d = centre.size
    levels = b.level_offsets[patient + 1] - b.level_offsets[patient]
    f, eta, space = np.empty(levels), np.empty(b.eta_columns.size), np.empty(room(b, patient))
    normal, work, factor = np.empty(d), np.empty(d), np.empty((d, d))
    cholesky(covariance, factor, 0.0)
    peak = log_peak(factor)
    for row in range(draws.shape[0]):
        for a in range(d):
            normal[a] = normal_quantile(uniform_at(seed, a, stream, row, replicate))
        _from_mixture(seed, d, stream, row, replicate, normal, centre, factor, draws[row])
        value = objective(b, patient, draws[row], f, eta, space)
        log_weights[row] = log_weight(draws[row], value, centre, factor, peak, work)
