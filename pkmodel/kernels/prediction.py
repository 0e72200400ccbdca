"""From random effects to predicted levels: one patient's record walked once, in closed form.

Random effects are carried as independent standard normals z: the between-subject etas are ``chol z`` (omega =
chol chol'), followed by one block of ``iov_sd z`` for each occasion. A parameter is its typical value of the day
times exp(eta + kappa).
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel.kernels import layout as at
from pkmodel.kernels import linear
from pkmodel.kernels._jit import jit
from pkmodel.kernels.records import BOLUS, EPOCH, INFUSION, INFUSION_END, OCCASION, RESET, SAMPLE


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


@jit()
def walk(b, patient, z, f, eta, theta):
    """Predicted free drug (mg/L) at the samples of a patient with random effects ``z``, into ``f``.

    A dose into the depot waits for the lag of the moment at which it is given, as in the simulator; of two doses
    the later one never overtakes the earlier. F is that of the arrival. A reset cancels what still waits.

    ``eta`` and ``theta`` are work space; ``theta`` is left at the parameters of the last entry.
    """
    etas(b, z, eta)
    j, stop = b.entry_offsets[patient], b.entry_offsets[patient + 1]
    depot, depots = b.depot_offsets[patient], b.depot_offsets[patient + 1]
    epoch = int(b.value[j])  # the first entry is always an epoch
    occasion = 0
    t = b.time[j]
    individual(b, epoch, occasion, z, eta, theta)
    mode = linear.modes(theta, 1.0)
    a_d, a_c, a_p, rate = 0.0, 0.0, 0.0, 0.0
    running = 0
    k = 0
    seen, dose_epoch, dose_occasion = j, epoch, 0  # what holds when the next dose into the depot is given
    timed, due = -1, 0.0  # the dose whose arrival is known, and when
    while j < stop:
        moment = b.time[j]
        while depot < depots and b.depot_time[depot] < moment:
            if timed != depot:
                while seen < stop and b.time[seen] <= b.depot_time[depot]:
                    if b.kind[seen] == EPOCH:
                        dose_epoch = int(b.value[seen])
                    elif b.kind[seen] == OCCASION:
                        dose_occasion += 1
                    seen += 1
                due = b.depot_time[depot] + lag_of(b, dose_epoch, dose_occasion, z, eta)
                timed = depot
            if due >= moment:
                break
            arrival = max(due, t)
            if arrival > t:
                a_c, a_p = linear.carry(theta, mode, a_d, a_c, a_p, rate, arrival - t)
                a_d *= math.exp(-theta[at.KA] * (arrival - t))
                t = arrival
            a_d += b.depot_amount[depot] * theta[at.F]
            depot += 1
        kind = b.kind[j]
        if kind == SAMPLE:
            f[k] = max(linear.central_amount(theta, mode, a_d, a_c, a_p, rate, moment - t), 0.0) / theta[at.V1]
            k += 1
            j += 1
            continue
        if moment > t:
            a_c, a_p = linear.carry(theta, mode, a_d, a_c, a_p, rate, moment - t)
            if a_d != 0.0:
                a_d *= math.exp(-theta[at.KA] * (moment - t))
            t = moment
        if kind == INFUSION:
            rate += b.value[j]
            running += 1
        elif kind == INFUSION_END:
            running -= 1
            rate = rate - b.value[j] if running > 0 else 0.0
        elif kind == BOLUS:
            a_c += b.value[j]
        elif kind == RESET:
            a_d, a_c, a_p = 0.0, 0.0, 0.0
            while depot < depots and b.depot_time[depot] < moment:
                depot += 1
        else:
            if kind == EPOCH:
                epoch = int(b.value[j])
            else:
                occasion += 1
            individual(b, epoch, occasion, z, eta, theta)
            mode = linear.modes(theta, 1.0)
        j += 1


@jit(allocates=True)
def predict(b, patient, draws, out):
    """Predictions of one patient's samples, (draw, sample), for many sets of random effects (draw, z)."""
    eta = np.empty(b.eta_columns.size)
    theta = np.empty(at.N_THETA)
    for row in range(draws.shape[0]):
        walk(b, patient, draws[row], out[row], eta, theta)
