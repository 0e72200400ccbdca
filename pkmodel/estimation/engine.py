"""One patient, many sets of random effects, carried by the simulator: for whatever involves antibodies.

Rows of the state are sets of random effects of the same patient. Days are counted from the first dose here.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.doses import dose_events
from pkmodel.draws import Draws
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.kernels import layout
from pkmodel.kernels import records as at
from pkmodel.patients import Patients
from pkmodel.record import PatientRecord
from pkmodel.regimen import resolve_route
from pkmodel.simulation import start
from pkmodel.state import Events, State

Floats = NDArray[np.float64]

NEVER = 1e300
"""Onset threshold that no hazard reaches, although the hazard is integrated (an infinite one switches it off)."""


def parameters_over_time(model: PopulationModel, plan: Plan, z: Floats) -> list[tuple[float, Floats]]:
    """(day, theta (row, parameter)) from each day on at which a covariate or an occasion changes."""
    b = compile_plans(model, [plan], occasions=len(plan.occasions))
    between = b.eta_columns.size
    fixed = np.exp(z[:, :between] @ b.chol.T)
    row, occasion = 0, 0
    found: dict[float, Floats] = {}
    for day, kind, value in zip(b.time, b.kind, b.value, strict=True):
        if kind == at.EPOCH:
            row = int(value)
        elif kind == at.OCCASION:
            occasion += 1
        else:
            continue
        theta = np.tile(b.typical[row], (z.shape[0], 1))
        theta[:, b.eta_columns] *= fixed
        first = between + occasion * b.iov_columns.size
        if b.iov_columns.size and first < z.shape[1]:
            theta[:, b.iov_columns] *= np.exp(b.iov_sd * z[:, first : first + b.iov_columns.size])
        found[float(day)] = theta
    return sorted(found.items())


def begin(
    model: PopulationModel, plan: Plan, z: Floats, layer: Immunogenicity, *, r_max: Floats | None = None
) -> tuple[State, Events]:
    """State before the first dose, without antibody and with an onset that does not come by itself, and all events.

    Parameters
    ----------
    r_max
        (row,) maximal antibody production, mg/L/d; None for the layer's median.

    Raises
    ------
    InputError
        If the layer is for another drug, or the record has resets.
    """
    if layer.drug != model.drug:
        problem = f"an antibody layer of {layer.drug} for a model of {model.drug}"
        raise InputError.one(problem, "take the layer of the same drug", key="immunogenicity")
    if plan.record.resets:
        raise InputError.one("a record with resets", "antibody cannot be reset: leave them out", key="resets")
    n, first = z.shape[0], plan.doses[0].day
    course = parameters_over_time(model, plan, z)
    state = start(model, _as_patients(plan.record, first, n), Draws(0), immunogenicity=layer)
    subject = np.empty((n, layout.N_SUBJECT))
    subject[:, layout.ONSET_THRESHOLD] = NEVER
    subject[:, layout.R_MAX] = layer.R_max_median if r_max is None else r_max
    subject[:, layout.DRIVE_RATE] = 0.0
    # the model's own effect of an immunomodulator on clearance is in theta already
    state = replace(
        state, theta=course[0][1], subject=subject, immune=layer.kernel_row(1.0), pending=Events.none()
    )  # fmt: skip
    rows = np.arange(n)
    parts = [
        _events(rows, day - first, layout.PARAMETERS_SET, rows.astype(np.float64), theta) for day, theta in course[1:]
    ]
    parts += [
        _events(rows, day - first, layout.COTHERAPY_SET, np.full(n, strength))
        for day, strength in _immunomodulator(plan.record, first)
    ]
    for dose in plan.doses:
        now = next(theta for day, theta in reversed(course) if day <= dose.day)
        parts.append(
            dose_events(
                rows, dose.day - first, np.full(n, dose.milligrams),
                route=resolve_route(dose.route, model.structure, model=model.name), duration=dose.duration,
                theta=now,
            )
        )  # fmt: skip
    return state, Events.merge(parts)


def hazard_scale(record: PatientRecord, layer: Immunogenicity) -> float:
    """Multiplier of the patient's onset hazard besides the frailty: HLA-DQA1*05."""
    return layer.hla_factor if record.covariates.get("hla_dqa1_05", 0.0) > 0.5 else 1.0


def frailties(layer: Immunogenicity) -> tuple[Floats, Floats]:
    """Nodes and weights of the log-normal frailty (Gauss-Hermite, 20 points)."""
    x, w = np.polynomial.hermite_e.hermegauss(20)
    return np.exp(layer.frailty_sd * x), w / w.sum()


def _as_patients(record: PatientRecord, day: float, n: int) -> Patients:
    known = {**record.covariates, **{name: course.at(day) for name, course in record.over_time.items()}}
    return Patients(ids=np.arange(n), covariates={name: np.full(n, value) for name, value in known.items()})


def _immunomodulator(record: PatientRecord, first: float) -> list[tuple[float, float]]:
    """(day since the first dose, strength) wherever it changes."""
    course = record.over_time.get("immunomodulator")
    if course is None:
        constant = record.covariates.get("immunomodulator", 0.0)
        return [(0.0, constant)] if constant > 0.0 else []
    days = [first, *(day for day in course.days if day > first)]
    return [(day - first, course.at(day)) for day in days]


def _events(rows: NDArray[np.int64], day: float, kind: int, values: Floats, tables: Floats | None = None) -> Events:
    return Events(
        row=rows,
        time=np.full(rows.size, day),
        kind=np.full(rows.size, kind),
        value=values,
        tables=np.empty((0, layout.N_THETA)) if tables is None else tables,
    )


def check_horizon(first: float, day: float) -> float:
    """Days from the first dose to ``day``, which must lie after it."""
    if not first < day < math.inf:
        raise InputError.one(f"day {day:g}, not after the first dose on day {first:g}", "give a later day", key="day")
    return day - first
