"""Closed forms in extended precision: what the answers of W1, W2 and W4 should be.

Superposition of unit responses, written from the textbook formulas (Gabrielsson J, Weiner D. Pharmacokinetic and
Pharmacodynamic Data Analysis, 5th ed., chapter 2) and independent of pkmodel's kernels. Time d, amounts mg,
volumes L, clearances L/d.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# 64-bit mantissa where the machine has one; elsewhere an error below 1e-15 cannot be told from the reference's.
Extended = NDArray[np.longdouble]
Floats = NDArray[np.float64]
_BLOCK = 500  # patients at a time: extended precision is slow and its temporaries are large
FLOOR = 0.01  # mg/L


def max_error(found: Floats, reference: Any) -> float:
    """Largest |found - reference| / max(|reference|, 0.01 mg/L)."""
    return float(np.max(np.abs(found - reference) / np.maximum(np.abs(reference), FLOOR)))


class _Disposition:
    """Two-compartment disposition of patients with rates ``slopes`` and coefficients of the unit responses."""

    def __init__(self, CL: Floats, V1: Floats, Q: Floats, V2: Floats) -> None:
        cl, v1, q, v2 = (np.asarray(x, np.longdouble)[:, None] for x in (CL, V1, Q, V2))
        k10, k12, k21 = cl / v1, q / v1, q / v2
        total = k10 + k12 + k21
        alpha = (total + np.sqrt(total**2 - 4 * k10 * k21)) / 2
        beta = k10 * k21 / alpha  # the smaller root as a quotient: no cancellation
        gap = alpha - beta
        self.slopes = (alpha, beta)
        self.central = ((alpha - k21) / gap, (k21 - beta) / gap)  # of 1 mg in the central compartment
        self.across = (-k12 / gap, k12 / gap)  # what of it is in the peripheral one
        self.back = (-k21 / gap, k21 / gap)  # of 1 mg in the peripheral one, what is in the central one
        self.stays = ((alpha - k10 - k12) / gap, (k10 + k12 - beta) / gap)

    def bolus(self, weights: tuple[Any, Any], since: Any) -> Any:
        return sum(w * np.exp(-s * since) for w, s in zip(weights, self.slopes, strict=True))

    def infusion(self, weights: tuple[Any, Any], start: Any, end: Any, times: Any) -> Any:
        """Of 1 mg/d from ``start`` to ``end``, at ``times``."""
        running = np.clip(times - start, 0, np.maximum(end - start, 0))
        since = np.maximum(times - end, 0)
        return sum(
            w * -np.expm1(-s * running) / s * np.exp(-s * since) for w, s in zip(weights, self.slopes, strict=True)
        )


def _in_blocks(n: int, times: int, fill: Callable[[slice], Any]) -> Extended:
    out = np.empty((n, times), np.longdouble)
    for first in range(0, n, _BLOCK):
        rows = slice(first, min(first + _BLOCK, n))
        out[rows] = fill(rows)
    return out


def infusions(
    theta: Floats, doses: Sequence[tuple[float, float, float]], times: Floats, *,
    factor: float = 1.0, changes: Floats | None = None,
) -> Extended:  # fmt: skip
    """Two-compartment concentrations, (patient, time) mg/L.

    Parameters
    ----------
    theta
        (patient, 4 or more): CL, V1, Q, V2.
    doses
        (start, mg, duration) of each infusion.
    times
        (time,) days.
    factor, changes
        From day ``changes[patient]`` on, CL is ``factor`` times as large.
    """
    t = np.asarray(times, np.longdouble)[None, :]

    def fill(rows: slice) -> Any:
        CL, V1, Q, V2 = theta[rows, :4].T
        before = _Disposition(CL, V1, Q, V2)
        plan = [(np.longdouble(s), np.longdouble(s) + np.longdouble(d), np.longdouble(a) / d) for s, a, d in doses]
        amount = sum(rate * before.infusion(before.central, start, end, t) for start, end, rate in plan)
        if changes is not None:
            tau = np.asarray(changes[rows], np.longdouble)[:, None]
            after = _Disposition(CL * factor, V1, Q, V2)
            held = [(s, np.minimum(e, tau), r) for s, e, r in plan]
            a_c = sum(r * before.infusion(before.central, s, e, tau) for s, e, r in held)
            a_p = sum(r * before.infusion(before.across, s, e, tau) for s, e, r in held)
            since = np.maximum(t - tau, 0)
            late = a_c * after.bolus(after.central, since) + a_p * after.bolus(after.back, since)
            for s, e, r in plan:
                late = late + r * after.infusion(after.central, np.maximum(s, tau), e, t)
            amount = np.where(t > tau, late, amount)
        return amount / np.asarray(V1, np.longdouble)[:, None]

    return _in_blocks(theta.shape[0], times.size, fill)


def depots(KA: Floats, CL: Floats, V1: Floats, doses: Sequence[tuple[float, float]], times: Floats) -> Extended:
    """One-compartment concentrations after doses (start, mg) absorbed at rate KA, (patient, time) mg/L."""
    t = np.asarray(times, np.longdouble)[None, :]

    def fill(rows: slice) -> Any:
        ka, cl, v = (np.asarray(x[rows], np.longdouble)[:, None] for x in (KA, CL, V1))
        k = cl / v
        total = np.zeros((ka.shape[0], times.size), np.longdouble)
        for start, amount in doses:
            since = np.maximum(t - start, 0)
            # Bateman with the difference of exponentials as one expm1: no cancellation where ka is near k
            total += amount / v * ka * np.exp(-k * since) * -np.expm1(-(ka - k) * since) / (ka - k)
        return total

    return _in_blocks(KA.size, times.size, fill)
