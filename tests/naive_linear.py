"""Twins of the linear disposition kernels: closed forms, and the matrix exponential of the whole system.

Nothing here knows pkmodel. Time d, amounts mg, volumes L, clearances L/d, concentrations mg/L.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.linalg import expm

Theta = Mapping[str, float]

# Order of the linear state. The last entry is the running infusion, so that "x' = M x" holds as it stands.
A_D, A_C, A_P, C_E, AUC, RATE = range(6)


# --- the matrix exponential ------------------------------------------------------------------------------
def linear_matrix(theta: Theta, t_e: float) -> np.ndarray:
    """M of x' = M x for x = (depot, central, peripheral, effect-site concentration, AUC, infusion rate)."""
    CL, V1, Q, V2, KA = (theta[name] for name in ("CL", "V1", "Q", "V2", "KA"))
    M = np.zeros((6, 6))
    M[A_D, A_D] = -KA
    M[A_C, A_D] = KA
    M[A_C, A_C] = -(CL + Q) / V1
    M[A_C, A_P] = Q / V2
    M[A_C, RATE] = 1.0
    M[A_P, A_C] = Q / V1
    M[A_P, A_P] = -Q / V2
    M[C_E, A_C] = math.log(2) / t_e / V1
    M[C_E, C_E] = -math.log(2) / t_e
    M[AUC, A_C] = 1 / V1
    return M


def linear_after(M: np.ndarray, x: np.ndarray, duration: float | np.ndarray) -> np.ndarray:
    """State ``duration`` days later (a scalar, or an array giving one row of states per duration)."""
    duration = np.asarray(duration, dtype=float)
    later = expm(M * duration[..., None, None]) @ x
    # An exponential of a matrix is good to rounding of its LARGEST entry: a washed-out amount may come out
    # as -1e-17, which a fractional power would turn into NaN.
    return np.maximum(later, 0.0)


def linear_profile(
    theta: Theta, events: Sequence[tuple], times: Sequence[float], t_e: float = 14.0
) -> dict[str, np.ndarray]:
    """Concentrations without any antibody, just before what happens at each time.

    ``events`` are (time, kind, value) with kinds 'bolus' [mg], 'rate' [change in mg/d], 'depot' [mg, times F,
    after LAG], 'clearance' [factor on CL until the next] and 'parameters' [new theta]. Returns arrays
    'C', 'Ce' [mg/L], 'AUC' [mg d/L], 'A_d', 'A_c', 'A_p' [mg], one entry per time.
    """
    events = arrivals(theta, events)
    theta, occasion = dict(theta), 1.0
    x, changes = np.zeros(6), []
    found: dict[float, np.ndarray] = {}
    stops = sorted({0.0, *map(float, times), *(event[0] for event in events)})
    for stop, following in zip(stops, [*stops[1:], None], strict=True):
        found[stop] = np.append(x, x[A_C] / theta["V1"])
        for _, kind, value in (event for event in events if event[0] == stop):
            if kind == "bolus":
                x[A_C] += value
            elif kind == "absorb":
                x[A_D] += value
            elif kind == "rate":
                changes.append(value)
            elif kind == "clearance":
                occasion = value
            elif kind == "parameters":
                theta = {**theta, **value}
            elif kind != "nothing":
                raise ValueError(f"a linear profile knows no event {kind!r}")
        x[RATE] = math.fsum(changes)  # exact: an infusion that has ended leaves a rate of exactly 0
        if following is not None:
            M = linear_matrix({**theta, "CL": theta["CL"] * occasion}, t_e)
            x = linear_after(M, x, following - stop)
    table = np.array([found[float(t)] for t in times])
    columns = {"A_d": A_D, "A_c": A_C, "A_p": A_P, "Ce": C_E, "AUC": AUC, "C": 6}
    return {name: table[:, column] for name, column in columns.items()}


def arrivals(theta: Theta, events: Sequence[tuple]) -> list[tuple]:
    """Events in order of time; a 'depot' dose becomes F times it, arriving LAG days later ('absorb')."""
    theta, arrived = dict(theta), []
    for time, kind, value in sorted(events, key=lambda event: event[0]):
        if kind == "parameters":
            theta |= value
        if kind == "depot":
            time, kind, value = time + theta["LAG"], "absorb", theta["F"] * value
        arrived.append((float(time), kind, value))
    return sorted(arrived, key=lambda event: event[0])


def infusion(start: float, amount: float, duration: float) -> list[tuple]:
    """The two events of a zero-order infusion."""
    return [(start, "rate", amount / duration), (start + duration, "rate", -amount / duration)]


# --- closed forms ----------------------------------------------------------------------------------------
def mono_exponential(CL: float, V1: float, dose: float, t: np.ndarray) -> np.ndarray:
    """One-compartment bolus: C(t) = dose/V1 exp(-CL/V1 t)."""
    return dose / V1 * np.exp(-CL / V1 * t)


def one_compartment_infusion(CL: float, V1: float, dose: float, duration: float, t: np.ndarray) -> np.ndarray:
    """Rising towards rate/CL while the infusion runs, mono-exponential afterwards."""
    k, rate = CL / V1, dose / duration
    running, since = np.minimum(t, duration), np.maximum(t - duration, 0.0)
    return rate / CL * -np.expm1(-k * running) * np.exp(-k * since)


def bateman(KA: float, CL: float, V1: float, dose: float, t: np.ndarray) -> np.ndarray:
    """First-order absorption of dose (times F): D ka/V (exp(-k t) - exp(-ka t))/(ka - k), also at ka = k."""
    k = CL / V1
    gap = (KA - k) * t
    # (1 - exp(-gap))/gap, whose limit at gap = 0 is 1.
    ratio = np.where(gap == 0, 1.0, -np.expm1(-gap) / np.where(gap == 0, 1.0, gap))
    return dose / V1 * KA * t * np.exp(-k * t) * ratio


def biexponential(CL: float, V1: float, Q: float, V2: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit-bolus response of a two-compartment model: C(t) = sum_i weight_i exp(-slope_i t), shape (2, ...).

    Slopes are the roots of s^2 - (k10 + k12 + k21) s + k10 k21; weights as in any textbook (for instance
    Gabrielsson and Weiner). The smaller root is product/larger, which does not cancel.
    """
    k10, k12, k21 = CL / V1, Q / V1, Q / V2
    total = k10 + k12 + k21
    alpha = (total + np.sqrt(total**2 - 4 * k10 * k21)) / 2
    beta = k10 * k21 / alpha
    weights = np.array([(alpha - k21) / (alpha - beta) / V1, (k21 - beta) / (alpha - beta) / V1])
    return np.array([alpha, beta]), weights


# --- superposition over many patients --------------------------------------------------------------------
def superpose_infusions(
    CL: np.ndarray, V1: np.ndarray, Q: np.ndarray, V2: np.ndarray,
    doses: Sequence[tuple[float, float, float]], times: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Two-compartment concentrations (patient, time): the sum over ``doses`` of (start, amount, duration)."""
    slopes, weights = biexponential(CL, V1, Q, V2)
    C = np.zeros((len(CL), len(times)))
    for start, amount, duration in doses:
        running = np.clip(times - start, 0.0, duration)
        since = np.maximum(times - start - duration, 0.0)
        for slope, weight in zip(slopes, weights, strict=True):
            s = slope[:, None]
            filled = -np.expm1(-s * running) / s  # integral of exp(-s t) over the part already infused
            C += amount / duration * weight[:, None] * filled * np.exp(-s * since)
    return C


def superpose_depots(
    KA: np.ndarray, CL: np.ndarray, V1: np.ndarray, doses: Sequence[tuple[float, float]], times: np.ndarray
) -> np.ndarray:
    """One-compartment concentrations (patient, time): a sum of Bateman functions over (start, amount)."""
    C = np.zeros((len(CL), len(times)))
    for start, amount in doses:
        since = np.maximum(times - start, 0.0)
        C += bateman(KA[:, None], CL[:, None], V1[:, None], amount, since)
    return C


def workload_w1(z: np.ndarray) -> tuple[dict[str, np.ndarray], list[tuple[float, float, float]], np.ndarray]:
    """Benchmark W1 for normal variates ``z`` (patient, 2): parameters, doses, times.

    350 mg over 2 h at weeks 0, 2, 6, then every 8 to week 54; weekly output.
    """
    typical, omega = {"CL": 0.407, "V1": 3.29}, {"CL": 0.38, "V1": 0.22}
    theta = {name: typical[name] * np.exp(omega[name] * z[:, j]) for j, name in enumerate(typical)}
    theta |= {"Q": np.full(len(z), 7.14), "V2": np.full(len(z), 4.13)}
    doses = [(7.0 * week, 350.0, 2 / 24) for week in (0, 2, *range(6, 55, 8))]
    return theta, doses, 7.0 * np.arange(55)


def workload_w4(z: np.ndarray) -> tuple[dict[str, np.ndarray], list[tuple[float, float]], np.ndarray]:
    """Benchmark W4 for normal variates ``z`` (patient, 3): parameters, doses, times.

    Apparent parameters (F = 1); 160, 80, then 40 mg every 14 d to week 52; weekly output.
    """
    typical, omega = {"KA": 0.28, "CL": 0.32, "V1": 7.6}, {"KA": 0.30, "CL": 0.38, "V1": 0.22}
    theta = {name: typical[name] * np.exp(omega[name] * z[:, j]) for j, name in enumerate(typical)}
    doses = [(14.0 * k, amount) for k, amount in enumerate([160.0, 80.0] + [40.0] * 25)]
    return theta, doses, 7.0 * np.arange(53)
