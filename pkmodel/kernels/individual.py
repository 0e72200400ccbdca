"""Parameters of one patient from random effects.

Random effects are carried as independent standard normals z: the between-subject etas are ``chol z`` (omega =
chol chol'), followed by one block of ``iov_sd z`` for each occasion. A parameter is its typical value of the day
times exp(eta + kappa).
"""

from __future__ import annotations

import math

from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit


@jit()
def etas(b, z, eta):
    """Between-subject random effects from standard normals."""
    for i in range(b.eta_columns.size):
        total = 0.0
        for j in range(i + 1):
            total += b.chol[i, j] * z[j]
        eta[i] = total


@jit()
def individual(b, epoch, occasion, z, eta, theta):
    """Parameters of an epoch and an occasion."""
    for j in range(theta.size):
        theta[j] = b.typical[epoch, j]
    for i in range(b.eta_columns.size):
        theta[b.eta_columns[i]] *= math.exp(eta[i])
    first = b.eta_columns.size + occasion * b.iov_columns.size
    # occasions after the last one with random effects of its own stay at their typical value
    if first + b.iov_columns.size <= z.size:
        for i in range(b.iov_columns.size):
            theta[b.iov_columns[i]] *= math.exp(b.iov_sd[i] * z[first + i])


@jit()
def lag_of(b, epoch, occasion, z, eta):
    """Absorption lag of an epoch and an occasion."""
    lag = b.typical[epoch, at.LAG]
    for i in range(b.eta_columns.size):
        if b.eta_columns[i] == at.LAG:
            lag *= math.exp(eta[i])
    first = b.eta_columns.size + occasion * b.iov_columns.size
    if first + b.iov_columns.size <= z.size:
        for i in range(b.iov_columns.size):
            if b.iov_columns[i] == at.LAG:
                lag *= math.exp(b.iov_sd[i] * z[first + i])
    return lag
