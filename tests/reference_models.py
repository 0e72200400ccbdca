"""Models of other projects' tests, built with the public classes; hours are turned into days."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import pkmodel as pk
from pkmodel.drug import PopulationModel
from pkmodel.variability import ResidualError

H = 1 / 24


def with_omega(model, names, omega, *, iov=None):
    """The model with a covariance matrix of etas; columns in the order of ``model.typical``."""
    order = [name for name in model.typical if name in names]
    rows = [names.index(name) for name in order]
    return replace(
        model, eta_parameters=tuple(order), omega=np.asarray(omega, float)[np.ix_(rows, rows)], iov=iov or {}
    )


def lower(values, n):
    """Symmetric matrix from its lower triangle, row by row."""
    out = np.zeros((n, n))
    out[np.tril_indices(n)] = values
    return out + np.tril(out, -1).T


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thomson(PopulationModel):
    """Vancomycin of Thomson 2009 as in mipdeval: clearance is a sum, which a product of factors cannot say.

    CL = 2.99 e^eta1 (1 + .0154 (16.66667 CRCL - 66)) + CL_HEMO; the additive part is zero in the data.
    """

    @property
    def required_covariates(self):
        """Weight (kg) and creatinine clearance (L/h)."""
        return ("crcl", "weight")

    def typical_parameters(self, covariates, n, *, roles=frozenset()):
        """Typical parameters in L/day and L."""
        theta = np.empty((n, 7))
        theta[:] = list(self.typical.values())
        theta[:, 0] *= 1 + 0.0154 * (16.66667 * covariates["crcl"] - 66)
        theta[:, 1] *= covariates["weight"]
        theta[:, 3] *= covariates["weight"]
        return theta


def thomson():
    """Thomson 2009."""
    simple = pk.PopulationModel.simple(CL=2.99 / H, V1=0.675, Q=2.28 / H, V2=0.732)
    omega = np.diag([0.0729, 0.0225, 0.2401, 1.69])
    omega[0, 1] = omega[1, 0] = 0.01
    return Thomson(
        name="vancomycin-thomson-2009",
        drug="vancomycin",
        structure=simple.structure,
        typical=simple.typical,
        eta_parameters=("CL", "V1", "Q", "V2"),
        omega=omega,
        residual=ResidualError(proportional=0.15, additive=1.6),
    )


def simple(*, proportional, additive=0.0, correlation=0.0, **typical):
    """A model without variability, to be given one by :func:`with_omega`."""
    residual = ResidualError(proportional=proportional, additive=additive, correlation=correlation)
    return pk.PopulationModel.simple(residual=residual, **typical)
