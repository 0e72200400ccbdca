"""The antibody system as a task for any ODE solver: the same equations, patients, doses and outputs for all.

All patients seroconvert at day 0 (an enormous onset hazard), so that the whole 54 weeks are solver work. Memory at
re-exposure, an event that depends on the solution, is switched off: the peers would need root finding for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import pkmodel as pk
import scenarios as sc
from benchmarks.references import max_error
from pkmodel.kernels import layout as at

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]
SEED = 1
_INFUSION = 2.0 / 24.0  # d
# columns of AntibodyTask.parameters
CL, V, Q, V2, K_EXTRA, K_ADA, KSS, C_AG, R_MAX, RISE, TAU, K_U = range(12)
START = (0.0, 0.0, 0.0, 0.0, 1.0)  # central drug, peripheral drug, antibody (mg), production (mg/L/d), drive


def slopes(y: Any, p: Any, rate: Any, sqrt: Callable[[Any], Any], where: Callable[..., Any]) -> tuple[Any, ...]:
    """Right-hand side for y = (A_c, A_p, A_S, R, u) with an infusion of ``rate`` mg/d.

    Gibiansky 2008 (doi:10.1007/s10928-008-9102-8) as in :mod:`pkmodel.kernels.binding`, but written down again.
    Scalars, arrays and tracers alike: ``sqrt`` and ``where`` come from the caller's array library.
    """
    a_c, a_p, a_s, r, u = y[0], y[1], y[2], y[3], y[4]
    d = a_c / p[V]
    c = free(d, a_s / p[V], p[KSS], sqrt, where)
    bound = (d - c) * p[V]  # mg of complex
    k_cx = p[CL] / p[V] + p[K_EXTRA]
    exchange = p[Q] * c - p[Q] / p[V2] * a_p
    balance = p[R_MAX] * u * d / (d + p[C_AG])
    share = balance / (balance + r + 1e-100)
    return (
        rate - p[CL] * c - exchange - k_cx * bound,
        exchange,
        r * p[V] - p[K_ADA] * (a_s - bound) - k_cx * bound,
        (balance - r) * (share / p[RISE] + (1.0 - share) / p[TAU]),
        -p[K_U] * u,
    )


def free(d: Any, s: Any, kss: Any, sqrt: Callable[[Any], Any], where: Callable[..., Any]) -> Any:
    """Free drug, mg/L, of total drug ``d`` and antibody ``s``; neither branch cancels."""
    b = d - s - kss
    root = sqrt(b * b + 4.0 * kss * d)
    # abs: the branch not taken must not divide by zero
    return where(b >= 0.0, 0.5 * (b + root), 2.0 * kss * d / (root + abs(b)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AntibodyTask:
    """What to solve.

    Attributes
    ----------
    parameters
        (patient, 12), columns as named above.
    dose
        (patient,) mg of each infusion.
    edges
        (segment + 1,) days between which the infusion rate is constant: dose starts, infusion ends, the end.
    running
        (segment,) whether the infusion runs.
    days
        (time,) output days, each at an edge or inside a segment; all after 0.
    """

    parameters: Floats
    dose: Floats
    edges: Floats
    running: NDArray[np.bool_]
    days: Floats

    def __len__(self) -> int:
        return int(self.dose.size)

    @property
    def rate(self) -> Floats:
        """(patient,) mg/d while an infusion runs."""
        return self.dose / _INFUSION

    def first(self, n: int) -> AntibodyTask:
        """The task for the first ``n`` patients."""
        return AntibodyTask(
            parameters=self.parameters[:n],
            dose=self.dose[:n],
            edges=self.edges,
            running=self.running,
            days=self.days,
        )

    def stops(self) -> list[tuple[float, Floats, bool, NDArray[np.intp]]]:
        """For each segment: its start, the days to stop at (outputs, then the end), whether the infusion runs,
        and which outputs the stops are (as many as there are outputs in the segment).

        An output at an edge belongs to the segment that ends there: limits from the left.
        """
        found = []
        for begin, end, runs in zip(self.edges[:-1], self.edges[1:], self.running, strict=True):
            inside = np.flatnonzero((self.days > begin) & (self.days <= end))
            days = self.days[inside]
            if not days.size or days[-1] < end:
                days = np.append(days, end)
            found.append((float(begin), days, bool(runs), inside))
        return found

    def observe(self, states: Floats) -> Floats:
        """(patient, time, 2) free drug and total antibody, mg/L, of states (patient, time, 5)."""
        p = self.parameters[:, None, :]
        d, s = states[..., 0] / p[..., V], states[..., 2] / p[..., V]
        return np.stack([free(d, s, p[..., KSS], np.sqrt, np.where), s], axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AntibodyWorkload:
    """The task, and pkmodel's way to do it."""

    task: AntibodyTask
    run: Callable[[int], xr.Dataset]

    def solve(self) -> Floats:
        """(patient, time, 2) as :meth:`AntibodyTask.observe`, by pkmodel on one thread."""
        result = self.run(1)
        return np.stack([result["concentration"], result["antibody_total"]], axis=-1)[:, 1:]


def antibody_workload(n: int) -> AntibodyWorkload:
    """5 mg/kg at weeks 0, 2, 6, then every 8 to week 54 in adults with Crohn's disease; weekly output."""
    # no between-occasion variability: the peers would have to change a parameter at every dose
    model = replace(pk.load("infliximab-fasanmade-2011"), iov={})
    layer = pk.Immunogenicity.load("infliximab").with_values(h0=1e12, memory_factor=1.0)
    patients = sc.Cohort.load("adult-crohn").sample(n, seed=SEED)
    regimen = pk.Regimen.induction("5 mg/kg").then(pk.Regimen.every("8 weeks", dose="5 mg/kg", until="54 weeks"))
    days = np.arange(0.0, 7.0 * 55, 7.0)
    state = pk.start(model, patients, pk.Draws(SEED), immunogenicity=layer)
    parameters = np.empty((n, 12))
    parameters[:, [CL, V, Q, V2]] = state.theta[:, [at.CL, at.V1, at.Q, at.V2]]
    parameters[:, [K_EXTRA, K_ADA, KSS, C_AG]] = state.immune[[at.K_EXTRA, at.K_ADA, at.KSS, at.C_AG]]
    parameters[:, R_MAX] = state.subject[:, at.R_MAX]
    parameters[:, RISE], parameters[:, TAU] = layer.tau_rise, layer.tau_R
    parameters[:, K_U] = state.subject[:, at.DRIVE_RATE]
    starts = np.array([dose.time for dose in regimen.doses])
    task = AntibodyTask(
        parameters=parameters,
        dose=5.0 * patients.covariates["weight"],
        edges=np.append(np.stack([starts, starts + _INFUSION], axis=1).ravel(), days[-1]),
        running=np.tile([True, False], starts.size),
        days=days[1:],
    )
    return AntibodyWorkload(
        task=task,
        run=lambda threads: pk.simulate(
            model, patients, regimen, days, seed=SEED, immunogenicity=layer, threads=threads
        ),
    )


def by_scipy(task: AntibodyTask, method: str, rtol: float, atol: float) -> Floats:
    """(patient, time, 2) by scipy's ``solve_ivp``, patient by patient, started anew where the infusion rate
    changes."""
    from scipy.integrate import solve_ivp

    def choose(condition: bool, yes: float, no: float) -> float:
        return yes if condition else no

    states = np.empty((len(task), task.days.size, 5))
    stops = task.stops()
    for row in range(len(task)):
        p, y = task.parameters[row].tolist(), np.array(START)
        for begin, days, runs, outputs in stops:
            rate = float(task.rate[row]) if runs else 0.0

            def rhs(_: float, y: Floats, p: list[float] = p, rate: float = rate) -> tuple[float, ...]:
                return slopes(y.tolist(), p, rate, math.sqrt, choose)

            found = solve_ivp(rhs, (begin, days[-1]), y, method=method, t_eval=days, rtol=rtol, atol=atol)
            if not found.success:
                raise RuntimeError(f"{method} at rtol {rtol:g}: {found.message}")
            states[row, outputs] = found.y.T[: outputs.size]
            y = found.y[:, -1]
    return task.observe(states)


def reference(task: AntibodyTask) -> Floats:
    """(patient, time, 2) by DOP853 at a relative tolerance of 1e-11."""
    return by_scipy(task, "DOP853", 1e-11, 1e-12)


def error(found: Floats, right: Floats) -> float:
    """Largest error over the patients of ``right``, in free drug and antibody."""
    return max_error(found[: right.shape[0]], right)
