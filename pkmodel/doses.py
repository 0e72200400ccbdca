"""From a dose to the events that kernels understand: absorption, infusion, premedication, occasion."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws, Stream, moment
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.individuals import parameters
from pkmodel.kernels import layout as at
from pkmodel.patients import Patients
from pkmodel.regimen import Regimen, resolve_route
from pkmodel.state import Events

_Part = tuple[NDArray[np.float64], int, NDArray[np.float64]]  # times, kind and values


def dose_events(
    rows: NDArray[np.int64],
    time: float | NDArray[np.float64],
    milligrams: NDArray[np.float64],
    *,
    route: str,
    duration: float,
    theta: NDArray[np.float64],
    steroid: NDArray[np.float64] | None = None,
    occasion: NDArray[np.float64] | None = None,
) -> Events:
    """Events of one dose for each of ``rows``.

    Parameters
    ----------
    rows, milligrams
        (dose,) state rows, doses in mg.
    theta
        (dose, parameter) parameters of those patients: absorption lag, and for zero-order absorption its duration
        and the bioavailability, are taken as they are when the dose is given.
    time
        Day of the dose, one for all or (dose,).
    route, duration
        "iv" or "sc"; length of the infusion in days (0: bolus).
    steroid
        (dose,) multiplier on the onset hazard that holds from this dose on; None leaves it.
    occasion
        (dose,) factor on CL of the dosing occasion that begins here; None leaves it.
    """
    if np.any(~np.isfinite(milligrams)) or np.any(milligrams < 0.0):
        raise InputError.one("a dose is negative or not a number", "doses are positive mg", key="dose")
    times = np.broadcast_to(np.asarray(time, dtype=np.float64), rows.shape)
    parts: list[_Part] = []
    if steroid is not None:
        parts.append((times, at.STEROID_SET, steroid))
    if occasion is not None:
        parts.append((times, at.OCCASION_SET, occasion))
    if route == "sc" and theta.shape[1] > at.D1 and np.any(theta[:, at.D1] > 0.0):
        parts += _constant_rate(times + theta[:, at.LAG], milligrams * theta[:, at.F], theta[:, at.D1])
    elif route == "sc":
        parts.append((times + theta[:, at.LAG], at.DEPOT, milligrams))
    elif duration > 0.0:
        parts += _constant_rate(times, milligrams, np.full(rows.size, duration))
    else:
        parts.append((times, at.BOLUS, milligrams))
    if np.all(rows[1:] > rows[:-1]):
        return Events.side_by_side(rows, parts)
    return Events.merge([Events.side_by_side(rows, [part]) for part in parts])


def _constant_rate(
    times: NDArray[np.float64], milligrams: NDArray[np.float64], duration: NDArray[np.float64]
) -> list[_Part]:
    rate = milligrams / duration
    return [(times, at.RATE_CHANGE, rate), (times + duration, at.RATE_CHANGE, -rate)]


def regimen_events(
    regimen: Regimen,
    model: PopulationModel,
    patients: Patients,
    draws: Draws,
    theta: NDArray[np.float64],
    immunogenicity: Immunogenicity | None,
    *,
    first_eta: int = 0,
) -> Events:
    """All events of a fixed timetable; ``theta`` are the parameters at its beginning, ``first_eta`` as there."""
    n = len(patients)
    rows = np.arange(n)
    parts = []
    for dose in regimen.doses:
        now = theta
        if patients.over_time:
            now = parameters(model, patients, draws, immunogenicity=immunogenicity, time=dose.time, first_eta=first_eta)
        steroid = None
        if immunogenicity is not None:
            steroid = np.full(n, immunogenicity.steroid_factor if dose.premedicated else 1.0)
        parts.append(
            dose_events(
                rows,
                dose.time,
                dose.milligrams(patients.covariates_at(dose.time).get("weight"), n),
                route=resolve_route(dose.route, model.structure, model=model.name),
                duration=dose.duration,
                theta=now,
                steroid=steroid,
                occasion=occasion_factors(model, patients.ids, draws, dose.time),
            )
        )
    return Events.merge(parts)


def occasion_factors(
    model: PopulationModel, ids: NDArray[np.int64], draws: Draws, day: float
) -> NDArray[np.float64] | None:
    """Between-occasion factor on CL of the dosing occasion that begins on ``day``; None if the model has none.

    An occasion is the time from one dose to the next (the papers rarely define it).

    Raises
    ------
    InputError
        If another parameter than CL varies between occasions: nothing here would apply it.
    """
    others = sorted(name for name, size in model.iov.items() if name != "CL" and size > 0.0)
    if others:
        raise InputError.one(
            f"between-occasion variability of {', '.join(others)} is not simulated",
            "only CL can vary between occasions; leave the others out",
            key="iov",
        )
    variance = model.iov.get("CL", 0.0)
    if variance == 0.0:
        return None
    z = draws.normal(Stream.OCCASION, ids, 1, first=moment(day))[:, 0]
    return np.asarray(np.exp(math.sqrt(variance) * z))
