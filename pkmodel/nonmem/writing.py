"""Tables out: the columns that NONMEM, mrgsolve, rxode2 and nlmixr2 read."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.nonmem.records import table_of_records
from pkmodel.nonmem.table import Table
from pkmodel.patients import Patients
from pkmodel.record import CovariateCourse, Level, PatientRecord, doses_of
from pkmodel.regimen import Regimen

if TYPE_CHECKING:
    import xarray as xr

_COLUMNS = ("ID", "TIME", "AMT", "RATE", "DUR", "EVID", "MDV", "CMT", "ADDL", "II", "SS", "DV", "LLOQ", "BLQ")


def write_table(table: Table, path: str | Path) -> None:
    """Write a table: times in days, mg, mg/L, "." where there is no value.

    Numbers have as many digits as they need to be read back exactly; the length of an infusion stands in DUR and,
    for programs that know only AMT and RATE, in RATE too. The same table gives the same bytes.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(table.duration > 0, table.amount / table.duration, 0.0)
    columns = {
        "ID": table.patient, "TIME": table.time, "AMT": table.amount, "RATE": rate, "DUR": table.duration,
        "EVID": table.event, "MDV": (~table.used).astype(np.int64), "CMT": table.compartment,
        "ADDL": table.additional, "II": table.interval, "SS": table.steady, "DV": table.level, "LLOQ": table.lloq,
        "BLQ": table.below.astype(np.int64),
    }  # fmt: skip
    ordered = [columns[name].tolist() for name in _COLUMNS] + [v.tolist() for v in table.covariates.values()]
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_COLUMNS, *table.covariates])
        for row in zip(*ordered, strict=True):
            writer.writerow([_cell(value) for value in row])


def _cell(value: float) -> str:
    """The shortest text that reads back as the same number."""
    if math.isnan(value):
        return "."
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(value)


def table_of_simulation(
    result: xr.Dataset,
    model: PopulationModel,
    patients: Patients,
    regimen: Regimen,
    *,
    variable: str = "concentration",
    lloq: float | None = None,
) -> Table:
    """The doses and levels of a simulation as a table.

    Parameters
    ----------
    result
        From :func:`pkmodel.simulate` with the same ``patients`` and ``regimen``.
    variable
        What goes into DV: "concentration", or "measured_..." of an assay, where NaN is below its limit.
    lloq
        Limit of quantification, mg/L: what lies below it is written as BLQ.

    Notes
    -----
    A level at the time of a dose stands before it: it is a trough. A level of exactly 0 (before the first dose) is
    written with MDV 1, as a record to predict and not a measurement.
    """
    levels = np.asarray(result[variable].values)
    below = np.isnan(levels) | (levels < (lloq or 0.0))
    if np.isnan(levels).any() and lloq is None:
        raise InputError.one(f"{variable} holds levels below a limit that is not given", "give lloq=...", key="lloq")
    times = np.asarray(result["time"].values, dtype=np.float64)
    made = []
    for row in range(len(patients)):
        one = patients.take(slice(row, row + 1))
        weight = one.covariates.get("weight")
        made.append(
            PatientRecord(
                id=str(int(one.ids[0])),
                doses=doses_of(regimen, weight=None if weight is None else float(weight[0])),
                levels=_levels(times, levels[row], below[row], lloq, regimen),
                covariates={k: float(v[0]) for k, v in one.covariates.items() if k not in one.over_time},
                over_time={
                    name: CovariateCourse(days=tuple(c.times.tolist()), values=tuple(c.values[0].tolist()), rule=c.rule)
                    for name, c in one.over_time.items()
                },
            )
        )
    return table_of_records(made, model, file=str(result.attrs.get("model", "simulation")))


def _levels(
    times: np.ndarray, levels: np.ndarray, below: np.ndarray, lloq: float | None, regimen: Regimen
) -> tuple[Level, ...]:
    dosing = {dose.time for dose in regimen.doses}
    first = regimen.doses[0].time
    return tuple(
        Level(day=t, value=None if low else c, lloq=lloq, trough=t in dosing)
        for t, c, low in zip(times.tolist(), levels.tolist(), below.tolist(), strict=True)
        if t > first and (low or c > 0.0)
    )
