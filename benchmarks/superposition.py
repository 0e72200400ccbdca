"""NumPy superposition for W1 and W4, vectorised over patients, in two forms.

*Plain*: one array expression per dose over all patients and times, as one would write it; this is the form that
"vectorised NumPy superposition" names in the targets. *Tuned*: only outputs after a dose are touched, everything
that does not depend on the time is taken out, arrays are reused, and patients go in blocks that stay in the cache;
about as fast as NumPy can be made without using that doses and outputs fall on one weekly grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BLOCK = 1000  # patients; the fastest of 100, 250, 500, 1000 and 10,000 where this was written


def plain_infusions(theta: Floats, doses: Sequence[tuple[float, float, float]], times: Floats) -> Floats:
    """Two-compartment concentrations (patient, time), mg/L; doses are (start, mg, duration)."""
    CL, V1, Q, V2 = theta[:, :4].T[:, :, None]
    k10, k12, k21 = CL / V1, Q / V1, Q / V2
    total = k10 + k12 + k21
    alpha = (total + np.sqrt(total * total - 4.0 * k10 * k21)) / 2.0
    beta = k10 * k21 / alpha
    out = np.zeros((theta.shape[0], times.size))
    for start, amount, duration in doses:
        running = np.clip(times - start, 0.0, duration)
        since = np.maximum(times - start - duration, 0.0)
        for slope, share in ((alpha, alpha - k21), (beta, k21 - beta)):
            weight = amount / duration * share / ((alpha - beta) * V1 * slope)
            out += weight * (1.0 - np.exp(-slope * running)) * np.exp(-slope * since)
    return out


def plain_depots(KA: Floats, CL: Floats, V1: Floats, doses: Sequence[tuple[float, float]], times: Floats) -> Floats:
    """One-compartment concentrations (patient, time), mg/L, of doses (start, mg) absorbed at rate KA."""
    ka, v = KA[:, None], V1[:, None]
    k = CL[:, None] / v
    out = np.zeros((KA.size, times.size))
    for start, amount in doses:
        since = np.maximum(times - start, 0.0)
        out += amount * ka / (v * (ka - k)) * (np.exp(-k * since) - np.exp(-ka * since))
    return out


def infusions(theta: Floats, doses: Sequence[tuple[float, float, float]], times: Floats) -> Floats:
    """Two-compartment concentrations (patient, time), mg/L; doses are (start, mg, duration).

    Output times must not fall within an infusion (the fast form needs no case for it).
    """
    out = np.zeros((theta.shape[0], times.size))
    for first in range(0, theta.shape[0], BLOCK):
        CL, V1, Q, V2 = theta[first : first + BLOCK, :4].T
        k10, k12, k21 = CL / V1, Q / V1, Q / V2
        total = k10 + k12 + k21
        alpha = (total + np.sqrt(total * total - 4.0 * k10 * k21)) / 2.0
        beta = k10 * k21 / alpha
        block = out[first : first + BLOCK]
        for slope, share in ((alpha, alpha - k21), (beta, k21 - beta)):
            weight = share / ((alpha - beta) * V1)
            falling = -slope[:, None]
            for start, amount, duration in doses:
                after = int(np.searchsorted(times, start + duration))
                term = falling * (times[after:] - start - duration)
                np.exp(term, out=term)
                term *= (amount / duration * weight * -np.expm1(-slope * duration) / slope)[:, None]
                block[:, after:] += term
    return out


def depots(KA: Floats, CL: Floats, V1: Floats, doses: Sequence[tuple[float, float]], times: Floats) -> Floats:
    """One-compartment concentrations (patient, time), mg/L, of doses (start, mg) absorbed at rate KA."""
    out = np.zeros((KA.size, times.size))
    for first in range(0, KA.size, BLOCK):
        ka, v = KA[first : first + BLOCK], V1[first : first + BLOCK]
        k = CL[first : first + BLOCK] / v
        weight = ka / (v * (ka - k))
        block = out[first : first + BLOCK]
        for rate, sign in ((k, 1.0), (ka, -1.0)):
            falling = -rate[:, None]
            for start, amount in doses:
                after = int(np.searchsorted(times, start, side="right"))
                term = falling * (times[after:] - start)
                np.exp(term, out=term)
                term *= (sign * amount * weight)[:, None]
                block[:, after:] += term
    return out
