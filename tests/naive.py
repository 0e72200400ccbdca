"""Naive twins: slow, obvious, independent implementations that the kernels are compared with.

Nothing here imports pkmodel. One patient at a time, general solvers of SciPy, no shared formulas with the
kernels beyond the equations of the model itself. Random numbers are in ``naive_random``, linear disposition
in ``naive_linear``; everything they offer can be had from here.

Time d, amounts mg, volumes L, clearances L/d, concentrations mg/L, antibody in mg of drug it can bind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from naive_linear import (  # noqa: F401  (offered to the tests under one name)
    A_C,
    A_D,
    A_P,
    AUC,
    RATE,
    Theta,
    arrivals,
    bateman,
    biexponential,
    infusion,
    linear_after,
    linear_matrix,
    linear_profile,
    mono_exponential,
    one_compartment_infusion,
    superpose_depots,
    superpose_infusions,
    workload_w1,
    workload_w4,
)
from naive_random import exponential, normal, philox4x32, uniform  # noqa: F401  (likewise)
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq


# --- pieces of the model, one function each ----------------------------------------------------------------
def free_share(D: float, S: float, Kss: float) -> float:
    """C/D, free over total drug: the non-negative root of C^2 - (D - S - Kss) C - Kss D = 0, over D."""
    b = D - S - Kss
    root = math.sqrt(b * b + 4 * Kss * D)
    return (b + root) / 2 / D if b >= 0 else 2 * Kss / (root - b)


def free_drug(D: float, S: float, Kss: float) -> float:
    """C; exactly D where there is no antibody."""
    return D * free_share(D, S, Kss) if D > 0 and S > 0 else D


def free_antibody(C: float, S: float, Kss: float) -> float:
    """S - X. From C (S - X) = Kss X; unlike S - (D - C) it does not cancel when either partner is scarce."""
    return S * Kss / (Kss + C)


def stimulus(C: float, C_ag: float, C_tol: float, gamma: float) -> float:
    """g(C): present drug stimulates, much drug is tolerated."""
    return C / (C + C_ag) / (1 + (C / C_tol) ** gamma)


def target_effect(C: float, EC50: float, g: float) -> float:
    """The effect a steady C would have in the end, sigmoid."""
    return C**g / (EC50**g + C**g)


@dataclass
class Situation:
    """What holds between two events."""

    theta: dict[str, float]
    immune: Mapping[str, float]
    rate_changes: list[float] = field(default_factory=list)
    strength: float = 0.0  # of the immunomodulator, 0 to 1
    steroid: float = 1.0
    occasion: float = 1.0
    memory: bool = False

    @property
    def rate(self) -> float:
        """Running infusions, mg/d; summed exactly, so that a finished one leaves nothing behind."""
        return math.fsum(self.rate_changes)

    @property
    def CL(self) -> float:
        """Clearance of free drug with co-therapy and occasion."""
        return self.theta["CL"] * self.occasion * self.immune["imm_clearance"] ** self.strength

    @property
    def tau_rise(self) -> float:
        """Time constant of rising antibody production."""
        return self.immune["tau_rise"] * (self.immune["memory_factor"] if self.memory else 1.0)


# Order of the state after onset. The last two keep the antibody's books.
A_S, R, U, EFF, LAM, AUC_FREE, ELIM, MADE, REMOVED = range(3, 12)
STATE = ("A_d", "A_c", "A_p", "A_S", "R", "U", "E", "LAM", "AUC_free", "ELIM", "MADE", "REMOVED")


def antibody_rhs(now: Situation, subject: Mapping[str, float], response: Mapping[str, float]) -> Callable:
    """Right-hand side of the whole patient after onset (science notes, section 2, as written there)."""
    immune = now.immune
    CL, rate, tau_rise, tau_R = now.CL, now.rate, now.tau_rise, immune["tau_R"]
    V1, Q, V2, KA = (now.theta[name] for name in ("V1", "Q", "V2", "KA"))
    k_cx = CL / V1 + immune["k_extra"]
    production = subject["R_max"] * immune["imm_production"] ** now.strength

    def rhs(_: float, y: np.ndarray) -> list[float]:
        A_d, A_c, A_p, A_s, made, drive, E = (float(value) for value in y[:7])
        D, S = max(A_c, 0.0) / V1, max(A_s, 0.0) / V1
        C = free_drug(D, S, immune["Kss"])
        X = D - C
        exchange = Q * C - Q / V2 * A_p
        balance = production * drive * D / (D + immune["C_ag"])
        share = balance / (balance + made) if balance > 0 else 0.0
        removed = immune["k_ada"] * free_antibody(C, S, immune["Kss"]) * V1 + k_cx * X * V1
        eliminated = CL * C + k_cx * X * V1
        return [
            -KA * A_d,
            rate + KA * A_d - exchange - eliminated,
            exchange,
            made * V1 - removed,
            (balance - made) * (share / tau_rise + (1 - share) / tau_R),
            -subject.get("k_u", 0.0) * drive,
            effect_rate(C, E, response),
            loss_hazard(E, response),
            C,
            eliminated,
            made * V1,
            removed,
        ]

    return rhs


def effect_rate(C: float, E: float, response: Mapping[str, float]) -> float:
    """dE/dt, 1/d: E follows the target effect of the free drug."""
    return (target_effect(max(C, 0.0), response["EC50"], response["g"]) - E) * math.log(2) / response["t_e"]


def loss_hazard(E: float, response: Mapping[str, float]) -> float:
    """Hazard of losing response, 1/d."""
    return response["lambda_mech"] + response["lambda_pk"] * (1 - E)


def relapse_effect(response: Mapping[str, float]) -> float:
    """The effect below which the disease comes back: that of a steady C_relapse."""
    return target_effect(response["C_relapse"], response["EC50"], response["g"])


# --- the whole patient -------------------------------------------------------------------------------------
class NaivePatient:
    """One patient walked from stop to stop; see :func:`simulate_patient` for the meaning of everything."""

    def __init__(self, theta, immune, subject, response, method="DOP853", rtol=1e-11, atol=1e-13):
        self.now = Situation(theta=dict(theta), immune=immune)
        self.subject, self.response = subject, response
        self.solver = {"method": method, "rtol": rtol, "atol": atol}
        self.time, self.H, self.onset, self.first_drug = 0.0, 0.0, math.nan, math.inf
        self.y = np.zeros(len(STATE))
        self.given, self.below_since, self.fell = [], math.nan, []

    @property
    def seroconverted(self) -> bool:
        return not math.isnan(self.onset)

    def concentrations(self) -> tuple[float, float, float, float]:
        """D, S, C and free antibody now; an amount below the solver's ``atol`` may come out negative."""
        V1, Kss = self.now.theta["V1"], self.now.immune["Kss"]
        D, S = max(self.y[A_C], 0.0) / V1, max(self.y[A_S], 0.0) / V1
        C = free_drug(D, S, Kss)
        return D, S, C, free_antibody(C, S, Kss)

    def clearance(self) -> float:
        """(CL C + k_cx X V1)/D, continued to D = 0."""
        D, S, _, _ = self.concentrations()
        CL, V1, immune = self.now.CL, self.now.theta["V1"], self.now.immune
        share = free_share(D, S, immune["Kss"]) if S > 0 else 1.0
        return CL * share + (CL / V1 + immune["k_extra"]) * (1 - share) * V1

    def record(self) -> dict[str, float]:
        """What can be read now."""
        D, S, C, unbound = self.concentrations()
        read = {"C": C, "D": D, "antibody_free": unbound, "antibody_total": S, "clearance": self.clearance()}
        read |= {"E": self.y[EFF], "R": self.y[R], "U": self.y[U], "AUC": self.y[AUC_FREE]}
        read |= {"H": self.H, "LAM": self.y[LAM], "memory": float(self.now.memory)}
        return read | {"below_since": self.below_since}

    # -- events
    def meet(self, events: Sequence[tuple]) -> None:
        """Apply the events of one instant; re-exposure is judged by the free drug just before all of them."""
        scarce = self.concentrations()[2] < self.now.immune["C_ag"]
        for _, kind, value in events:
            brings_drug = kind in ("bolus", "absorb") or (kind == "rate" and value > 0)
            if brings_drug and self.seroconverted and scarce:
                self.now.memory = True
            if brings_drug:
                self.first_drug = min(self.first_drug, self.time)
            if kind == "bolus":
                self.y[A_C] += value
                self.given.append(value)
            elif kind == "absorb":
                self.y[A_D] += value
                self.given.append(value)
            elif kind == "rate":
                self.now.rate_changes.append(value)
            elif kind == "parameters":
                self.now.theta |= value
            elif kind in ("cotherapy", "steroid", "clearance"):
                name = {"cotherapy": "strength", "steroid": "steroid", "clearance": "occasion"}[kind]
                setattr(self.now, name, value)
            elif kind != "nothing":
                raise ValueError(f"unknown event {kind!r}")

    # -- between events
    def walk(self, stop: float) -> None:
        """On to ``stop``, with nothing happening on the way except, perhaps, onset."""
        self.given.append(self.now.rate * (stop - self.time))
        if not self.seroconverted:
            self._walk_linear(stop)
        if self.time < stop:
            self._walk_with_antibody(stop)

    def _walk_linear(self, stop: float) -> None:
        now, start, threshold = self.now, self.time, self.subject["onset_threshold"]
        V1, immune = now.theta["V1"], now.immune
        M = linear_matrix({**now.theta, "CL": now.CL}, self.response["t_e"])
        x = np.zeros(6)
        x[[A_D, A_C, A_P, RATE]] = *self.y[[A_D, A_C, A_P]], now.rate
        factor = immune["h0"] * immune["imm_onset"] ** now.strength * now.steroid
        factor *= self.subject.get("m_hla", 1.0)

        def concentration(t: float) -> float:
            return float(linear_after(M, x, t - start)[A_C]) / V1

        def onset_hazard(t: float) -> float:
            waned = 2.0 ** (-max(t - self.first_drug, 0.0) / immune.get("priming_half_life", math.inf))
            return factor * waned * stimulus(concentration(t), immune["C_ag"], immune["C_tol"], immune["gamma"])

        def excess(t: float) -> float:
            return self.H + integral(onset_hazard, start, t) - threshold

        H = self.H + integral(onset_hazard, start, stop)
        seroconverts, end = threshold <= H, stop
        if seroconverts:
            end = start if threshold <= self.H else brentq(excess, start, stop, xtol=1e-13, rtol=1e-14)
        later = linear_after(M, x, end - start)
        if end > start:
            path = solve_ivp(
                lambda t, y: [
                    *(M @ y[:6]),
                    effect_rate(y[A_C] / V1, y[6], self.response),
                    loss_hazard(y[6], self.response),
                ],
                (start, end), [*x, *self.y[[EFF, LAM]]], dense_output=True, **self.solver,
            )  # fmt: skip
            self._watch_effect(lambda t: path.sol(t)[6], start, end)
            self.y[[EFF, LAM]] = path.y[6:, -1]
        self.y[[A_D, A_C, A_P]] = later[[A_D, A_C, A_P]]
        self.y[AUC_FREE] += later[AUC]
        self.y[ELIM] += now.CL * later[AUC]
        self.time, self.H = end, H
        if seroconverts:
            self.onset, self.H = end, threshold
            self.y[[A_S, R, U]] = 0.0, 0.0, 1.0

    def _walk_with_antibody(self, stop: float) -> None:
        rhs = antibody_rhs(self.now, self.subject, self.response)
        path = solve_ivp(rhs, (self.time, stop), self.y, dense_output=True, **self.solver)
        if not path.success:
            raise RuntimeError(path.message)
        self._watch_effect(lambda t: path.sol(t)[EFF], self.time, stop)
        self.y, self.time = path.y[:, -1].copy(), stop

    def _watch_effect(self, effect: Callable, start: float, end: float) -> None:
        """Note when the effect falls below, or comes back above, that of relapse."""
        level = relapse_effect(self.response)
        grid = np.linspace(start, end, 65)
        below = effect(grid) < level
        for i in np.flatnonzero(below[1:] != below[:-1]):
            if below[i + 1]:
                self.below_since = brentq(lambda t: effect(t) - level, grid[i], grid[i + 1], xtol=1e-13)
                self.fell.append(self.below_since)
            else:
                self.below_since = math.nan


def integral(function: Callable, start: float, end: float) -> float:
    """Adaptive quadrature that refuses to be vague."""
    value, error, *_ = quad(function, start, end, epsabs=1e-14, epsrel=1e-12, limit=500, full_output=1)
    if error > 1e-10:
        raise RuntimeError(f"quadrature over {start} to {end} d is only good to {error:.1e}")
    return value


def simulate_patient(
    *,
    theta: Theta,
    immune: Mapping[str, float],
    subject: Mapping[str, float],
    response: Mapping[str, float],
    events: Sequence[tuple],
    until: float,
    times: Sequence[float],
    after_events: bool = False,
    **solver,
) -> dict:
    """One patient from time 0, empty, to ``until``.

    Parameters
    ----------
    theta
        CL, V1, Q, V2, KA, F, LAG.
    immune
        h0 [1/d], C_ag, C_tol, gamma, tau_rise, tau_R [d], k_ada, k_extra [1/d], Kss, imm_onset, imm_production,
        imm_clearance, memory_factor; optional priming_half_life [d, default infinite: the onset hazard halves in it,
        counted from the first drug].
    subject
        onset_threshold (unit exponential over frailty), R_max [mg/L/d]; optional k_u [1/d, default 0: the
        antibody drive persists], m_hla (factor on the onset hazard, default 1).
    response
        t_e [d], g, EC50, lambda_mech, lambda_pk [1/d], C_relapse.
    events
        (time, kind, value), in force from that time; kinds 'bolus' [mg], 'rate' [change, mg/d], 'depot' [mg;
        F and LAG apply], 'cotherapy' [strength s in 0..1: onset hazard, production and CL times
        imm_onset**s, imm_production**s, imm_clearance**s], 'steroid' [factor on the onset hazard until the
        next], 'clearance' [factor on CL until the next], 'parameters' [entries of theta to replace] and
        'nothing' [a stop]. F and LAG are those at the time of the dose, not of its arrival. Events at
        ``until`` or later are left undone.
    times
        Output times, at most ``until``; values are those just before the events of that time (or just after,
        with ``after_events``).
    solver
        method, rtol, atol of ``scipy.integrate.solve_ivp``; DOP853, 1e-11, 1e-13.

    Returns
    -------
    dict
        Arrays over ``times``: C, D, antibody_free, antibody_total [mg/L], clearance [L/d], E, R [mg/L/d], U,
        AUC (of free drug), H (stops at the threshold), LAM, memory (0/1), below_since (when E last fell
        below that of C_relapse; NaN while above or never above). Scalars: onset_time [d, NaN if none], relapse_time
        (last fall of E below it, NaN if none), fell (every such time). 'final': dict of ``STATE`` and
        H at ``until``. 'balance': drug given, eliminated, remaining; antibody made, removed, remaining [mg].
    """
    patient = NaivePatient(theta, immune, subject, response, **solver)
    times = [float(t) for t in times]
    events = [event for event in arrivals(theta, events) if event[0] < until]
    if any(t < 0 or t > until for t in times) or any(event[0] < 0 for event in events):
        raise ValueError("times and events start at 0; times end at `until`")
    stops = {0.0, float(until), *times, *(event[0] for event in events)}
    # Pieces of at most a week: nothing that quadrature or the watch over the effect looks for can hide in them.
    stops = sorted(stops | set(np.arange(7.0, until, 7.0)))
    read: dict[float, dict[str, float]] = {}
    for stop in stops:
        if stop > patient.time:
            patient.walk(stop)
        before = patient.record()
        patient.meet([event for event in events if event[0] == stop])
        read[stop] = patient.record() if after_events else before
    y = dict(zip(STATE, map(float, patient.y), strict=True))
    remaining = y["A_d"] + y["A_c"] + y["A_p"]
    return {
        "times": np.array(times),
        **{name: np.array([read[t][name] for t in times]) for name in read[0.0]},
        "onset_time": patient.onset,
        "relapse_time": patient.fell[-1] if patient.fell else math.nan,
        "fell": np.array(patient.fell),
        "final": {**y, "H": patient.H},
        "balance": {
            "drug": (math.fsum(patient.given), y["ELIM"], remaining),
            "antibody": (y["MADE"], y["REMOVED"], y["A_S"]),
        },
    }
