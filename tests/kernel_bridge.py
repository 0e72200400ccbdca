"""The kernels under the interface of the naive twins: same cases in, comparable numbers out."""

from __future__ import annotations

import math

import naive
import numpy as np

from pkmodel.kernels import layout as at
from pkmodel.simulation import advance
from pkmodel.state import Events, State
from pkmodel.structure import PARAMETERS

KINDS = {
    "bolus": at.BOLUS, "rate": at.RATE_CHANGE, "depot": at.DEPOT, "cotherapy": at.COTHERAPY_SET,
    "steroid": at.STEROID_SET, "clearance": at.OCCASION_SET, "parameters": at.PARAMETERS_SET,
    "nothing": at.NOTHING,
}  # fmt: skip


def immune_row(immune) -> np.ndarray:
    row = np.empty(at.N_IMMUNE)
    for column, name in (
        (at.H0, "h0"), (at.C_AG, "C_ag"), (at.C_TOL, "C_tol"), (at.GAMMA, "gamma"), (at.TAU_R, "tau_R"),
        (at.TAU_RISE, "tau_rise"),
        (at.K_ADA, "k_ada"), (at.K_EXTRA, "k_extra"), (at.KSS, "Kss"), (at.IMM_ONSET, "imm_onset"),
        (at.IMM_PRODUCTION, "imm_production"), (at.IMM_CLEARANCE, "imm_clearance"),
        (at.MEMORY_FACTOR, "memory_factor"),
    ):  # fmt: skip
        row[column] = immune[name]
    row[at.WANING] = math.log(2.0) / immune.get("priming_half_life", math.inf)
    return row


def response_row(response) -> np.ndarray:
    row = np.empty(at.N_RESPONSE)
    row[at.K_EFFECT] = math.log(2.0) / response["t_e"]
    row[at.HILL] = response["g"]
    row[at.LAMBDA_MECH], row[at.LAMBDA_PK] = response["lambda_mech"], response["lambda_pk"]
    row[at.E_RELAPSE] = naive.relapse_effect(response)
    return row


def event_list(theta, events) -> Events:
    current, tables, rows = dict(theta), [], []
    for time, kind, value in sorted(events, key=lambda event: event[0]):
        shift = 0.0
        if kind == "parameters":
            current |= value
            tables.append([current[name] for name in PARAMETERS])
            value = float(len(tables) - 1)
        elif kind == "depot":
            shift = current["LAG"]
        rows.append((time + shift, KINDS[kind], value))
    rows.sort(key=lambda row: row[0])
    times, kinds, values = (np.array(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return Events(
        row=np.zeros(len(rows), np.int64),
        time=np.asarray(times, float),
        kind=np.asarray(kinds, np.int64),
        value=np.asarray(values, float),
        tables=np.array(tables).reshape(-1, at.N_THETA),
    )


def begin(theta, immune, subject, response) -> State:
    values = np.zeros((1, at.N_STATE))
    values[:, [at.STEROID, at.OCCASION, at.MEMORY]] = 1.0
    values[:, [at.ONSET_TIME, at.LOSS_TIME, at.LOSS_TARGET, at.FIRST_DRUG]] = math.inf
    values[:, at.BELOW_SINCE] = math.nan
    values[:, at.STEP] = 0.5
    threshold = subject["onset_threshold"] / subject.get("m_hla", 1.0)
    who = np.array([[threshold, subject["R_max"], subject.get("k_u", 0.0), math.log(response["EC50"])]])
    return State(
        time=0.0,
        theta=np.array([[theta[name] for name in PARAMETERS]]),
        values=values,
        subject=who,
        immune=immune_row(immune),
        response=response_row(response),
        pending=Events.none(),
    )


def simulate_patient(*, theta, immune, subject, response, events, until, times, stops=(), loss_target=math.inf) -> dict:
    """As ``naive.simulate_patient``; ``stops`` are days at which the kernel is stopped and continued."""
    times = np.asarray(times, float)
    state = begin(theta, immune, subject, response)
    state.values[0, at.LOSS_TARGET] = loss_target
    waiting = event_list(theta, [event for event in events if event[0] < until])
    out = np.zeros((1, times.size, 4))
    for stop in [*stops, until]:
        mine = (times > state.time) & (times <= stop)
        part = np.zeros((1, int(mine.sum()), 4))
        state = advance(state, waiting, until=stop, times=times[mine], into=part)
        waiting = Events.none()
        out[:, mine] = part
    values = state.values[0]
    return {
        "C": out[0, :, 0], "antibody_free": out[0, :, 1], "antibody_total": out[0, :, 2], "clearance": out[0, :, 3],
        "onset_time": values[at.ONSET_TIME] if math.isfinite(values[at.ONSET_TIME]) else math.nan,
        "H": values[at.ONSET_HAZARD], "LAM": values[at.LOSS_HAZARD], "E": values[at.EFFECT],
        "below_since": values[at.BELOW_SINCE], "loss_time": values[at.LOSS_TIME], "state": state,
    }  # fmt: skip


def difference(kernel, twin, floor: float = 0.01) -> float:
    """Largest error of a concentration, relative to the larger of its value and ``floor`` mg/L."""
    return float(np.max(np.abs(kernel - twin) / np.maximum(np.abs(twin), floor)))


__all__ = ["begin", "difference", "event_list", "naive", "simulate_patient"]
