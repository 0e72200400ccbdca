"""A timetable that all patients share, compiled for :mod:`pkmodel.kernels.shared`."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.drug import PopulationModel
from pkmodel.regimen import Regimen, resolve_route
from pkmodel.structure import Structure

# Durations equal to within rounding must share a row of the kernel's tables, and the row must not depend on
# which other durations occur: they are rounded to this many days (a tenth of a microsecond).
_GRAIN = 2.0**-40
_NOTHING, _BOLUS, _DEPOT, _INFUSION = range(4)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timetable:
    """Segments between events, the outputs in each, and the distinct durations that occur.

    Attributes
    ----------
    starts
        (segment + 1,) days; the last is the last output.
    kinds, amounts, rates, per_weight
        (segment,) what happens at a segment's start: kind, mg (or mg/kg), mg/d, and whether the amount is per kg.
    first_out
        (segment + 1,) first output of each segment; outputs lie in (start, next start].
    out_table, end_table
        Rows of ``durations`` for each output and for the end of each segment.
    durations
        (row,) days; the first ``infused`` occur during infusions.
    two, depot
        Whether there is a second compartment, and whether anything is absorbed.
    """

    starts: NDArray[np.float64]
    kinds: NDArray[np.int64]
    amounts: NDArray[np.float64]
    rates: NDArray[np.float64]
    per_weight: NDArray[np.bool_]
    first_out: NDArray[np.int64]
    out_table: NDArray[np.int64]
    end_table: NDArray[np.int64]
    durations: NDArray[np.float64]
    infused: int
    two: bool
    depot: bool


def all_together(model: PopulationModel) -> bool:
    """Whether patients share their event times: the model has no absorption lag."""
    return model.typical["LAG"] == 0.0


def compile_timetable(
    regimen: Regimen, structure: Structure, days: NDArray[np.float64], *, model: str
) -> Timetable | None:
    """The regimen and output days (> 0, increasing) as a :class:`Timetable`; None if infusions overlap other
    doses (then the general engine is needed)."""
    return _compiled(regimen, structure, days.tobytes(), model)


@functools.lru_cache(maxsize=16)
def _compiled(regimen: Regimen, structure: Structure, moments: bytes, model: str) -> Timetable | None:
    """Of the bytes of the output days: whoever simulates a regimen again, for other patients, finds it compiled."""
    days = np.frombuffer(moments)
    end = float(days[-1])
    points: list[tuple[float, int, float, float, bool]] = []
    busy_until = 0.0
    for dose in regimen.doses:
        if dose.time >= end:
            break
        if dose.time < busy_until:
            return None
        amount, weighed = dose.amount.value, dose.amount.per_weight
        route = resolve_route(dose.route, structure, model=model)
        if route == "sc":
            points.append((dose.time, _DEPOT, amount, 0.0, weighed))
        elif dose.duration == 0.0:
            points.append((dose.time, _BOLUS, amount, 0.0, weighed))
        else:
            busy_until = dose.time + dose.duration
            points.append((dose.time, _INFUSION, amount, amount / dose.duration, weighed))
            points.append((busy_until, _NOTHING, 0.0, 0.0, False))
    if not points or points[0][0] > 0.0:
        points.insert(0, (0.0, _NOTHING, 0.0, 0.0, False))
    points = [point for point in points if point[0] < end]
    starts = np.array([point[0] for point in points] + [end])
    kinds = np.array([point[1] for point in points], np.int64)
    segment = np.searchsorted(starts[1:-1], days, side="left")
    since = np.round((days - starts[segment]) / _GRAIN).astype(np.int64)
    lengths = np.round(np.diff(starts) / _GRAIN).astype(np.int64)
    during = np.unique(np.concatenate([since[kinds[segment] == _INFUSION], lengths[kinds == _INFUSION]]))
    others = np.setdiff1d(np.concatenate([since, lengths]), during)
    keys = np.concatenate([during, others])
    order = np.argsort(keys)
    return Timetable(
        starts=starts,
        kinds=kinds,
        amounts=np.array([point[2] for point in points]),
        rates=np.array([point[3] for point in points]),
        per_weight=np.array([point[4] for point in points], np.bool_),
        first_out=np.searchsorted(segment, np.arange(starts.size)),
        out_table=order[np.searchsorted(keys, since, sorter=order)],
        end_table=order[np.searchsorted(keys, lengths, sorter=order)],
        durations=keys * _GRAIN,
        infused=int(during.size),
        two=structure.compartments > 1,
        depot=bool(np.any(kinds == _DEPOT)),
    )


def run(
    timetable: Timetable,
    theta: NDArray[np.float64],
    weight: NDArray[np.float64],
    days: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    change_time: NDArray[np.float64],
    change_factor: NDArray[np.float64],
    serial: bool,
) -> None:
    """Free drug of every patient into ``out`` (patient, time), mg/L; contiguous.

    The last columns are those of ``days``; any before them are of days before the first event, and zero.
    """
    from pkmodel.kernels import shared

    kernel = shared.run_serial if serial else shared.run_parallel
    kernel(
        theta,
        weight,
        timetable.per_weight,
        timetable.amounts,
        timetable.starts,
        timetable.kinds,
        timetable.rates,
        timetable.first_out,
        timetable.out_table,
        timetable.end_table,
        days,
        timetable.durations,
        timetable.infused,
        change_time,
        change_factor,
        timetable.two,
        timetable.depot,
        out.shape[1] - days.size,
        out,
    )
