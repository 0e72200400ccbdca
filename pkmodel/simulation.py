"""From a model, patients and a regimen to trajectories: ``start``, ``advance`` and ``simulate``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel import timetable, units
from pkmodel.antibody import Immunogenicity
from pkmodel.cotherapy import Cotherapy, strength_events
from pkmodel.doses import regimen_events
from pkmodel.draws import Draws
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError, KernelError
from pkmodel.individuals import covariate_events, parameters
from pkmodel.kernels import layout as at
from pkmodel.patients import ClearanceChange, Patients
from pkmodel.regimen import Regimen
from pkmodel.response import NO_RESPONSE_MODEL, Response
from pkmodel.state import Events, State
from pkmodel.structure import PARAMETERS

if TYPE_CHECKING:
    import xarray as xr

STATUS_MESSAGES = {
    at.STEP_TOO_SMALL: "the integrator's step became too small",
    at.TOO_MANY_STEPS: "the integrator needed too many steps",
    at.NOT_FINITE: "a result was not finite",
}
SERIAL_BELOW = 64  # patients; below it starting threads costs more than it saves


def start(
    model: PopulationModel,
    patients: Patients,
    draws: Draws,
    *,
    immunogenicity: Immunogenicity | None = None,
    response: Response | None = None,
    time: float = 0.0,
    first_eta: int = 0,
) -> State:
    """The state of drug-free, antibody-free patients at day ``time``.

    ``first_eta`` is the address of the first random effect, another one for a drug that is not the patients' first
    (:mod:`pkmodel.switching`).

    Raises
    ------
    InputError
        For an antibody layer on a model that has no closed form.
    """
    if immunogenicity is not None and not model.structure.closed_form:
        raise InputError.one(
            f"the antibody layer knows no {model.structure} model ('{model.name}')",
            "leave the layer out (the model's own antibody term, if it has one, then applies), or take a linear "
            "model of one or two compartments",
            key="immunogenicity",
        )
    theta = parameters(model, patients, draws, immunogenicity=immunogenicity, time=time, first_eta=first_eta)
    n = len(patients)
    values = np.zeros((n, at.N_STATE if model.structure.closed_form else at.N_STATE_WIDE))
    values[:, [at.STEROID, at.OCCASION, at.MEMORY]] = 1.0
    values[:, [at.ONSET_TIME, at.LOSS_TIME, at.LOSS_TARGET, at.FIRST_DRUG]] = math.inf
    values[:, at.STEP] = 0.5
    values[:, [at.BELOW_SINCE, at.LAST_INPUT]] = time
    if immunogenicity is None:
        subject = np.zeros((n, at.N_SUBJECT))
        subject[:, at.ONSET_THRESHOLD] = math.inf
        immune = np.ones(at.N_IMMUNE)
    else:
        subject = immunogenicity.subjects(patients, draws)
        immune = immunogenicity.kernel_row(model.role_factor("immunomodulator"))
    if response is not None:
        subject[:, at.LOG_EC50] = response.log_EC50(patients.ids, draws)
    return State(
        time=float(time),
        theta=theta,
        values=values,
        subject=subject,
        immune=immune,
        response=NO_RESPONSE_MODEL if response is None else response.kernel_row(),
        pending=covariate_events(model, patients, draws, immunogenicity, after=time, first_eta=first_eta),
    )


def advance(
    state: State,
    events: Events | None = None,
    *,
    until: float,
    times: NDArray[np.float64] | None = None,
    into: NDArray[np.float64] | None = None,
    threads: int | None = None,
) -> State:
    """Carry every patient from ``state.time`` to ``until``.

    Parameters
    ----------
    state
        Where to begin; it is not changed.
    events
        New events at or after ``state.time``; those at or after ``until`` wait in the returned state.
    until
        Day to stop at. Stopping is a do-nothing event: it restarts the grid of hazard integral and
        integrator, so runs are compared bit for bit between runs with the same stops.
    times, into
        Output days up to until, increasing, and the array (patient, time, 4) to write free drug, free antibody,
        total antibody (mg/L) and clearance (L/d) to. Values are limits from the left.
    threads
        1 forces the serial kernel (safe inside servers and worker processes).

    Raises
    ------
    InputError
        If events lie before the state's time or ``until`` does not lie after it.
    KernelError
        If a patient could not be integrated; names the patients.
    """
    from pkmodel.kernels import propagate, walk

    if not until >= state.time:
        raise InputError.one(f"cannot go back from day {state.time:g} to day {until:g}", key="until")
    new = Events.merge([state.pending, events if events is not None else Events.none()])
    if new.row.size and float(new.time.min()) < state.time:
        raise InputError.one(f"an event before day {state.time:g}", "order it at or after that", key="events")
    now, later = new.split(until)
    n = len(state)
    values, theta = state.values.copy(), state.theta.copy()
    status = np.zeros(n, np.int64)
    if times is None or into is None:
        times, into = np.empty(0), propagate.empty_outputs(n)
    engine = walk if state.integrated else propagate
    run = engine.advance_serial if threads == 1 or n < SERIAL_BELOW else engine.advance_parallel
    run(
        theta,
        values,
        state.subject,
        state.immune,
        state.response,
        float(state.time),
        float(until),
        now.offsets(n),
        np.ascontiguousarray(now.time),
        np.ascontiguousarray(now.kind),
        np.ascontiguousarray(now.value),
        now.tables,
        times,
        into,
        status,
    )
    if status.any():
        bad = np.flatnonzero(status)
        row = int(bad[0])
        raise KernelError(
            f"{bad.size} of {n} patients could not be simulated between day {state.time:g} and day {until:g}: "
            f"{STATUS_MESSAGES.get(int(status[row]), 'unknown status')} (first: row {row}, parameters "
            + ", ".join(f"{value:.4g}" for value in theta[row])
            + "); check the model's parameters and the doses"
        )
    return replace(state, time=float(until), theta=theta, values=values, pending=later)


def output_times(times: str | ArrayLike, regimen: Regimen) -> NDArray[np.float64]:
    """Output days: "weekly", "daily", an interval such as "3 days", or numbers (days)."""
    if isinstance(times, str):
        step = {"weekly": 7.0, "daily": 1.0}.get(times) or units.time_d(times)
        if step <= 0.0:
            raise InputError.one(f"'{times}' is not an interval", "use e.g. 'weekly' or '3 days'", key="times")
        end = regimen.until if regimen.until is not None else regimen.doses[-1].time + (regimen.interval or 56.0)
        return np.asarray(step * np.arange(int(end / step + 1e-9) + 1), dtype=np.float64)
    days = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if days.ndim != 1 or not np.all(np.isfinite(days)) or np.any(days < 0.0) or np.any(np.diff(days) <= 0.0):
        raise InputError.one("output times must be days >= 0 in increasing order", "sort them", key="times")
    return days


def simulate(
    model: PopulationModel,
    patients: Patients,
    regimen: Regimen,
    times: str | ArrayLike = "weekly",
    *,
    seed: int = 1,
    immunogenicity: Immunogenicity | None = None,
    cotherapy: Sequence[Cotherapy] = (),
    clearance_change: ClearanceChange | None = None,
    assays: Sequence[Any] | None = None,
    threads: int | None = None,
) -> xr.Dataset:
    """Simulate a fixed regimen.

    Parameters
    ----------
    model, patients, regimen
        See :func:`pkmodel.load`, :class:`pkmodel.Patients`, :class:`pkmodel.Regimen`.
    times
        "weekly", "daily", an interval, or days. A value at the moment of a dose is the level just before it.
    seed
        Of all random numbers (between-subject and between-occasion variability, antibody onset).
    immunogenicity
        The antibody layer; None simulates the PK model as published, with its own binary antibody term where
        patients have a covariate ``ada_positive``.
    cotherapy
        Immunomodulators; they act through the antibody layer.
    clearance_change
        A step of CL at each patient's own day.
    assays
        Drug and antibody assays; adds what each would have reported.
    threads
        1 for the serial kernel.

    Returns
    -------
    xarray.Dataset
        ``concentration`` (patient, time) free drug in ug/mL; with an antibody layer also ``antibody_free``,
        ``antibody_total`` (ug/mL of drug-binding capacity) and ``clearance`` (L/day). Units in ``attrs``.

    Raises
    ------
    InputError
        For a route the model does not have, a mg/kg dose without weights, co-therapy without antibody layer.
    """
    from pkmodel import dataset

    draws = Draws(seed)
    days = output_times(times, regimen)
    if cotherapy and immunogenicity is None:
        raise InputError.one(
            "co-therapy acts through the antibody layer, which is off",
            "give immunogenicity=..., or the covariate 'immunomodulator' for the PK model's own term",
            key="cotherapy",
        )
    if clearance_change is not None and clearance_change.time.size != len(patients):
        raise InputError.one(
            f"{clearance_change.time.size} times for {len(patients)} patients",
            "give one each",
            key="clearance_change",
        )
    if clearance_change is not None and model.structure.elimination == "michaelis-menten":
        problem = f"'{model.name}' has no linear clearance that could change"
        raise InputError.one(problem, "leave the change out, or use covariates over time", key="clearance_change")
    out = None
    if immunogenicity is None and not patients.over_time and not any(model.iov.values()):
        out = _on_one_timetable(model, patients, regimen, days, draws, clearance_change, threads)
    if out is None:
        out = _event_by_event(
            model, patients, regimen, days, draws, immunogenicity, cotherapy, clearance_change, threads
        )
    return dataset.trajectories(
        out, days, model, patients, seed=seed, immunogenicity=immunogenicity, assays=assays, draws=draws
    )


def _on_one_timetable(
    model: PopulationModel,
    patients: Patients,
    regimen: Regimen,
    days: NDArray[np.float64],
    draws: Draws,
    change: ClearanceChange | None,
    threads: int | None,
) -> NDArray[np.float64] | None:
    """Free drug (patient, time, 1) where all patients share dose and output times; None where they do not."""
    later = days > 0.0
    if model.structure.parameters != PARAMETERS or not timetable.all_together(model) or not later.any():
        return None
    plan = timetable.compile_timetable(regimen, model.structure, days[later], model=model.name)
    if plan is None:
        return None
    theta = parameters(model, patients, draws)
    n = len(patients)
    weight = patients.covariates.get("weight")
    if weight is None:
        for dose in regimen.doses:
            dose.milligrams(None, n)  # refuses mg/kg
        weight = np.ones(n)
    out = np.empty((n, days.size))
    timetable.run(
        plan,
        theta,
        weight,
        days[later],
        out,
        change_time=np.full(n, math.inf) if change is None else change.time,
        change_factor=np.ones(n) if change is None else change.factor,
        serial=threads == 1 or n < SERIAL_BELOW,
    )
    return out[:, :, None]


def _event_by_event(
    model: PopulationModel,
    patients: Patients,
    regimen: Regimen,
    days: NDArray[np.float64],
    draws: Draws,
    immunogenicity: Immunogenicity | None,
    cotherapy: Sequence[Cotherapy],
    change: ClearanceChange | None,
    threads: int | None,
) -> NDArray[np.float64]:
    """Outputs (patient, time, 4) by the general engine."""
    state = start(model, patients, draws, immunogenicity=immunogenicity)
    parts = [regimen_events(regimen, model, patients, draws, state.theta, immunogenicity)]
    if change is not None:
        state, step = _with_clearance_change(state, change)
        parts.append(step)
    for therapy in cotherapy:
        assert immunogenicity is not None
        takers = np.flatnonzero(therapy.takers(patients.ids, draws))
        parts.append(
            strength_events(
                therapy.drug, takers, patients.ids[takers], draws, immunogenicity,
                start=therapy.start, until=therapy.until,
            )
        )  # fmt: skip
    out = np.empty((len(patients), days.size, 4))
    if days[0] == 0.0:
        out[:, 0, :3] = 0.0
        out[:, 0, 3] = state.theta[:, at.CL]
    if days[-1] > 0.0:
        advance(state, Events.merge(parts), until=float(days[-1]), times=days, into=out, threads=threads)
    return out


def _with_clearance_change(state: State, change: ClearanceChange) -> tuple[State, Events]:
    """The state, whose waiting covariate changes keep each patient's factor on CL, and the steps of CL themselves."""
    waiting = state.pending
    table = waiting.value.astype(np.int64)
    day = change.time[waiting.row]
    just_before = state.theta.copy()
    earlier = waiting.time <= day
    just_before[waiting.row[earlier]] = waiting.tables[table[earlier]]  # in order of time: the last one holds
    tables = waiting.tables.copy()
    tables[table[~earlier], at.CL] *= change.factor[waiting.row[~earlier]]
    rows = np.flatnonzero(np.isfinite(change.time))
    changed = just_before[rows]
    changed[:, at.CL] *= change.factor[rows]
    step = Events(
        row=rows,
        time=change.time[rows],
        kind=np.full(rows.size, at.PARAMETERS_SET),
        value=np.arange(rows.size, dtype=np.float64),
        tables=changed,
    )
    return replace(state, pending=replace(waiting, tables=tables)), step
