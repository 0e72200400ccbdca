"""Twin of the integrated disposition: three compartments, saturable elimination, effect site, hazard of loss.

Nothing here knows pkmodel. One patient, DOP853 of SciPy from stop to stop at its tightest tolerances; three
compartments without saturation also by the matrix exponential. Time d, amounts mg, volumes L, concentrations mg/L.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import brentq

AMOUNTS = ("depot", "central", "second", "third")
_CE, _LAM, _OUT = 4, 5, 6


def rates_out(theta: Mapping[str, float], C: float) -> float:
    """What is eliminated, mg/d, at concentration C."""
    return theta["CL"] * C + theta["VMAX"] * C / (theta["KM"] + C)


def simulate_saturable(
    *,
    theta: Mapping[str, float],
    response: Mapping[str, float] | None,
    events: Sequence[tuple],
    until: float,
    times: Sequence[float],
    loss_target: float = math.inf,
    method: str = "DOP853",
) -> dict:
    """One patient from time 0, empty, to ``until``.

    ``theta`` holds CL, V1, Q, V2, KA, Q3, V3, VMAX, KM; ``events`` are (time, kind, value) with kinds 'bolus' [mg],
    'rate' [change, mg/d], 'depot' [mg], 'clearance' [factor on CL until the next] and 'parameters' [entries of theta
    to replace]. Returns C and Ce at ``times`` (just before the events of that time), and at ``until`` the amounts, the
    hazard LAM, the eliminated and the given amount; loss_time and below_since as in :mod:`naive`.
    """
    theta, occasion, changes, given = dict(theta), 1.0, [], []
    y = np.zeros(7)
    found, loss_time, below_since = {}, math.inf, 0.0
    stops = sorted({0.0, float(until), *map(float, times), *(e[0] for e in events if e[0] < until)})
    for stop, following in zip(stops, [*stops[1:], None], strict=True):
        found[stop] = (max(y[1], 0.0) / theta["V1"], y[_CE])
        for _, kind, value in (event for event in events if event[0] == stop):
            if kind == "bolus":
                y[1] += value
                given.append(value)
            elif kind == "depot":
                y[0] += value
                given.append(value)
            elif kind == "rate":
                changes.append(value)
            elif kind == "clearance":
                occasion = value
            elif kind == "parameters":
                theta |= value
            else:
                raise ValueError(kind)
        if following is None:
            break
        rate = math.fsum(changes)
        given.append(rate * (following - stop))
        now = {**theta, "CL": theta["CL"] * occasion}

        def rhs(_: float, y: np.ndarray, now: dict = now, rate: float = rate) -> list[float]:
            depot, central, second, third, ce = y[:5]
            C = central / now["V1"]
            out = rates_out(now, C)
            to_2 = now["Q"] * (C - second / now["V2"])
            to_3 = now["Q3"] * (C - third / now["V3"])
            absorbed = now["KA"] * depot
            dce = dlam = 0.0
            if response is not None:
                dce = math.log(2) / response["t_e"] * (C - ce)
                high = max(ce, 0.0) ** response["g"]
                missing = 1 - high / (response["EC50"] ** response["g"] + high)
                dlam = response["lambda_mech"] + response["lambda_pk"] * missing
            return [-absorbed, rate + absorbed - out - to_2 - to_3, to_2, to_3, dce, dlam, out]

        path = solve_ivp(rhs, (stop, following), y, method=method, rtol=1e-12, atol=1e-13, dense_output=True)
        assert path.success
        y = path.y[:, -1].copy()
        if response is not None:
            grid = np.linspace(stop, following, 65)
            Ce = path.sol(grid)[_CE]
            below = Ce < response["C_relapse"]
            if not below[-1]:
                below_since = math.inf
            for i in np.flatnonzero(~below[:-1] & below[1:]):
                below_since = brentq(lambda t, p=path: p.sol(t)[_CE] - response["C_relapse"], grid[i], grid[i + 1])
            if loss_time == math.inf and y[_LAM] >= loss_target:
                loss_time = brentq(lambda t, p=path: p.sol(t)[_LAM] - loss_target, stop, following)
    table = np.array([found[float(t)] for t in times])
    return {
        "C": table[:, 0], "Ce": table[:, 1], "amounts": y[:4].copy(), "LAM": y[_LAM], "eliminated": y[_OUT],
        "given": math.fsum(given), "loss_time": loss_time, "below_since": below_since,
    }  # fmt: skip


def three_compartments(theta: Mapping[str, float], events: Sequence[tuple], times: Sequence[float]) -> np.ndarray:
    """Concentrations of a linear three-compartment model, by the matrix exponential; kinds as above."""
    V1, V2, V3, Q, Q3 = (theta[name] for name in ("V1", "V2", "V3", "Q", "Q3"))
    M = np.zeros((5, 5))  # depot, central, second, third, rate
    M[0, 0], M[1, 0] = -theta["KA"], theta["KA"]
    M[1, 1:] = -(theta["CL"] + Q + Q3) / V1, Q / V2, Q3 / V3, 1.0
    M[2, 1], M[2, 2] = Q / V1, -Q / V2
    M[3, 1], M[3, 3] = Q3 / V1, -Q3 / V3
    C = np.zeros(len(times))
    for start, kind, value in events:
        x = np.zeros(5)
        x[{"depot": 0, "bolus": 1, "rate": 4}[kind]] = value
        for k, t in enumerate(times):
            if t > start:
                C[k] += (expm(M * (t - start)) @ x)[1] / V1
    return C
