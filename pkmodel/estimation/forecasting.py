"""What follows from an estimate: levels to come, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel.estimation.averaging import Average
from pkmodel.estimation.estimate import Estimate
from pkmodel.record import DoseRecord

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """Possible futures of one patient.

    Attributes
    ----------
    days
        (time,) of the forecast.
    true
        (draw, time) free drug, mg/L: uncertainty of the parameters, and of occasions to come.
    measured
        (draw, time) what an assay would report: ``true`` with the model's residual error.
    doses
        Future doses it holds for.
    """

    days: NDArray[np.float64]
    true: NDArray[np.float64]
    measured: NDArray[np.float64]
    doses: tuple[DoseRecord, ...]


def forecast(
    known: Estimate | Average | xr.DataTree,
    doses: Sequence[DoseRecord],
    days: ArrayLike,
    *,
    draws: int = 1000,
    seed: int = 1,
) -> Forecast:
    """Levels on ``days`` if ``doses`` are given after those of the record."""
    raise NotImplementedError
