"""Equations of a user's own: any right-hand side as a numba function, simulated with doses and differences of patients.

The road for what a model file cannot say. Such a model is simulated with a fixed regimen; it has no antibody layer and
does not go into a trial.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel.covariates import COVARIATES
from pkmodel.draws import Draws, Stream
from pkmodel.errors import Fault, InputError, KernelError, did_you_mean
from pkmodel.patients import Patients
from pkmodel.regimen import Regimen
from pkmodel.simulation import SERIAL_BELOW, STATUS_MESSAGES, output_times
from pkmodel.variability import correlated, omega_matrix, variance

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnEquations:
    """A model given by its right-hand side.

    Attributes
    ----------
    equations
        A ``numba.njit`` function ``f(t, y, p, dy)``: day, states, parameters of the patient (those of ``typical`` in
        their order, then ``covariates``), and the array to write dy/dt into. Infusions are added to it.
    states
        Names of y, in order.
    typical
        Typical values of the parameters.
    level
        State and parameter whose quotient is the concentration, such as ``("central", "V1")``.
    into
        State that a dose of each route goes into, such as ``{"iv": "central", "sc": "depot"}``; the first is the
        default.
    begin
        Parameter that gives the value at day 0 of a state that does not begin at 0.
    omega
        Standard deviation of the exponential eta of each parameter that varies.
    correlations
        Between two etas, by pair of parameters.
    covariates
        Names of covariates that the function reads, constant in time; any name that patients carry.
    absolute
        Error per step that never matters, in the unit of the states.
    name, drug
        For the result.

    Raises
    ------
    InputError
        With everything that does not fit together.
    """

    equations: Callable[..., Any]
    states: tuple[str, ...]
    typical: Mapping[str, float]
    level: tuple[str, str]
    into: Mapping[str, str]
    begin: Mapping[str, str] = field(default_factory=dict)
    omega: Mapping[str, float] = field(default_factory=dict)
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)
    covariates: tuple[str, ...] = ()
    absolute: float = 1e-9
    name: str = "own equations"
    drug: str = "any"

    def __post_init__(self) -> None:
        faults = []
        if not hasattr(self.equations, "py_func"):
            remedy = "decorate it: @numba.njit, def f(t, y, p, dy)"
            faults.append(Fault(key="equations", problem="is no numba function", remedy=remedy))
        for key, names, known in (
            ("level", self.level[:1], self.states),
            ("level", self.level[1:], tuple(self.typical)),
            ("into", tuple(self.into.values()), self.states),
            ("into", tuple(self.into), ("iv", "sc")),
            ("begin", tuple(self.begin), self.states),
            ("begin", tuple(self.begin.values()), tuple(self.typical)),
        ):
            faults += [
                Fault(key=key, problem=f"unknown name '{one}'", remedy=did_you_mean(one, known))
                for one in names
                if one not in known
            ]
        if not self.into:
            faults.append(Fault(key="into", problem="no route", remedy='say where doses go: {"iv": "central"}'))
        for name, value in self.typical.items():
            if not 0.0 < value < math.inf:
                remedy = "parameters are positive numbers, because etas multiply them"
                faults.append(Fault(key=name, problem=f"is {value:g}", remedy=remedy))
        if faults:
            raise InputError(faults)
        self._omega()

    def simulate(
        self,
        patients: Patients,
        regimen: Regimen,
        times: str | ArrayLike = "weekly",
        *,
        seed: int = 1,
        threads: int | None = None,
    ) -> xr.Dataset:
        """Simulate a fixed regimen; arguments as :func:`pkmodel.simulate`.

        Returns
        -------
        xarray.Dataset
            ``concentration`` (patient, time) and ``states`` (patient, time, state). At the moment of a dose both are
            those just before it.

        Raises
        ------
        InputError
            If the function does not compile or gives no finite numbers, or a dose or a covariate is missing.
        KernelError
            If the equations could not be integrated for somebody; most often they are stiff.
        """
        import xarray as xr

        from pkmodel.kernels import own

        days = output_times(times, regimen)
        n, count = len(patients), len(self.states)
        p = self._parameters(patients, Draws(seed))
        y = np.zeros((n, count))
        for state, parameter in self.begin.items():
            y[:, self.states.index(state)] = p[:, list(self.typical).index(parameter)]
        self._try(y[0], p[0])
        offsets, events = self._events(regimen, patients)
        out, status = np.empty((n, days.size, count)), np.zeros(n, np.int64)

        def run(rows: slice) -> None:
            own.run(
                self.equations, y[rows], p[rows], float(days[-1]), offsets[rows.start : rows.stop + 1], *events,
                self.absolute, days, out[rows], status[rows],
            )  # fmt: skip

        workers = 1 if threads == 1 or n < SERIAL_BELOW else os.cpu_count() or 1
        size = -(-n // workers)
        try:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(run, [slice(first, min(first + size, n)) for first in range(0, n, size)]))
        except (ArithmeticError, ValueError, IndexError) as error:
            raise KernelError(f"the function of '{self.name}' fails on the way: {error}") from error
        if status.any():
            row = int(np.argmax(status > 0))
            raise KernelError(
                f"{int((status > 0).sum())} of {n} patients could not be simulated: "
                f"{STATUS_MESSAGES[int(status[row])]} (first: row {row}, parameters "
                + ", ".join(f"{value:.4g}" for value in p[row])
                + "); are the equations stiff, or do they divide by something that becomes 0?"
            )
        level = out[:, :, self.states.index(self.level[0])] / p[:, [list(self.typical).index(self.level[1])]]
        return xr.Dataset(
            {
                "concentration": (("patient", "time"), level, {"units": "ug/mL", "long_name": "drug"}),
                "states": (("patient", "time", "state"), out),
            },
            coords={
                "patient": ("patient", patients.ids),
                "time": ("time", days, {"units": "day", "long_name": "time since the first dose"}),
                "state": list(self.states),
            },
            attrs={"model": self.name, "drug": self.drug, "seed": seed},
        )

    def _omega(self) -> tuple[tuple[str, ...], Floats]:
        variances = {name: variance(sd, "SD") for name, sd in self.omega.items()}
        covariances = {
            (one, other): r * self.omega.get(one, 0.0) * self.omega.get(other, 0.0)
            for (one, other), r in self.correlations.items()
        }
        return omega_matrix(variances, covariances, parameters=tuple(self.typical))

    def _parameters(self, patients: Patients, draws: Draws) -> Floats:
        """Parameters and covariates of each patient, shape (patient, parameter + covariate)."""
        missing = [name for name in self.covariates if name not in patients.covariates]
        if missing:
            raise InputError.one(
                f"{self.name} needs {', '.join(missing)}", "give them for every patient", key="covariates"
            )
        n, names = len(patients), list(self.typical)
        p = np.empty((n, len(names) + len(self.covariates)))
        p[:, : len(names)] = list(self.typical.values())
        varying, omega = self._omega()
        etas = correlated(draws.normal(Stream.ETA, patients.ids, len(varying)), omega)
        for column, name in enumerate(varying):
            p[:, names.index(name)] *= np.exp(etas[:, column])
        for column, name in enumerate(self.covariates):
            if name in COVARIATES:
                COVARIATES[name].check(name, patients.covariates[name])
            p[:, len(names) + column] = patients.covariates[name]
        return p

    def _try(self, y: Floats, p: Floats) -> None:
        """Call the function once, so that its faults are named and not met inside a kernel."""
        dy = np.zeros_like(y)
        try:
            self.equations(0.0, y.copy(), p, dy)
        except Exception as error:
            said = str(error).strip().splitlines()
            problem = f"the function fails: {type(error).__name__}: {said[0] if said else ''}"
            raise InputError.one(problem, "it is called as f(t, y, p, dy) and writes dy", key="equations") from error
        if not np.isfinite(dy).all():
            problem = f"dy at day 0 is {dy.tolist()}"
            raise InputError.one(problem, "write a finite number for each state", key="equations")

    def _events(self, regimen: Regimen, patients: Patients) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
        """Doses as (offsets, (time, state, amount, rate)), patient by patient."""
        n = len(patients)
        rows: list[tuple[float, int, Floats, Floats]] = []
        nothing = np.zeros(n)
        for dose in regimen.doses:
            route = next(iter(self.into)) if dose.route is None else dose.route
            if route not in self.into:
                raise InputError.one(
                    f"route '{route}' in '{self.name}', which knows {', '.join(self.into)}",
                    "choose another",
                    key="route",
                )
            state = self.states.index(self.into[route])
            mg = dose.milligrams(patients.covariates_at(dose.time).get("weight"), n)
            if route == "iv" and dose.duration > 0.0:
                rate = mg / dose.duration
                rows += [(dose.time, state, nothing, rate), (dose.time + dose.duration, state, nothing, -rate)]
            else:
                rows.append((dose.time, state, mg, nothing))
        rows.sort(key=lambda row: row[0])
        count = len(rows)
        time = np.tile([row[0] for row in rows], n)
        states = np.tile([row[1] for row in rows], n)
        amount = np.stack([row[2] for row in rows], axis=1).ravel()
        rates = np.stack([row[3] for row in rows], axis=1).ravel()
        return np.arange(n + 1) * count, (time, states, amount, rates)
