"""Results that a run has left on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pkmodel.errors import InputError
from scenarios.outputs import RESULT

if TYPE_CHECKING:
    import xarray as xr


def open_result(path: str | Path) -> xr.Dataset:
    """Open the result of a run: ``result.nc``, or the directory that holds it.

    Raises
    ------
    InputError
        If there is no such file, or it is not a result of a run.
    """
    import xarray as xr

    place = Path(path)
    file = place / RESULT if place.is_dir() else place
    if not file.is_file():
        remedy = "name what 'pkmodel run SCENARIO --out DIR' left: DIR, or DIR/result.nc"
        raise InputError.one("there is no such result", remedy, file=str(file))
    try:
        result = xr.open_dataset(file, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise InputError.one("cannot be read as netCDF", "name a result.nc of a run", file=str(file)) from error
    if "arm" not in result.dims or "scenario_toml" not in result.attrs:
        raise InputError.one("not the result of a run", "name a result.nc of a run", file=str(file))
    return result
