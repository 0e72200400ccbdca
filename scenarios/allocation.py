"""Who is in which arm of a randomised trial, and who leaves a trial early.

Both are addressed random numbers of the patient: they depend on no other patient but, with blocks, those whose ids
lie in the same block. A patient of a randomised trial is the same patient as in the paired one, bit for bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from scenarios.scenario_parts import TrialDesign

if TYPE_CHECKING:
    import xarray as xr

PAIRED, RANDOMISED = "paired", "randomised"


def allocate(design: TrialDesign, ids: NDArray[np.int64], draws: Draws) -> NDArray[np.int64]:
    """Number of the arm of each patient of a randomised trial.

    Parameters
    ----------
    design
        Ratio and blocks.
    ids
        (patient,) ids; with blocks of size b, the ids k b .. k b + b - 1 make one block.
    draws
        The trial's random numbers.

    Returns
    -------
    NDArray[np.int64]
        (patient,) arm numbers.

    Notes
    -----
    Simple: the patient's uniform falls into the part of (0, 1) that is the arm's. Blocks: the ranks of the block's
    uniforms are a random permutation of its places, of which each arm holds its part; so every block whose ids all
    take part has the exact ratio.
    """
    ends = np.cumsum(design.ratio) / sum(design.ratio)
    if design.block is None:
        place = draws.uniform(Stream.ALLOCATION, ids)[:, 0]
        return np.minimum(np.searchsorted(ends, place, side="right"), len(design.ratio) - 1)
    size = design.block
    blocks, which = np.unique(ids // size, return_inverse=True)
    members = blocks[:, None] * size + np.arange(size)
    uniform = draws.uniform(Stream.ALLOCATION, members.ravel())[:, 0].reshape(members.shape)
    rank = uniform.argsort(axis=1).argsort(axis=1)[which, ids % size]
    ends_of_block = np.cumsum(design.ratio) * (size // sum(design.ratio))
    return np.searchsorted(ends_of_block, rank, side="right")


def leaving_days(design: TrialDesign, ids: NDArray[np.int64], draws: Draws) -> NDArray[np.float64]:
    """Day on which each patient leaves the trial; infinite without dropout. Exponential, the same in every arm."""
    if design.dropout == 0.0:
        return np.full(len(ids), math.inf)
    return draws.exponential(Stream.DROPOUT, ids)[:, 0] / design.dropout


def as_trial(result: xr.Dataset, design: TrialDesign, draws: Draws) -> xr.Dataset:
    """Leave of a result what a trial would have seen: nothing of arms a patient is not in, nothing after leaving.

    Parameters
    ----------
    result
        What the arms did, dimensions (arm, patient, visit[, time]); values of arms a patient is not in are ignored.
    design
        Who is where, and who leaves.
    draws
        The trial's random numbers.

    Returns
    -------
    xarray.Dataset
        With attribute ``design``; of a randomised trial with ``allocation`` (patient,), the number of the arm, and NaN
        (also in counts and flags, which become floats) in the other arms; with dropout with ``leaves`` (patient,), in
        days, NaN for those who stay, and NaN at visits from that day on. A response judged after leaving is none, a
        loss or seroconversion after leaving is not seen.
    """
    ids = result["patient"].values
    result = result.assign_attrs(design=RANDOMISED if design.randomised else PAIRED)
    if design.dropout > 0.0:
        result = _until_leaving(result, leaving_days(design, ids, draws))
    if not design.randomised:
        return result
    allocation = allocate(design, ids, draws)
    result["allocation"] = ("patient", allocation, {"long_name": "number of the patient's arm, from 0"})
    member = (np.arange(result.sizes["arm"])[:, None] == allocation[None, :])[:, :, None]
    for name, variable in result.data_vars.items():
        if "arm" in variable.dims:
            inside = member if variable.ndim == 3 else member[:, :, 0]
            result[name] = (variable.dims, np.where(inside, variable.values, np.nan), variable.attrs)
    return result


def _until_leaving(result: xr.Dataset, leaves: NDArray[np.float64]) -> xr.Dataset:
    gone_by = np.where(leaves < float(result.attrs["duration_d"]), leaves, np.nan)
    days = {"visit": 7.0 * result["visit"].values}
    if "time" in result.dims:
        days["time"] = result["time"].values
    for name, variable in result.data_vars.items():
        if variable.ndim == 3:
            seen = days[str(variable.dims[2])] < leaves[:, None]
            result[name] = (variable.dims, np.where(seen, variable.values, np.nan), variable.attrs)
    for name in ("loss_time", "onset_time"):
        day = result[name]
        result[name] = (day.dims, np.where(day.values < leaves, day.values, np.nan), day.attrs)
    assessed = result["responder"]
    stayed = float(result.attrs["assessment_d"]) < leaves
    result["responder"] = (assessed.dims, assessed.values & stayed, assessed.attrs)
    result["leaves"] = ("patient", gone_by, {"units": "day", "long_name": "leaves the trial; missing if to the end"})
    return result
