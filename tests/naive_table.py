"""Twin of simulating a table: record by record with matrix exponentials, steady states by giving the doses.

Nothing here knows pkmodel.  Time d, mg, L, L/d.  A record is a dict with time, evid, amt, dur, route, addl, ii, ss.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

DEPOT, CENTRAL, PERIPHERAL = range(3)
STEADY_DOSES = 400


def matrix(theta: dict[str, float], factor: float) -> np.ndarray:
    CL, V1, Q, V2, KA = (theta[name] for name in ("CL", "V1", "Q", "V2", "KA"))
    M = np.zeros((3, 3))
    M[DEPOT, DEPOT] = -KA
    M[CENTRAL, DEPOT] = KA
    M[CENTRAL, CENTRAL] = -(CL * factor + Q) / V1
    M[CENTRAL, PERIPHERAL] = Q / V2
    M[PERIPHERAL, CENTRAL] = Q / V1
    M[PERIPHERAL, PERIPHERAL] = -Q / V2
    return M


def carried(M: np.ndarray, x: np.ndarray, rate: float, duration: float) -> np.ndarray:
    """x' = M x + rate into the central compartment."""
    if duration <= 0.0:
        return x
    A = np.zeros((4, 4))
    A[:3, :3], A[CENTRAL, 3] = M, rate
    return (expm(A * duration) @ np.append(x, 1.0))[:3]


class Body:
    """One patient's amounts, running infusions and waiting doses."""

    def __init__(self, theta_at) -> None:
        self.theta_at = theta_at  # day -> theta that holds just after it
        self.x, self.t, self.factor = np.zeros(3), 0.0, 1.0
        self.ends: list[tuple[float, float]] = []  # (time, rate)
        self.waiting: list[tuple[float, dict, float]] = []  # (arrival, record, factor)
        self.changes: list[float] = []

    def to(self, t: float) -> None:
        """Carry to t; what happens at t itself has not happened."""
        while self.t < t:
            stops = [t, *(e for e, _ in self.ends), *(w[0] for w in self.waiting), *self.changes]
            stop = min(s for s in stops if s > self.t) if any(s > self.t for s in stops) else t
            theta = self.theta_at(self.t)
            rate = sum(r for _, r in self.ends)
            self.x = carried(matrix(theta, self.factor), self.x, rate, min(stop, t) - self.t)
            self.t = min(stop, t)
            if self.t < t:
                self.happen()

    def happen(self) -> None:
        self.ends = [(e, r) for e, r in self.ends if e > self.t]
        due = [w for w in self.waiting if w[0] <= self.t]
        self.waiting = [w for w in self.waiting if w[0] > self.t]
        for _, record, factor in due:
            self.arrive(record, factor)

    def arrive(self, record: dict, factor: float) -> None:
        theta = self.theta_at(self.t)
        if factor is not None:
            self.factor = factor
        if record["route"] == "sc":
            self.x = self.x + np.array([record["amt"] * theta["F"], 0.0, 0.0])
        elif record["dur"] > 0:
            self.ends.append((self.t + record["dur"], record["amt"] / record["dur"]))
        else:
            self.x = self.x + np.array([0.0, record["amt"], 0.0])


def steady(record: dict, theta: dict[str, float], factor: float) -> np.ndarray:
    """Amounts at the record after very many doses, its own not given."""
    M = matrix(theta, factor)
    lag = theta["LAG"] if record["route"] == "sc" else 0.0
    jump = np.zeros(3)
    rate = 0.0
    if record["route"] == "sc":
        jump[DEPOT] = record["amt"] * theta["F"]
    elif record["dur"] > 0:
        rate = record["amt"] / record["dur"]
    else:
        jump[CENTRAL] = record["amt"]
    one_dose = carried(M, carried(M, jump, rate, record["dur"]), 0.0, record["ii"] - record["dur"])
    interval = expm(M * record["ii"])
    x = np.zeros(3)
    for _ in range(STEADY_DOSES):
        x = interval @ x + one_dose
    return carried(M, x + jump, 0.0, record["ii"] - lag) if lag else x


def levels(records: list[dict], theta_at, factor_of=lambda day: None, changes=()) -> list[float]:
    """Concentrations at the observation records of one patient, in order."""
    body = Body(theta_at)
    body.changes = list(changes)
    found = []
    implied: list[tuple[float, dict]] = []

    def give(record: dict, t: float) -> None:
        factor = factor_of(t)
        if factor is not None:
            body.factor = factor
        lag = body.theta_at(t)["LAG"] if record["route"] == "sc" else 0.0
        if lag > 0:
            body.waiting.append((t + lag, record, None))
        else:
            body.arrive(record, None)

    def until(t: float) -> None:
        """Carry to t, giving implied doses on the way (those at t itself wait)."""
        nonlocal implied
        for day, record in sorted([one for one in implied if one[0] < t], key=lambda one: one[0]):
            body.to(day)
            body.happen()
            give(record, day)
        implied = [one for one in implied if one[0] >= t]
        body.to(t)

    for record in records:
        t = record["time"]
        until(t)
        if record["evid"] == 0:
            found.append(body.x[CENTRAL] / body.theta_at(t)["V1"])
            continue
        body.happen()
        if record["evid"] in (3, 4) or record["ss"] == 1:
            body.x, body.ends, body.waiting, implied = np.zeros(3), [], [], []
            body.factor = 1.0
        if record["evid"] in (1, 4):
            if record["ss"]:
                factor = factor_of(t)
                body.x = body.x + steady(record, body.theta_at(t), 1.0 if factor is None else factor)
            give(record, t)
            implied += [(t + k * record["ii"], record) for k in range(1, record["addl"] + 1)]
    return found
