"""Replicates of a table: what a model would have measured in new patients treated and sampled alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream, moment
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.nonmem.simulating import Plan
from pkmodel.nonmem.table import Table

Floats = NDArray[np.float64]

_FEWEST = 100  # replicates: below, a 95 % band of a percentile rests on two of them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replicates:
    """Measured levels and what the model would have measured.

    Attributes
    ----------
    table, model
        What was simulated by what.
    rows
        (level,) rows of the table with a level to compare.
    patient, time, after_dose
        (level,) ID, day, and days since the last dose (of that patient, additional doses included).
    observed, below, lloq
        (level,) measured level, mg/L (NaN where below its limit); whether it is below; the limit, NaN if unknown.
    typical
        (level,) prediction without random effects, mg/L.
    simulated
        (replicate, level) simulated measurements, mg/L; residual error included, not cut at zero or the limit.
    """

    table: Table
    model: PopulationModel
    rows: NDArray[np.int64]
    patient: NDArray[np.int64]
    time: Floats
    after_dose: Floats
    observed: Floats
    below: NDArray[np.bool_]
    lloq: Floats
    typical: Floats
    simulated: Floats


def simulate_replicates(
    model: PopulationModel,
    table: Table,
    *,
    replicates: int = 500,
    seed: int = 1,
    rules: Mapping[str, str] | None = None,
    progress: Callable[[float], None] | None = None,
    threads: int | None = None,
) -> Replicates:
    """Simulate a table many times over.

    Parameters
    ----------
    replicates
        At least 100; replicate k, from 1, has the address (seed, k).
    rules
        Covariate to "nocb" (the default), "locf" or "linear".

    Raises
    ------
    InputError
        If the table holds no level, or the model no residual error.
    """
    if replicates < _FEWEST:
        raise InputError.one(f"{replicates} replicates", f"use at least {_FEWEST}", key="replicates")
    samples = table.samples
    chosen = np.flatnonzero(table.used[samples])
    rows = samples[chosen]
    if not rows.size:
        raise InputError.one("there is no level to compare with", "EVID 0 and MDV 0 mark levels", file=table.file)
    if model.residual.proportional == 0.0 and model.residual.additive == 0.0:
        raise InputError.one(f"{model.name} has no residual error", "a check of levels needs one", key="residual")
    plan = Plan.of(table, model, rules)
    index = np.array([moment(day) for day in table.time[rows].tolist()], np.int64)
    simulated = np.empty((replicates, rows.size))
    for k in range(replicates):
        draws = Draws(seed, replicate=k + 1)  # 0 is what pk.simulate uses: the data may have been made by it
        true = plan.levels(draws, plan.etas(draws), threads=threads)[chosen]
        simulated[k] = true + model.residual.sd(true) * residuals(draws, table.patient[rows], index)
        if progress is not None:
            progress((k + 1) / replicates)
    return Replicates(
        table=table,
        model=model,
        rows=rows,
        patient=table.patient[rows],
        time=table.time[rows],
        after_dose=_after_dose(plan, rows),
        observed=table.level[rows],
        below=table.below[rows],
        lloq=table.lloq[rows],
        typical=plan.typical(threads)[chosen],
        simulated=simulated,
    )


def residuals(draws: Draws, patients: NDArray[np.int64], minutes: NDArray[np.int64]) -> Floats:
    """(level,) standard normal residual of each level, addressed by patient and minute.

    Samples of one patient in one minute get the numbers after it: they are different samples.
    """
    order = np.lexsort((minutes, patients))
    keys = np.stack([patients[order], minutes[order]], axis=1)
    again = np.concatenate([[False], np.all(keys[1:] == keys[:-1], axis=1)]) if order.size else np.zeros(0, bool)
    count = np.zeros(order.size, np.int64)
    for place in np.flatnonzero(again).tolist():
        count[place] = count[place - 1] + 1
    nth = np.empty(order.size, np.int64)
    nth[order] = count
    out = np.empty(patients.size)
    address = minutes * 8 + nth
    for one in np.unique(address):
        mine = address == one
        out[mine] = draws.normal(Stream.RESIDUAL, patients[mine], 1, first=int(one))[:, 0]
    return out


def _after_dose(plan: Plan, rows: NDArray[np.int64]) -> Floats:
    """Days since the last dose before each level; since the start where there was none."""
    found = plan.episodes
    owner = found.owner[found.dose_row]
    day = found.dose_time + found.origin[found.dose_row]
    number = plan.table.number[rows]
    since = plan.table.time[rows].copy()
    for who in np.unique(number):
        doses = np.sort(day[owner == who])
        mine = number == who
        place = np.searchsorted(doses, plan.table.time[rows[mine]], side="left") - 1
        has = place >= 0
        since[mine] -= np.where(has, doses[np.maximum(place, 0)] if doses.size else 0.0, 0.0)
    return since
