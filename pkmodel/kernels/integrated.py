"""From random effects to predicted levels where there is no closed form: one patient's record, integrated.

Three compartments, saturable elimination and zero-order absorption, by the integrator of the simulator
(:mod:`pkmodel.kernels.walk`), with its steps and error control; samples are taken from its dense output and move no
step. A dose that is absorbed at a constant rate is an infusion of D1 days that begins after the lag, with lag, D1 and
bioavailability of the moment at which it is given, as in :mod:`pkmodel.doses`.
"""

from __future__ import annotations

import math

from pkmodel.kernels import layout as at
from pkmodel.kernels._jit import jit
from pkmodel.kernels.individual import etas, individual
from pkmodel.kernels.records import BOLUS, EPOCH, INFUSION, INFUSION_END, OCCASION, RESET, SAMPLE
from pkmodel.kernels.walk import interval

_STATE = at.N_THETA_WIDE
_RESPONSE = _STATE + at.N_STATE_WIDE
_SUBJECT = _RESPONSE + at.N_RESPONSE
_FREE = _SUBJECT + at.N_SUBJECT
_FIRST_STEP = 0.5  # d, as in a new state of the simulator


@jit()
def space(b, patient):
    """Numbers of work space that a patient needs: parameters, state, doses into the depot, samples."""
    samples = b.level_offsets[patient + 1] - b.level_offsets[patient]
    doses = b.depot_offsets[patient + 1] - b.depot_offsets[patient]
    return _FREE + 3 * doses + 5 * samples


@jit()
def _inputs(b, patient, z, eta, theta, begin, end, rate):
    """When each dose into the depot begins to arrive; where it does so at a constant rate, until when and how fast."""
    seen, stop = b.entry_offsets[patient], b.entry_offsets[patient + 1]
    first = b.depot_offsets[patient]
    epoch, occasion = int(b.value[seen]), 0
    latest = -math.inf
    for k in range(begin.size):
        given = b.depot_time[first + k]
        while seen < stop and b.time[seen] <= given:
            if b.kind[seen] == EPOCH:
                epoch = int(b.value[seen])
            elif b.kind[seen] == OCCASION:
                occasion += 1
            seen += 1
        individual(b, epoch, occasion, z, eta, theta)
        begin[k] = given + theta[at.LAG]
        if theta[at.D1] > 0.0:
            end[k] = begin[k] + theta[at.D1]
            rate[k] = b.depot_amount[first + k] * theta[at.F] / theta[at.D1]
        else:
            # of two doses into the depot the later one never overtakes the earlier
            begin[k] = max(begin[k], latest)
            latest = begin[k]
            end[k], rate[k] = begin[k], 0.0


@jit()
def _next_stop(t, until, begin, end):
    """The first moment after t and before ``until`` at which an input begins or ends, or ``until``."""
    for k in range(begin.size):
        if t < begin[k] < until:
            until = begin[k]
        if t < end[k] < until:
            until = end[k]
    return until


@jit()
def integrated(b, patient, z, f, eta, work):
    """Predicted drug (mg/L) at the samples of a patient with random effects ``z``, into ``f``; NaN where the
    integration failed. ``work`` has :func:`space` numbers."""
    theta, state = work[:_STATE], work[_STATE:_RESPONSE]
    response, subject = work[_RESPONSE:_SUBJECT], work[_SUBJECT:_FREE]
    doses = b.depot_offsets[patient + 1] - b.depot_offsets[patient]
    begin, end = work[_FREE : _FREE + doses], work[_FREE + doses : _FREE + 2 * doses]
    rate = work[_FREE + 2 * doses : _FREE + 3 * doses]
    times = work[_FREE + 3 * doses : _FREE + 3 * doses + f.size]
    out = work[_FREE + 3 * doses + f.size : _FREE + 3 * doses + 5 * f.size].reshape(1, f.size, 4)
    state[:] = 0.0
    response[:] = 0.0  # no effect, and no response to lose
    subject[:] = 0.0
    state[at.OCCASION], state[at.STEP] = 1.0, _FIRST_STEP
    state[at.LOSS_TARGET], state[at.LOSS_TIME] = math.inf, math.inf
    etas(b, z, eta)
    _inputs(b, patient, z, eta, theta, begin, end, rate)
    j, stop = b.entry_offsets[patient], b.entry_offsets[patient + 1]
    count = 0
    for entry in range(j, stop):
        if b.kind[entry] == SAMPLE:
            times[count] = b.time[entry]
            count += 1
    first = b.depot_offsets[patient]
    epoch, occasion, infused, running, depot, k = int(b.value[j]), 0, 0.0, 0, 0, 0
    t = b.time[j]
    individual(b, epoch, occasion, z, eta, theta)
    constant = theta[at.D1] > 0.0
    while k < f.size and times[k] <= t:
        out[0, k, 0] = 0.0
        k += 1
    while j < stop:
        kind, moment = b.kind[j], b.time[j]
        if kind == SAMPLE and j < stop - 1:
            j += 1  # comes from the dense output: a sample more or less changes no step
            continue
        while t < moment:
            while depot < doses and begin[depot] <= t and not constant:
                state[at.A_DEPOT] += b.depot_amount[first + depot] * theta[at.F]
                depot += 1
            state[at.RATE] = infused
            for dose in range(doses):
                if constant and begin[dose] <= t < end[dose]:
                    state[at.RATE] += rate[dose]
            until = _next_stop(t, moment, begin, end)
            status, k = interval(0, theta, state, response, subject, t, until, times, k, out)
            if status != at.OK:
                f[:] = math.nan
                return
            t = until
        if kind == INFUSION:
            infused += b.value[j]
            running += 1
        elif kind == INFUSION_END:
            running -= 1
            infused = infused - b.value[j] if running > 0 else 0.0
        elif kind == BOLUS:
            state[at.A_CENTRAL] += b.value[j]
        elif kind == RESET:
            state[at.A_DEPOT], state[at.A_CENTRAL] = 0.0, 0.0
            state[at.A_PERIPHERAL], state[at.A_PERIPHERAL_2] = 0.0, 0.0
            for dose in range(doses):
                if b.depot_time[first + dose] < moment:
                    rate[dose] = 0.0
                    depot = max(depot, dose + 1)
        elif kind == EPOCH:
            epoch = int(b.value[j])
            individual(b, epoch, occasion, z, eta, theta)
        elif kind == OCCASION:
            occasion += 1
            individual(b, epoch, occasion, z, eta, theta)
        j += 1
    for sample in range(f.size):
        f[sample] = out[0, sample, 0]
