"""Other simulators on the antibody task: the same equations, patients, doses and outputs.

Every peer is a function from the task to ``solve(rtol) -> (patient, time, 2)``, already compiled where it
compiles. Peers that are not installed are said to be so; they are the optional extra ``bench``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import antibody
from benchmarks.antibody import START, AntibodyTask

Floats = NDArray[np.float64]
Solve = Callable[[float], Floats]
# absolute tolerance per relative one, mg: what 0.01 mg/L (the floor of the error) is in a volume of 3 L
ABSOLUTE = 0.03
LADDER = tuple(10.0 ** (-k / 4) for k in range(10, 41))  # 3e-3 ... 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A simulator to compare with.

    Attributes
    ----------
    modules
        What must import for it to be installed.
    patients
        How many patients it is given at most (times are stated per 1,000): some are slow.
    start
        Prepares it for a task.
    """

    name: str
    modules: tuple[str, ...]
    patients: int
    start: Callable[[AntibodyTask], Solve]

    def missing(self) -> str | None:
        """Name of a module that does not import, if any."""
        for module in self.modules:
            try:
                importlib.import_module(module)
            except ImportError:
                return module
        return None


def tune(solve: Solve, right: Floats, ours: float, ladder: Sequence[float] = LADDER) -> tuple[float, float]:
    """The loosest-error match: (rtol, error) of the tolerance whose error is the smallest still >= ``ours``.

    Walks from loose to tight and stops at the first tolerance that is more accurate than ``ours``: a peer is
    never made to work for more accuracy than pkmodel delivers.
    """
    chosen = (ladder[0], antibody.error(solve(ladder[0]), right))
    for rtol in ladder[1:]:
        found = antibody.error(solve(rtol), right)
        if found < ours:
            break
        chosen = (rtol, found) if found < chosen[1] else chosen
    return chosen


def numbalsoda(task: AntibodyTask) -> Solve:
    """LSODA of numbalsoda: right-hand side and loop over patients compiled by numba."""
    lsoda: Any = importlib.import_module("numbalsoda")
    numba: Any = importlib.import_module("numba")
    address = _compiled_slopes(numba, lsoda.lsoda_sig).address
    stops = task.stops()
    grid = np.concatenate([np.append(begin, days) for begin, days, _, _ in stops])
    first = np.cumsum([0] + [days.size + 1 for _, days, _, _ in stops])
    kept = np.array([outputs.size for *_, outputs in stops])
    runs = np.array([running for _, _, running, _ in stops])
    solver = lsoda.lsoda

    def all_patients(parameters, rate, grid, first, kept, runs, start, rtol, atol, out):  # type: ignore[no-untyped-def]
        good = True
        data = np.empty(parameters.shape[1] + 1)
        for row in range(parameters.shape[0]):
            data[:-1] = parameters[row]
            y = start.copy()
            k = 0
            for segment in range(runs.size):
                data[-1] = rate[row] if runs[segment] else 0.0
                days = grid[first[segment] : first[segment + 1]]
                found, fine = solver(address, y, days, data, rtol, atol, 100000)
                good = good and fine
                for j in range(kept[segment]):
                    out[row, k] = found[j + 1]
                    k += 1
                y = found[-1]
        return good

    compiled = numba.njit(all_patients)
    out = np.empty((len(task), task.days.size, 5))

    def solve(rtol: float) -> Floats:
        rate, start = task.rate, np.array(START)
        if not compiled(task.parameters, rate, grid, first, kept, runs, start, rtol, ABSOLUTE * rtol, out):
            raise RuntimeError(f"numbalsoda failed at rtol {rtol:g}")
        return task.observe(out)

    return solve


def _compiled_slopes(numba: Any, signature: Any) -> Any:
    """:func:`benchmarks.antibody.slopes` as a C function."""
    count = 13  # parameters and the infusion rate

    @numba.njit
    def choose(condition, yes, no):  # type: ignore[no-untyped-def]
        return yes if condition else no

    free = numba.njit(antibody.free)

    def rhs(t, y_, dy, p_):  # type: ignore[no-untyped-def]
        y = numba.carray(y_, (5,))
        p = numba.carray(p_, (count,))
        # antibody.slopes, spelt out: numba does not inline a function that takes functions
        d = y[0] / p[1]
        c = free(d, y[2] / p[1], p[6], np.sqrt, choose)
        bound = (d - c) * p[1]
        k_cx = p[0] / p[1] + p[4]
        exchange = p[2] * c - p[2] / p[3] * y[1]
        dy[0] = p[12] - p[0] * c - exchange - k_cx * bound
        dy[1] = exchange
        dy[2] = y[3] * p[1] - p[5] * (y[2] - bound) - k_cx * bound
        balance = p[8] * y[4] * d / (d + p[7])
        share = balance / (balance + y[3] + 1e-100)
        dy[3] = (balance - y[3]) * (share / p[9] + (1.0 - share) / p[10])
        dy[4] = -p[11] * y[4]

    return numba.cfunc(signature)(rhs)


def scipy_lsoda(task: AntibodyTask) -> Solve:
    """LSODA of scipy, patient by patient, right-hand side in Python."""
    return lambda rtol: antibody.by_scipy(task, "LSODA", rtol, ABSOLUTE * rtol)


def _diffrax(task: AntibodyTask) -> Solve:
    from benchmarks.peers_diffrax import solver

    return solver(task)


def _roadrunner(task: AntibodyTask) -> Solve:
    from benchmarks.peers_roadrunner import solver

    return solver(task)


PEERS = (
    Peer(name="numbalsoda LSODA", modules=("numbalsoda",), patients=10_000, start=numbalsoda),
    Peer(name="diffrax Tsit5 (vmap, x64)", modules=("jax", "diffrax"), patients=1000, start=_diffrax),
    Peer(name="libroadrunner CVODE", modules=("roadrunner",), patients=300, start=_roadrunner),
    Peer(name="scipy LSODA", modules=("scipy",), patients=40, start=scipy_lsoda),
)
