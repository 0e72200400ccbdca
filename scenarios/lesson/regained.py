"""Who has drug and response back after losing response, by the antibody titre before the loss.

The patients are those who lost response early enough to be followed for half a year. The titre is the true amount of
antibody, free and bound, in the last sample of a visit up to the loss: what happens after the loss cannot touch it, so
arms that part at the loss have the same patients in every band.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pkmodel import units
from pkmodel.errors import InputError
from scenarios.intervals import Share

if TYPE_CHECKING:
    import xarray as xr

    from scenarios.intervals import BoolArray, FloatArray

LEVEL = 3.0
"""Level that counts as drug being back, ug/mL: the review's adequate trough of infliximab."""
FROM, TO = 112.0, 182.0
"""Days after the loss in which it must not be undercut.

A dose changed at the loss is first given up to 8 weeks later and has its trough 8 weeks after that: from week 16 on the
new regimen is seen, and ten weeks hold a whole interval.
"""


def regained(result: xr.Dataset, arm: str, titres: list[str]) -> list[dict[str, Any]]:
    """For each band of titres, what came back: a cell with the curves over all bands, and the number of its own.

    Parameters
    ----------
    result
        Dataset of a run that kept trajectories week by week, in which response can come back.
    arm
        Name of the arm.
    titres
        Bands as text, "0.1-1 ug/mL" or ">= 9 ug/mL"; the upper end belongs to the next band.

    Returns
    -------
    One cell for each band: `n`, `level` and `response` are lists over the bands, the latter two of estimate, low and
    high end in percent (None where nobody is in a band); `band` is its own number, `drug` mg per patient-year of all.

    Raises
    ------
    InputError
        If response cannot come back in the scenario.
    """
    if "responding" not in result:
        raise InputError.one("response cannot come back in this scenario", "give it regain_after", key="scenario")
    one = result.sel(arm=arm)
    loss = one["loss_time"].values
    rows = np.flatnonzero(loss + TO <= float(result.attrs["duration_d"]))
    titre = _titre_before(one, rows, loss[rows])
    level = _kept_level(one, rows, loss[rows])
    response = _responds(one, rows, loss[rows])
    curves: dict[str, list[Any]] = {"n": [], "level": [], "response": []}
    for low, high in map(units.window, titres):
        band = (titre >= low) & (titre < high)
        curves["n"].append(int(np.count_nonzero(band)))
        curves["level"].append(_share(level, band))
        curves["response"].append(_share(response, band))
    drug = round(float(one["dose_total"].values.mean()) / (float(result.attrs["duration_d"]) / 365.25))
    return [curves | {"band": number, "drug": drug} for number in range(len(titres))]


def _titre_before(one: xr.Dataset, rows: np.ndarray[Any, Any], loss: FloatArray) -> FloatArray:
    """Antibody, ug/mL, in the last sample of a visit up to the loss."""
    visits = one["visit"].values * 7.0
    last = np.searchsorted(visits, loss, side="right") - 1
    found: FloatArray = one["antibody_total"].values[rows, last]
    return found


def _kept_level(one: xr.Dataset, rows: np.ndarray[Any, Any], loss: FloatArray) -> BoolArray:
    """Whether no weekly level, taken before any dose of its day, is below LEVEL in the days that count."""
    days = one["time"].values
    levels = one["concentration"].values[rows]
    counted = (days >= loss[:, None] + FROM) & (days <= loss[:, None] + TO)
    return np.asarray(((levels >= LEVEL) | ~counted).all(axis=1))


def _responds(one: xr.Dataset, rows: np.ndarray[Any, Any], loss: FloatArray) -> BoolArray:
    """Whether there is response at the first visit 16 weeks or more after the loss."""
    visits = one["visit"].values * 7.0
    at = np.minimum(np.searchsorted(visits, loss + FROM), visits.size - 1)
    return np.asarray(one["responding"].values[rows, at] == 1)


def _share(event: BoolArray, among: BoolArray) -> list[float] | None:
    if not among.any():
        return None
    found = Share(event=event, among=among).interval()
    return [round(value, 1) for value in (found.estimate, found.low, found.high)]
