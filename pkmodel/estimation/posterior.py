"""The whole posterior, by adaptive Metropolis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkmodel.drug import PopulationModel
from pkmodel.record import PatientRecord

if TYPE_CHECKING:
    import xarray as xr


def sample(
    model: PopulationModel,
    record: PatientRecord,
    *,
    chains: int = 4,
    warmup: int = 2000,
    draws: int = 2000,
    seed: int = 1,
) -> xr.DataTree:
    """Draws from the posterior in ArviZ's layout."""
    raise NotImplementedError
