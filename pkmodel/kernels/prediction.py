"""From random effects to predicted levels: one patient's record walked once, in closed form where there is one.

Models without one are integrated (:mod:`pkmodel.kernels.integrated`); their typical parameters have more columns.
"""

from __future__ import annotations

import math

import numpy as np

from pkmodel.kernels import layout as at
from pkmodel.kernels import linear
from pkmodel.kernels._jit import jit
from pkmodel.kernels.individual import etas, individual, lag_of
from pkmodel.kernels.integrated import integrated, space
from pkmodel.kernels.records import BOLUS, EPOCH, INFUSION, INFUSION_END, OCCASION, RESET, SAMPLE


@jit()
def is_integrated(b):
    """Whether the model has no closed form."""
    return b.typical.shape[1] > at.N_THETA


@jit()
def room(b, patient):
    """Numbers of work space that :func:`walk` needs for a patient."""
    return space(b, patient) if is_integrated(b) else at.N_THETA


@jit()
def walk(b, patient, z, f, eta, work):
    """Predicted free drug (mg/L) at the samples of a patient with random effects ``z``, into ``f``; ``eta`` and
    ``work`` (:func:`room` numbers) are work space."""
    if is_integrated(b):
        integrated(b, patient, z, f, eta, work)
    else:
        closed_form(b, patient, z, f, eta, work)


@jit()
def closed_form(b, patient, z, f, eta, theta):
    """As :func:`walk`, by sums of exponentials.

    A dose into the depot waits for the lag of the moment at which it is given, as in the simulator; of two doses
    the later one never overtakes the earlier. F is that of the arrival. A reset cancels what still waits.
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
    work = np.empty(room(b, patient))
    for row in range(draws.shape[0]):
        walk(b, patient, draws[row], out[row], eta, work)
