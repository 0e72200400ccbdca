"""Differences between patients, between occasions, and between a sample and the model."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.errors import Fault, InputError, unknown_name
from pkmodel.structure import ALL_PARAMETERS

Floats = NDArray[np.float64]

SCALES = ("variance", "SD", "percent CV, SD = CV", "percent CV, variance = ln(1 + CV^2)")
"""How papers print the size of an exponential eta.

Two conventions for "CV" coexist.  They differ by under 8 % of the variance below 40 % CV and by 31 % at
100 %, so a file has to say which one it means.
"""


def variance(value: float, scale: str) -> float:
    """Return the variance of an exponential eta from the way it is printed; ``scale`` is one of ``SCALES``.

    Raises
    ------
    InputError
        If the scale is unknown or the value is not positive.
    """
    if scale not in SCALES:
        raise unknown_name("scale of variability", scale, SCALES)
    if not (math.isfinite(value) and value > 0):
        raise InputError.one(f"variability of {value:g}", "give a positive value, or leave the parameter out")
    if scale == "variance":
        return float(value)
    if scale == "SD":
        return float(value**2)
    squared = (value / 100) ** 2
    return math.log1p(squared) if "ln" in scale else squared


def omega_matrix(
    variances: Mapping[str, float],
    covariances: Mapping[tuple[str, str], float] | None = None,
    *,
    parameters: Sequence[str] = ALL_PARAMETERS,
) -> tuple[tuple[str, ...], Floats]:
    """Return the parameters that carry an eta, in column order of ``theta``, and their covariance matrix.

    Parameters
    ----------
    variances
        Variance of the exponential eta of each parameter that varies.
    covariances
        Off-diagonal elements by pair of parameters, each pair once.
    parameters
        All parameters, in column order.

    Returns
    -------
    parameters, omega
        ``omega`` has shape (eta, eta) and is read-only.

    Raises
    ------
    InputError
        If a parameter is unknown or the matrix is not positive definite (naming the implied correlations).
    """
    unknown = [name for name in variances if name not in parameters]
    if unknown:
        raise unknown_name("parameter", unknown[0], parameters, key="omega")
    names = tuple(name for name in parameters if name in variances)
    omega = np.diag(np.array([variances[name] for name in names], dtype=np.float64))
    faults = []
    for (one, other), covariance in (covariances or {}).items():
        if one == other or one not in names or other not in names:
            remedy = f"pairs are of different parameters among {', '.join(names)}"
            faults.append(Fault(key="covariance", problem=f"{one} with {other}", remedy=remedy))
            continue
        i, j = names.index(one), names.index(other)
        omega[i, j] = omega[j, i] = covariance
    if faults:
        raise InputError(faults)
    if names and not (np.linalg.eigvalsh(omega) > 0).all():
        sd = np.sqrt(np.abs(np.diag(omega)))
        implied = np.array2string(omega / np.outer(sd, sd), precision=2).replace("\n", "")
        problem = f"not positive definite; implied correlations {implied}"
        raise InputError.one(problem, "check signs, and covariance against correlation", key="omega")
    omega.setflags(write=False)
    return names, omega


def correlated(z: Floats, omega: Floats) -> Floats:
    """Return etas of covariance ``omega`` from independent standard normals ``z``, shape (patient, eta).

    Written out by columns and not as a matrix product: the result for a patient must not depend on how many
    others are in the same chunk, and a BLAS product gives no such promise.
    """
    etas = np.zeros_like(z)
    for i, j, weight in _root(omega.tobytes(), omega.shape[0]):
        etas[:, i] += weight * z[:, j]
    return etas


@functools.lru_cache(maxsize=64)
def _root(omega: bytes, size: int) -> tuple[tuple[int, int, float], ...]:
    """Row, column and value of what is not zero in the Cholesky root, row by row; of the bytes of a matrix."""
    root = np.linalg.cholesky(np.frombuffer(omega).reshape(size, size)) if size else np.zeros((0, 0))
    return tuple((int(i), int(j), float(root[i, j])) for i, j in zip(*np.nonzero(root), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualError:
    """Combined residual error: ``y = f (1 + proportional e1) + additive e2`` with standard normal e1, e2.

    The variance is ``(proportional f)^2 + additive^2 + 2 correlation proportional additive f``.

    Attributes
    ----------
    proportional
        Standard deviation as a fraction of the concentration.
    additive
        Standard deviation in mg/L.
    correlation
        Of e1 and e2: 0 adds variances, 1 adds standard deviations, ``proportional f + additive`` (Monolix's
        "combined1", against "combined2").
    """

    proportional: float = 0.0
    additive: float = 0.0
    correlation: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.correlation <= 1.0:
            remedy = "give 0 (variances add) to 1 (standard deviations add)"
            raise InputError.one(f"a correlation of {self.correlation:g}", remedy, key="correlation")
        for name in ("proportional", "additive"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError.one(f"a standard deviation of {value:g}", "give zero or more", key=name)

    def sd(self, concentration: Floats) -> Floats:
        """Return the standard deviation (mg/L) of a sample at each true ``concentration`` (mg/L)."""
        if self.correlation == 0.0:
            return np.hypot(self.proportional * concentration, self.additive)
        p, a = self.proportional * concentration, self.additive
        return np.asarray(np.sqrt(p * p + a * a + 2.0 * self.correlation * p * a))
